import Metainfo

/// A hash request that makes sense for a file: which nodes its answer holds. BEP 52, "hash
/// request" and "hashes".
///
/// Only `MerkleShape.run(of:)` makes one, so that its nodes exist and its counts are bounded.
public struct HashRun: Hashable, Sendable {
  /// The base layer, below the root's.
  public let layer: Int
  /// First node of the base layer, padding included.
  public let first: Int
  /// How many nodes of the base layer are sent.
  public let count: Int
  /// Layers from the base layer to the one node above the whole run.
  public let height: Int
  /// How many uncle hashes follow.
  ///
  /// "A proof layer is omitted if the requested hashes include the entire child layer. In other
  /// words, the first log2(length)-1 proof layers are ommitted. The ommitted layers are still
  /// counted towards the requested proof layers." (BEP 52, "hashes".) The first uncle is thus the
  /// sibling of the node above the whole run.
  public let uncleCount: Int

  /// How many hashes the answer has in all.
  public var hashCount: Int { count + uncleCount }

  /// The node above the whole run.
  public var root: MerkleNode { MerkleNode(layer: layer + height, index: first >> height) }

  /// Where the hash at `position` of the answer belongs: first the base layer in order, then the
  /// uncles from low to high.
  ///
  /// Precondition: `position` is in 0..<`hashCount`.
  public func node(at position: Int) -> MerkleNode {
    position < count
      ? MerkleNode(layer: layer, index: first + position)
      : root.ancestor(above: position - count).sibling
  }
}

extension MerkleShape {
  /// The nodes that `request` is about, once all of its fields are checked against this tree.
  ///
  /// A length that is not a power of two is allowed where it is "truncated by the end of the
  /// layer" (BEP 52); the run is then as high as with the padding. This includes a length of one:
  /// libtorrent 2.0.8 asks so for the last piece of 512 n + 1, and drops a peer that does not begin
  /// the proof with that piece's own sibling.
  public func run(of request: HashRequest) throws(HashRequestError) -> HashRun {
    let layer = Int(request.baseLayer)
    guard layer < rootLayer else {
      throw .baseLayer(request.baseLayer, rootLayer: rootLayer)
    }
    let first = Int(request.index)
    let count = Int(request.length)
    guard count > 0 else { throw .length(request.length) }
    guard count <= MerkleLimits.answerLength else { throw .lengthTooLong(request.length) }
    let (end, overflow) = first.addingReportingOverflow(count)
    let isWhole = count >= 2 && count.nonzeroBitCount == 1
    guard isWhole || end == nodeCount(layer: layer) else { throw .length(request.length) }
    let height = Int.bitWidth - (count - 1).leadingZeroBitCount
    guard first & (1 << height - 1) == 0 else {
      throw .indexNotMultiple(request.index, length: request.length)
    }
    guard !overflow, end <= paddedNodeCount(layer: layer) else {
      throw .beyondLayer(
        index: request.index, length: request.length, count: paddedNodeCount(layer: layer))
    }
    let most = rootLayer - 1 - layer
    guard request.proofLayers <= most else {
      throw .proofLayers(request.proofLayers, most: most)
    }
    return HashRun(
      layer: layer, first: first, count: count, height: height,
      uncleCount: max(0, Int(request.proofLayers) - height + 1))
  }
}

/// Which field of a hash request makes no sense for the file, and why. BEP 52, "hash request".
public enum HashRequestError: Error, Hashable, Sendable {
  /// The base layer is not below the root's.
  case baseLayer(UInt32, rootLayer: Int)
  /// The length is neither a power of two from 2 on nor cut off by the end of the layer.
  case length(UInt32)
  /// More hashes at once than `MerkleLimits.answerLength`.
  case lengthTooLong(UInt32)
  /// The index is not a multiple of the length.
  case indexNotMultiple(UInt32, length: UInt32)
  /// The hashes lie beyond the layer, padding included, which has `count` nodes.
  case beyondLayer(index: UInt32, length: UInt32, count: Int)
  /// Proof layers that are not below the root's.
  case proofLayers(UInt32, most: Int)
}

extension HashRequestError: CustomStringConvertible {
  /// The field, its value, and what it should be.
  public var description: String {
    switch self {
    case .baseLayer(let layer, let rootLayer):
      "base layer \(layer) is not below the root, which is layer \(rootLayer) (BEP 52)"
    case .length(let length):
      """
      length \(length) is not a power of two from 2 on, nor truncated by the end of the layer \
      (BEP 52)
      """
    case .lengthTooLong(let length):
      "length \(length) is more than \(MerkleLimits.answerLength)"
    case .indexNotMultiple(let index, let length):
      "index \(index) is not a multiple of length \(length) (BEP 52)"
    case .beyondLayer(let index, let length, let count):
      "index \(index) and length \(length) lead beyond the layer's \(count) hashes (BEP 52)"
    case .proofLayers(let layers, let most):
      "\(layers) proof layers are more than the \(most) between base layer and root (BEP 52)"
    }
  }
}
