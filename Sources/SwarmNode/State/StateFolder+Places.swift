import Glibc
import Metainfo

/// Where datasets have their content: the file `places`, with a line each of infohash and path. Two
/// datasets at one place would each change what the other believes to be verified.
extension StateFolder {
  private struct Place: Equatable {
    let infohash: String
    let path: [UInt8]

    /// Whether one path is the other, or lies below it.
    func overlaps(_ other: [UInt8]) -> Bool {
      let slash = [UInt8(ascii: "/")]
      return (path + slash).starts(with: other + slash)
        || (other + slash).starts(with: path + slash)
    }
  }

  /// Notes that a dataset's content lies at a path, or will; the caller holds the dataset's folder. Throws
  /// where the content of another one lies there, in it or around it.
  public func claim(_ content: [UInt8], for name: DatasetName) throws(StateError) {
    let own = Place(infohash: name.folder, path: content)
    let file = path.appending(path: Array("places".utf8))
    let lock = try lockPlaces()
    defer { withExtendedLifetime(lock) {} }
    var places: [Place]
    do throws(SystemError) { places = try Self.places(in: file) } catch { throw .system(error) }
    if places.contains(own) { return }
    if let other = places.first(where: {
      $0.infohash != own.infohash && $0.overlaps(content) && isInUse($0)
    }) {
      throw .placeTaken(path: content, by: other.infohash)
    }
    places.removeAll { $0.overlaps(content) }
    places.append(own)
    let lines = places.map { "\($0.infohash) \(printable($0.path))\n" }.joined()
    do throws(SystemError) {
      try WholeFile.write(Array(lines.utf8), to: file)
    } catch {
      throw .system(error)
    }
  }

  /// Whether there is something, or will be: a place is free when its content was removed by hand and
  /// nobody takes part in it.
  private func isInUse(_ place: Place) -> Bool {
    if place.path.withCPath({ access($0, F_OK) }) == 0 { return true }
    let dataset = path.appending(path: Array("datasets/\(place.infohash)".utf8))
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
      return Place(infohash: String(parts[0]), path: path)
    }
  }
}
