import Metainfo
import Testing

@testable import Store

/// What to ask for: enough, and no more.
@Suite struct MerklePlanTests {
  /// Every range of leaves of every small file: the answers, in any order, make the range known, and
  /// no other choice of runs is cheaper.
  @Test(arguments: [1, 2, 4, 8, 16])
  func rangesAreAskedForAtTheLowestCost(blocks: Int) throws {
    let hasher = LayerHasher()
    for leafCount in [2, 3, 5, 8, 11, 16, 17] {
      let reference = try ReferenceTree(leafCount: leafCount, blocks: blocks)
      let full = reference.tree()
      for start in [reference.rootOnly(), try reference.withPieceLayer()] {
        for first in 0..<leafCount {
          for last in first..<leafCount {
            let range = LeafIndex(UInt32(first))...LeafIndex(UInt32(last))
            let requests = start.requests(for: range)
            var tree = start
            for request in requests.reversed() {
              var alone = start
              guard case .hashes(let answer) = full.response(to: request) else {
                Issue.record("\(request) is not answered")
                continue
              }
              #expect(alone.add(response: answer, using: hasher) == .accepted)
              #expect(tree.add(response: answer, using: hasher) == .accepted)
            }
            #expect(
              (first...last).allSatisfy { tree.hash(of: MerkleNode(layer: 0, index: $0)) != nil })
            #expect(tree.requests(for: range) == [])
            let cost = try requests.reduce(0) { try $0 + reference.shape.run(of: $1).hashCount + 3 }
            let least = leastCost(
              first...last, MerkleNode(layer: reference.shape.rootLayer, index: 0), start)
            #expect(cost == least, "\(leafCount) leaves, \(first)...\(last): \(requests)")
          }
        }
      }
    }
  }

  /// The cost of the cheapest choice by trying all: each node above wanted leaves is asked for as
  /// one run, or its halves are.
  private func leastCost(_ leaves: ClosedRange<Int>, _ node: MerkleNode, _ tree: MerkleTree) -> Int
  {
    guard node.leaves.overlaps(leaves) else { return 0 }
    if node.layer == 0 { return tree.hash(of: node) == nil ? 1_000_000 : 0 }
    let halves = leastCost(leaves, node.leftChild, tree) + leastCost(leaves, node.rightChild, tree)
    if tree.hash(of: node.leftChild) != nil { return halves }
    var anchor = node
    while tree.hash(of: anchor) == nil { anchor = anchor.parent }
    return min(halves, 1 << node.layer + anchor.layer - node.layer + 3)
  }

  /// As libtorrent asks: runs of 512, the last one as short as it can be.
  @Test(arguments: [
    (pieces: 2, lengths: [2]), (pieces: 3, lengths: [4]), (pieces: 511, lengths: [512]),
    (pieces: 512, lengths: [512]), (pieces: 513, lengths: [512, 2]),
    (pieces: 514, lengths: [512, 2]), (pieces: 1027, lengths: [512, 512, 4]),
  ])
  func pieceLayersComeInRunsOf512(_ row: (pieces: Int, lengths: [UInt32])) throws {
    let hasher = LayerHasher()
    for blocks in [1, 2] {
      let reference = try ReferenceTree(leafCount: row.pieces * blocks, blocks: blocks)
      let full = reference.tree()
      var tree = reference.rootOnly()
      #expect(tree.pieceLayer == nil)
      let requests = tree.pieceLayerRequests()
      #expect(requests.map(\.length) == row.lengths)
      #expect(requests.map(\.index) == row.lengths.indices.map { UInt32($0 * 512) })
      for (number, request) in requests.enumerated().reversed() {
        guard case .hashes(let answer) = full.response(to: request) else {
          Issue.record("\(request) is not answered")
          continue
        }
        #expect(tree.add(response: answer, using: hasher) == .accepted)
        #expect(tree.pieceLayerRequests().count == number)
      }
      #expect(tree.pieceLayer == reference.pieceLayer)
    }
  }

  /// What libtorrent 2.0.8 sends for the 513th piece (read from its log), and the answer that its
  /// `hash_picker::add_hashes` can use: the piece's hash, its sibling, then the uncles.
  @Test func theLastOf513PiecesIsServedToLibtorrent() throws {
    let reference = try ReferenceTree(leafCount: 513, blocks: 1)
    let request = HashRequest(
      piecesRoot: reference.root, baseLayer: 0, index: 512, length: 1, proofLayers: 9)
    guard case .hashes(let answer) = reference.tree().response(to: request) else {
      Issue.record("not answered")
      return
    }
    #expect(answer.hashes.count == 11)
    #expect(answer.hashes.prefix(2) == [reference.leaves[512], .zero])
    #expect(answer.hashes.last == reference.layers[9][0])
  }

  /// Leaves that are not in memory are asked for by piece, once the piece itself is known.
  @Test func leavesOnDiskAreAskedForByPiece() throws {
    let hasher = LayerHasher()
    let reference = try ReferenceTree(leafCount: 21, blocks: 4)
    let request = HashRequest(
      piecesRoot: reference.root, baseLayer: 0, index: 8, length: 8, proofLayers: 4)
    #expect(reference.rootOnly().response(to: request) == .unknown)
    let onePiece = HashRequest(
      piecesRoot: reference.root, baseLayer: 0, index: 8, length: 4, proofLayers: 0)
    #expect(reference.rootOnly().response(to: onePiece) == .unknown)
    var tree = try reference.withPieceLayer()
    let pieces = try [2, 3].map { try #require(reference.shape.piece($0)) }
    #expect(tree.response(to: request) == .needsLeaves(of: pieces[0]...pieces[1]))
    for (number, piece) in pieces.enumerated() {
      let leaves = Array(reference.leaves[reference.shape.leaves(of: piece)])
      #expect(tree.add(leaves: leaves, of: piece, using: hasher) == .verified)
      if number == 0 {
        #expect(tree.response(to: request) == .needsLeaves(of: pieces[1]...pieces[1]))
      }
    }
    #expect(tree.response(to: request) == reference.tree().response(to: request))
    for piece in pieces { tree.evict(piece) }
    #expect(try tree == reference.withPieceLayer())
  }
}
