/// The values that a `.torrent` is made from. The same values give the same bytes, and for what
/// libtorrent can express, the same info dictionary as libtorrent's.
public struct TorrentDescription: Sendable {
  /// Which descriptions to write.
  public var kind: TorrentKind
  /// The name of the folder, or of the single file.
  public var name: PathElement
  /// Whether there is no folder: one file, whose path is `name`.
  public var isSingleFile: Bool
  /// Bytes in a piece.
  public var pieceLength: UInt32
  /// Files and symlinks, without padding, in ascending order of their paths: it is the order in
  /// which v1 pieces are hashed.
  public var files: [FileEntry]
  /// For each file longer than a piece its layer, by pieces root. v2 and hybrid.
  public var pieceLayers: PieceLayers
  /// Hashes of the pieces of the v1 byte stream, which is laid out as `v1Layout` says.
  public var v1Pieces: [SHA1Digest]

  /// Peers from the trackers only. BEP 27.
  public var isPrivate = false
  /// URLs of trackers in tiers. BEP 12.
  public var trackers: [[String]] = []
  /// URLs of web servers that have the files. BEP 19.
  public var webSeeds: [String] = []
  /// Free text.
  public var comment: String?
  /// The program that makes the torrent.
  public var createdBy: String?
  /// Seconds since 1970. Left out by default, so that the same values give the same bytes.
  public var creationDate: Int64?
  /// Where the torrent is published.
  public var source: String?
  /// Which version of a dataset it is.
  public var version: VersionInfo?
  /// Further keys of the info dictionary, which change the infohash.
  public var extraInfo: [[UInt8]: BencodeValue] = [:]

  /// A description of files that have been hashed.
  public init(
    kind: TorrentKind, name: PathElement, isSingleFile: Bool, pieceLength: UInt32,
    files: [FileEntry], pieceLayers: PieceLayers = [:], v1Pieces: [SHA1Digest] = []
  ) {
    self.kind = kind
    self.name = name
    self.isSingleFile = isSingleFile
    self.pieceLength = pieceLength
    self.files = files
    self.pieceLayers = pieceLayers
    self.v1Pieces = v1Pieces
  }

  /// The v1 byte stream of the files, padded as libtorrent does by default. Nil when it would be
  /// too long.
  public var v1Layout: V1Layout? {
    V1Layout(
      lengths: files.lazy.map(\.length), pieceLength: pieceLength,
      padding: V1Layout.Padding(kind: kind, fileCount: files.count))
  }

  /// The info dictionary. Throws what parsing it would throw, so that nothing is written that
  /// cannot be read; and `description` faults for values that would read as something else.
  public func infoDictionary() throws(MetainfoError) -> InfoDictionary {
    if files.isEmpty { throw MetainfoError(.info, .noFiles) }
    for (path, next) in zip(files, files.dropFirst()) where !(path.path < next.path) {
      throw fault("files", "\"\(next.path)\" is not behind \"\(path.path)\"")
    }
    if isSingleFile && (files.count > 1 || files[0].path.elements != [name]) {
      throw fault("files", "a single file has the torrent's name as its path")
    }
    guard let layout = v1Layout else { throw MetainfoError(.info, .contentTooLong) }
    let info = try InfoDictionary(parsing: try InfoWriter(self, layout: layout).encoded())
    // First of all, what would be read as padding: everything behind it has moved up.
    for (index, written) in files.enumerated()
    where index >= info.files.count || info.files[index] != fit(written) {
      throw fault("files", "\"\(written.path)\" would read as something else")
    }
    return info
  }

  /// The `.torrent`. Throws as `infoDictionary()` does, and for piece layers that are wrong.
  public func encoded() throws(MetainfoError) -> EncodedTorrent {
    let info = try infoDictionary()
    try checkSizes()
    if kind.hasV2 { try checkLayers() }
    return EncodedTorrent(info: info, bytes: encoded(around: info))
  }

