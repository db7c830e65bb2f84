import Swarm

/// Runs of the simulator, each from its seed.
public enum Simulation {
  /// What became of a run.
  public struct Report: Sendable {
    /// What it was made from.
    public let seed: UInt64
    /// nil when all was as it must be.
    public let failure: String?
    /// How many events there were, and a hash of them: the same for the same seed.
    public let events: Int
    /// A hash of all events.
    public let hash: UInt64
    /// How much virtual time passed, in seconds.
    public let seconds: Double
    /// Whatever else the run measured.
    public var summary = ""
  }

  /// A random swarm with random faults. With `prints` each event is printed as it happens.
  public static func run(seed: UInt64, prints: Bool = false) -> Report {
    do {
      let swarm = try RandomSwarm(seed: seed)
      swarm.scenario.world.log.isPrinted = prints
      defer { swarm.scenario.tearDown() }
      swarm.play()
      return report(swarm.scenario, summary: swarm.summary)
    } catch {
      return Report(seed: seed, failure: "\(error)", events: 0, hash: 0, seconds: 0)
    }
  }

  static func report(_ scenario: Scenario, summary: String) -> Report {
    let world = scenario.world
    return Report(
      seed: world.seed, failure: world.failure?.description, events: world.log.count,
      hash: world.log.hash, seconds: world.now.inSeconds, summary: summary)
  }
}
