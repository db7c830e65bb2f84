import Metainfo

/// A magnet link as `swarm inspect` shows it.
struct LinkView {
  private let link: MagnetLink

  init(_ link: MagnetLink) { self.link = link }

  /// Label and value.
  var rows: [(String, String)] {
    var rows: [(String, String)] = []
    if !link.name.isEmpty { rows.append(("name", printable(link.name))) }
    if let key = link.datasetKey { rows.append(("dataset key", key.hex)) }
    if let version = link.version { rows.append(("version", "\(version)")) }
    if link.isPrivate { rows.append(("private", "yes: the link has the read key")) }
    if !link.salt.isEmpty { rows.append(("salt", link.salt.hex)) }
    if let hash = link.v2Infohash { rows.append(("infohash v2", hash.hex)) }
    if let hash = link.v1Infohash { rows.append(("infohash v1", hash.hex)) }
    if let length = link.exactLength { rows.append(("length", Quantity.exactBytes(length))) }
    if let selection = link.selection { rows.append(("files", selection.description)) }
    for tracker in link.trackers { rows.append(("tracker", shown(tracker))) }
    for seed in link.webSeeds { rows.append(("web seed", shown(seed))) }
    for peer in link.peers { rows.append(("peer", shown(peer.description))) }
    return rows
  }

  /// The documented object (docs/json.md).
  var json: JSON {
    .object([
      ("name", .text(orNull: link.name.isEmpty ? nil : printable(link.name))),
      ("kind", .text("link")),
      ("dataset_key", .text(orNull: link.datasetKey?.hex)),
      ("version", .number(orNull: link.version)),
      ("private_dataset", .bool(link.isPrivate)),
      ("salt", .text(orNull: link.salt.isEmpty ? nil : link.salt.hex)),
      ("infohash_v2", .text(orNull: link.v2Infohash?.hex)),
      ("infohash_v1", .text(orNull: link.v1Infohash?.hex)),
      ("length", link.exactLength.map { .number($0) } ?? .null),
      ("selection", .text(orNull: link.selection?.description)),
      ("trackers", .list(link.trackers.map { .text($0) })),
      ("web_seeds", .list(link.webSeeds.map { .text($0) })),
      ("peers", .list(link.peers.map { .text($0.description) })),
    ])
  }
}
