import Metainfo

/// Which hashes to ask for. BEP 52, "hash request".
extension MerkleShape {
  /// The requests whose answers prove `leaves` from `known`, the lowest known node above them,
  /// asking for as few hashes as possible. Any one answer is proven without the others.
  ///
  /// Runs are leaves, whole power-of-two runs of at most `MerkleLimits.requestLength`, with uncle
  /// hashes up to the children of `known`. `root` is the file's "pieces root".
  ///
  /// Precondition: `leaves` is a non-empty range of blocks of the file below `known`, which is not
  /// a leaf.
  public func requests(
    for leaves: Range<Int>, below known: MerkleNode, root: SHA256Digest
  ) -> [HashRequest] {
    precondition(known.layer > 0 && !leaves.isEmpty)
    precondition(leaves.clamped(to: known.leaves) == leaves && leaves.upperBound <= leafCount)
    return cover(leaves, by: known, provenBy: known.layer).runs.map {
      request(for: $0, at: 0, provenBy: known.layer, root: root)
    }
  }

  /// The request for the nodes of `layer` below `top`, provable by a known node of `knownLayer`.
  func request(
    for top: MerkleNode, at layer: Int, provenBy knownLayer: Int, root: SHA256Digest
  ) -> HashRequest {
    let height = top.layer - layer
    return HashRequest(
      piecesRoot: root, baseLayer: UInt32(layer), index: UInt32(top.index << height),
      length: 1 << height, proofLayers: UInt32(knownLayer - 1 - layer))
  }

  /// A choice of runs, by the nodes above them, and what they cost in hashes.
  private struct Cover {
    var cost: Int
    var runs: [MerkleNode]
  }

  /// What a message costs besides its hashes: 53 bytes of header, asked and answered.
  private static let messageCost = 3

  /// The cheapest runs below `node` that hold all of `leaves` that lie below it.
  private func cover(_ leaves: Range<Int>, by node: MerkleNode, provenBy known: Int) -> Cover {
    let wanted = leaves.clamped(to: node.leaves)
    if wanted.isEmpty { return Cover(cost: 0, runs: []) }
    let whole = Cover(cost: 1 << node.layer + known - node.layer + Self.messageCost, runs: [node])
    if node.layer == 1 { return whole }
    let fits = 1 << node.layer <= MerkleLimits.requestLength
    if fits && wanted == node.leaves { return whole }
    let left = cover(wanted, by: node.leftChild, provenBy: known)
    let right = cover(wanted, by: node.rightChild, provenBy: known)
    let cost = left.cost + right.cost
    return fits && whole.cost <= cost ? whole : Cover(cost: cost, runs: left.runs + right.runs)
  }
}
