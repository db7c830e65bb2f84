import Metainfo
import Store
import Testing

@testable import Swarm

/// Blocks that are said to be here, and hashes that are forgotten before they are looked at.
@Suite struct ContentClaimTests {
  /// A peer sends the hashes that the piece wants.
  private func learn(_ piece: PieceIndex, _ harness: ContentHarness) throws {
    for request in harness.content.hashRequests(for: piece) {
      let tree = try #require(harness.fixture.trees[request.piecesRoot])
      guard case .hashes(let response) = tree.response(to: request) else {
        Issue.record("asks for what nobody has")
        continue
      }
      let verdict = harness.content.add(response, from: harness.peer(0), now: harness.now)
      #expect(verdict == .accepted)
    }
    harness.takeAll()
  }

  private func isLeafKnown(_ harness: ContentHarness) -> Bool {
    harness.content.trees[0].hash(of: MerkleNode(layer: 0, index: 0)) != nil
  }

  /// A claim is being read when the leaf that it is to be held against is forgotten: it is looked at again
  /// when that has come once more.
  @Test func aClaimWhoseLeafIsForgottenIsExaminedAgain() throws {
    let fixture = try ContentFixture(
      .v2, lengths: [8 * blockLength], pieceLength: 4 * blockLength, seed: 1)
    var limits = ContentLimits()
    // There is room for the hashes of one piece.
    limits.leafBytes = 6 * SHA256Digest.byteCount
    let harness = try ContentHarness(fixture, seed: 1, limits: limits)
    harness.open()
    let (first, second) = (
      try #require(fixture.geometry.piece(0)), try #require(fixture.geometry.piece(1))
    )
    let block = try #require(fixture.geometry.blocks(of: first).first)
    try learn(first, harness)
    harness.give(block, from: 0, lies: false)
    // Until the block map is on the disk, too.
    var syncs = 0
    harness.settle {
      if harness.isIdle && harness.content.isHere(block) { syncs += 1 }
      return syncs > 20
    }
    try harness.restart(isClean: false)
    harness.settle { harness.isIdle && !harness.wanted.isEmpty }
    #expect(harness.content.isClaimed(block) && harness.wanted == [first])

    try learn(first, harness)
    try #require(isLeafKnown(harness) && harness.content.examining == [block])
    harness.wanted = []
    try learn(second, harness)
    try #require(!isLeafKnown(harness))
    harness.settle { harness.isIdle && harness.content.examining.isEmpty }
    #expect(harness.content.isClaimed(block) && harness.content.examining.isEmpty)
    #expect(harness.wanted == [first])

    try learn(first, harness)
    harness.settle { harness.isIdle && harness.content.examining.isEmpty }
    #expect(harness.content.isHere(block))
    harness.close()
  }
}
