import Metainfo
import Store
import Swarm
import TestSupport

/// Many nodes that boot the same image of one seed: each replays the same reads, with the same pauses
/// in which it computes.
extension ReadSwarm {
  /// What happens while a crowd boots.
  enum CrowdEvent {
    /// Nothing: all begin at once.
    case none
    /// Two begin at once, and each second one more.
    case staggered
    /// All begin within a second, as soon as they run, on a machine that has more to do than it can: each
    /// waits for a processor whenever something comes.
    case hurried
    /// The one through which the others get their blocks sends nothing any more, leaves, or has a
    /// slow line from the beginning.
    case stalls, leaves, isSlow

    var title: String {
      switch self {
      case .none: "ten at once"
      case .staggered: "eight of ten a second apart"
      case .hurried: "ten within a second, on a busy machine"
      case .stalls: "ten, whose first stalls"
      case .leaves: "ten, whose first leaves"
      case .isSlow: "ten, whose first has a line of 2 Mbit/s"
      }
    }
    /// How much longer than one alone the slowest may take, and how many times the bytes that one fetches
    /// the seed may send.
    var bounds: (time: Double, copies: Double) {
      switch self {
      case .none: (1.5, 2)
      // Who is first has all that follow at its line.
      case .staggered: (1.8, 2.5)
      case .hurried: (2, 2)
      // Somebody else takes its place, after answers that are late.
      case .stalls, .leaves: (1.5, 2)
      // Each finds out by itself, for each that is slow.
      case .isSlow: (1.6, 3)
      }
    }
  }

  /// All crowds. Short ones have hardly found each other when they end: nothing is measured there.
  static func crowds(_ scale: Int) -> [Part] {
    let events: [CrowdEvent] =
      scale < 50 ? [.none, .leaves] : [.none, .staggered, .hurried, .stalls, .leaves, .isSlow]
    return events.map { event in
      (scale << 18, { crowd(&$0, $1, reads: 2 * scale, event, isMeasured: scale >= 50) })
    }
  }

  /// Ten nodes that read the same ranges, of one seed, and one that does so alone before.
  static func crowd(
    _ result: inout Result, _ scenario: Scenario, reads: Int, _ event: CrowdEvent, isMeasured: Bool
  ) {
    let world = scenario.world
    let source = seed(scenario)
    let ranges = bootRanges(reads, of: scenario.dataset.totalBytes, &scenario.random)
    let pauses = bootPauses(reads, &scenario.random)
    let first = reader(scenario, of: [source.endpoint]) { _ in }
    begin(scenario)
    let alone = read(ranges, depth: 1, by: first, pauses: pauses)
    world.run(until: world.now + .seconds(100), unless: { alone.isDone })
    world.run(until: world.now + .seconds(2))
    let fetched = Int(first.downloadedBytes)
    first.stop()
    world.run(until: world.now + .seconds(5))
    let before = source.uploadedBytes
    let hosts = (0..<10).map { _ in host(scenario) }
    let others = hosts.map { $0.endpoint(SimulatedNode.port) }
    let crowd = hosts.map { reader(scenario, of: [source.endpoint] + others, on: $0) { _ in } }
    scenario.nameTheHonest()
    for node in crowd { node.start() }
    let isHurried = if case .hurried = event { true } else { false }
    let ahead = crowd.max { $0.crowdKey < $1.crowdKey } ?? crowd[0]
    if case .isSlow = event { ahead.host.uploadRate = 250_000 }
    if isHurried { for node in crowd { node.longestWait = 60_000 } }
    world.run(until: world.now + (isHurried ? .milliseconds(500) : .seconds(5)))
    var readings: [Reading] = []
    for (place, node) in crowd.enumerated() {
      if isHurried {
        world.run(until: world.now + scenario.random.duration(.zero ... .milliseconds(200)))
      }
      readings.append(read(ranges, depth: 1, by: node, pauses: pauses))
      if case .staggered = event, place > 0 { world.run(until: world.now + .seconds(1)) }
    }
    world.after(alone.duration / 3) {
      switch event {
      case .stalls: ahead.host.uploadRate = 1
      case .leaves: ahead.crash(isPowerCut: true)
      case .none, .staggered, .hurried, .isSlow: break
      }
    }
    let hasGone = if case .leaves = event { true } else { false }
    let rest = zip(crowd, readings).filter { !hasGone || $0.0 !== ahead }.map(\.1)
    // Who cannot send, cannot ask either.
    let timed = zip(crowd, readings).filter { pair in
      switch event {
      case .stalls, .leaves, .isSlow: pair.0 !== ahead
      case .none, .staggered, .hurried: true
      }
    }.map(\.1)
    world.run(until: world.now + .seconds(200), unless: { timed.allSatisfy(\.isDone) })
    ahead.host.uploadRate = rate
    world.run(until: world.now + .seconds(60), unless: { rest.allSatisfy(\.isDone) })
    world.run(until: world.now + .seconds(2))
    let copies = Double(source.uploadedBytes - before) / Double(max(1, fetched))
    let factor = (timed.map(\.duration).max() ?? .zero).inSeconds / alone.duration.inSeconds
    let mean = timed.map(\.duration.inSeconds).reduce(0, +) / Double(timed.count)
    let longest = timed.flatMap(\.times).max() ?? .zero
    result.lines.append(
      "\(event.title): the slowest \(hundredths(factor)) times one alone "
        + "(\(milliseconds(alone.duration)); the mean \(hundredths(mean / alone.duration.inSeconds))), longest read \(milliseconds(longest)), the seed sends "
        + "\(hundredths(copies)) times what one fetches (\(fetched >> 10) KiB)")
    let isRight = timed.allSatisfy { $0.isDone && $0.failures == 0 }
    if !isRight { world.fail("reads of a crowd fail") }
    if isMeasured, factor > event.bounds.time {
      world.fail("\(event.title): \(factor) times alone")
    }
    if isMeasured, copies > event.bounds.copies {
      world.fail("\(event.title): the seed sends \(copies) copies")
    }
    if hasGone { ahead.start() }
    scenario.stop()
  }

  private static func hundredths(_ number: Double) -> Double { (number * 100).rounded() / 100 }

  /// How long a system that starts computes before each read: 15 ms in the mean; 200 reads bring
  /// 7 MiB, so that it takes 3 s from a local disk.
  private static func bootPauses(_ count: Int, _ random: inout SplitMix64) -> [Duration] {
    (0..<count).map { _ in .microseconds(random.logarithmic(1_000...65_000)) }
  }

  /// Ranges as a system that starts reads them: some in order, some here and there.
  static func bootRanges(
    _ count: Int, of length: UInt64, _ random: inout SplitMix64
  ) -> [Range<UInt64>] {
    var end: UInt64 = 0
    return (0..<count).map { _ in
      if random.oneIn(2) { end = UInt64.random(in: 0..<length / 4_096, using: &random) * 4_096 }
      let size = UInt64(random.logarithmic(1...32)) * 4_096
      let start = min(end, length - size)
      end = start + size
      return start..<end
    }
  }
}

extension SimulatedNode {
  /// By which it is chosen in a crowd.
  var crowdKey: UInt64 { swarm.configuration.peerID.crowdKey }
}
