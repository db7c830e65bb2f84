import Glibc
import Metainfo

/// The folder in which the program remembers what it takes part in: plain files that a person can look
/// at.
///
///     format                                   the number of the folder's format
///     datasets/<infohash>/lock                 held by the process that takes part in it
///     datasets/<infohash>/versions/1.torrent   info dictionary and the piece layers known so far
///     datasets/<infohash>/versions/1.leaves    leaf hashes, where the content was hashed here
///     datasets/<infohash>/blocks/              block maps
///     datasets/<infohash>/content              where the content is, and how its files looked
///     datasets/<infohash>/at-<digest>/         lock, blocks and content of a further copy elsewhere
///     datasets/<infohash>/traces/              what boots read (`RecordedTraces`)
///     datasets/<key>/                          head and versions of a dataset (`KeyedDataset`)
///     keys/<key>                               its secret, where it is published (`KeyFolder`)
///     keys/<key>.read                          its read key, where it is private (`StateFolder.keptReadKey`)
///     metadata/<infohash>/                     of a version that is shared without content: nothing
///     dht.nodes                                nodes of the DHT that an earlier run knew
///     sources/<digest>                         what a path became a torrent as, or its key
///
/// The infohash is the v2 one where there is one; a hybrid has a link under its v1 infohash too.
public struct StateFolder: Sendable {
  /// Its path.
  public let path: [UInt8]

  /// The folder at `path`, which is made when it is not there, for its owner alone. One that a newer
  /// program has written is refused.
  public init(_ path: [UInt8]) throws(StateError) {
    self.path = path
    do throws(SystemError) {
      try Self.make(path, mode: 0o700)
      guard path.withCPath({ access($0, R_OK | X_OK) }) == 0 else {
        throw SystemError("look into", path)
      }
    } catch {
      throw .system(error)
    }
    try settleFormat()
    for folder in [path, keys.path, path.appending(path: Array("sources".utf8))] {
      Leftovers.remove(from: folder)
    }
  }

  /// Where is kept what is known of the DHT.
  public var dhtFile: [UInt8] { path.appending(path: Array("dht.nodes".utf8)) }

  /// Where it is when the user does not say: `$XDG_DATA_HOME/swarm`, else `~/.local/share/swarm`; nil
  /// where neither variable has an absolute path. XDG Base Directory Specification.
  ///
  /// - Parameter environment: the value of a variable of the environment.
  public static func standardPath(_ environment: (StaticString) -> [UInt8]?) -> [UInt8]? {
    func absolute(_ name: StaticString) -> [UInt8]? {
      environment(name).flatMap { $0.first == UInt8(ascii: "/") ? $0 : nil }
    }
    if let data = absolute("XDG_DATA_HOME") { return data.appending(path: Array("swarm".utf8)) }
    return absolute("HOME").map { $0.appending(path: Array(".local/share/swarm".utf8)) }
  }

  /// The value of a variable of the environment, byte for byte.
  public static func environment(_ name: StaticString) -> [UInt8]? {
    guard let value = getenv("\(name)") else { return nil }
    return Array(UnsafeRawBufferPointer(start: value, count: strlen(value)))
  }

  /// Opens what there is about one copy of a dataset, makes it where it is not there, and holds it
  /// against other processes. The first copy has the dataset's own folder, others have one below it:
  /// one machine may have several, each with what was verified of it.
  ///
  /// - Parameter content: the real path at which the copy is, or will be.
  public func open(_ name: DatasetName, content: [UInt8]) throws(StateError) -> DatasetFolder {
    let dataset: [UInt8]
    var folder: [UInt8]
    do throws(SystemError) {
      dataset = try makeDataset(name)
      folder = dataset
      if let first = DatasetFolder.content(in: dataset), first.path != content {
        folder = DatasetFolder.path(ofFurtherCopyAt: content, in: dataset)
      }
      try Self.make(folder.appending(path: Array("blocks".utf8)))
    } catch {
      throw .system(error)
    }
    return try DatasetFolder(path: folder, dataset: dataset)
  }

  private func makeDataset(_ name: DatasetName) throws(SystemError) -> [UInt8] {
    let datasets = path.appending(path: Array("datasets".utf8))
    let folder = datasets.appending(path: Array(name.folder.utf8))
    try Self.make(folder.appending(path: Array("versions".utf8)))
    if let alias = name.alias {
      let link = datasets.appending(path: Array(alias.utf8))
      let status = folder.lastName.withCPath { folder in link.withCPath { symlink(folder, $0) } }
      // What is there already leads to the same, or is of use to nobody.
      if status != 0, errno != EEXIST { throw SystemError("make", link) }
    }
    return folder
  }

  /// The torrent that is known by any of these infohashes; nil when there is none.
  public func knownTorrent(_ name: DatasetName) throws(SystemError) -> KnownTorrent? {
    for hash in [name.v2?.hex, name.v1?.hex] {
      guard let hash else { continue }
      let folder = path.appending(path: Array("datasets/\(hash)".utf8))
      if let known = try DatasetFolder.torrent(in: folder), name.matches(known.info) {
        return known
      }
    }
    return nil
  }

  /// Keeps a torrent, with the piece layers that were kept of it before, without holding it against
  /// others: whoever takes part in it goes on.
  public func keep(_ torrent: KnownTorrent) throws(SystemError) {
    let folder = try makeDataset(DatasetName(torrent.info))
    let before = (try? DatasetFolder.torrent(in: folder)) ?? nil
    try DatasetFolder.keep(
      KnownTorrent(
        info: torrent.info,
        pieceLayers: torrent.pieceLayers.merging(before?.pieceLayers ?? [:]) { new, _ in new }),
      in: folder)
  }

