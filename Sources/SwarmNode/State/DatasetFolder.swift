import Glibc
import Metainfo

/// What the state folder has about one copy of a dataset. While this value is there, no other process has it.
public final class DatasetFolder: Sendable {
  /// Its path.
  public let path: [UInt8]
  /// The folder of the dataset, which all copies share.
  private let dataset: [UInt8]
  private let lock: FileLock

  init(path: [UInt8], dataset: [UInt8]) throws(StateError) {
    self.path = path
    self.dataset = dataset
    lock = try FileLock(path.appending(path: Array("lock".utf8)), waits: false)
    for folder in [path, mapsPath, dataset.appending(path: Array("versions".utf8))] {
      Leftovers.remove(from: folder)
    }
  }

  /// Where the block maps are.
  public var mapsPath: [UInt8] { path.appending(path: Array("blocks".utf8)) }

  // MARK: The torrent

  /// The torrent as it was kept; nil when it was not, or cannot be read.
  public var torrent: KnownTorrent? { (try? Self.torrent(in: dataset)) ?? nil }

  /// Keeps the torrent, whole or not at all. What is there already and the same is left alone.
  public func keep(_ torrent: KnownTorrent) throws(SystemError) {
    try Self.keep(torrent, in: dataset)
  }

  static func keep(_ torrent: KnownTorrent, in dataset: [UInt8]) throws(SystemError) {
    let bytes = torrent.encoded
    let file = Self.torrentPath(in: dataset)
    if (try? WholeFile.read(file, limit: bytes.count)) == bytes { return }
    try WholeFile.write(bytes, to: file)
  }

  static func torrent(in folder: [UInt8]) throws(SystemError) -> KnownTorrent? {
    let bytes: [UInt8]
    do {
      bytes = try WholeFile.read(torrentPath(in: folder), limit: BencodeLimits.torrent.bytes)
    } catch {
      if error.number == ENOENT { return nil }
      throw error
    }
    // A file that is none any more is written anew.
    guard let torrent = try? Torrent.inspect(bytes).torrent else { return nil }
    return KnownTorrent(info: torrent.info, pieceLayers: torrent.pieceLayers)
  }

  private static func torrentPath(in folder: [UInt8]) -> [UInt8] {
    folder.appending(path: Array("versions/1.torrent".utf8))
  }

  /// The leaf hashes of the torrent's files, as they were kept: those of all files in order, or none.
  /// Only a help: whoever takes them holds them against the torrent. BEP 52.
  public var leaves: [SHA256Digest] { Self.leaves(in: dataset) }

  static func leaves(in dataset: [UInt8]) -> [SHA256Digest] {
    let size = SHA256Digest.byteCount
    guard let bytes = try? WholeFile.read(leavesPath(in: dataset), limit: KeptLeaves.limit * size),
      bytes.count.isMultiple(of: size)
    else { return [] }
    return bytes.withUnsafeBytes { bytes in
      stride(from: 0, to: bytes.count, by: size).compactMap {
        SHA256Digest(bytes[$0..<($0 + size)])
      }
    }
  }

  /// Keeps leaf hashes, so that a seed need not hash its content again to answer peers.
  public func keep(leaves: [SHA256Digest]) throws(SystemError) {
    if leaves.isEmpty { return }
    try WholeFile.write(leaves.withUnsafeBytes { Array($0) }, to: Self.leavesPath(in: dataset))
  }

  private static func leavesPath(in dataset: [UInt8]) -> [UInt8] {
    dataset.appending(path: Array("versions/1.leaves".utf8))
  }

  // MARK: The content

  /// Where the content is, as it was kept; nil when it was not.
  public var content: ContentRecord? { Self.content(in: path) }

  /// The folder of a copy of a dataset that is not the first one.
  static func path(ofFurtherCopyAt content: [UInt8], in dataset: [UInt8]) -> [UInt8] {
    let digest = SHA256Digest(hashing: content).hex.prefix(16)
    return dataset.appending(path: Array("at-\(digest)".utf8))
  }

  static func content(in folder: [UInt8]) -> ContentRecord? {
    let file = folder.appending(path: Array("content".utf8))
    return (try? WholeFile.read(file, limit: BencodeLimits.torrent.bytes))
      .flatMap(ContentRecord.init(decoding:))
  }

  /// Keeps where the content is. A record that would be too long to be read is not kept: the next
  /// start then looks at everything anew.
  public func keep(_ content: ContentRecord) throws(SystemError) {
    try Self.keep(content, in: path)
  }

  static func keep(_ content: ContentRecord, in folder: [UInt8]) throws(SystemError) {
    let bytes = content.encoded
    let file = folder.appending(path: Array("content".utf8))
    guard ContentRecord(decoding: bytes) != nil else {
      _ = file.withCPath { unlink($0) }
      return
    }
    try WholeFile.write(bytes, to: file)
  }

  /// Forgets where the content is: it is there no more.
  public func forgetContent() throws(SystemError) {
    let file = path.appending(path: Array("content".utf8))
    if file.withCPath({ unlink($0) }) != 0, errno != ENOENT { throw SystemError("remove", file) }
  }

  /// Forgets what the block maps say: the content is another now.
  public func forgetMaps() throws(SystemError) {
    guard let folder = mapsPath.withCPath({ opendir($0) }) else {
      throw SystemError("read", mapsPath)
    }
    defer { closedir(folder) }
    while let entry = readdir(folder) {
      let name = withUnsafeBytes(of: &entry.pointee.d_name) { Array($0.prefix { $0 != 0 }) }
      if name == Array(".".utf8) || name == Array("..".utf8) { continue }
      let file = mapsPath.appending(path: name)
      if file.withCPath({ unlink($0) }) != 0, errno != ENOENT {
        throw SystemError("remove", file)
      }
    }
  }
}
