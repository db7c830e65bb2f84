import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// A node that reads here and there in what it does not have: 40 ms from those who have it, over lines
/// of 100 Mbit/s.
public enum ReadSwarm {
  /// What it measured.
  public struct Result: Sendable {
    /// What went wrong, if anything did.
    public var failure: String?
    /// What was measured, a line each.
    public var lines: [String] = []
  }

  /// Bytes a second of every line, each way.
  static let rate = 12_500_000.0
  /// The way there and back.
  static let roundTrip = Duration.milliseconds(40)
  static let pieceLength = 65_536

  /// A scenario over content of so many bytes.
  typealias Part = (bytes: Int, play: (inout Result, Scenario) -> Void)

  /// All parts, from one seed. `scale` makes them shorter, in percent.
  public static func run(seed: UInt64, scale: Int = 100) -> Result {
    var result = Result()
    let parts: [Part] =
      [
        (scale << 17, { cold(&$0, $1, reads: 4 * scale) }),
        (scale << 18, { sequential(&$0, $1) }),
        (10 << 20, { faults(&$0, $1, seconds: scale) }),
        (scale << 20, { boot(&$0, $1, reads: 4 * scale) }),
      ] + troubles(scale) + crowds(scale)
    for part in parts where result.failure == nil {
      do {
        let scenario = try Scenario(
          seed: seed, replay: "swarm-sim --reads \(seed)"
        ) { random in
          try Dataset(
            kind: .v2, sizes: [max(part.bytes, 1 << 20)], pieceLength: pieceLength,
            random: &random)
        }
        part.play(&result, scenario)
        if let failure = scenario.world.failure { result.failure = failure.description }
        scenario.tearDown()
      } catch {
        result.failure = "\(error)"
      }
    }
    return result
  }

  // MARK: Members

  static func host(_ scenario: Scenario) -> Host {
    scenario.network.windowBits = 21...21
    // A block at the most: what is asked for together would stay together for ever.
    scenario.network.largestPortion = 16_384
    return scenario.network.addHost(
      uploadRate: rate, downloadRate: rate, latency: roundTrip / 4)
  }

  static func seed(_ scenario: Scenario) -> SimulatedNode {
    node(scenario, plan(scenario, .proven(leaves: scenario.dataset.leaves)))
  }

  static func reader(
    _ scenario: Scenario, of others: [PeerEndpoint], on host: Host? = nil, isLink: Bool = false,
    _ change: (inout ReadingPolicy) -> Void = { _ in }
  ) -> SimulatedNode {
    var plan = plan(scenario, .owned)
    if isLink { plan.source = scenario.link() }
    plan.peers = others
    plan.reading = .sparse
    change(&plan.reading)
    return node(scenario, plan, on: host)
  }

  /// A node of a quiet machine: what it takes itself is little beside the way there and back.
  private static func node(
    _ scenario: Scenario, _ plan: NodePlan, on place: Host? = nil
  ) -> SimulatedNode {
    let node = scenario.addNode(plan, on: place ?? host(scenario))
    node.disk.latency = .microseconds(20) ... .microseconds(60)
    node.hashTime = .microseconds(20) ... .microseconds(100)
    node.readerTime = .zero ... .microseconds(100)
    node.timerDelay = .zero ... .milliseconds(1)
    return node
  }

  private static func plan(
    _ scenario: Scenario, _ content: TorrentRequest.Content
  ) -> NodePlan {
    guard let id = PeerID(scenario.random.bytes(20)) else {
      preconditionFailure("20 bytes are a name")
    }
    return NodePlan(
      source: scenario.wholeTorrent, content: content,
      configuration: SwarmConfiguration(peerID: id))
  }

  /// Starts all, and waits until they know each other.
  static func begin(_ scenario: Scenario) {
    scenario.nameTheHonest()
    for peer in scenario.peers { peer.start() }
    for node in scenario.nodes { node.start() }
    scenario.world.run(until: scenario.world.now + .seconds(3))
  }

  // MARK: Reading

  /// Reads ranges of the only file, so many at once; how long each took.
  static func read(
    _ ranges: [Range<UInt64>], depth: Int, by node: SimulatedNode, timeout: Duration = .seconds(20),
    pauses: [Duration] = []
  ) -> Reading {
    let reading = Reading(node: node, ranges: ranges, timeout: timeout, pauses: pauses)
    for _ in 0..<depth { reading.next() }
    return reading
  }

  /// Somebody who reads one range after another.
  final class Reading {
    let node: SimulatedNode
    let ranges: [Range<UInt64>]
    let timeout: Duration
    /// How long it computes before each read; of another machine it is a little more or less.
    let pauses: [Duration]
    private var begun = 0
    private(set) var times: [Duration] = []
    private(set) var failures = 0
    private(set) var endedAt: Duration?
    let begunAt: Duration

    init(
      node: SimulatedNode, ranges: [Range<UInt64>], timeout: Duration, pauses: [Duration] = []
    ) {
      (self.node, self.ranges, self.timeout) = (node, ranges, timeout)
      self.pauses = pauses
      begunAt = node.now
    }

    /// From the beginning of the first read to the end of the last, or up to now.
    var duration: Duration { (endedAt ?? node.now) - begunAt }

    var isDone: Bool { times.count + failures == ranges.count }

    func next() {
      guard begun < ranges.count else { return }
      let place = begun
      begun += 1
      guard place < pauses.count else { return begin(ranges[place]) }
      let share = Int.random(in: 95...105, using: &node.random)
      node.world.after(pauses[place] * share / 100) { [self] in begin(ranges[place]) }
    }

    private func begin(_ range: Range<UInt64>) {
      guard let file = node.dataset.geometry.files.first else { return }
      let start = node.now
      node.beginRead(range, of: file, timeout: timeout) { [self] failure in
        if failure == nil { times.append(node.now - start) } else { failures += 1 }
        if isDone { endedAt = node.now }
        next()
      }
    }

    /// The time in which this part of the reads ended, in thousandths.
    func quantile(_ thousandths: Int) -> Duration {
      let sorted = times.sorted()
      guard !sorted.isEmpty else { return .zero }
      return sorted[min(sorted.count - 1, sorted.count * thousandths / 1_000)]
    }
  }

  static func milliseconds(_ time: Duration) -> String {
    let tenths = Int((time.inSeconds * 10_000).rounded())
    return "\(tenths / 10).\(tenths % 10) ms"
  }
}