  /// What a path became a torrent as; nil when that is not known.
  public func source(_ key: SourceKey) -> DatasetName? {
    let file = path.appending(path: Array("sources/\(key.digest.hex)".utf8))
    guard let bytes = try? WholeFile.read(file, limit: StateLimits.sourceBytes),
      let node = try? Bencode.decode(bytes)
    else { return nil }
    let v1 = node["infohash v1"]?.string.flatMap { [UInt8](hex: text($0)) }
    let v2 = node["infohash v2"]?.string.flatMap { [UInt8](hex: text($0)) }
    return DatasetName(v1: v1.flatMap { SHA1Digest($0) }, v2: v2.flatMap { SHA256Digest($0) })
  }

  /// Remembers what a path became a torrent as.
  public func remember(_ key: SourceKey, as name: DatasetName) throws(SystemError) {
    let folder = path.appending(path: Array("sources".utf8))
    try Self.make(folder)
    var record = key.record
    if let v1 = name.v1 { record[Array("infohash v1".utf8)] = .text(v1.hex) }
    if let v2 = name.v2 { record[Array("infohash v2".utf8)] = .text(v2.hex) }
    try WholeFile.write(
      BencodeValue.dictionary(record).encoded,
      to: folder.appending(path: Array(key.digest.hex.utf8)))
  }

  /// Makes a folder and those above it; one that is there is success.
  public static func make(_ path: [UInt8], mode: mode_t = 0o777) throws(SystemError) {
    if path.withCPath({ mkdir($0, mode) }) == 0 { return }
    var number = errno
    if number == ENOENT, let slash = path.dropLast().lastIndex(of: UInt8(ascii: "/")), slash > 0 {
      try make(Array(path[..<slash]))
      if path.withCPath({ mkdir($0, mode) }) == 0 { return }
      number = errno
    }
    var status = stat()
    guard number == EEXIST, path.withCPath({ stat($0, &status) }) == 0,
      fileType(status) == S_IFDIR
    else { throw SystemError("make the folder", path, number == EEXIST ? ENOTDIR : number) }
  }

  private func text(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// What a dataset's folder is called: by its infohashes, at least one.
public struct DatasetName: Hashable, Sendable {
  /// Infohash of the v1 description.
  public let v1: SHA1Digest?
  /// Infohash of the v2 description.
  public let v2: SHA256Digest?

  /// A name from infohashes; nil from none.
  public init?(v1: SHA1Digest?, v2: SHA256Digest?) {
    if v1 == nil && v2 == nil { return nil }
    self.v1 = v1
    self.v2 = v2
  }

  /// The name of a torrent.
  public init(_ info: InfoDictionary) {
    v1 = info.infohashV1
    v2 = info.infohashV2
  }

  /// Whether the torrent is one that bears all of the infohashes.
  func matches(_ info: InfoDictionary) -> Bool {
    (v1 == nil || v1 == info.infohashV1) && (v2 == nil || v2 == info.infohashV2)
  }

  /// The folder's name.
  var folder: String { v2?.hex ?? v1?.hex ?? "" }

  /// Another name that leads to it.
  var alias: String? { v2 == nil ? nil : v1?.hex }
}

/// A torrent as the state folder keeps it.
public struct KnownTorrent: Sendable {
  /// Its info dictionary.
  public let info: InfoDictionary
  /// The piece layers that are known; those that are there are right.
  public let pieceLayers: PieceLayers

  /// A torrent to keep.
  public init(info: InfoDictionary, pieceLayers: PieceLayers) {
    self.info = info
    self.pieceLayers = pieceLayers
  }

  /// A `.torrent` file; one that lacks piece layers is still of use to us. BEP 3, BEP 52.
  var encoded: [UInt8] {
    var encoder = BencodeEncoder(
      capacity: info.bytes.count + pieceLayers.values.reduce(64) { $0 + 64 + 32 * $1.count })
    encoder.beginDictionary()
    encoder.key("info")
    encoder.encoded(info.bytes)
    if info.kind.hasV2 {
      encoder.key("piece layers")
      encoder.beginDictionary()
      for (root, layer) in pieceLayers.sorted(by: { $0.key < $1.key }) {
        encoder.key(root.bytes)
        encoder.string(layer)
      }
      encoder.end()
    }
    encoder.end()
    return encoder.bytes
  }
}

/// A path and how it was to become a torrent: together they decide which torrent.
public struct SourceKey: Hashable, Sendable {
  /// The real path.
  public let path: [UInt8]
  /// The dataset's name.
  public let name: [UInt8]
  /// Which descriptions.
  public let kind: TorrentKind
  /// Bytes in a piece, nil when that is chosen.
  public let pieceLength: UInt64?

  /// A key from its parts.
  public init(path: [UInt8], name: [UInt8], kind: TorrentKind, pieceLength: UInt64?) {
    self.path = path
    self.name = name
    self.kind = kind
    self.pieceLength = pieceLength
  }

  var record: [[UInt8]: BencodeValue] {
    var record: [[UInt8]: BencodeValue] = [
      Array("path".utf8): .string(path), Array("name".utf8): .string(name),
      Array("kind".utf8): .text(kind.rawValue),
    ]
    if let pieceLength {
      record[Array("piece length".utf8)] = .integer(Int64(clamping: pieceLength))
    }
    return record
  }

  var digest: SHA256Digest { SHA256Digest(hashing: BencodeValue.dictionary(record).encoded) }
}

extension Array where Element == UInt8 {
  /// What stands behind the last slash.
  var lastName: [UInt8] { Array(self[((lastIndex(of: UInt8(ascii: "/")) ?? -1) + 1)...]) }
}
