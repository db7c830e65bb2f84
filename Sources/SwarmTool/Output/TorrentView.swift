import Metainfo

/// A .torrent as `swarm inspect` shows it.
struct TorrentView {
  private let torrent: Torrent
  private let faults: [LayerFault]

  init(_ inspection: TorrentInspection) {
    torrent = inspection.torrent
    faults = inspection.layerFaults
  }

  /// Label and value.
  var rows: [(String, String)] {
    var rows = InfoSummary(torrent.info).rows
    if torrent.info.kind.hasV2 { rows.append(("piece layers", layers)) }
    for (number, tier) in torrent.trackers.enumerated() {
      rows.append(("tracker tier \(number + 1)", tier.map(shown).joined(separator: " ")))
    }
    for seed in torrent.webSeeds { rows.append(("web seed", shown(seed))) }
    for node in torrent.nodes { rows.append(("DHT node", shown("\(node.host):\(node.port)"))) }
    for digest in torrent.similar { rows.append(("similar to", digest.hex)) }
    for name in torrent.collections { rows.append(("collection", printable(name))) }
    if let comment = torrent.comment { rows.append(("comment", printable(comment))) }
    if let creator = torrent.createdBy { rows.append(("created by", printable(creator))) }
    if let seconds = torrent.creationDate { rows.append(("created", UTC.text(of: seconds))) }
    return rows
  }

  /// One line a file: size, attributes, root, path.
  var fileList: String {
    let sizes = torrent.info.files.map { String($0.length) }
    let width = sizes.map(\.count).max() ?? 0
    return zip(torrent.info.files, sizes).map { file, size in
      let padding = String(repeating: " ", count: width - size.count)
      let root = file.piecesRoot.map { $0.hex + "  " } ?? ""
      let kind = file.symlinkTarget != nil ? "l" : file.attributes.letters
      let target = file.symlinkTarget.map { " -> \($0)" } ?? ""
      return "\(padding)\(size)  \(kind.isEmpty ? "-" : kind)  \(root)\(file.path)\(target)"
    }.joined(separator: "\n")
  }

  /// The documented object (docs/json.md).
  var json: JSON {
    let kind = torrent.info.kind
    return .object(
      InfoSummary(torrent.info).json + [
        ("piece_layers_right", kind.hasV2 ? .bool(faults.isEmpty) : .null),
        ("faults", .list(faults.map { .text($0.description) })),
        ("trackers", .list(torrent.trackers.map { .list($0.map { .text($0) }) })),
        ("web_seeds", .list(torrent.webSeeds.map { .text($0) })),
        ("nodes", .list(torrent.nodes.map { .text("\($0.host):\($0.port)") })),
        ("similar", .list(torrent.similar.map { .text($0.hex) })),
        ("collections", .list(torrent.collections.map { .text(printable($0)) })),
        ("comment", .text(orNull: torrent.comment.map { printable($0) })),
        ("created_by", .text(orNull: torrent.createdBy.map { printable($0) })),
        ("creation_date", torrent.creationDate.map { .signed($0) } ?? .null),
        ("files", .list(torrent.info.files.map(\.json))),
      ])
  }

  private var layers: String {
    if let fault = faults.first { return "wrong: \(fault)" }
    let count = torrent.pieceLayers.count
    return count == 0 ? "none needed: no file is larger than a piece" : "right"
  }
}

extension FileEntry {
  /// The documented object (docs/json.md).
  var json: JSON {
    .object([
      ("path", .text(path.description)),
      ("length", .number(length)),
      ("executable", .bool(symlinkTarget == nil && attributes.contains(.executable))),
      ("hidden", .bool(attributes.contains(.hidden))),
      ("symlink", .text(orNull: symlinkTarget?.description)),
      ("pieces_root", .text(orNull: piecesRoot?.hex)),
    ])
  }
}

extension FileAttributes {
  /// BEP 47's letters.
  var letters: String {
    (contains(.executable) ? "x" : "") + (contains(.hidden) ? "h" : "")
  }
}
