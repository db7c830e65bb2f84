import Wire

/// A datagram as from a router. What is read and written again reads the same.
func fuzzPCP(_ bytes: UnsafeRawBufferPointer) {
  let datagram = Array(bytes)
  do {
    let answer = try PCPAnswer(datagram)
    demand(datagram.count <= WireLimits.pcpBytes, "a message longer than any is taken")
    let again =
      switch answer {
      case .pcp(let response): response.encoded
      case .natPMP(let notice): notice.encoded
      }
    demand(again.count <= datagram.count, "more is written than was read")
    demand((try? PCPAnswer(again)) == answer, "written again it reads differently")
  } catch {
    demand((0...datagram.count).contains(error.offset) && !error.description.isEmpty)
  }
}
