import Metainfo
import Testing

@testable import Store

extension ReferenceTree {
  /// Every place of the tree, padding included.
  var nodes: [MerkleNode] {
    layers.indices.flatMap { layer in
      layers[layer].indices.map { MerkleNode(layer: layer, index: $0) }
    }
  }

  func tree() -> MerkleTree {
    MerkleTree(shape: shape, leaves: leaves, using: LayerHasher())
  }

  func rootOnly() -> MerkleTree { MerkleTree(shape: shape, root: root) }

  func withPieceLayer() throws -> MerkleTree {
    var tree = rootOnly()
    try tree.add(pieceLayer: pieceLayer, using: LayerHasher())
    return tree
  }

  /// Whether all that `tree` knows is so, and it keeps to its invariants: with a node its sibling
  /// and its parent, and nothing beyond the end of the file.
  func agrees(with tree: MerkleTree) -> Bool {
    nodes.allSatisfy { node in
      if node.layer < shape.rootLayer, shape.isPadding(node), tree.tiles[node] != .zero {
        return false
      }
      guard let hash = tree.hash(of: node) else { return true }
      guard hash == layers[node.layer][node.index] else { return false }
      if node.layer == shape.rootLayer || shape.isPadding(node) { return true }
      return tree.hash(of: node.sibling) != nil && tree.hash(of: node.parent) != nil
    }
  }
}

