import Testing

@testable import Simulator

/// Nodes that read what they do not have. `make sim` plays more of it, faster.
@Suite struct ReadSwarmTests {
  @Test func readsEndInTimeAndAreRight() {
    let first = ReadSwarm.run(seed: 1, scale: 8)
    #expect(first.failure == nil, "\(first.failure ?? "")")
    #expect(first.lines.count == 6)
    // Nothing but the seed decides.
    #expect(ReadSwarm.run(seed: 1, scale: 8).lines == first.lines)
  }
}
