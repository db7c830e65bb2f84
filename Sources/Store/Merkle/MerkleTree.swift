import Metainfo

/// What is known of a file's hash tree: from the "pieces root" alone up to all of it. BEP 52.
///
/// Invariants: every node that is kept was proven, i.e. it hashes up to the root together with
/// other kept nodes; where a node is kept, its sibling and its parent are known too. Nodes beyond
/// the end of the file are never kept: their hashes follow from the file's length. Memory is
/// proportional to what is known, not to the file.
public struct MerkleTree: Hashable, Sendable {
  /// The tree's shape.
  public let shape: MerkleShape
  /// The file's "pieces root".
  public let root: SHA256Digest
  var tiles: MerkleTiles

  /// A tree of which only the root is known.
  public init(shape: MerkleShape, root: SHA256Digest) {
    self.shape = shape
    self.root = root
    tiles = MerkleTiles(shape: shape)
  }

  /// The whole tree over the hashes of all blocks of a file. Takes 64 bytes a block: for large
  /// files `MerkleBuilder` gives root and piece layer without it.
  ///
  /// Precondition: `leaves` has `shape.leafCount` hashes.
  public init(shape: MerkleShape, leaves: [SHA256Digest], using hasher: LayerHasher) {
    precondition(leaves.count == shape.leafCount)
    tiles = MerkleTiles(shape: shape)
    self.shape = shape
    root = tiles.keepSubtree(
      leaves, from: MerkleNode(layer: 0, index: 0), to: shape.rootLayer, hasher)
  }

  /// The hash of a node, if it is known; that of padding always is.
  ///
  /// Precondition: the tree contains `node`.
  public func hash(of node: MerkleNode) -> SHA256Digest? {
    precondition(shape.contains(node))
    if shape.isPadding(node) { return MerklePadding.hash(layer: node.layer) }
    return known(node)
  }

  /// The file's entry in "piece layers", if all of it is known; empty for a file that has none.
  public var pieceLayer: [SHA256Digest]? {
    guard let layer = shape.pieceLayer else { return [] }
    var hashes: [SHA256Digest] = []
    hashes.reserveCapacity(shape.pieceCount)
    for index in 0..<shape.pieceCount {
      guard let hash = known(MerkleNode(layer: layer, index: index)) else { return nil }
      hashes.append(hash)
    }
    return hashes
  }

  /// Memory held for nodes, in digests of 32 bytes.
  public var capacity: Int { tiles.capacity }

  /// Whether the bytes of a block that have this SHA-256 are the file's. Allocates nothing.
  ///
  /// Precondition: the file has this leaf.
  public func verdict(leaf: LeafIndex, digest: SHA256Digest) -> LeafVerdict {
    let node = MerkleNode(layer: 0, index: Int(leaf.rawValue))
    precondition(node.index < shape.leafCount)
    if let hash = known(node) { return hash == digest ? .verified : .mismatch }
    return .needsHashes(requestForPair(with: node))
  }

  /// Whether the blocks of a piece, by their SHA-256 in order, are the file's: for when the hashes
  /// of the single blocks are not known. Keeps nothing.
  ///
  /// Precondition: the file has this piece, and `leaves` are as many as it has.
  public func verdict(
    piece: FilePieceIndex, leaves: UnsafeBufferPointer<SHA256Digest>, using hasher: LayerHasher
  ) -> PieceVerdict {
    precondition(leaves.count == shape.leaves(of: piece).count)
    let node = shape.root(of: piece)
    guard let hash = known(node) else { return .needsHashes(requestForPair(with: node)) }
    return hasher.root(of: leaves, to: node.layer) == hash ? .verified : .mismatch
  }

  /// Forgets all hashes below a piece's own: what its blocks on disk can give again.
  public mutating func evict(_ piece: FilePieceIndex) {
    tiles.removeAll(below: shape.root(of: piece))
  }

  /// The hash of a node of the file; nil when it is not known.
  func known(_ node: MerkleNode) -> SHA256Digest? {
    if node.layer == shape.rootLayer { return root }
    let hash = tiles[node]
    return hash == .zero ? nil : hash
  }

  /// The lowest known node on the way from `node`, itself included, to the root.
  func lowestKnown(from node: MerkleNode) -> MerkleNode {
    var node = node
    while known(node) == nil { node = node.parent }
    return node
  }

  /// The smallest request that makes an unknown node known.
  private func requestForPair(with node: MerkleNode) -> HashRequest {
    let anchor = lowestKnown(from: node)
    return shape.request(for: node.parent, at: node.layer, provenBy: anchor.layer, root: root)
  }
}

extension MerkleTiles {
  /// Keeps `nodes` and all nodes between them and the one node of layer `top` above, whose hash is
  /// returned and not kept.
  @discardableResult
  mutating func keepSubtree(
    _ nodes: [SHA256Digest], from first: MerkleNode, to top: Int, _ hasher: LayerHasher
  ) -> SHA256Digest {
    var nodes = nodes
    var first = first
    while first.layer < top {
      keep(nodes, from: first)
      nodes = hasher.climb(nodes, at: first.layer, to: first.layer + 1)
      first = first.parent
    }
    return nodes[0]
  }
}
