import Metainfo
import Store
import TestSupport

/// Random content and its torrent: the truth of a run.
final class Dataset {
  let info: InfoDictionary
  let pieceLayers: PieceLayers
  let geometry: PieceGeometry
  /// Bytes of each file.
  let contents: [[UInt8]]
  /// Whole pieces one after the other, padding included.
  let stream: [UInt8]
  /// Leaf hashes of all files in order; none in v1.
  let leaves: [SHA256Digest]
  /// Hash trees by their roots; none in v1.
  let trees: [SHA256Digest: MerkleTree]

  var kind: TorrentKind { info.kind }
  var totalBytes: UInt64 { geometry.totalLength }

  /// Content of files of these sizes, in bytes.
  init(
    kind: TorrentKind, sizes: [Int], pieceLength: Int, isPrivate: Bool = false,
    random: inout SplitMix64
  ) throws {
    contents = sizes.map { Self.bytes($0, &random) }
    var entries: [FileEntry] = []
    var layers: PieceLayers = [:]
    var leaves: [SHA256Digest] = []
    var trees: [SHA256Digest: MerkleTree] = [:]
    let hasher = LayerHasher()
    for (index, bytes) in contents.enumerated() {
      let name = Array("file\(index / 10)\(index % 10)".utf8)
      var entry = FileEntry(
        path: try ContentPath([try PathElement(name)]), length: UInt64(bytes.count))
      if kind.hasV2, !bytes.isEmpty {
        let own = Self.leaves(bytes)
        let shape = try MerkleShape(
          fileLength: UInt64(bytes.count), pieceLength: UInt64(pieceLength))
        let tree = MerkleTree(shape: shape, leaves: own, using: hasher)
        entry.piecesRoot = tree.root
        if let layer = tree.pieceLayer, !layer.isEmpty { layers[tree.root] = layer }
        trees[tree.root] = tree
        leaves += own
      }
      entries.append(entry)
    }
    var description = TorrentDescription(
      kind: kind, name: try PathElement(Array("dataset".utf8)), isSingleFile: false,
      pieceLength: UInt32(pieceLength), files: entries, pieceLayers: layers)
    description.isPrivate = isPrivate
    if kind.hasV1, let layout = description.v1Layout {
      description.v1Pieces = Self.pieces(contents, layout, pieceLength)
    }
    info = try description.infoDictionary()
    geometry = try Self.geometry(of: info)
    pieceLayers = layers
    stream = Self.stream(contents, geometry)
    self.leaves = leaves
    self.trees = trees
  }

  /// What a peer should send for a run of bytes of a piece; nil when there is no such run.
  func bytes(piece: UInt32, begin: UInt32, length: UInt32) -> ArraySlice<UInt8>? {
    guard let run = geometry.bytes(piece: piece, begin: begin, length: length) else { return nil }
    let start = Int(run.piece.rawValue) * Int(geometry.pieceLength) + Int(begin)
    return stream[start..<(start + Int(length))]
  }

  /// Whether these are the bytes from there on.
  func matches(
    _ bytes: UnsafeRawBufferPointer, piece: UInt32, begin: UInt32
  ) -> Bool {
    let start = Int(piece) * Int(geometry.pieceLength) + Int(begin)
    guard start + bytes.count <= stream.count else { return false }
    return stream.withUnsafeBytes { stream in
      Self.areEqual(UnsafeRawBufferPointer(rebasing: stream[start..<(start + bytes.count)]), bytes)
    }
  }

  /// Whether two runs of the same length have the same bytes; eight at a time.
  static func areEqual(_ a: UnsafeRawBufferPointer, _ b: UnsafeRawBufferPointer) -> Bool {
    var offset = 0
    while offset + 8 <= a.count {
      let left = a.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      let right = b.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      if left != right { return false }
      offset += 8
    }
    return a[offset...].elementsEqual(b[offset...])
  }

  // MARK: Making

  static func geometry(of info: InfoDictionary) throws(GeometryError) -> PieceGeometry {
    let length = UInt64(info.pieceLength)
    guard let layout = info.v1Layout else {
      return try PieceGeometry(v2Lengths: info.files.map(\.length), pieceLength: length)
    }
    let files = zip(info.files, layout.offsets).map {
      PieceGeometry.File(length: $0.length, v1Offset: $1)
    }
    return info.kind == .v1
      ? try PieceGeometry(v1Files: files, v1Length: layout.length, pieceLength: length)
      : try PieceGeometry(hybridFiles: files, v1Length: layout.length, pieceLength: length)
  }

  private static func bytes(_ count: Int, _ random: inout SplitMix64) -> [UInt8] {
    [UInt8](unsafeUninitializedCapacity: count) { room, initialized in
      var offset = 0
      var mask = UInt64.max
      while offset < count {
        var word = random.next()
        // Some of it compresses: 64 KiB with few values, then again 64 KiB with all.
        if offset.isMultiple(of: 65_536) { mask = word >> 60 < 8 ? 0x0303_0303_0303_0303 : .max }
        word &= mask
        for _ in 0..<min(8, count - offset) {
          room[offset] = UInt8(truncatingIfNeeded: word)
          word >>= 8
          offset += 1
        }
      }
      initialized = count
    }
  }

  private static func leaves(_ bytes: [UInt8]) -> [SHA256Digest] {
    stride(from: 0, to: bytes.count, by: blockLength).map {
      SHA256Digest(hashing: bytes[$0..<min($0 + blockLength, bytes.count)])
    }
  }

  private static func pieces(
    _ contents: [[UInt8]], _ layout: V1Layout, _ pieceLength: Int
  ) -> [SHA1Digest] {
    var stream = [UInt8](repeating: 0, count: Int(layout.length))
    for (bytes, offset) in zip(contents, layout.offsets) {
      stream.replaceSubrange(Int(offset)..<(Int(offset) + bytes.count), with: bytes)
    }
    return Swift.stride(from: 0, to: stream.count, by: pieceLength).map {
      SHA1Digest(hashing: stream[$0..<min($0 + pieceLength, stream.count)])
    }
  }

  private static func stream(_ contents: [[UInt8]], _ geometry: PieceGeometry) -> [UInt8] {
    let pieceLength = Int(geometry.pieceLength)
    var stream = [UInt8](repeating: 0, count: geometry.pieces.count * pieceLength)
    for piece in geometry.pieces {
      var position = Int(piece.rawValue) * pieceLength
      for span in geometry.spans(of: piece) {
        if let file = span.file {
          let start = Int(span.offset)
          let bytes = contents[Int(file.rawValue)][start..<(start + Int(span.length))]
          stream.replaceSubrange(position..<(position + bytes.count), with: bytes)
        }
        position += Int(span.length)
      }
    }
    return stream
  }
}
