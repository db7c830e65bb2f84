import Metainfo
import TestSupport
import Testing

@testable import Store

/// Random histories of a partial tree: whatever comes in whatever order, nothing is known that the
/// full tree does not have.
@Suite struct MerkleRandomTests {
  @Test(arguments: 0..<60)
  func nothingFalseIsEverKnown(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let hasher = LayerHasher()
    let reference = try ReferenceTree(
      leafCount: Int.random(in: 1...70, using: &generator),
      blocks: 1 << Int.random(in: 0...4, using: &generator), seed: seed)
    let full = reference.tree()
    let requests = validRequests(of: reference.shape, root: reference.root)
    var tree = reference.rootOnly()
    var accepted = 0
    for _ in 0..<120 {
      let before = tree
      let pieceNumber = Int.random(in: 0..<reference.shape.pieceCount, using: &generator)
      let piece = try #require(reference.shape.piece(pieceNumber))
      switch Int.random(in: 0..<12, using: &generator) {
      case 0..<4:
        guard let request = requests.randomElement(using: &generator) else { continue }
        let answer = HashResponse(request: request, hashes: referenceAnswer(reference, to: request))
        let verdict = tree.add(response: answer, using: hasher)
        #expect([.accepted, .notNeeded, .unanchored].contains(verdict))
        #expect((tree == before) == (verdict != .accepted))
        if verdict == .accepted { accepted += 1 }
      case 4..<8:
        guard let request = requests.randomElement(using: &generator) else { continue }
        let answer = HashResponse(request: request, hashes: referenceAnswer(reference, to: request))
        let lie = mutated(answer, requests, &generator)
        let verdict = tree.add(response: lie, using: hasher)
        if lie.hashes != fullAnswer(lie.request, full) {
          #expect(verdict != .accepted && verdict != .notNeeded && tree == before)
        }
      case 8:
        tree.evict(piece)
        #expect(
          tree.hash(of: reference.shape.root(of: piece))
            == before.hash(of: reference.shape.root(of: piece)))
      case 9:
        let leaves = Array(reference.leaves[reference.shape.leaves(of: piece)])
        #expect(tree.add(leaves: leaves, of: piece, using: hasher) != .mismatch)
      case 10:
        var leaves = Array(reference.leaves[reference.shape.leaves(of: piece)])
        leaves[0] = leaves[0].flipping(bit: Int.random(in: 0..<256, using: &generator))
        #expect(tree.add(leaves: leaves, of: piece, using: hasher) != .verified)
        #expect(tree == before)
      default:
        let leaf = Int.random(in: 0..<reference.shape.leafCount, using: &generator)
        let index = try #require(reference.shape.leaf(leaf))
        let knows = tree.hash(of: MerkleNode(layer: 0, index: leaf)) != nil
        let right = tree.verdict(leaf: index, digest: reference.leaves[leaf])
        let wrong = tree.verdict(leaf: index, digest: reference.leaves[leaf].flipping(bit: 9))
        #expect(knows ? right == .verified && wrong == .mismatch : right == wrong)
      }
      if !reference.agrees(with: tree) {
        Issue.record("seed \(seed): the tree disagrees with the reference")
        return
      }
    }
    #expect(accepted > 0 || reference.shape.rootLayer == 0)
  }

  private func fullAnswer(_ request: HashRequest, _ full: MerkleTree) -> [SHA256Digest]? {
    guard case .hashes(let answer) = full.response(to: request) else { return nil }
    return answer.hashes
  }

  /// A message that differs from a right one in one way.
  private func mutated(
    _ answer: HashResponse, _ requests: [HashRequest], _ generator: inout SplitMix64
  ) -> HashResponse {
    var lie = answer
    let position = Int.random(in: 0..<answer.hashes.count, using: &generator)
    switch Int.random(in: 0..<6, using: &generator) {
    case 0:
      lie.hashes[position] = lie.hashes[position].flipping(
        bit: Int.random(in: 0..<256, using: &generator))
    case 1: lie.hashes.swapAt(position, Int.random(in: 0..<answer.hashes.count, using: &generator))
    case 2: lie.hashes.remove(at: position)
    case 3: lie.hashes.insert(lie.hashes[position], at: position)
    case 4: lie.request = requests.randomElement(using: &generator) ?? lie.request
    default:
      lie.hashes[position] = MerklePadding.hash(layer: Int.random(in: 0...3, using: &generator))
    }
    return lie
  }
}
