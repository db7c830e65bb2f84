/// The info dictionary: what a torrent is, and what its infohashes are taken from. BEP 3, BEP 52.
///
/// Invariants: paths are distinct, none is both file and folder, and none leads out. Symlink targets
/// do not lead out either. In a hybrid, both descriptions agree. Pieces, blocks and bytes can be
/// counted within `MetainfoLimits`.
public struct InfoDictionary: Sendable {
  /// The exact bytes, as they came.
  public let bytes: [UInt8]
  /// Which descriptions there are.
  public let kind: TorrentKind
  /// SHA-1 of `bytes`; nil in v2 torrents.
  public let infohashV1: SHA1Digest?
  /// SHA-256 of `bytes`; nil in v1 torrents.
  public let infohashV2: SHA256Digest?
  /// What the torrent is called: the name of its folder or, in v1, of its only file.
  public let name: PathElement
  /// Whether the torrent is one file without a folder around it. In v1 and hybrid torrents that is
  /// so if they have `length` instead of `files`; in v2 ones if the file tree holds one file and
  /// nothing else, so that there a folder with one file cannot be told from that file. BEP 52.
  public let isSingleFile: Bool
  /// Bytes in a piece. In v2 and hybrid torrents a power of two and at least 16 KiB.
  public let pieceLength: UInt32
  /// Files and symlinks in the torrent's order: that of the file tree, which is sorted, or that of
  /// the v1 file list. Padding files are not among them.
  public let files: [FileEntry]
  /// Where `files` lie in the v1 byte stream; nil in v2 torrents.
  public let v1Layout: V1Layout?
  /// SHA-1 of each piece of the v1 byte stream; empty in v2 torrents.
  public let v1Pieces: [SHA1Digest]
  /// Whether peers may come from the torrent's trackers only. BEP 27.
  public let isPrivate: Bool
  /// Torrents that may share files with this one. BEP 38.
  public let similar: [SHA1Digest]
  /// Collections that the torrent belongs to; torrents in one may share files. BEP 38.
  public let collections: [[UInt8]]
  /// Where the torrent was published, which some private trackers write to get an infohash of their
  /// own.
  public let source: [UInt8]?
  /// Which version of a dataset the torrent is; nil for one that is none.
  public let version: VersionInfo?

  /// Bytes in all files together, without padding.
  public let contentLength: UInt64

  /// An info dictionary that came alone, as from peers. BEP 9.
  public init(parsing bytes: [UInt8]) throws(MetainfoError) {
    let node: BencodeNode
    do throws(BencodeError) {
      node = try Bencode.decode(bytes, limits: .torrent)
    } catch {
      throw MetainfoError(.info, .bencode(error))
    }
    try self.init(node)
  }

  /// An info dictionary inside a larger value.
  init(_ node: BencodeNode) throws(MetainfoError) {
    let fields = try Fields(node, .info)
    // First, so that a torrent of a later version is called that and not malformed. BEP 52.
    kind = try Self.kind(fields)
    pieceLength = try Self.pieceLength(fields, kind: kind)
    name = try Self.name(fields, kind: kind)
    let content = try InfoContent(fields, kind: kind, name: name, pieceLength: pieceLength)
    isSingleFile = content.isSingleFile
    files = content.files
    v1Layout = content.v1Layout
    v1Pieces = content.v1Pieces
    contentLength = content.length
    isPrivate = try fields.integer("private").map { $0 != 0 } ?? false
    similar = try fields.similarTorrents()
    collections = try fields.collections()
    source = try fields.text("source")
    version = node["swarm"].flatMap(VersionInfo.init)
    bytes = Array(node.encoded)
    infohashV1 = kind.hasV1 ? SHA1Digest(hashing: bytes) : nil
    infohashV2 = kind.hasV2 ? SHA256Digest(hashing: bytes) : nil
  }

  /// Whether the torrent is one file that it is named after: what a file becomes. A folder with one file in
  /// it is called otherwise than that file, unless both have the same name.
  public var isOneNamedFile: Bool {
    isSingleFile && files.count == 1 && files[0].path.elements == [name]
  }

  /// What is under any key; nil when nothing is. Decodes anew: meant for keys that have no property
  /// here.
  public func value(for key: StaticString) -> BencodeValue? {
    guard let node = try? Bencode.decode(bytes, limits: .torrent) else { return nil }
    return node[key].map(BencodeValue.init)
  }

  private static func kind(_ fields: Fields) throws(MetainfoError) -> TorrentKind {
    guard let version = try fields.integer("meta version") else {
      if fields.node["file tree"] != nil { throw fields.fault(.treeWithoutMetaVersion) }
      return .v1
    }
    if version != 2 { throw fields.fault(.metaVersion(version)) }
    let hasV1 = ["files", "length", "pieces"].contains { fields.node[bytes: $0.utf8] != nil }
    return hasV1 ? .hybrid : .v2
  }

  private static func pieceLength(
    _ fields: Fields, kind: TorrentKind
  ) throws(MetainfoError) -> UInt32 {
    guard let length = try fields.integer("piece length") else {
      throw fields.missing("piece length")
    }
    if length < (kind.hasV2 ? Int64(MetainfoLimits.smallestPieceLength) : 1) {
      throw fields.fault(.pieceLengthTooSmall(length))
    }
    if length > Int64(MetainfoLimits.largestPieceLength) {
      throw fields.fault(.pieceLengthTooLarge(length))
    }
    if kind.hasV2 && length & (length - 1) != 0 {
      throw fields.fault(.pieceLengthNotPowerOfTwo(length))
    }
    return UInt32(length)
  }

  private static func name(
    _ fields: Fields, kind: TorrentKind
  ) throws(MetainfoError) -> PathElement {
    // Programs from before UTF-8 was the rule wrote the name twice.
    if kind == .v1, let bytes = fields.node["name.utf-8"]?.string, isUTF8(bytes),
      let name = try? PathElement(bytes)
    {
      return name
    }
    guard let bytes = try fields.string("name") else { throw fields.missing("name") }
    do throws(ContentPathError) {
      return try PathElement(bytes)
    } catch {
      throw fields.fault(.path(error))
    }
  }
}

extension Fields {
  /// Infohashes of similar torrents. BEP 38. Hints: what is none is left out.
  func similarTorrents() throws(MetainfoError) -> [SHA1Digest] {
    guard node["similar"]?.kind == .list, let list = try shortList("similar") else { return [] }
    return list.compactMap { $0.string.flatMap { SHA1Digest($0) } }
  }

  /// Names of collections. BEP 38. Hints: what is none is left out.
  func collections() throws(MetainfoError) -> [[UInt8]] {
    guard node["collections"]?.kind == .list, let list = try shortList("collections") else {
      return []
    }
    return list.compactMap { $0.string.map(Array.init) }
  }
}
