import Metainfo

/// What an info dictionary says, in the words of every command.
struct InfoSummary {
  private let info: InfoDictionary

  init(_ info: InfoDictionary) { self.info = info }

  /// Label and value.
  var rows: [(String, String)] {
    var rows = [
      ("name", info.name.description),
      ("kind", info.kind.rawValue),
      ("content", "\(Quantity.exactBytes(info.contentLength)) in \(contents)"),
      ("piece length", Quantity.bytes(UInt64(info.pieceLength))),
    ]
    if let hash = info.infohashV2 { rows.append(("infohash v2", hash.hex)) }
    if let hash = info.infohashV1 { rows.append(("infohash v1", hash.hex)) }
    if info.isPrivate { rows.append(("private", "yes: peers from the trackers only")) }
    if let version = info.version { rows += Self.rows(version) }
    return rows
  }

  private static func rows(_ version: VersionInfo) -> [(String, String)] {
    var rows = [("version", "\(version.number)")]
    if let seconds = version.created { rows.append(("published", UTC.text(of: seconds))) }
    if let previous = version.previous { rows.append(("previous", previous.hex)) }
    if let parent = version.parent { rows.append(("made from", "\(parent.key)")) }
    if !version.message.isEmpty { rows.append(("message", shown(version.message))) }
    return rows
  }

  /// Members of the documented object (docs/json.md).
  var json: [(String, JSON)] {
    [
      ("name", .text(info.name.description)),
      ("kind", .text(info.kind.rawValue)),
      ("single_file", .bool(info.isSingleFile)),
      ("length", .number(info.contentLength)),
      ("file_count", .number(UInt64(info.files.count))),
      ("piece_length", .number(UInt64(info.pieceLength))),
      ("infohash_v2", .text(orNull: info.infohashV2?.hex)),
      ("infohash_v1", .text(orNull: info.infohashV1?.hex)),
      ("private", .bool(info.isPrivate)),
      ("version", info.version.map { .number($0.number) } ?? .null),
      ("previous", .text(orNull: info.version?.previous?.hex)),
      ("published", info.version?.created.map { .signed($0) } ?? .null),
      ("message", .text(orNull: info.version.map { shown($0.message) })),
    ]
  }

  private var contents: String {
    let links = info.files.count { $0.symlinkTarget != nil }
    let files = Quantity.count(info.files.count - links, "file")
    return links == 0 ? files : "\(files) and \(Quantity.count(links, "symlink"))"
  }
}

/// Rows with their values in one column.
func table(_ rows: [(String, String)]) -> String {
  let width = (rows.map(\.0.count).max() ?? 0) + 2
  return rows.map { label, value in
    label + String(repeating: " ", count: width - label.count) + value
  }.joined(separator: "\n")
}

/// Text from a torrent or link, made safe for a terminal.
func shown(_ text: String) -> String { printable(Array(text.utf8)) }
