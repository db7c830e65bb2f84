import CHash
import Metainfo

/// Turns the bytes of segments into digests: `begin`, `append` for one or more windows of bytes in
/// order, `finish`. Belongs to one thread at a time and keeps its scratch space.
public final class SegmentHasher {
  private let layers: LayerHasher
  private let stream: OpaquePointer
  private let keepsLeaves: Bool
  private var segment = HashSegment(number: 0, spans: [], tree: nil, v1PieceLength: nil)
  private var isStreamed = false
  private var leaves: [SHA256Digest] = []
  private var leafCount = 0
  private var pieces: [SHA1Digest] = []

  /// A hasher that uses `hasher` for its batches. With `keepsLeaves` it hands out the leaf hashes too.
  public init(hasher: BulkHasher, keepsLeaves: Bool = false) {
    self.keepsLeaves = keepsLeaves
    layers = LayerHasher(hasher)
    guard let stream = chash_sha1_stream_create() else {
      preconditionFailure("out of memory for a hash stream")
    }
    self.stream = stream
  }

  deinit { chash_sha1_stream_destroy(stream) }

  /// Starts on `segment`. With `isStreamed` it comes in several windows, which is only possible for
  /// a segment of at most one v1 piece.
  public func begin(_ segment: HashSegment, isStreamed: Bool) {
    precondition(!isStreamed || segment.v1PieceCount <= 1)
    self.segment = segment
    self.isStreamed = isStreamed
    leafCount = 0
    pieces = []
    let room = segment.tree?.leafCount ?? 0
    if leaves.count < room { leaves = [SHA256Digest](repeating: .zero, count: room) }
  }

  /// Hashes the next bytes of the segment. All windows but the last are whole blocks. False when
  /// the bytes could not be read to the end (`BulkHasher.Perform`).
  public func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    if let tree = segment.tree {
      let count = min(bytes.count, max(0, tree.byteCount - leafCount * blockLength))
      let blocks = (count + blockLength - 1) / blockLength
      let isHashed = leaves.withUnsafeMutableBufferPointer { leaves in
        layers.hasher.sha256(
          ofBlocksIn: .init(rebasing: bytes[..<count]),
          into: .init(rebasing: leaves[leafCount..<(leafCount + blocks)]))
      }
      guard isHashed else { return false }
      leafCount += blocks
    }
    guard let pieceLength = segment.v1PieceLength else { return true }
    if isStreamed {
      chash_sha1_stream_update(stream, bytes.baseAddress, bytes.count)
      return true
    }
    var isHashed = false
    pieces = [SHA1Digest](unsafeUninitializedCapacity: segment.v1PieceCount) { pieces, count in
      isHashed = layers.hasher.sha1(ofPiecesIn: bytes, pieceLength: pieceLength, into: pieces)
      count = isHashed ? segment.v1PieceCount : 0
    }
    return isHashed
  }

  /// The digests of the segment.
  public func finish() -> SegmentHashes {
    if isStreamed, segment.v1PieceLength != nil {
      pieces = [SHA1Digest](unsafeUninitializedCapacity: 1) { piece, count in
        chash_sha1_stream_finish(stream, piece.baseAddress)
        count = 1
      }
    }
    return SegmentHashes(
      nodes: segment.tree.map(nodes) ?? [], pieces: pieces,
      leaves: keepsLeaves ? Array(leaves[..<(segment.tree?.leafCount ?? 0)]) : [])
  }

  /// Gives the segment up: what was fed is forgotten.
  public func abandon() {
    if isStreamed {
      var unused = [UInt8](repeating: 0, count: SHA1Digest.byteCount)
      chash_sha1_stream_finish(stream, &unused)
    }
  }

  private func nodes(of tree: HashSegment.TreePart) -> [SHA256Digest] {
    [SHA256Digest](unsafeUninitializedCapacity: tree.nodeCount) { nodes, count in
      count = tree.nodeCount
      leaves.withUnsafeBufferPointer { leaves in
        layers.climb(
          .init(rebasing: leaves[..<tree.leafCount]), to: tree.height,
          into: .init(rebasing: nodes[..<tree.nodeCount]))
      }
    }
  }
}
