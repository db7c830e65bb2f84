import Metainfo
import Swarm
import TestSupport

/// A guest that boots: it reads, thinks, and reads again. With a trace of what it will read, and without.
extension ReadSwarm {
  /// A read of a boot, and how long the guest thinks before it.
  struct BootRead {
    let bytes: Range<UInt64>
    let think: Duration
  }

  /// The same boot on two nodes that have nothing: how much longer it takes than where nothing is
  /// waited for, without a trace and with one; and what was fetched for it.
  static func boot(_ result: inout Result, _ scenario: Scenario, reads: Int) {
    let world = scenario.world
    let source = seed(scenario)
    let plain = reader(scenario, of: [source.endpoint]) { _ in }
    let traced = reader(scenario, of: [source.endpoint]) { _ in }
    begin(scenario)
    let ranges = bootRanges(reads, of: scenario.dataset.totalBytes, &scenario.random)
    // Debian reads 12 MiB in 3.8 s until python3 has run, and what it reads it then works on.
    let reads = ranges.map {
      BootRead(
        bytes: $0,
        think: .microseconds(200 + $0.count / 4)
          + scenario.random.duration(.zero ... .milliseconds(2)))
    }
    let least = reads.reduce(Duration.zero) { $0 + $1.think }
    let without = play(reads, on: plain)
    plain.stop()
    world.run(until: world.now + .seconds(3))
    let before = traced.receivedBytes
    feed(ranges, to: traced)
    let with = play(reads, on: traced)
    world.run(until: world.now + .seconds(3))
    let bytes = ranges.reduce(0) { $0 + $1.count }
    let fetched = Double(traced.receivedBytes - before) / Double(bytes)
    func rounded(_ number: Double) -> Double { (number * 100).rounded() / 100 }
    func factor(_ time: Duration?) -> Double {
      rounded((time ?? .seconds(1_000)).inSeconds / least.inSeconds)
    }
    result.lines.append(
      "a boot of \(ranges.count) reads, \(rounded(Double(bytes) / 1_048_576)) MiB, that thinks for "
        + "\(rounded(least.inSeconds)) s: \(factor(without)) times that without a trace, "
        + "\(factor(with)) times with one, \(rounded(fetched)) bytes a byte")
    if without == nil || with == nil { world.fail("reads of a boot fail") }
    // A short one is hardly longer than the way to the first block.
    if reads.count >= 300, factor(with) > 1.2 {
      world.fail("a boot with a trace takes \(factor(with)) times its own time")
    }
    scenario.stop()
  }

  /// Plays a boot. How long it took; nil where a read failed.
  private static func play(_ reads: [BootRead], on node: SimulatedNode) -> Duration? {
    let world = node.world
    let guest = Guest(node: node, reads: reads)
    let start = world.now
    guest.next()
    world.run(until: world.now + .seconds(300), unless: { guest.endedAt != nil })
    return guest.hasFailed ? nil : guest.endedAt.map { $0 - start }
  }

  /// Gives the trace to the core as the shell does: a window of it at a time.
  private static func feed(_ ranges: [Range<UInt64>], to node: SimulatedNode) {
    var left = Array(ranges.reversed())
    func fill() {
      var room = 512 - node.prefetchCount
      while room > 0, let range = left.popLast() {
        guard node.prefetch(range) else {
          left.append(range)
          break
        }
        room -= 1
      }
      if !left.isEmpty { node.world.after(.milliseconds(20)) { fill() } }
    }
    fill()
  }

  private final class Guest {
    let node: SimulatedNode
    private var left: [BootRead]
    private(set) var endedAt: Duration?
    private(set) var hasFailed = false

    init(node: SimulatedNode, reads: [BootRead]) {
      self.node = node
      left = reads.reversed()
    }

    func next() {
      guard let read = left.popLast(), let file = node.dataset.geometry.files.first else {
        endedAt = node.world.now
        return
      }
      node.world.after(read.think) { [self] in
        node.beginRead(read.bytes, of: file, timeout: .seconds(20)) { [self] failure in
          if failure != nil { hasFailed = true }
          next()
        }
      }
    }
  }
}
