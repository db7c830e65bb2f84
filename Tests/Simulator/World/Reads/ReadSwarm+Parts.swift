import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// What is measured, and what must hold.
extension ReadSwarm {
  /// Cold random reads of 4 KiB, one after the other and 16 at once: p50 in one way there and back and
  /// 3 ms, p99 in two, at most 20 bytes fetched for each byte read.
  static func cold(_ result: inout Result, _ scenario: Scenario, reads: Int) {
    let world = scenario.world
    let count = 1 + Int(world.seed % 3)
    let seeds = (0..<count).map { _ in seed(scenario) }
    let reader = reader(scenario, of: seeds.map(\.endpoint)) {
      $0.readsAhead = false
      $0.completesPieces = false
    }
    begin(scenario)
    let blocks = Int(scenario.dataset.totalBytes) / blockLength
    var order = Array(0..<blocks).shuffled(using: &scenario.random)
    for depth in [1, 16] {
      let ranges = order.suffix(reads).map { block in
        let start = UInt64(block * blockLength + 4_096 * (block % 4))
        return start..<start + 4_096
      }
      order.removeLast(min(order.count, reads))
      let before = reader.receivedBytes
      let reading = read(ranges, depth: depth, by: reader)
      world.run(until: world.now + .seconds(300), unless: { reading.isDone })
      let fetched = Double(reader.receivedBytes - before) / Double(4_096 * ranges.count)
      let (half, most) = (reading.quantile(500), reading.quantile(990))
      result.lines.append(
        "cold 4 KiB, depth \(depth), \(count) seeds: p50 \(milliseconds(half)), "
          + "p99 \(milliseconds(most)), \((fetched * 10).rounded() / 10) bytes a byte")
      if reading.failures > 0 || !reading.isDone { world.fail("cold reads fail") }
      // The first 16 go out at once and share the line: of few reads they are too many.
      if depth > 1, reads < 200 { continue }
      if half > roundTrip + .milliseconds(3) { world.fail("p50 is \(half) at depth \(depth)") }
      if most > roundTrip * 2 { world.fail("p99 is \(most) at depth \(depth)") }
      if fetched > 20 { world.fail("\(fetched) bytes are fetched for each byte") }
      // Time without reads: nothing else is fetched.
      let idle = reader.receivedBytes
      world.run(until: world.now + .seconds(10))
      if reader.receivedBytes > idle + 4_096 {
        world.fail("a sparse node fetches \(reader.receivedBytes - idle) bytes that nobody reads")
      }
    }
    scenario.stop()
  }

  /// A reader that goes through all in order.
  static func sequential(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let seeds = [seed(scenario)]
    let reader = reader(scenario, of: seeds.map(\.endpoint)) { _ in }
    begin(scenario)
    let size = 65_536
    let end = Int(scenario.dataset.totalBytes) / size
    let ranges = (0..<end).map { UInt64($0 * size)..<UInt64(($0 + 1) * size) }
    let start = world.now
    let reading = read(ranges, depth: 1, by: reader)
    world.run(until: world.now + .seconds(300), unless: { reading.isDone })
    let speed = Double(end * size) / ((reading.endedAt ?? world.now) - start).inSeconds
    result.lines.append(
      "sequential, 64 KiB at a time: \((speed / 100_000).rounded() / 10) MB/s "
        + "of \(rate / 1_000_000)")
    if reading.failures > 0 || !reading.isDone { world.fail("sequential reads fail") }
    // A short one ends before its window has grown.
    if end * size >= 16 << 20, speed < rate / 2 {
      world.fail("sequential reads make \(speed) bytes a second")
    }
    scenario.stop()
  }

  /// Reads while everything goes wrong: each ends in time, with right bytes or an error; and once it is
  /// over, with right bytes.
  static func faults(_ result: inout Result, _ scenario: Scenario, seconds: Int) {
    let world = scenario.world
    let seeds = (0..<3).map { _ in seed(scenario) }
    for vice in [Vice.slow, .chokesForever, .neverAnswers, .flipsBits, .rejectsAll, .flutters] {
      scenario.addPeer(vice, on: host(scenario))
    }
    let others = seeds.map(\.endpoint) + scenario.peers.map(\.endpoint)
    let reader = reader(scenario, of: others) { _ in }
    begin(scenario)
    let trouble = ReadTrouble(scenario: scenario, reader: reader, seeds: seeds)
    let end = world.now + .seconds(seconds)
    trouble.begin(until: end)
    var readings: [Reading] = []
    while world.now < end, world.failure == nil {
      let length = UInt64(scenario.random.logarithmic(1...400_000))
      let start = UInt64.random(in: 0..<scenario.dataset.totalBytes, using: &scenario.random)
      let range = start..<min(start + length, scenario.dataset.totalBytes)
      let timeout = scenario.random.duration(.milliseconds(200) ... .seconds(20))
      readings.append(read([range], depth: 1, by: reader, timeout: timeout))
      world.run(until: world.now + scenario.random.duration(.zero ... .milliseconds(400)))
    }
    trouble.end()
    world.run(until: world.now + .seconds(40))
    let ended = readings.count { $0.isDone }
    let failed = readings.count { $0.failures > 0 }
    result.lines.append(
      "faults for \(seconds) s: \(readings.count) reads, \(ended - failed) right, \(failed) failed "
        + "in time, \(trouble.count) faults")
    if ended < readings.count { world.fail("\(readings.count - ended) reads have not ended") }
    let last = read([0..<scenario.dataset.totalBytes / 2], depth: 1, by: reader)
    world.run(until: world.now + .seconds(30), unless: { last.isDone })
    if last.times.isEmpty { world.fail("a read fails after faults are over") }
    scenario.stop()
  }

