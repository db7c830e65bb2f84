import Metainfo
import TestSupport
import Testing

@testable import Simulator

/// Followers of a dataset. `make sim` plays more of them, faster.
@Suite struct HeadSwarmTests {
  @Test func versionsGetAroundAndNoneGoesBack() {
    let first = HeadSwarm.run(seed: 1, followers: 8, liars: 6)
    #expect(first.failure == nil, "\(first.failure ?? "")")
    #expect(first.warned > 0 && first.spread > 0 && first.events > 500)
    // Nothing but the seed decides.
    let second = HeadSwarm.run(seed: 1, followers: 8, liars: 6)
    #expect(first.events == second.events && first.hash == second.hash)
  }

  /// The truth by which nodes are judged tells heads apart.
  @Test func truthKnowsWhatWasPublished() throws {
    var random = SplitMix64(seed: 1)
    let truth = HeadTruth(random: &random)
    let first = try truth.publish(1)
    #expect(truth.isGenuine(first) && !truth.isTwice(1))
    let other = try Head(version: 1, infohash: .zero, signedBy: truth.secret).item
    #expect(!truth.isGenuine(other))
    let second = try truth.publish(1)
    #expect(truth.isGenuine(second) && first != second && truth.isTwice(1))
  }
}
