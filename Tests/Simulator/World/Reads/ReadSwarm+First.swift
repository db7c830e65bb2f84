import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// The first read of a node that has just started.
extension ReadSwarm {
  /// How many times the way there and back passes, rounded down, from the start of a sparse node that
  /// knows one seed until its first read of 4 KiB is answered; and what went wrong, if anything did.
  ///
  /// - Parameter isLink: it knows the infohash only.
  public static func firstRead(
    seed: UInt64, isLink: Bool
  ) -> (roundTrips: Int?, failure: String?) {
    do {
      let scenario = try Scenario(seed: seed) { random in
        try Dataset(
          kind: .v2, sizes: [4 << 20], pieceLength: pieceLength, random: &random)
      }
      defer { scenario.tearDown() }
      let giver = Self.seed(scenario)
      begin(scenario)
      let reader = Self.reader(scenario, of: [giver.endpoint], isLink: isLink)
      scenario.nameTheHonest()
      let start = scenario.world.now
      var end: Duration?
      reader.start()
      readWhenPossible(reader) { failure in
        if failure == nil { end = scenario.world.now }
      }
      scenario.world.run(until: start + .seconds(20), unless: { end != nil })
      scenario.stop()
      let count = end.map { Int(($0 - start).inSeconds / roundTrip.inSeconds) }
      return (count, scenario.world.failure?.description)
    } catch {
      return (nil, "\(error)")
    }
  }

  private static func readWhenPossible(
    _ node: SimulatedNode, ended: @escaping (ReadFailure?) -> Void
  ) {
    guard node.isPrepared, let file = node.dataset.geometry.files.first else {
      node.world.after(.microseconds(100)) { readWhenPossible(node, ended: ended) }
      return
    }
    node.beginRead(3_000_000..<3_004_096, of: file, timeout: .seconds(10), ended: ended)
  }
}
