import Metainfo

/// What the hash tree of a file gives to its torrent. BEP 52.
public struct FileHashes: Hashable, Sendable {
  /// "pieces root".
  public var root: SHA256Digest
  /// The file's entry in "piece layers", one hash a piece; empty for a file that is not larger than
  /// a piece, which has no entry.
  public var pieceLayer: [SHA256Digest]
}

/// Builds a file's root and piece layer from its nodes of one height, fed in file order, in memory
/// proportional to the piece layer. BEP 52.
///
/// A value without a hasher of its own, so that it can be handed from thread to thread.
public struct MerkleBuilder: Sendable {
  /// The tree that is built.
  public let shape: MerkleShape
  /// The layer of the nodes that are fed: each covers 2^height blocks, the last one perhaps fewer,
  /// with padding for the rest.
  public let height: Int
  /// How many nodes were fed.
  public private(set) var count = 0
  private var pieceRoots: [SHA256Digest] = []
  /// Nodes of a piece that is not whole yet.
  private var pending: [SHA256Digest] = []

  /// A builder for a file of this shape that is fed nodes of layer `height`.
  ///
  /// Precondition: `height` is in 0...`shape.pieceRootLayer`: a node that covers more than a piece
  /// says nothing about the piece layer.
  public init(shape: MerkleShape, height: Int) {
    precondition(0...shape.pieceRootLayer ~= height)
    self.shape = shape
    self.height = height
    if shape.pieceLayer != nil { pieceRoots.reserveCapacity(shape.pieceCount) }
  }

  /// How many nodes the whole file has: the builder is complete when `count` reaches it.
  public var expectedCount: Int { shape.nodeCount(layer: height) }

  /// Takes the next nodes of the file, as many as there are.
  ///
  /// Precondition: no more than `expectedCount` in all.
  public mutating func append(
    _ nodes: UnsafeBufferPointer<SHA256Digest>, using hasher: LayerHasher
  ) {
    precondition(count + nodes.count <= expectedCount)
    count += nodes.count
    var rest = nodes[...]
    if !pending.isEmpty {
      let missing = rest.prefix(nodesInPiece - pending.count)
      pending.append(contentsOf: missing)
      rest = rest.dropFirst(missing.count)
      if pending.count == nodesInPiece {
        pieceRoots.append(hasher.root(of: pending, at: height, to: shape.pieceRootLayer))
        pending.removeAll(keepingCapacity: true)
      }
    }
    let whole = rest.prefix(rest.count / nodesInPiece * nodesInPiece)
    if !whole.isEmpty { appendPieces(UnsafeBufferPointer(rebasing: whole), using: hasher) }
    pending.append(contentsOf: rest.dropFirst(whole.count))
  }

  /// Takes the next nodes of the file, as many as there are.
  ///
  /// Precondition: no more than `expectedCount` in all.
  public mutating func append(_ nodes: [SHA256Digest], using hasher: LayerHasher) {
    nodes.withUnsafeBufferPointer { append($0, using: hasher) }
  }

  /// The root and the piece layer.
  ///
  /// Precondition: all `expectedCount` nodes were fed.
  public consuming func finish(using hasher: LayerHasher) -> FileHashes {
    precondition(count == expectedCount)
    var pieceRoots = pieceRoots
    if !pending.isEmpty {
      pieceRoots.append(hasher.root(of: pending, at: height, to: shape.pieceRootLayer))
    }
    let root = hasher.root(of: pieceRoots, at: shape.pieceRootLayer, to: shape.rootLayer)
    return FileHashes(root: root, pieceLayer: shape.pieceLayer == nil ? [] : pieceRoots)
  }

  private var nodesInPiece: Int { 1 << (shape.pieceRootLayer - height) }

  private mutating func appendPieces(
    _ nodes: UnsafeBufferPointer<SHA256Digest>, using hasher: LayerHasher
  ) {
    let first = pieceRoots.count
    let added = nodes.count / nodesInPiece
    pieceRoots.append(contentsOf: repeatElement(.zero, count: added))
    pieceRoots.withUnsafeMutableBufferPointer {
      hasher.climb(
        nodes, at: height, to: shape.pieceRootLayer,
        into: UnsafeMutableBufferPointer(rebasing: $0[first..<(first + added)]))
    }
  }
}
