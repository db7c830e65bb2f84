import Metainfo
import TestSupport
import Testing

@testable import Store

extension SHA256Digest {
  /// The same bytes but for one bit of 256.
  func flipping(bit: Int) -> SHA256Digest {
    var bytes = bytes
    bytes[bit / 8] ^= 1 << (bit % 8)
    return SHA256Digest(bytes)!
  }
}

@Suite struct MerkleTamperTests {
  /// Every bit of every hash of every provable answer, in trees that know little, some and all: it
  /// is found, and the tree is as it was.
  @Test(arguments: [(2, 1), (3, 1), (3, 2), (5, 2), (5, 8), (6, 1)])
  func everyFlippedBitIsFound(leafCount: Int, blocks: Int) throws {
    try expectEveryFlipFound(leafCount: leafCount, blocks: blocks, bits: Array(0..<256))
  }

  /// Some bits of every hash in larger trees.
  @Test(arguments: [(13, 4, 1), (21, 4, 2), (33, 8, 3)])
  func flippedBitsAreFoundInLargerTrees(leafCount: Int, blocks: Int, seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    try expectEveryFlipFound(
      leafCount: leafCount, blocks: blocks,
      bits: [0, 255, Int.random(in: 1..<255, using: &generator)])
  }

  private func expectEveryFlipFound(leafCount: Int, blocks: Int, bits: [Int]) throws {
    let hasher = LayerHasher()
    let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
    let starts = [reference.rootOnly(), try reference.withPieceLayer(), reference.tree()]
    for request in validRequests(of: reference.shape, root: reference.root) {
      let right = HashResponse(request: request, hashes: referenceAnswer(reference, to: request))
      for start in starts {
        var tree = start
        if tree.add(response: right, using: hasher) == .unanchored { continue }
        tree = start
        for position in right.hashes.indices {
          for bit in bits {
            var wrong = right
            wrong.hashes[position] = right.hashes[position].flipping(bit: bit)
            let verdict = tree.add(response: wrong, using: hasher)
            let node = try reference.shape.run(of: request).node(at: position)
            let expected: HashVerdict =
              reference.shape.isPadding(node) ? .malformed(.dataInPadding(node)) : .mismatch
            if verdict != expected || tree != start {
              Issue.record("\(request), bit \(bit) of hash \(position): \(verdict)")
              tree = start
            }
          }
        }
      }
    }
  }

  /// Padding where data should be, and nothing at all, are never taken, proven or not: here a root
  /// that was made over them.
  @Test func paddingIsNeverDataNorDataPadding() throws {
    let hasher = LayerHasher()
    let shape = try ReferenceTree(leafCount: 3, blocks: 1).shape
    let leaves = testLeaves(4)
    let cases: [(hashes: [SHA256Digest], error: HashResponseError)] = [
      ([leaves[0], leaves[1], .zero, .zero], .paddingInData(MerkleNode(layer: 0, index: 2))),
      ([leaves[0], .zero, leaves[2], .zero], .paddingInData(MerkleNode(layer: 0, index: 1))),
      (leaves, .dataInPadding(MerkleNode(layer: 0, index: 3))),
    ]
    for (hashes, error) in cases {
      let root = SHA256Digest.parent(
        of: .parent(of: hashes[0], hashes[1]), .parent(of: hashes[2], hashes[3]))
      var tree = MerkleTree(shape: shape, root: root)
      let request = HashRequest(
        piecesRoot: root, baseLayer: 0, index: 0, length: 4, proofLayers: 0)
      let response = HashResponse(request: request, hashes: hashes)
      #expect(tree.add(response: response, using: hasher) == .malformed(error))
      #expect(tree == MerkleTree(shape: shape, root: root))
    }
    // In upper layers, where padding is not zero but its own parent's hash.
    let own = SHA256Digest.parent(of: leaves[0], leaves[1])
    let padding = MerklePadding.hash(layer: 1)
    for (index, forged) in [padding, .zero].enumerated() {
      let root = SHA256Digest.parent(of: own, forged)
      var tree = MerkleTree(shape: shape, root: root)
      let request = HashRequest(
        piecesRoot: root, baseLayer: 1, index: 0, length: 2, proofLayers: 0)
      let response = HashResponse(request: request, hashes: [own, forged])
      #expect(
        tree.add(response: response, using: hasher)
          == .malformed(.paddingInData(MerkleNode(layer: 1, index: 1))), "case \(index)")
    }
  }

  @Test func messagesAboutSomethingElseAreMalformed() throws {
    let hasher = LayerHasher()
    let reference = try ReferenceTree(leafCount: 9, blocks: 2)
    var tree = reference.rootOnly()
    let request = HashRequest(
      piecesRoot: reference.root, baseLayer: 0, index: 4, length: 2, proofLayers: 3)
    let hashes = referenceAnswer(reference, to: request)
    var other = request
    other.piecesRoot = reference.leaves[0]
    #expect(
      tree.add(response: HashResponse(request: other, hashes: hashes), using: hasher)
        == .malformed(.otherFile))
    #expect(reference.tree().response(to: other) == .unknown)
    for count in [0, 1, 2, hashes.count - 1, hashes.count + 1, 1000] {
      let wrong = (0..<count).map { hashes[$0 % hashes.count] }
      #expect(
        tree.add(response: HashResponse(request: request, hashes: wrong), using: hasher)
          == .malformed(.hashCount(count, expected: hashes.count)))
    }
    // Right hashes at a wrong place.
    for (layer, index) in [(0, 6), (0, 0), (0, 2)] as [(UInt32, UInt32)] {
      var moved = request
      moved.baseLayer = layer
      moved.index = index
      #expect(
        tree.add(response: HashResponse(request: moved, hashes: hashes), using: hasher)
          == .mismatch)
    }
    #expect(tree == reference.rootOnly())
  }
}
