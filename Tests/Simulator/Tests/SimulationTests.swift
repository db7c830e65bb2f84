import Testing

@testable import Simulator

/// Whole swarms. `make sim` plays many more, faster.
@Suite struct SimulationTests {
  /// Nothing but the seed decides: not the process, nor where memory lies, nor the order of a
  /// dictionary.
  @Test(arguments: [UInt64(1), 7])
  func theSameSeedIsTheSameRun(seed: UInt64) {
    let first = Simulation.run(seed: seed)
    let second = Simulation.run(seed: seed)
    #expect(first.events > 1_000)
    #expect(first.events == second.events)
    #expect(first.hash == second.hash)
  }

  @Test(arguments: [UInt64(1), 3, 4, 7])
  func aSwarmComesThroughItsTrouble(seed: UInt64) {
    let report = Simulation.run(seed: seed)
    #expect(report.failure == nil, "\(report.failure ?? "")")
  }
}
