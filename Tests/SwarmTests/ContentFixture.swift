import Metainfo
import Store
import TestSupport

/// A small torrent, and all of its bytes.
struct ContentFixture {
  let info: InfoDictionary
  let layers: PieceLayers
  let geometry: PieceGeometry
  /// Bytes of each file.
  let files: [[UInt8]]
  /// The whole hash tree of each file with bytes, by its root.
  let trees: [SHA256Digest: MerkleTree]
  let blocks: [BlockIndex]

  init(
    _ kind: TorrentKind, lengths: [Int], pieceLength: Int, isPrivate: Bool = false, seed: UInt64,
    mask: UInt8 = 0xff
  ) throws {
    var random = SplitMix64(seed: seed)
    // Two files of one length have the same bytes, so that they share a tree.
    var byLength: [Int: [UInt8]] = [:]
    files = lengths.map { length in
      if let same = byLength[length] { return same }
      byLength[length] = random.bytes(length, mask: mask)
      return byLength[length]!
    }
    let hasher = LayerHasher()
    var trees: [SHA256Digest: MerkleTree] = [:]
    var layers: PieceLayers = [:]
    var entries: [FileEntry] = []
    for (number, bytes) in files.enumerated() {
      var root: SHA256Digest?
      if kind.hasV2, !bytes.isEmpty {
        let shape = try MerkleShape(
          fileLength: UInt64(bytes.count), pieceLength: UInt64(pieceLength))
        let tree = MerkleTree(shape: shape, leaves: Self.leaves(bytes), using: hasher)
        trees[tree.root] = tree
        if shape.pieceLayer != nil { layers[tree.root] = tree.pieceLayer }
        root = tree.root
      }
      let path = try ContentPath([try PathElement("file\(100 + number)".utf8)])
      entries.append(FileEntry(path: path, length: UInt64(bytes.count), piecesRoot: root))
    }
    self.trees = trees
    self.layers = layers
    var torrent = TorrentDescription(
      kind: kind, name: try PathElement("content".utf8), isSingleFile: false,
      pieceLength: UInt32(pieceLength), files: entries, pieceLayers: layers)
    torrent.isPrivate = isPrivate
    if kind.hasV1, let layout = torrent.v1Layout {
      var stream = [UInt8](repeating: 0, count: Int(layout.length))
      for (bytes, offset) in zip(files, layout.offsets) {
        stream.replaceSubrange(Int(offset)..<Int(offset) + bytes.count, with: bytes)
      }
      torrent.v1Pieces = stride(from: 0, to: stream.count, by: pieceLength).map {
        SHA1Digest(hashing: stream[$0..<min($0 + pieceLength, stream.count)])
      }
    }
    info = try torrent.infoDictionary()
    let geometry = try info.geometry()
    self.geometry = geometry
    blocks = Self.blocks(geometry)
  }

  /// A v1 torrent with padding of 40,000 bytes in the middle of its pieces. BEP 47.
  init(paddedWithPieceLength pieceLength: Int, seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    files = [random.bytes(20_000), random.bytes(90_000)]
    trees = [:]
    layers = [:]
    let stream = files[0] + [UInt8](repeating: 0, count: 40_000) + files[1]
    let pieces = stride(from: 0, to: stream.count, by: pieceLength).flatMap {
      SHA1Digest(hashing: stream[$0..<min($0 + pieceLength, stream.count)]).bytes
    }
    let head =
      "d5:filesl" + "d6:lengthi20000e4:pathl1:aee"
      + "d4:attr1:p6:lengthi40000e4:pathl4:.pad5:40000ee" + "d6:lengthi90000e4:pathl1:bee"
      + "e4:name1:n12:piece lengthi\(pieceLength)e6:pieces\(pieces.count):"
    info = try InfoDictionary(parsing: Array(head.utf8) + pieces + Array("e".utf8))
    let geometry = try info.geometry()
    self.geometry = geometry
    blocks = Self.blocks(geometry)
  }

  /// The same bytes, said to be described by another info dictionary.
  init(_ other: ContentFixture, replacing info: InfoDictionary) {
    self.info = info
    layers = [:]
    geometry = other.geometry
    files = other.files
    trees = [:]
    blocks = other.blocks
  }

  /// What a peer sends for the block.
  func bytes(of block: BlockIndex) -> [UInt8] {
    geometry.spans(of: block).flatMap { span -> [UInt8] in
      guard let file = span.file else { return [UInt8](repeating: 0, count: Int(span.length)) }
      let start = Int(span.offset)
      return Array(files[Int(file.rawValue)][start..<start + Int(span.length)])
    }
  }

  static func leaves(_ bytes: [UInt8]) -> [SHA256Digest] {
    stride(from: 0, to: bytes.count, by: blockLength).map {
      SHA256Digest(hashing: bytes[$0..<min($0 + blockLength, bytes.count)])
    }
  }

  private static func blocks(_ geometry: PieceGeometry) -> [BlockIndex] {
    geometry.pieces.flatMap { piece in
      geometry.blocks(of: piece).filter { geometry.dataLength(of: $0) > 0 }
    }
  }
}
