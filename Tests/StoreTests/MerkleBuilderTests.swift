import Metainfo
import Testing

@testable import Store

@Suite struct MerkleBuilderTests {
  /// Every file of 1 to 70 leaves, every piece size, every height that nodes can be fed in, in
  /// portions of every kind.
  @Test(arguments: [1, 2, 4, 8, 64], HashEngine.allCases)
  func buildsWhatTheReferenceHas(blocks: Int, engine: HashEngine) throws {
    let hasher = LayerHasher(BulkHasher(engine: engine))
    for leafCount in 1...70 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let expected = FileHashes(root: reference.root, pieceLayer: reference.pieceLayer)
      for height in 0...reference.shape.pieceRootLayer {
        let nodes = hasher.climb(reference.leaves, to: height)
        #expect(nodes == Array(reference.layers[height].prefix(nodes.count)))
        for portion in [1, 2, 3, 7, 70] {
          var builder = MerkleBuilder(shape: reference.shape, height: height)
          for start in stride(from: 0, to: nodes.count, by: portion) {
            #expect(builder.count == start)
            builder.append(Array(nodes[start..<min(start + portion, nodes.count)]), using: hasher)
          }
          #expect(builder.count == builder.expectedCount)
          #expect(builder.finish(using: hasher) == expected)
        }
      }
    }
  }

  @Test func climbsFromAnyLayerToAnyLayer() throws {
    let hasher = LayerHasher()
    for leafCount in [1, 2, 3, 5, 31, 32, 33, 70] {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: 1)
      for layer in 0...reference.shape.rootLayer {
        let nodes = Array(
          reference.layers[layer].prefix(reference.shape.nodeCount(layer: layer)))
        for upper in layer...reference.shape.rootLayer {
          let count = reference.shape.nodeCount(layer: upper)
          #expect(
            hasher.climb(nodes, at: layer, to: upper)
              == Array(reference.layers[upper].prefix(count)))
        }
      }
    }
  }

  @Test func aSegmentThatEndsEarlyIsPaddedToItsHeight() {
    let leaves = testLeaves(3)
    let hasher = LayerHasher()
    let left = SHA256Digest.parent(
      of: .parent(of: leaves[0], leaves[1]), .parent(of: leaves[2], .zero))
    let right = SHA256Digest.parent(of: .parent(of: .zero, .zero), .parent(of: .zero, .zero))
    #expect(hasher.root(of: leaves, to: 3) == .parent(of: left, right))
    #expect(MerklePadding.hash(layer: 2) == right)
  }

  @Test func aFileOfOneLeafIsItsRoot() throws {
    let shape = try MerkleShape(fileLength: 1, pieceLength: 1 << 20)
    var builder = MerkleBuilder(shape: shape, height: 0)
    builder.append(testLeaves(1), using: LayerHasher())
    #expect(
      builder.finish(using: LayerHasher()) == FileHashes(root: testLeaves(1)[0], pieceLayer: []))
  }
}
