import DHTSimulator
import Foundation
import Synchronization

/// `swarm-sim --dht SEED` plays one network of nodes of the DHT and prints what its honest nodes look for;
/// `--dht A-B` plays many, `--nodes N` larger or smaller ones.
enum DHTCommand {
  /// As many as `make check` has time for.
  private static let nodes = 1_000

  static func run(_ arguments: [String]) {
    let seeds = arguments.first.flatMap(SwarmSimulator.seeds) ?? 1...1
    let nodes = count(in: arguments)
    // A range is not printed, also one of a single seed.
    let prints = arguments.first?.contains("-") == false
    let results = Mutex<[UInt64: (text: String, failure: String?)]>([:])
    DispatchQueue.concurrentPerform(iterations: seeds.count) { index in
      let seed = seeds.lowerBound + UInt64(index)
      let result = play(seed, nodes: nodes, prints: prints)
      results.withLock { $0[seed] = result }
    }
    var hasFailed = false
    for (seed, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      print("DHT, seed \(seed):\n\(result.text)")
      guard let failure = result.failure else { continue }
      print("FAILED: \(failure)")
      hasFailed = true
    }
    if hasFailed { exit(1) }
  }

  /// How many nodes are asked for.
  private static func count(in arguments: [String]) -> Int {
    guard let place = arguments.firstIndex(of: "--nodes") else { return nodes }
    guard let number = arguments.dropFirst(place + 1).first.flatMap({ Int($0) }),
      (40...100_000).contains(number)
    else {
      print("--nodes takes a number from 40 to 100000")
      exit(2)
    }
    return number
  }

  private static func play(
    _ seed: UInt64, nodes: Int, prints: Bool
  ) -> (text: String, failure: String?) {
    let report = DHTSwarm.run(seed: seed, nodes: nodes, prints: prints)
    var (text, failure) = (report.summary, report.failure)
    // On one machine, between continents, and among many.
    for (nodes, delay) in [(30, Int64(200)), (30, 100_000), (1_000, 100_000)] {
      let departures = DHTDepartures.run(seed: seed, nodes: nodes, delay: delay)
      text += "\n  \(departures.summary)"
      failure = failure ?? departures.failure
    }
    return (text, failure)
  }
}
