import Glibc
import Metainfo

extension StateFolder {
  /// The secrets of the datasets that are published here.
  public var keys: KeyFolder { KeyFolder(path: path.appending(path: Array("keys".utf8))) }

  /// What there is about a dataset by its key, which may be nothing.
  public func dataset(_ key: DatasetKey) -> KeyedDataset {
    KeyedDataset(key: key, datasets: path.appending(path: Array("datasets".utf8)))
  }

  /// The dataset that a path is published as; nil when it is none.
  public func publishedSource(at path: [UInt8]) -> PublishedSource? {
    source(in: sourceFile(path)).flatMap { $0.path == path ? $0 : nil }
  }

  /// All paths that are published as datasets, in ascending order.
  public func publishedSources() throws(SystemError) -> [PublishedSource] {
    let folder = path.appending(path: Array("sources".utf8))
    let scan: Scan
    do throws(SystemError) {
      scan = try FolderScanner.scan(folder)
    } catch {
      if error.number == ENOENT { return [] }
      throw error
    }
    return scan.items.compactMap { item in
      item.names.count == 1 ? source(in: folder.appending(path: item.names[0])) : nil
    }.sorted { $0.path.lexicographicallyPrecedes($1.path) }
  }

  private func source(in file: [UInt8]) -> PublishedSource? {
    guard let bytes = try? WholeFile.read(file, limit: StateLimits.sourceBytes),
      let node = try? Bencode.decode(bytes), let path = node["path"]?.string.map(Array.init),
      let key = node["key"]?.string.flatMap({ [UInt8](hex: String(decoding: $0, as: UTF8.self)) })
        .flatMap({ DatasetKey($0) }),
      let name = node["name"]?.string.map(Array.init),
      let kind = node["kind"]?.string.flatMap({
        TorrentKind(rawValue: String(decoding: $0, as: UTF8.self))
      })
    else { return nil }
    let pieceLength = node["piece length"]?.integer.flatMap { UInt64(exactly: $0) }
    return PublishedSource(
      path: path, key: key, name: name, kind: kind, pieceLength: pieceLength)
  }

  /// Remembers which dataset a path is published as.
  public func remember(_ source: PublishedSource) throws(SystemError) {
    let file = sourceFile(source.path)
    try Self.make(path.appending(path: Array("sources".utf8)))
    var record: [[UInt8]: BencodeValue] = [
      Array("path".utf8): .string(source.path), Array("key".utf8): .text(source.key.hex),
      Array("name".utf8): .string(source.name), Array("kind".utf8): .text(source.kind.rawValue),
    ]
    if let pieceLength = source.pieceLength {
      record[Array("piece length".utf8)] = .integer(Int64(clamping: pieceLength))
    }
    try WholeFile.write(BencodeValue.dictionary(record).encoded, to: file)
  }

  /// Forgets that a path is published as a dataset.
  func forget(_ source: [UInt8]) { _ = sourceFile(source).withCPath { unlink($0) } }

  /// The file about a path that is published by key: another than that of a plain torrent of it, which
  /// has further fields.
  private func sourceFile(_ source: [UInt8]) -> [UInt8] {
    let record: [[UInt8]: BencodeValue] = [Array("dataset path".utf8): .string(source)]
    let digest = SHA256Digest(hashing: BencodeValue.dictionary(record).encoded)
    return path.appending(path: Array("sources/\(digest.hex)".utf8))
  }

  /// What is kept of a version, without holding it against others: a process that shares it may go on.
  ///
  /// - Parameter content: the real path of the copy that is meant.
  public func keptVersion(_ infohash: SHA256Digest, content: [UInt8]? = nil) -> KeptVersion? {
    let folder = path.appending(path: Array("datasets/\(infohash.hex)".utf8))
    guard let torrent = (try? DatasetFolder.torrent(in: folder)) ?? nil,
      torrent.info.infohashV2 == infohash
    else { return nil }
    guard let content else { return KeptVersion(torrent: torrent, folder: folder, copy: nil) }
    let copies = [folder, DatasetFolder.path(ofFurtherCopyAt: content, in: folder)]
    let copy = copies.first { DatasetFolder.content(in: $0)?.path == content }
    return KeptVersion(torrent: torrent, folder: folder, copy: copy)
  }
}

/// A path that is published as a dataset, and how its versions become torrents.
public struct PublishedSource: Hashable, Sendable {
  /// The real path.
  public let path: [UInt8]
  /// The dataset.
  public let key: DatasetKey
  /// The dataset's name.
  public let name: [UInt8]
  /// Which descriptions: v2 or hybrid.
  public let kind: TorrentKind
  /// Bytes in a piece, nil when that is chosen.
  public let pieceLength: UInt64?

  /// A source from its parts.
  public init(
    path: [UInt8], key: DatasetKey, name: [UInt8], kind: TorrentKind, pieceLength: UInt64?
  ) {
    self.path = path
    self.key = key
    self.name = name
    self.kind = kind
    self.pieceLength = pieceLength
  }
}

/// A version as the state folder keeps it.
public struct KeptVersion: Sendable {
  /// Info dictionary, and the piece layers that are known.
  public let torrent: KnownTorrent
  /// Where its content was and how its files looked when they were hashed; nil when that is not known.
  public let record: ContentRecord?
  private let folder: [UInt8]
  /// The folder about the copy of the content; nil when there is none.
  private let copy: [UInt8]?

  init(torrent: KnownTorrent, folder: [UInt8], copy: [UInt8]?) {
    self.torrent = torrent
    self.folder = folder
    self.copy = copy
    record = copy.flatMap { DatasetFolder.content(in: $0) }
  }

  /// Keeps how the content looks now, where it is known to be the same still.
  func keep(_ record: ContentRecord) throws(SystemError) {
    if let copy { try DatasetFolder.keep(record, in: copy) }
  }

  /// The leaf hashes of all its files in order, if they were kept; else none. Read anew each time.
  public var leaves: [SHA256Digest] { DatasetFolder.leaves(in: folder) }
}
