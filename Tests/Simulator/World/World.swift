import TestSupport

/// Time, chance and what is known of a run: all of it follows from one seed.
public final class World {
  /// What the run was made from.
  public let seed: UInt64
  /// Virtual time since the beginning.
  public private(set) var now = Duration.zero
  var random: SplitMix64
  var log = EventLog()
  /// The first thing that went wrong; nothing happens after it.
  public private(set) var failure: SimulationFailure?
  private var queue = EventQueue()
  /// How many events happened.
  private(set) var eventCount = 0

  /// The command that plays it again.
  private let replay: String

  init(seed: UInt64, replay: String? = nil) {
    self.seed = seed
    self.replay = replay ?? "make sim SEED=\(seed)"
    random = SplitMix64(seed: seed)
  }

  /// A generator of its own for a part of the world.
  func fork() -> SplitMix64 { SplitMix64(seed: random.next()) }

  func after(_ delay: Duration, _ action: @escaping () -> Void) {
    queue.add(at: now + max(delay, .zero), action)
  }

  func at(_ time: Duration, _ action: @escaping () -> Void) {
    queue.add(at: max(now, time), action)
  }

  /// Writes down that something happened.
  func note(
    _ kind: EventLog.Kind, _ who: Int, _ a: Int = 0, _ b: Int = 0, _ text: String = ""
  ) {
    log.note(kind, who, a, b, text, at: now)
  }

  /// Something that must not be has happened.
  func fail(_ what: String) {
    guard failure == nil else { return }
    failure = SimulationFailure(
      seed: seed, time: now, what: what, events: log.lastLines, replay: replay)
  }

  /// Lets time pass until `isDone` holds, or `end`, or nothing is left to happen, or something went
  /// wrong.
  func run(until end: Duration, unless isDone: () -> Bool = { false }) {
    while failure == nil, !isDone() {
      guard let time = queue.nextTime, time <= end, let event = queue.popNext() else {
        now = max(now, end)
        return
      }
      now = time
      eventCount += 1
      event.action()
    }
  }

  /// Breaks the cycles between what waits and those whom it concerns.
  func tearDown() { queue.removeAll() }
}

/// What went wrong in a run, and all that is needed to see it again.
public struct SimulationFailure: Error, CustomStringConvertible {
  /// What the run was made from.
  public let seed: UInt64
  /// When it went wrong.
  public let time: Duration
  /// What went wrong.
  public let what: String
  /// The last events before.
  public let events: [String]
  /// The command that plays it again.
  public let replay: String

  /// All of it; the last line replays it.
  public var description: String {
    """
    seed \(seed) at \(time): \(what)
    \(events.map { "  " + $0 }.joined(separator: "\n"))
    replay: \(replay)
    """
  }
}

extension SplitMix64 {
  /// A time between two others.
  mutating func duration(_ range: ClosedRange<Duration>) -> Duration {
    let span = range.upperBound - range.lowerBound
    return range.lowerBound + span * Double.random(in: 0...1, using: &self)
  }

  /// A number between two others, small ones as likely as large ones: uniform in its logarithm.
  mutating func logarithmic(_ range: ClosedRange<Int>) -> Int {
    let bits = Int.random(
      in: range.lowerBound.bitWidthUsed...range.upperBound.bitWidthUsed, using: &self)
    let low = bits <= 1 ? 0 : 1 << (bits - 1)
    let drawn = Int.random(in: low...(low * 2 + 1), using: &self)
    return min(max(drawn, range.lowerBound), range.upperBound)
  }

  /// One of several.
  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int.random(in: elements.indices, using: &self)]
  }
}

extension Int {
  fileprivate var bitWidthUsed: Int { Int.bitWidth - leadingZeroBitCount }
}

extension Duration {
  /// Seconds, with their fraction.
  var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
