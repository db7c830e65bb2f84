/// Where traces lie in a dataset: that of the file `a/b.img` is `.swarm/traces/a/b.img.trace`.
/// docs/trace.md.
public enum TracePlace {
  private static let folder = Array(".swarm/traces/".utf8)
  private static let ending = Array(".trace".utf8)

  /// The path of the trace of a file; nil where that would be no path.
  public static func path(ofTraceFor file: ContentPath) -> ContentPath? {
    guard let last = file.elements.last,
      (try? PathElement.check(last.bytes + ending)) != nil
    else { return nil }
    return try? ContentPath(joined: folder + file.bytes + ending)
  }

  /// The path of the file that the trace at `path` is about; nil for what is none.
  public static func path(ofFileFor path: ContentPath) -> ContentPath? {
    let bytes = path.bytes
    guard bytes.starts(with: folder), bytes.suffix(ending.count).elementsEqual(ending),
      bytes.count > folder.count + ending.count
    else { return nil }
    let joined = bytes[folder.count..<(bytes.count - ending.count)]
    return joined.last == ContentPath.separator ? nil : try? ContentPath(joined: joined)
  }

  /// The trace of the file at a place of a torrent: its own place there, and its bytes; nil where there
  /// is none that could be one.
  public static func trace(
    forFileAt place: Int, in info: InfoDictionary
  ) -> (place: Int, length: UInt64)? {
    guard info.files.indices.contains(place), let path = path(ofTraceFor: info.files[place].path),
      let found = info.files.firstIndex(where: { $0.path == path }),
      info.files[found].symlinkTarget == nil, info.files[found].length > 0,
      info.files[found].length <= UInt64(TraceLimits.bytes)
    else { return nil }
    return (found, info.files[found].length)
  }
}
