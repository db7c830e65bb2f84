import Metainfo

/// The content of one version as the store sees it: files, and the block maps that cover them.
public struct ContentLayout: Sendable {
  /// One block map: a file of a v2 or hybrid torrent, or the whole stream of a v1 torrent.
  struct Map: Sendable {
    let name: BlockMapName
    let identity: BlockMapIdentity
    let blocks: BlockRange
    /// The files whose bytes it covers, in order, none empty.
    let files: [FileIndex]
    /// Where one of `files` stands in them.
    func place(of file: FileIndex) -> Int {
      var (low, high) = (0, files.count - 1)
      while low < high {
        let middle = low + (high - low) / 2
        if files[middle] < file { low = middle + 1 } else { high = middle }
      }
      return low
    }

    var slotCapacity: UInt64 {
      BlockMapSlot.capacity(blockCount: identity.blockCount, fileCount: files.count)
    }
  }

  /// Where bytes are.
  public let geometry: PieceGeometry
  /// The files and symlinks, in the order of the geometry.
  public let entries: [FileEntry]

  let maps: [Map]
  /// The map of a file; -1 for an empty file or symlink.
  private let mapOfFile: [Int32]

  /// The layout of a v2 or hybrid torrent: a map for each file with bytes, named after its root.
  ///
  /// Precondition: `entries` are those that `geometry` was made from, each file with bytes has its
  /// pieces root.
  public init(geometry: PieceGeometry, entries: [FileEntry]) {
    precondition(geometry.kind.hasV2 && geometry.files.count == entries.count)
    var maps: [Map] = []
    var mapOfFile: [Int32] = []
    var copies: [SHA256Digest: UInt32] = [:]
    for (file, entry) in zip(geometry.files, entries) {
      precondition(entry.length == geometry.length(of: file))
      mapOfFile.append(entry.length == 0 ? -1 : Int32(maps.count))
      guard entry.length > 0 else { continue }
      guard let root = entry.piecesRoot else { preconditionFailure("a file without its root") }
      let blocks = geometry.blocks(of: file)
      let copy = copies[root, default: 0]
      copies[root] = copy + 1
      maps.append(
        Map(
          name: BlockMapName(content: root.bytes, copy: copy),
          identity: BlockMapIdentity(
            content: root, place: Self.place([entry.path]), length: entry.length,
            blockCount: UInt32(blocks.count)),
          blocks: blocks, files: [file]))
    }
    self.init(geometry: geometry, entries: entries, maps: maps, mapOfFile: mapOfFile)
  }

  /// The layout of a v1 torrent: one map for all, named after its infohash.
  ///
  /// Precondition: `entries` are those that `geometry` was made from.
  public init(v1Geometry geometry: PieceGeometry, entries: [FileEntry], infoHash: SHA1Digest) {
    precondition(!geometry.kind.hasV2 && geometry.files.count == entries.count)
    let files = geometry.files.filter { geometry.length(of: $0) > 0 }
    let content = SHA256Digest(infoHash.bytes + [UInt8](repeating: 0, count: 12))
    guard let content else { preconditionFailure("20 and 12 are 32") }
    let blocks = geometry.numberedBlocks
    let map = Map(
      name: BlockMapName(content: infoHash.bytes, copy: 0),
      identity: BlockMapIdentity(
        content: content, place: Self.place(entries.map(\.path)), length: geometry.streamLength,
        blockCount: UInt32(blocks.count)),
      blocks: blocks, files: files)
    self.init(
      geometry: geometry, entries: entries, maps: files.isEmpty ? [] : [map],
      mapOfFile: entries.map { $0.length == 0 ? -1 : 0 })
  }

  private init(geometry: PieceGeometry, entries: [FileEntry], maps: [Map], mapOfFile: [Int32]) {
    self.geometry = geometry
    self.entries = entries
    self.maps = maps
    self.mapOfFile = mapOfFile
  }

  /// The map with the block's bit.
  func map(of block: BlockIndex) -> Int {
    guard let leaf = geometry.leaf(of: block) else { return 0 }
    return Int(mapOfFile[Int(leaf.file.rawValue)])
  }

  /// The file's blocks as members of its map.
  func members(of file: FileIndex) -> BlockSet {
    let map = maps[Int(mapOfFile[Int(file.rawValue)])]
    return BlockSet(capacity: map.blocks.count, range: range(of: file))
  }

  /// As `members`, by the first and the last.
  func range(of file: FileIndex) -> Range<Int> {
    let blocks = geometry.blocks(of: file)
    let first = Int(blocks.lowerBound - maps[Int(mapOfFile[Int(file.rawValue)])].blocks.lowerBound)
    return first..<(first + blocks.count)
  }

  /// What a symlink holds: the way from the link's own folder to its target, both below the
  /// torrent's folder. BEP 47, "symlink path".
  static func linkText(from link: ContentPath, to target: ContentPath) -> [UInt8] {
    Array(repeating: Array("../".utf8), count: link.elements.count - 1).flatMap { $0 }
      + target.bytes
  }

  private static func place(_ paths: [ContentPath]) -> SHA256Digest {
    SHA256Digest(hashing: Array(paths.map(\.bytes).joined(separator: [0])))
  }
}

/// The name of a block map's file in the state folder.
public struct BlockMapName: Hashable, Sendable {
  /// The file's name: hexadecimal digits of the pieces root or v1 infohash; for the second and
  /// further files with the same root, ".1", ".2" and so on behind.
  public let text: String

  init(content: [UInt8], copy: UInt32) {
    text = content.hex + (copy == 0 ? "" : ".\(copy)")
  }
}
