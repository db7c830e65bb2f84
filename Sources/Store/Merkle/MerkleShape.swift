import Metainfo

/// A piece of one file, counted from 0 in that file. BEP 52, "piece length": "each non-empty file is
/// aligned to a piece boundary", so that a piece is all that lies below one node of the file's tree.
///
/// Only `MerkleShape` makes these from numbers that came from outside.
public struct FilePieceIndex: TypedIndex {
  /// The number, counted from 0.
  public let rawValue: UInt32
  init(_ rawValue: Int) { self.rawValue = UInt32(rawValue) }
}

/// The shape of a file's hash tree: how many nodes each layer has, which of them are padding, and
/// where the pieces lie. Pure arithmetic. BEP 52, "pieces root" and "piece layers".
///
/// Layers are counted upwards from the leaf layer, 0, as "base layer" counts them.
public struct MerkleShape: Hashable, Sendable {
  /// Bytes in the file, at least 1.
  public let fileLength: UInt64
  /// Bytes in a piece: a power of two, at least 16 KiB.
  public let pieceLength: UInt64
  /// Blocks of the file: leaves that are not padding. At most `MerkleLimits.leaves`.
  public let leafCount: Int
  /// The layer of the root, which is the number of layers above the leaves; 0 for a file of one
  /// block, whose leaf is the root.
  public let rootLayer: Int
  /// Layers between the leaf of a block and the node of a whole piece: log2 of blocks a piece.
  public let pieceHeight: Int

  /// The shape of the tree of a file.
  public init(fileLength: UInt64, pieceLength: UInt64) throws(MerkleShapeError) {
    if fileLength == 0 { throw .emptyFile }
    let leaves = (fileLength - 1) / UInt64(blockLength) + 1
    if leaves > MerkleLimits.leaves { throw .fileTooLong(fileLength) }
    guard pieceLength.nonzeroBitCount == 1, pieceLength >= UInt64(blockLength),
      pieceLength <= MerkleLimits.pieceLength
    else { throw .pieceLength(pieceLength) }
    self.fileLength = fileLength
    self.pieceLength = pieceLength
    leafCount = Int(leaves)
    rootLayer = Int.bitWidth - (leafCount - 1).leadingZeroBitCount
    pieceHeight = (pieceLength / UInt64(blockLength)).trailingZeroBitCount
  }

  /// Leaves with the padding: a power of two.
  public var paddedLeafCount: Int { 1 << rootLayer }

  /// Layers of the tree, leaf layer and root included.
  public var layerCount: Int { rootLayer + 1 }

  /// Pieces of the file, at least 1.
  public var pieceCount: Int { ((leafCount - 1) >> pieceHeight) + 1 }

  /// The layer in which "one hash covers piece length bytes"; nil for a file that is not "larger
  /// than the piece size". BEP 52, "piece layers".
  public var pieceLayer: Int? { fileLength > pieceLength ? pieceHeight : nil }

  /// The layer of the nodes that have one piece each below them: the piece layer, or the root's
  /// where the file is not larger than a piece.
  public var pieceRootLayer: Int { min(pieceHeight, rootLayer) }

  /// Nodes of `layer` with at least one block of the file below.
  ///
  /// Precondition: `layer` is in 0...`rootLayer`.
  public func nodeCount(layer: Int) -> Int { ((leafCount - 1) >> layer) + 1 }

  /// Nodes of `layer`, padding included: a power of two.
  ///
  /// Precondition: `layer` is in 0...`rootLayer`.
  public func paddedNodeCount(layer: Int) -> Int { 1 << (rootLayer - layer) }

  /// Whether the tree has such a place, padding included.
  public func contains(_ node: MerkleNode) -> Bool {
    0...rootLayer ~= node.layer && 0..<paddedNodeCount(layer: node.layer) ~= node.index
  }

  /// Whether only padding lies below. Precondition: the tree contains `node`.
  public func isPadding(_ node: MerkleNode) -> Bool {
    node.index >= nodeCount(layer: node.layer)
  }

  /// The block of the file with this number; nil beyond the end.
  public func leaf(_ number: some BinaryInteger) -> LeafIndex? {
    guard number >= 0, number < leafCount else { return nil }
    return LeafIndex(UInt32(number))
  }

  /// The piece of the file with this number; nil beyond the end.
  public func piece(_ number: some BinaryInteger) -> FilePieceIndex? {
    guard number >= 0, number < pieceCount else { return nil }
    return FilePieceIndex(Int(number))
  }

  /// The piece in which a block lies.
  public func piece(of leaf: LeafIndex) -> FilePieceIndex {
    FilePieceIndex(Int(leaf.rawValue) >> pieceHeight)
  }

  /// The numbers of a piece's blocks; fewer in the last piece.
  public func leaves(of piece: FilePieceIndex) -> Range<Int> {
    let first = Int(piece.rawValue) << pieceHeight
    return first..<min(first + 1 << pieceHeight, leafCount)
  }

  /// The node that has exactly this piece below.
  public func root(of piece: FilePieceIndex) -> MerkleNode {
    MerkleNode(layer: pieceRootLayer, index: Int(piece.rawValue))
  }
}

/// Why there is no hash tree for a file.
public enum MerkleShapeError: Error, Hashable, Sendable {
  /// A file of 0 bytes has no tree and no "pieces root". BEP 52.
  case emptyFile
  /// More bytes than `MerkleLimits.leaves` blocks hold.
  case fileTooLong(UInt64)
  /// Not a power of two from 16 KiB to `MerkleLimits.pieceLength`. BEP 52, "piece length".
  case pieceLength(UInt64)
}

extension MerkleShapeError: CustomStringConvertible {
  /// What is wrong, with the numbers.
  public var description: String {
    switch self {
    case .emptyFile: "an empty file has no hash tree (BEP 52)"
    case .fileTooLong(let length):
      "a file of \(length) bytes has more than \(MerkleLimits.leaves) blocks"
    case .pieceLength(let length):
      """
      piece length \(length) is not a power of two from \(blockLength) to \
      \(MerkleLimits.pieceLength) (BEP 52)
      """
    }
  }
}
