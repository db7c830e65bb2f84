import Metainfo

/// A link that is read, written and read again is the same; a path stays as it is.
func fuzzMagnet(_ bytes: UnsafeRawBufferPointer) {
  do {
    switch try LinkArgument(parsing: bytes) {
    case .link(let link): check(link)
    case .path(let path): precondition(path.elementsEqual(bytes))
    }
  } catch {
    check(error, in: bytes)
  }
  do {
    check(try MagnetLink(parsing: bytes))
  } catch {
    check(error, in: bytes)
  }
}

private func check(_ link: MagnetLink) {
  precondition(link.namesSomething)
  let uri = link.secretURI
  if let key = link.readKey {
    demand(!link.uri.contains(key.hex) && !"\(link)".contains(key.hex), "a read key is shown")
  }
  precondition(uri.utf8.allSatisfy { (0x21...0x7e).contains($0) })
  // Escapes can make a link longer than what is read.
  if uri.utf8.count > MagnetLimits.uriBytes { return }
  do {
    let again = try LinkArgument(parsing: uri.utf8)
    precondition(again == .link(link), "\(uri) reads as something else")
  } catch {
    preconditionFailure("\(uri): \(error)")
  }
}

private func check(_ error: MagnetError, in bytes: UnsafeRawBufferPointer) {
  precondition((0...bytes.count).contains(error.offset) && !error.description.isEmpty)
}
