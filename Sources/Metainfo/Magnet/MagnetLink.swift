/// A magnet link: what names a torrent or a dataset, and where to look for it first. BEP 9.
///
/// Empty text parameters mean the same as absent ones, so neither is kept. Parameters we do not
/// know are skipped when a link is read, and absent when it is written.
public struct MagnetLink: Hashable, Sendable {
  /// Infohash of a v1 or hybrid torrent: `xt=urn:btih:`. BEP 9.
  public var v1Infohash: SHA1Digest?
  /// Infohash of a v2 or hybrid torrent: `xt=urn:btmh:1220`. BEP 52.
  public var v2Infohash: SHA256Digest?
  /// Key of a dataset: `xs=urn:btpk:`. BEP 46.
  public var datasetKey: DatasetKey?
  /// Which version of the dataset is meant, counted from 1; nil for the newest: `x.v`, ours. Only where
  /// there is a key.
  public var version: UInt64?
  /// What opens a private dataset; nil for a public one: `x.rk`, ours. A secret: `uri` and the
  /// description leave it out. docs/private.md.
  public var readKey: ReadKey?
  /// Salt under which the dataset's head is found, at most 64 bytes: `s`. Empty for none, which is
  /// the same thing in BEP 44.
  public var salt: [UInt8]
  /// Name to show until the torrent is there: `dn`. Bytes, which need not be UTF-8.
  public var name: [UInt8]
  /// Length of the content in bytes: `xl`.
  public var exactLength: UInt64?
  /// Trackers' URLs in the order of the link: `tr`. BEP 9.
  public var trackers: [String]
  /// Web seeds' URLs in the order of the link: `ws`. BEP 19.
  public var webSeeds: [String]
  /// Peers to ask first: `x.pe`. BEP 9.
  public var peers: [PeerAddress]
  /// The only files that are wanted; nil for all of them: `so`. BEP 53.
  public var selection: FileSelection?

  /// A link from its parts.
  public init(
    v1Infohash: SHA1Digest? = nil, v2Infohash: SHA256Digest? = nil, datasetKey: DatasetKey? = nil,
    version: UInt64? = nil, readKey: ReadKey? = nil, salt: [UInt8] = [], name: [UInt8] = [],
    exactLength: UInt64? = nil,
    trackers: [String] = [], webSeeds: [String] = [], peers: [PeerAddress] = [],
    selection: FileSelection? = nil
  ) {
    self.v1Infohash = v1Infohash
    self.v2Infohash = v2Infohash
    self.datasetKey = datasetKey
    self.version = version
    self.readKey = readKey
    self.salt = salt
    self.name = name
    self.exactLength = exactLength
    self.trackers = trackers
    self.webSeeds = webSeeds
    self.peers = peers
    self.selection = selection
  }

  /// A link from its URI.
  ///
  /// Values are percent-decoded to bytes, which in `tr` and `ws` must be UTF-8. A `+` is a space in `dn`, where HTML forms put it, and
  /// itself everywhere else: a URL has no spaces, but may have a `+`. Names of parameters, and the
  /// `urn:` prefixes, are read in either case; a `.` and digits after a name, as in `tr.1`, mean
  /// nothing. Where a parameter that can only be there once comes again, an infohash, key or salt
  /// must be the same, and of the others the last one counts.
  public init(parsing uri: some Collection<UInt8>) throws(MagnetError) {
    var parser = MagnetParser()
    try parser.parse(uri)
    self = parser.link
  }

  /// Whether the link names anything.
  public var namesSomething: Bool {
    v1Infohash != nil || v2Infohash != nil || datasetKey != nil
  }
}

extension MagnetLink: CustomStringConvertible {
  /// The URI without the read key.
  public var description: String { uri }

  /// The URI, in ASCII: infohashes first, because some clients look nowhere else. Reading it
  /// gives the same link again, but for the read key, which is left out: this may be shown and logged.
  ///
  /// - Precondition: the salt has at most 64 bytes.
  public var uri: String { written(withReadKey: false) }

  /// The URI with the read key in it, if there is one: for whoever asked for the link, and for no log. Reading it
  /// gives the same link again.
  ///
  /// - Precondition: the salt has at most 64 bytes.
  public var secretURI: String { written(withReadKey: true) }

  private func written(withReadKey tellsReadKey: Bool) -> String {
    precondition(salt.count <= MagnetLimits.saltBytes, "BEP 44: a salt has at most 64 bytes")
    var text = Array("magnet:?".utf8)
    func add(_ parameter: MagnetParameter, raw value: String) {
      if text.last != UInt8(ascii: "?") { text.append(UInt8(ascii: "&")) }
      text += parameter.rawValue.utf8
      text.append(UInt8(ascii: "="))
      text += value.utf8
    }
    func add(_ parameter: MagnetParameter, escaping value: [UInt8]) {
      if value.isEmpty { return }
      add(parameter, raw: "")
      PercentCoding.encode(value, into: &text)
    }
    if let v1Infohash { add(.exactTopic, raw: "urn:btih:\(v1Infohash)") }
    if let v2Infohash { add(.exactTopic, raw: "urn:btmh:1220\(v2Infohash)") }
    if let datasetKey { add(.exactSource, raw: "urn:btpk:\(datasetKey)") }
    if let version { add(.version, raw: "\(version)") }
    if tellsReadKey, let readKey { add(.readKey, raw: readKey.hex) }
    add(.salt, escaping: Array(salt.hex.utf8))
    add(.name, escaping: name)
    if let exactLength { add(.exactLength, raw: "\(exactLength)") }
    for tracker in trackers { add(.tracker, escaping: Array(tracker.utf8)) }
    for webSeed in webSeeds { add(.webSeed, escaping: Array(webSeed.utf8)) }
    for peer in peers { add(.peer, raw: peer.description) }
    if let selection { add(.selectOnly, raw: selection.description) }
    return String(decoding: text, as: UTF8.self)
  }
}
