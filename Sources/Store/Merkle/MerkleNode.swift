/// A place in a file's hash tree, padding included. BEP 52.
///
/// Plain arithmetic: whether the tree has such a place is for `MerkleShape` to say.
public struct MerkleNode: Hashable, Sendable {
  /// Layers above the leaf layer, as "base layer" counts them (BEP 52); 0 is the leaf layer.
  public var layer: Int
  /// Position in the layer, counted from 0 at the start of the file.
  public var index: Int

  /// The place at `index` in `layer`.
  public init(layer: Int, index: Int) {
    self.layer = layer
    self.index = index
  }

  /// The node above: the hash of this one and its sibling.
  public var parent: MerkleNode { ancestor(above: 1) }

  /// The node with the same parent.
  public var sibling: MerkleNode { MerkleNode(layer: layer, index: index ^ 1) }

  /// The sibling of the parent: what a proof sends for the next layer. BEP 52, "uncle hash".
  public var uncle: MerkleNode { parent.sibling }

  /// Whether this is the left one of its parent's children.
  public var isLeft: Bool { index & 1 == 0 }

  /// The first of the two nodes below. Precondition: not a leaf.
  public var leftChild: MerkleNode { MerkleNode(layer: layer - 1, index: index << 1) }

  /// The second of the two nodes below. Precondition: not a leaf.
  public var rightChild: MerkleNode { MerkleNode(layer: layer - 1, index: index << 1 | 1) }

  /// The node `layers` layers up.
  public func ancestor(above layers: Int) -> MerkleNode {
    MerkleNode(layer: layer + layers, index: index >> layers)
  }

  /// The numbers of the leaves below, padding included.
  public var leaves: Range<Int> { index << layer..<(index + 1) << layer }
}

extension MerkleNode: CustomStringConvertible {
  /// "node 5 of layer 2".
  public var description: String { "node \(index) of layer \(layer)" }
}
