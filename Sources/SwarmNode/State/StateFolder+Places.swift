import Glibc
import Metainfo

/// Where datasets have their content: the file `places`, with a line each of infohash and path; and by which
/// path their newest version is found, with the key instead. Two datasets at one place would each change what
/// the other believes to be verified.
extension StateFolder {
  struct Place: Equatable {
    /// Infohash or key.
    let owner: String
    /// The path; what was a symlink when it was noted may be another one now.
    let path: [UInt8]

    /// Whether one path is the other, or lies below it.
    func overlaps(_ other: [UInt8]) -> Bool { path.isAtOrBelow(other) || other.isAtOrBelow(path) }
  }

  /// All that is noted, also what is not there any more.
  func places() throws(SystemError) -> [Place] {
    try Self.places(in: path.appending(path: Array("places".utf8)))
  }

  /// Notes that a dataset's content lies at a path, or will; the caller holds the dataset's folder. Throws
  /// where the content of another one lies there, in it or around it, by whichever symlinks.
  public func claim(_ content: [UInt8], for name: DatasetName) throws(StateError) {
    // What leads through a symlink lies where that leads.
    let real = Self.real(content)
    try note(Place(owner: name.folder, path: content), at: [content, real]) { other in
      .placeTaken(path: content, by: other.owner)
    }
  }

  /// Notes that the newest version of a dataset is found by a symlink at a path. Throws where another one
  /// has it, or its content.
  public func claim(link: [UInt8], for key: DatasetKey) throws(StateError) {
    try note(Place(owner: key.hex, path: link), at: [link]) { other in
      .nameTaken(path: link, by: other.owner)
    }
  }

  /// The path without symlinks, as far as there is something.
  static func real(_ path: [UInt8]) -> [UInt8] {
    var (head, tail): ([UInt8], [[UInt8]]) = (path, [])
    while true {
      if let real = try? RealPath.resolve(head) {
        return tail.reversed().reduce(real) { $0.appending(path: $1) }
      }
      guard let slash = head.lastIndex(of: UInt8(ascii: "/")), slash > 0 else { return path }
      tail.append(Array(head[(slash + 1)...]))
      head = Array(head[..<slash])
    }
  }

  private func note(
    _ own: Place, at paths: [[UInt8]], error: (Place) -> StateError
  ) throws(StateError) {
    let file = path.appending(path: Array("places".utf8))
    let lock = try lockPlaces()
    defer { withExtendedLifetime(lock) {} }
    var places: [Place]
    do throws(SystemError) { places = try Self.places(in: file) } catch { throw .system(error) }
    let other = places.first { other in
      other.owner != own.owner && paths.contains { other.overlaps($0) } && isInUse(other)
    }
    if let other { throw error(other) }
    if places.contains(own) { return }
    places.removeAll { $0.overlaps(own.path) }
    places.append(own)
    let lines = places.map { "\($0.owner) \(printable($0.path))\n" }.joined()
    do throws(SystemError) {
      try WholeFile.write(Array(lines.utf8), to: file)
    } catch {
      throw .system(error)
    }
  }

  /// Whether there is something, or will be: a place is free when its content was removed by hand and
  /// nobody takes part in it.
  private func isInUse(_ place: Place) -> Bool {
    var status = stat()
    if place.path.withCPath({ lstat($0, &status) }) == 0 { return true }
    let dataset = path.appending(path: Array("datasets/\(place.owner)".utf8))
    let folders = [dataset, DatasetFolder.path(ofFurtherCopyAt: place.path, in: dataset)]
    return folders.contains { folder in
      do throws(StateError) {
        _ = try FileLock(folder.appending(path: Array("lock".utf8)), waits: false)
        return false
      } catch {
        if case .inUse = error { return true }
        return false
      }
    }
  }

  private static func places(in file: [UInt8]) throws(SystemError) -> [Place] {
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(file, limit: StateLimits.placesBytes)
    } catch {
      if error.number == ENOENT { return [] }
      throw error
    }
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").compactMap { line in
      let parts = line.split(separator: " ", maxSplits: 1)
      guard parts.count == 2, let path = unprintable(String(parts[1])) else { return nil }
      return Place(owner: String(parts[0]), path: path)
    }
  }
}