  /// Ten nodes that read the same ranges at once, of one seed, and one that does so alone before.
  static func crowd(_ result: inout Result, _ scenario: Scenario, reads: Int) {
    let world = scenario.world
    let source = seed(scenario)
    let ranges = bootRanges(reads, of: scenario.dataset.totalBytes, &scenario.random)
    let first = reader(scenario, of: [source.endpoint]) { _ in }
    begin(scenario)
    let alone = read(ranges, depth: 2, by: first)
    world.run(until: world.now + .seconds(100), unless: { alone.isDone })
    let aloneTime = alone.times.reduce(Duration.zero, +)
    world.run(until: world.now + .seconds(2))
    let fetched = first.receivedBytes
    first.stop()
    world.run(until: world.now + .seconds(5))
    let before = source.uploadedBytes
    let hosts = (0..<10).map { _ in host(scenario) }
    let others = hosts.map { $0.endpoint(SimulatedNode.port) }
    let crowd = hosts.map { reader(scenario, of: [source.endpoint] + others, on: $0) { _ in } }
    scenario.nameTheHonest()
    for node in crowd { node.start() }
    world.run(until: world.now + .seconds(5))
    let readings = crowd.map { read(ranges, depth: 2, by: $0) }
    world.run(until: world.now + .seconds(200), unless: { readings.allSatisfy(\.isDone) })
    let slowest = readings.map { $0.times.reduce(Duration.zero, +) }.max() ?? .zero
    world.run(until: world.now + .seconds(2))
    let copies = Double(source.uploadedBytes - before) / Double(max(1, fetched))
    let factor = slowest.inSeconds / aloneTime.inSeconds
    result.lines.append(
      "ten at once: the slowest \((factor * 100).rounded() / 100) times one alone, the seed sends "
        + "\((copies * 100).rounded() / 100) times what one fetches")
    let isRight = readings.allSatisfy { $0.isDone && $0.failures == 0 }
    if !isRight { world.fail("reads of a crowd fail") }
    scenario.stop()
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

/// Faults around a reader.
final class ReadTrouble {
  let scenario: Scenario
  let reader: SimulatedNode
  let seeds: [SimulatedNode]
  private(set) var count = 0
  private var isOver = false
  private var random: SplitMix64

  init(scenario: Scenario, reader: SimulatedNode, seeds: [SimulatedNode]) {
    (self.scenario, self.reader, self.seeds) = (scenario, reader, seeds)
    random = scenario.world.fork()
  }

  /// One fault after another.
  func begin(until end: Duration) {
    let world = scenario.world
    world.after(random.duration(.milliseconds(500) ... .seconds(4))) { [self] in
      guard !isOver, world.now < end else { return }
      fault()
      begin(until: end)
    }
  }

  /// All is well again.
  func end() {
    isOver = true
    heal()
    for seed in seeds where !seed.isRunning { seed.start() }
  }

  private func heal() {
    scenario.network.heal()
    reader.disk.isFull = false
    reader.disk.failureChance = 0
    reader.disk.latency = .microseconds(20) ... .microseconds(60)
    for seed in seeds { seed.host.uploadRate = ReadSwarm.rate }
  }

  private func fault() {
    let world = scenario.world
    count += 1
    world.note(.fault, count)
    let phase = random.duration(.milliseconds(500) ... .seconds(12))
    switch Int.random(in: 0..<7, using: &random) {
    case 0:
      for seed in seeds where seed.isRunning { seed.crash(isPowerCut: Bool.random(using: &random)) }
      world.after(phase) { [self] in for seed in seeds where !seed.isRunning { seed.start() } }
    case 1:
      let seed = random.pick(seeds)
      if seed.isRunning { seed.crash(isPowerCut: true) }
      world.after(phase) { if !seed.isRunning { seed.start() } }
    case 2: for seed in seeds { seed.host.uploadRate = 20_000 }
    case 3: reader.disk.isFull = true
    case 4: reader.disk.latency = .milliseconds(20) ... .milliseconds(900)
    case 5: reader.disk.failureChance = random.pick([0.05, 0.5])
    default: for _ in 0..<5 { scenario.network.breakConnection() }
    }
    world.after(phase) { [self] in if !isOver { heal() } }
  }
}
