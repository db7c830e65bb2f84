import Metainfo
import Testing

@testable import Store

@Suite struct MerkleShapeTests {
  /// All counts against the layers of the reference.
  @Test(arguments: [1, 2, 4, 8])
  func countsNodesAsTheReferenceHasThem(blocks: Int) throws {
    for leafCount in 1...70 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let shape = reference.shape
      #expect(shape.leafCount == leafCount)
      #expect(shape.layerCount == reference.layers.count)
      #expect(shape.rootLayer == reference.layers.count - 1)
      #expect(shape.paddedLeafCount == reference.layers[0].count)
      #expect(
        shape.pieceLayer.map { shape.nodeCount(layer: $0) } ?? 0 == reference.pieceLayer.count)
      for (layer, hashes) in reference.layers.enumerated() {
        #expect(shape.paddedNodeCount(layer: layer) == hashes.count)
        for (index, hash) in hashes.enumerated() {
          let node = MerkleNode(layer: layer, index: index)
          #expect(shape.contains(node))
          #expect(shape.isPadding(node) == (hash == MerklePadding.hash(layer: layer)))
          #expect(shape.isPadding(node) == (index >= shape.nodeCount(layer: layer)))
          if layer > 0 {
            #expect(node.leftChild.parent == node && node.rightChild.parent == node)
            #expect(node.leftChild.sibling == node.rightChild && node.leftChild.isLeft)
            #expect(
              node.leaves == node.leftChild.leaves.lowerBound..<node.rightChild.leaves.upperBound)
          }
        }
        #expect(!shape.contains(MerkleNode(layer: layer, index: hashes.count)))
      }
      #expect(!shape.contains(MerkleNode(layer: shape.layerCount, index: 0)))
      #expect(!shape.contains(MerkleNode(layer: -1, index: 0)))
    }
  }

  @Test(arguments: [1, 2, 4, 8])
  func mintsIndicesOfTheFileOnly(blocks: Int) throws {
    for leafCount in 1...20 {
      let shape = try ReferenceTree(leafCount: leafCount, blocks: blocks).shape
      var covered: [Int] = []
      for number in 0..<shape.pieceCount {
        let piece = try #require(shape.piece(number))
        covered += shape.leaves(of: piece)
        for leaf in shape.leaves(of: piece) {
          #expect(shape.piece(of: try #require(shape.leaf(leaf))) == piece)
          #expect(shape.root(of: piece).leaves.contains(leaf))
        }
      }
      #expect(covered == Array(0..<leafCount))
      #expect(
        shape.leaf(leafCount) == nil && shape.leaf(-1) == nil && shape.leaf(UInt64.max) == nil)
      #expect(shape.piece(shape.pieceCount) == nil && shape.piece(-1) == nil)
    }
  }

  /// Uncle as BEP 52 means it: the sibling of the parent.
  @Test func unclesAreSiblingsOfParents() {
    #expect(MerkleNode(layer: 0, index: 5).uncle == MerkleNode(layer: 1, index: 3))
    #expect(MerkleNode(layer: 2, index: 6).uncle == MerkleNode(layer: 3, index: 2))
  }

  struct Edge: Sendable {
    var length: UInt64
    var pieceLength: UInt64
    var leaves: Int
    var rootLayer: Int
    var pieces: Int
    var pieceLayer: Int?
  }

  @Test(arguments: [
    Edge(length: 1, pieceLength: 16_384, leaves: 1, rootLayer: 0, pieces: 1, pieceLayer: nil),
    Edge(length: 16_384, pieceLength: 16_384, leaves: 1, rootLayer: 0, pieces: 1, pieceLayer: nil),
    Edge(length: 16_385, pieceLength: 16_384, leaves: 2, rootLayer: 1, pieces: 2, pieceLayer: 0),
    Edge(length: 32_768, pieceLength: 32_768, leaves: 2, rootLayer: 1, pieces: 1, pieceLayer: nil),
    Edge(length: 32_769, pieceLength: 32_768, leaves: 3, rootLayer: 2, pieces: 2, pieceLayer: 1),
    Edge(
      length: 1 << 40, pieceLength: 16_384, leaves: 1 << 26, rootLayer: 26, pieces: 1 << 26,
      pieceLayer: 0),
    Edge(
      length: 1 << 40 + 1, pieceLength: 16_384, leaves: 1 << 26 + 1, rootLayer: 27,
      pieces: 1 << 26 + 1, pieceLayer: 0),
    Edge(
      length: 1 << 46, pieceLength: 1 << 32, leaves: 1 << 32, rootLayer: 32, pieces: 1 << 14,
      pieceLayer: 18),
  ])
  func edges(_ edge: Edge) throws {
    let shape = try MerkleShape(fileLength: edge.length, pieceLength: edge.pieceLength)
    #expect(shape.leafCount == edge.leaves)
    #expect(shape.rootLayer == edge.rootLayer)
    #expect(shape.pieceCount == edge.pieces)
    #expect(shape.pieceLayer == edge.pieceLayer)
    #expect(shape.pieceRootLayer == edge.pieceLayer ?? edge.rootLayer)
    let last = try #require(shape.leaf(shape.leafCount - 1))
    #expect(shape.piece(of: last) == shape.piece(shape.pieceCount - 1))
    #expect(shape.leaves(of: shape.piece(of: last)).upperBound == edge.leaves)
  }

  @Test func hugeTreesAreAskedWithoutOverflow() throws {
    let shape = try MerkleShape(fileLength: 1 << 46, pieceLength: 16_384)
    let tree = MerkleTree(shape: shape, root: testLeaves(1)[0])
    let last = try #require(shape.leaf(UInt32.max))
    guard case .needsHashes(let request) = tree.verdict(leaf: last, digest: .zero) else {
      Issue.record("a leaf is known from nowhere")
      return
    }
    #expect(request.index == UInt32.max - 1 && request.length == 2 && request.proofLayers == 31)
    #expect(try shape.run(of: request).hashCount == 33)
    #expect(tree.requests(for: last...last) == [request])
  }

  @Test func refusesWhatHasNoTree() {
    #expect(throws: MerkleShapeError.emptyFile) {
      try MerkleShape(fileLength: 0, pieceLength: 16_384)
    }
    for length in [1 << 46 + 1, UInt64.max] as [UInt64] {
      #expect(throws: MerkleShapeError.fileTooLong(length)) {
        try MerkleShape(fileLength: length, pieceLength: 16_384)
      }
    }
    for pieceLength in [0, 1, 8_192, 16_383, 16_385, 49_152, 1 << 33, .max] as [UInt64] {
      #expect(throws: MerkleShapeError.pieceLength(pieceLength)) {
        try MerkleShape(fileLength: 1, pieceLength: pieceLength)
      }
    }
  }
}