  /// A file as this kind of torrent keeps it.
  private func fit(_ file: FileEntry) -> FileEntry {
    var file = file
    if !kind.hasV2 { file.piecesRoot = nil }
    return file
  }

  /// Nothing is written that is too much to be read.
  private func checkSizes() throws(MetainfoError) {
    for (key, text) in [("comment", comment), ("created by", createdBy)] {
      let count = text?.utf8.count ?? 0
      if count > MetainfoLimits.textBytes {
        throw MetainfoError(.torrent, .textTooLong(key, count))
      }
    }
    for (key, count) in [
      ("announce-list", trackers.joined().count),
      ("url-list", webSeeds.count),
    ] where count > MetainfoLimits.listEntries {
      throw MetainfoError(.torrent, .tooManyEntries(key))
    }
  }

  private func checkLayers() throws(MetainfoError) {
    var surplus = Set(pieceLayers.keys)
    for file in files where file.length > UInt64(pieceLength) {
      guard let root = file.piecesRoot else { continue }
      guard let layer = pieceLayers[root] else { throw fault(.missing(file.path)) }
      let expected = PieceLayer.count(fileLength: file.length, pieceLength: pieceLength)
      if UInt64(layer.count) != expected {
        throw fault(
          .wrongLength(file.path, expected: expected * 32, actual: UInt64(layer.count) * 32))
      }
      let isFirst = surplus.remove(root) != nil
      if isFirst && PieceLayer.root(of: layer, pieceLength: pieceLength) != root {
        throw fault(.forged(file.path))
      }
    }
    if let root = surplus.min() { throw fault(.surplus(root.bytes)) }
  }

  private func fault(_ fault: LayerFault) -> MetainfoError {
    MetainfoError(.torrent, .layer(fault))
  }

  private func fault(_ field: String, _ reason: String) -> MetainfoError {
    MetainfoError(.info, .description(field, reason))
  }

  private func encoded(around info: InfoDictionary) -> [UInt8] {
    let layerBytes = pieceLayers.values.reduce(0) { $0 + 64 + 32 * $1.count }
    var encoder = BencodeEncoder(capacity: info.bytes.count + layerBytes + 4_096)
    encoder.beginDictionary()
    let urls = trackers.joined()
    if let first = urls.first { encoder.write("announce", text: first) }
    // As libtorrent does: one tracker needs no tiers.
    if urls.count > 1 {
      encoder.key("announce-list")
      encoder.beginList()
      for tier in trackers where !tier.isEmpty { encoder.list(of: tier) }
      encoder.end()
    }
    if let comment { encoder.write("comment", text: comment) }
    if let createdBy { encoder.write("created by", text: createdBy) }
    if let creationDate {
      encoder.key("creation date")
      encoder.integer(creationDate)
    }
    encoder.key("info")
    encoder.encoded(info.bytes)
    if kind.hasV2 { encoder.write(pieceLayers) }
    if webSeeds.count == 1 {
      encoder.write("url-list", text: webSeeds[0])
    } else if webSeeds.count > 1 {
      encoder.key("url-list")
      encoder.list(of: webSeeds)
    }
    encoder.end()
    return encoder.bytes
  }
}

/// A `.torrent` that was made.
public struct EncodedTorrent: Sendable {
  /// Its info dictionary, read back.
  public let info: InfoDictionary
  /// The whole file.
  public let bytes: [UInt8]
}

extension BencodeEncoder {
  fileprivate mutating func write(_ key: StaticString, text: String) {
    self.key(key)
    string(text)
  }

  fileprivate mutating func list(of texts: [String]) {
    beginList()
    for text in texts { string(text) }
    end()
  }

  fileprivate mutating func write(_ layers: PieceLayers) {
    key("piece layers")
    beginDictionary()
    for (root, layer) in layers.sorted(by: { $0.key < $1.key }) {
      key(root.bytes)
      string(layer)
    }
    end()
  }
}