@Suite struct MerkleTreeTests {
  @Test(arguments: [1, 2, 4, 8])
  func wholeTreesEqualTheReference(blocks: Int) throws {
    for leafCount in 1...70 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let tree = reference.tree()
      #expect(tree.root == reference.root)
      #expect(tree.pieceLayer == reference.pieceLayer)
      #expect(
        reference.nodes.allSatisfy { tree.hash(of: $0) == reference.layers[$0.layer][$0.index] })
      #expect(tree.requests(for: LeafIndex(0)...LeafIndex(UInt32(leafCount - 1))) == [])
      #expect(tree.pieceLayerRequests() == [])
    }
  }

  /// Every request that is allowed gets the reference's answer, and the answer makes exactly its
  /// hashes known wherever its proof reaches something known.
  @Test(arguments: [1, 2, 4, 8])
  func everyAnswerProvesItself(blocks: Int) throws {
    let hasher = LayerHasher()
    for leafCount in 1...70 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let full = reference.tree()
      let starts = [reference.rootOnly(), try reference.withPieceLayer()]
      for request in validRequests(of: reference.shape, root: reference.root) {
        let answer = HashResponse(
          request: request, hashes: referenceAnswer(reference, to: request))
        guard full.response(to: request) == .hashes(answer) else {
          Issue.record("\(leafCount) leaves, \(request): wrong answer")
          continue
        }
        for start in starts {
          var tree = start
          let verdict = tree.add(response: answer, using: hasher)
          let expected = expectedVerdict(answer, in: start)
          if verdict != expected {
            Issue.record("\(leafCount) leaves, \(request): \(verdict), expected \(expected)")
          }
          let run = try reference.shape.run(of: request)
          let learned = (0..<run.hashCount).allSatisfy { tree.hash(of: run.node(at: $0)) != nil }
          if learned == (verdict == .unanchored) || verdict != .accepted && tree != start {
            Issue.record("\(leafCount) leaves, \(request): \(verdict), learned \(learned)")
          }
        }
      }
    }
  }

  /// What has to come of a right answer: the way up from the run, as far as the uncles and the
  /// padding lead, has to meet a known node.
  private func expectedVerdict(_ answer: HashResponse, in tree: MerkleTree) -> HashVerdict {
    let shape = tree.shape
    let request = answer.request
    var height = 0
    while 1 << height < request.length { height += 1 }
    let base = (0..<Int(request.length)).map {
      MerkleNode(layer: Int(request.baseLayer), index: Int(request.index) + $0)
    }
    var node = base[0].ancestor(above: height)
    var way = [node]
    var uncles: [MerkleNode] = []
    for _ in 0..<(answer.hashes.count - base.count) {
      uncles.append(node.sibling)
      node = node.parent
      way.append(node)
    }
    while node.layer < shape.rootLayer, shape.isPadding(node.sibling) {
      node = node.parent
      way.append(node)
    }
    if (base + uncles).allSatisfy({ tree.hash(of: $0) != nil }) { return .notNeeded }
    let isAnchored = way.contains { !shape.isPadding($0) && tree.hash(of: $0) != nil }
    return isAnchored ? .accepted : .unanchored
  }

  /// Leaf by leaf: ask what the verdict asks for, be answered, be verified, and find a lie.
  @Test(arguments: [1, 2, 4, 8])
  func everyLeafIsVerifiedInOneQuestion(blocks: Int) throws {
    let hasher = LayerHasher()
    for leafCount in 1...70 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let full = reference.tree()
      for start in [reference.rootOnly(), try reference.withPieceLayer()] {
        for (number, digest) in reference.leaves.enumerated() {
          var tree = start
          let leaf = try #require(reference.shape.leaf(number))
          if case .needsHashes(let request) = tree.verdict(leaf: leaf, digest: digest) {
            guard case .hashes(let answer) = full.response(to: request) else {
              Issue.record("\(request) is not answered")
              continue
            }
            #expect(tree.requests(for: leaf...leaf) == [request])
            #expect(tree.add(response: answer, using: hasher) == .accepted)
            #expect(tree.add(response: answer, using: hasher) == .notNeeded)
          }
          #expect(tree.verdict(leaf: leaf, digest: digest) == .verified)
          #expect(tree.verdict(leaf: leaf, digest: .zero) == .mismatch)
          #expect(
            tree.verdict(leaf: leaf, digest: reference.root)
              == (leafCount == 1 ? .verified : .mismatch))
        }
      }
    }
  }

  /// A piece hashed as a whole: right, wrong in each of its blocks, and of an unknown piece hash.
  @Test(arguments: [1, 2, 4, 8])
  func piecesAreJudgedAsAWhole(blocks: Int) throws {
    let hasher = LayerHasher()
    for leafCount in 1...20 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let full = reference.tree()
      for number in 0..<reference.shape.pieceCount {
        let piece = try #require(reference.shape.piece(number))
        let range = reference.shape.leaves(of: piece)
        var tree = reference.rootOnly()
        let leaves = Array(reference.leaves[range])
        let first = leaves.withUnsafeBufferPointer {
          tree.verdict(piece: piece, leaves: $0, using: hasher)
        }
        if case .needsHashes(let request) = first {
          #expect(tree.add(leaves: leaves, of: piece, using: hasher) == first)
          guard case .hashes(let answer) = full.response(to: request) else {
            Issue.record("\(request) is not answered")
            continue
          }
          #expect(tree.add(response: answer, using: hasher) == .accepted)
        }
        let before = tree
        for offset in leaves.indices {
          var wrong = leaves
          wrong[offset] = .parent(of: wrong[offset], .zero)
          #expect(tree.add(leaves: wrong, of: piece, using: hasher) == .mismatch)
          #expect(tree == before)
        }
        #expect(tree.add(leaves: leaves, of: piece, using: hasher) == .verified)
        #expect(reference.agrees(with: tree))
        for leaf in range {
          #expect(tree.hash(of: MerkleNode(layer: 0, index: leaf)) == reference.leaves[leaf])
        }
        tree.evict(piece)
        #expect(tree == before)
      }
    }
  }

  @Test(arguments: [1, 2, 4, 8])
  func pieceLayersAreTakenWholeOrNotAtAll(blocks: Int) throws {
    let hasher = LayerHasher()
    for leafCount in 1...40 {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      var tree = reference.rootOnly()
      let layer = reference.pieceLayer
      #expect(throws: PieceLayerError.hashCount(layer.count + 1, expected: layer.count)) {
        try tree.add(pieceLayer: layer + [reference.root], using: hasher)
      }
      if !layer.isEmpty {
        let expected = PieceLayerError.hashCount(layer.count - 1, expected: layer.count)
        #expect(throws: expected) { try tree.add(pieceLayer: layer.dropLast(), using: hasher) }
      }
      for index in layer.indices {
        var wrong = layer
        wrong[index] = .parent(of: wrong[index], .zero)
        #expect(throws: PieceLayerError.mismatch) {
          try tree.add(pieceLayer: wrong, using: hasher)
        }
        wrong[index] = MerklePadding.hash(layer: reference.shape.pieceRootLayer)
        #expect(throws: PieceLayerError.padding(FilePieceIndex(index))) {
          try tree.add(pieceLayer: wrong, using: hasher)
        }
      }
      #expect(tree == reference.rootOnly())
      try tree.add(pieceLayer: layer, using: hasher)
      #expect(tree.pieceLayer == layer && reference.agrees(with: tree))
      #expect(tree.pieceLayerRequests() == [])
    }
  }
}
