/// Kinds of content, and what a client takes. RFC 9110, sections 8.3 and 12.5.1.
public enum MediaType {
  /// The kind of a file by the end of its name; bytes of which nothing is known where it says nothing.
  ///
  /// A browser that is shown a file should show it and not run it: what could bring a script is text.
  public static func ofFile(named name: [UInt8]) -> String {
    guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return unknown }
    return byEnding[String(decoding: name[(dot + 1)...], as: UTF8.self).lowercased()] ?? unknown
  }

  /// Of which nothing is known.
  public static let unknown = "application/octet-stream"

  private static let byEnding: [String: String] = [
    "txt": "text/plain; charset=utf-8", "md": "text/plain; charset=utf-8",
    "log": "text/plain; charset=utf-8", "html": "text/plain; charset=utf-8",
    "htm": "text/plain; charset=utf-8", "csv": "text/csv", "tsv": "text/tab-separated-values",
    "json": "application/json", "jsonl": "application/jsonl", "ndjson": "application/jsonl",
    "xml": "application/xml", "yaml": "application/yaml", "yml": "application/yaml",
    "pdf": "application/pdf", "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg",
    "gif": "image/gif", "webp": "image/webp", "tif": "image/tiff", "tiff": "image/tiff",
    "mp3": "audio/mpeg", "ogg": "audio/ogg", "flac": "audio/flac", "wav": "audio/wav",
    "mp4": "video/mp4", "webm": "video/webm", "mkv": "video/matroska",
    "gz": "application/gzip", "zst": "application/zstd", "zip": "application/zip",
    "tar": "application/x-tar", "parquet": "application/vnd.apache.parquet",
    "arrow": "application/vnd.apache.arrow.file", "nc": "application/netcdf",
    "h5": "application/x-hdf5", "sqlite": "application/vnd.sqlite3",
    "torrent": "application/x-bittorrent", "iso": "application/x-iso9660-image",
  ]

  /// Whether a client that sends this `Accept` takes content of `type` ("type/subtype", with or without
  /// parameters). What cannot be read is passed over; a header of nothing else takes anything.
  public static func accepts(_ header: [UInt8]?, _ type: String) -> Bool {
    guard let header else { return true }
    let wanted = essence(Array(type.utf8)[...])
    let group = wanted.prefix { $0 != UInt8(ascii: "/") }
    var best: (rank: Int, isTaken: Bool)?
    var isRead = false
    for item in header.split(separator: UInt8(ascii: ",")).prefix(HTTPLimits.listItems) {
      let range = essence(item)
      guard range.contains(UInt8(ascii: "/")) else { continue }
      isRead = true
      let rank =
        range == wanted
        ? 3
        : range.elementsEqual(group + Array("/*".utf8))
          ? 2 : range.elementsEqual("*/*".utf8) ? 1 : 0
      // The most specific one counts. Section 12.5.1.
      if rank > best?.rank ?? 0 { best = (rank, !isRefused(item)) }
    }
    return best?.isTaken ?? !isRead
  }

  /// Whether a `Content-Type` says that the content is of `type`, whatever its parameters.
  public static func isContent(_ header: [UInt8]?, _ type: String) -> Bool {
    header.map { essence($0[...]) == Array(type.utf8) } ?? false
  }

  /// "type/subtype" in lower case, without parameters.
  private static func essence(_ item: ArraySlice<UInt8>) -> [UInt8] {
    let name = trimmed(item.prefix { $0 != UInt8(ascii: ";") })
    return name.map { (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains($0) ? $0 + 32 : $0 }
  }

  /// Whether it has a weight of zero.
  private static func isRefused(_ item: ArraySlice<UInt8>) -> Bool {
    item.split(separator: UInt8(ascii: ";")).dropFirst().contains { parameter in
      let text = trimmed(parameter)
      guard text.starts(with: "q=".utf8) || text.starts(with: "Q=".utf8) else { return false }
      let weight = text.dropFirst(2)
      return weight.contains(UInt8(ascii: "0"))
        && weight.allSatisfy { $0 == UInt8(ascii: "0") || $0 == UInt8(ascii: ".") }
    }
  }
}
