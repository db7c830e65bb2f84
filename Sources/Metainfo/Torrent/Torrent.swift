/// A `.torrent` file: the info dictionary and what helps to get what it describes. BEP 3, BEP 52.
public struct Torrent: Sendable {
  /// What the torrent is.
  public let info: InfoDictionary
  /// The piece layers that are right: each has been held against its file's root. Empty in v1
  /// torrents. BEP 52.
  public let pieceLayers: PieceLayers
  /// URLs of trackers in tiers, the most preferred tier first. BEP 12; BEP 3, "announce".
  public let trackers: [[String]]
  /// URLs of web servers that have the files. BEP 19, "url-list".
  public let webSeeds: [String]
  /// Free text, UTF-8 as a rule.
  public let comment: [UInt8]?
  /// The program that made the torrent, UTF-8 as a rule.
  public let createdBy: [UInt8]?
  /// When the torrent was made, in seconds since 1970.
  public let creationDate: Int64?
  /// Nodes by which a client may enter the DHT. BEP 5.
  public let nodes: [DHTNodeAddress]
  /// Torrents that may share files with this one, from inside and outside of the info dictionary.
  /// BEP 38.
  public let similar: [SHA1Digest]
  /// Collections that the torrent belongs to, from inside and outside of the info dictionary.
  /// BEP 38.
  public let collections: [[UInt8]]

  /// A torrent in which all is right. Any fault of a piece layer is an error.
  public init(parsing bytes: [UInt8]) throws(MetainfoError) {
    let inspection = try Torrent.inspect(bytes)
    if let fault = inspection.layerFaults.first {
      throw MetainfoError(.torrent, .layer(fault))
    }
    self = inspection.torrent
  }

  /// A torrent whose piece layers may be wrong, and what is wrong with them. Peers can be asked for
  /// piece layers, so that such a torrent is not useless; all else must be right.
  public static func inspect(_ bytes: [UInt8]) throws(MetainfoError) -> TorrentInspection {
    let node: BencodeNode
    do throws(BencodeError) {
      node = try Bencode.decode(bytes, limits: .torrent)
    } catch {
      throw MetainfoError(.torrent, .bencode(error))
    }
    let fields = try Fields(node, .torrent)
    guard let infoNode = fields.node["info"] else { throw fields.missing("info") }
    let info = try InfoDictionary(infoNode)
    let check =
      try info.kind.hasV2
      ? LayerCheck(try fields.dictionary("piece layers"), of: info) : nil
    return TorrentInspection(
      torrent: try Torrent(fields, info: info, pieceLayers: check?.layers ?? [:]),
      layerFaults: check?.faults ?? [])
  }

  private init(
    _ fields: Fields, info: InfoDictionary, pieceLayers: PieceLayers
  ) throws(MetainfoError) {
    self.info = info
    self.pieceLayers = pieceLayers
    trackers = try fields.trackers()
    webSeeds = try fields.webSeeds()
    comment = try fields.text("comment")
    createdBy = try fields.text("created by")
    creationDate = try fields.integer("creation date")
    nodes = try fields.dhtNodes()
    similar = Self.union(info.similar, try fields.similarTorrents())
    collections = Self.union(info.collections, try fields.collections())
  }

  /// What is inside of the info dictionary, then what else is outside.
  private static func union<Hint: Hashable>(_ inner: [Hint], _ outer: [Hint]) -> [Hint] {
    let known = Set(inner)
    return inner + outer.filter { !known.contains($0) }
  }
}

/// A torrent and the faults that do not keep it from being shown.
public struct TorrentInspection: Sendable {
  /// The torrent, with the piece layers that are right.
  public let torrent: Torrent
  /// All that is wrong with its piece layers: by file in the torrent's order, then surplus ones by
  /// key, of which only the first `MetainfoLimits.surplusLayers`.
  public let layerFaults: [LayerFault]
}

/// Where a node of the DHT is said to listen. BEP 5, "nodes".
public struct DHTNodeAddress: Hashable, Sendable {
  /// A name or an IP address.
  public let host: String
  /// The UDP port.
  public let port: UInt16

  /// An address from its parts.
  public init(host: String, port: UInt16) {
    self.host = host
    self.port = port
  }
}

extension Fields {
  /// Tiers without empty URLs and empty tiers; `announce` where there are none. BEP 12. Some
  /// programs write URLs where tiers belong: each is a tier.
  fileprivate func trackers() throws(MetainfoError) -> [[String]] {
    var tiers: [[String]] = []
    if let list = try shortList("announce-list") {
      var index = 0
      var count = 0
      for item in list {
        count += item.list?.count ?? 1
        if count > MetainfoLimits.listEntries { throw tooManyEntries("announce-list") }
        let tier =
          if let bytes = item.string {
            try url(bytes, "announce-list").map { [$0] } ?? []
          } else {
            try urls(item, "announce-list") { _ in index }
          }
        if !tier.isEmpty { tiers.append(tier) }
        index += 1
      }
    }
    if tiers.isEmpty, let bytes = try string("announce"), let url = try url(bytes, "announce") {
      return [[url]]
    }
    return tiers
  }

  /// A list of URLs; errors name an entry of `key`, which depends on the place in the list.
  private func urls(
    _ node: BencodeNode, _ key: StaticString, entry: (Int) -> Int
  ) throws(MetainfoError) -> [String] {
    guard let list = node.list else {
      throw MetainfoError(.entry("\(key)", entry(0)), .wrongKind("", expected: .list))
    }
    var urls: [String] = []
    var index = 0
    for item in list {
      guard let bytes = item.string else {
        throw MetainfoError(.entry("\(key)", entry(index)), .wrongKind("", expected: .string))
      }
      if let url = try url(bytes, key) { urls.append(url) }
      index += 1
    }
    return urls
  }

  /// One URL or a list of them. BEP 19.
  fileprivate func webSeeds() throws(MetainfoError) -> [String] {
    guard let node = node["url-list"] else { return [] }
    if let bytes = node.string { return try url(bytes, "url-list").map { [$0] } ?? [] }
    _ = try shortList("url-list")
    return try urls(node, "url-list") { $0 }
  }

  fileprivate func dhtNodes() throws(MetainfoError) -> [DHTNodeAddress] {
    var nodes: [DHTNodeAddress] = []
    guard let list = try shortList("nodes") else { return nodes }
    for item in list {
      let place = MetainfoPlace.entry("nodes", nodes.count)
      guard var pair = item.list, pair.count == 2, let host = pair.next(), let port = pair.next()
      else { throw MetainfoError(place, .wrongKind("", expected: .list)) }
      guard let bytes = host.string else {
        throw MetainfoError(place, .wrongKind("host", expected: .string))
      }
      guard let text = String(validating: bytes, as: UTF8.self) else {
        throw MetainfoError(place, .notUTF8("host"))
      }
      guard let number = port.integer else {
        throw MetainfoError(place, .wrongKind("port", expected: .integer))
      }
      guard let port = UInt16(exactly: number), port > 0 else {
        throw MetainfoError(place, .port(number))
      }
      nodes.append(DHTNodeAddress(host: text, port: port))
    }
    return nodes
  }
}
