import Metainfo
import Store

/// A small torrent of fixed content, and all that is true of it.
final class SessionTruth: Sendable {
  let info: InfoDictionary
  let layers: PieceLayers
  let geometry: PieceGeometry
  /// Bytes of each file.
  let files: [[UInt8]]
  /// Whole pieces one after the other, padding included.
  let stream: [UInt8]
  /// Leaf hashes of all files in order; none in v1.
  let leaves: [SHA256Digest]
  /// Whole hash trees by their roots; none in v1.
  let trees: [SHA256Digest: MerkleTree]

  /// One of each kind: made once, because every input uses one of them.
  static let all: [SessionTruth] = [
    make(.v2, [70_000, 0, 16_384, 20_001], pieceLength: 32_768),
    make(.hybrid, [40_000, 33_000, 5], pieceLength: 32_768),
    make(.v1, [50_000, 1, 30_000, 40_000], pieceLength: 32_768),
    make(.v2, [200_000], pieceLength: 65_536),
  ]

  private static func make(
    _ kind: TorrentKind, _ lengths: [Int], pieceLength: Int
  ) -> SessionTruth {
    do {
      return try SessionTruth(kind, lengths, pieceLength)
    } catch { fatalError("\(kind): \(error)") }
  }

  private init(_ kind: TorrentKind, _ lengths: [Int], _ pieceLength: Int) throws {
    var state: UInt64 = 1
    files = lengths.map { length in
      (0..<length).map { _ in
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return UInt8(truncatingIfNeeded: state >> 56)
      }
    }
    var entries: [FileEntry] = []
    var layers: PieceLayers = [:]
    var leaves: [SHA256Digest] = []
    var trees: [SHA256Digest: MerkleTree] = [:]
    for (number, bytes) in files.enumerated() {
      let path = try ContentPath([try PathElement(Array("file\(number)".utf8))])
      var entry = FileEntry(path: path, length: UInt64(bytes.count))
      if kind.hasV2, !bytes.isEmpty {
        let own = stride(from: 0, to: bytes.count, by: blockLength).map {
          SHA256Digest(hashing: bytes[$0..<min($0 + blockLength, bytes.count)])
        }
        let shape = try MerkleShape(
          fileLength: UInt64(bytes.count), pieceLength: UInt64(pieceLength))
        let tree = MerkleTree(shape: shape, leaves: own, using: LayerHasher())
        entry.piecesRoot = tree.root
        if let layer = tree.pieceLayer, !layer.isEmpty { layers[tree.root] = layer }
        trees[tree.root] = tree
        leaves += own
      }
      entries.append(entry)
    }
    var description = TorrentDescription(
      kind: kind, name: try PathElement(Array("session".utf8)), isSingleFile: false,
      pieceLength: UInt32(pieceLength), files: entries, pieceLayers: layers)
    if kind.hasV1, let layout = description.v1Layout {
      var stream = [UInt8](repeating: 0, count: Int(layout.length))
      for (bytes, offset) in zip(files, layout.offsets) {
        stream.replaceSubrange(Int(offset)..<(Int(offset) + bytes.count), with: bytes)
      }
      description.v1Pieces = stride(from: 0, to: stream.count, by: pieceLength).map {
        SHA1Digest(hashing: stream[$0..<min($0 + pieceLength, stream.count)])
      }
    }
    info = try description.infoDictionary()
    geometry = try info.geometry()
    stream = Self.stream(files, geometry)
    (self.layers, self.leaves, self.trees) = (layers, leaves, trees)
  }

  private static func stream(_ files: [[UInt8]], _ geometry: PieceGeometry) -> [UInt8] {
    let pieceLength = Int(geometry.pieceLength)
    var stream = [UInt8](repeating: 0, count: geometry.pieces.count * pieceLength)
    for piece in geometry.pieces {
      var position = Int(piece.rawValue) * pieceLength
      for span in geometry.spans(of: piece) {
        if let file = span.file {
          let start = Int(span.offset)
          let bytes = files[Int(file.rawValue)][start..<(start + Int(span.length))]
          stream.replaceSubrange(position..<(position + bytes.count), with: bytes)
        }
        position += Int(span.length)
      }
    }
    return stream
  }

  /// Bytes of a piece from `begin` on; zeros where there is no such place.
  func bytes(piece: UInt32, begin: UInt32, count: Int) -> [UInt8] {
    let start = Int(piece) * Int(geometry.pieceLength) + Int(begin)
    guard start + count <= stream.count else { return [UInt8](repeating: 0, count: count) }
    return Array(stream[start..<(start + count)])
  }
}
