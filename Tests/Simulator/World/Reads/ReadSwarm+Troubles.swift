import Metainfo
import Store
import Swarm
import TestSupport

/// One trouble at a time around a reader, and what must hold in each. That every read ends by its
/// deadline with right bytes or an error is checked everywhere.
extension ReadSwarm {
  static func troubles(_ scale: Int) -> [Part] {
    let parts: [(inout Result, Scenario) -> Void] = [
      allGone, trickle, choked, lies, noProofs, diskFull, diskSlow, diskFailing, stuckReaders,
    ]
    return parts.map { (max(scale << 17, 8 << 20), $0) }
  }

  private static let block = UInt64(blockLength)

  /// The byte range of a block of the only file.
  private static func range(_ number: Int, count: Int = 1) -> Range<UInt64> {
    UInt64(number) * block..<UInt64(number + count) * block
  }

  private static func isRight(_ readings: [Reading]) -> Bool {
    readings.allSatisfy { $0.isDone && $0.failures == 0 }
  }

  /// All peers vanish, and come back: who waits long enough gets his bytes, the others an error.
  private static func allGone(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let seeds = [seed(scenario), seed(scenario)]
    let reader = reader(scenario, of: seeds.map(\.endpoint)) { _ in }
    begin(scenario)
    for seed in seeds { seed.crash(isPowerCut: true) }
    let short = (0..<20).map { read([range($0)], depth: 1, by: reader, timeout: .seconds(3)) }
    let long = (20..<40).map { read([range($0)], depth: 1, by: reader, timeout: .seconds(60)) }
    world.run(until: world.now + .seconds(6))
    let failed = short.count { $0.failures == 1 }
    for seed in seeds { seed.start() }
    world.run(until: world.now + .seconds(60))
    if failed < short.count { world.fail("\(failed) of \(short.count) reads of nobody fail") }
    if !isRight(long) { world.fail("reads do not outlive that all peers are gone") }
    let most = long.flatMap(\.times).max() ?? .zero
    result.lines.append("all gone for 6 s: those that wait end after \(milliseconds(most))")
    scenario.stop()
  }

  /// A line that brings next to nothing: what fits the deadline comes, before what is fetched besides.
  private static func trickle(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let source = seed(scenario)
    let reader = reader(scenario, of: [source.endpoint]) { _ in }
    begin(scenario)
    source.host.uploadRate = 8_000
    let small = read([range(3)], depth: 1, by: reader, timeout: .seconds(15))
    world.run(until: world.now + .seconds(20))
    let large = read([range(100, count: 60)], depth: 1, by: reader, timeout: .seconds(5))
    world.run(until: world.now + .seconds(10))
    if !isRight([small]) { world.fail("a block does not come over a slow line") }
    if large.failures != 1 { world.fail("1 MB comes over a line of 8 kB a second in 5 s") }
    result.lines.append(
      "8 kB a second: a block in \(milliseconds(small.times.max() ?? .zero)), 60 fail in time")
    scenario.stop()
  }

  /// Peers that do not let us request, and one that does.
  private static func choked(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    for _ in 0..<3 { scenario.addPeer(.chokesForever, on: host(scenario)) }
    let source = seed(scenario)
    let reader = reader(scenario, of: scenario.peers.map(\.endpoint) + [source.endpoint]) { _ in }
    begin(scenario)
    let first = (0..<10).map { read([range($0)], depth: 1, by: reader) }
    world.run(until: world.now + .seconds(2))
    source.crash(isPowerCut: false)
    let second = (10..<20).map { read([range($0)], depth: 1, by: reader, timeout: .seconds(2)) }
    world.run(until: world.now + .seconds(5))
    if !isRight(first) { world.fail("reads fail beside peers that choke") }
    // The rest of their pieces may have come.
    let failed = second.count { $0.failures == 1 }
    if second.contains(where: { !$0.isDone }) { world.fail("choked reads do not end") }
    result.lines.append("three of four choke: all right; all choke: \(failed) fail in time")
    source.start()
    scenario.stop()
  }

  /// Three of four peers lie.
  private static func lies(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    for _ in 0..<3 { scenario.addPeer(.flipsBits, on: host(scenario)) }
    let source = seed(scenario)
    let reader = reader(scenario, of: scenario.peers.map(\.endpoint) + [source.endpoint]) { _ in }
    begin(scenario)
    let readings = (0..<200).map { number in
      read([range(number * 2)], depth: 1, by: reader, timeout: .seconds(10))
    }
    world.run(until: world.now + .seconds(12))
    if !isRight(readings) { world.fail("reads fail where three of four lie") }
    let most = readings.flatMap(\.times).max() ?? .zero
    result.lines.append("three of four lie: 200 reads right, the longest \(milliseconds(most))")
    scenario.stop()
  }

  /// Peers that give blocks and refuse all hashes: one that lies is found out by a piece or two, whoever
  /// else is there; of one that does not, reads come right.
  private static func noProofs(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let liar = scenario.addPeer(.hidesProofs, on: host(scenario))
    let honest = scenario.addPeer(.hasNoProofs, on: host(scenario))
    let alone = reader(scenario, of: [liar.endpoint]) { _ in }
    let other = reader(scenario, of: [honest.endpoint]) {
      $0.completesPieces = false
      $0.readsAhead = false
    }
    begin(scenario)
    // The first few at once: each is of a piece of its own.
    let lied = (0..<100).map { number in
      read([range(number * 4)], depth: 1, by: alone, timeout: .seconds(5))
    }
    let right = read((0..<100).map { range($0 * 4) }, depth: 16, by: other, timeout: .seconds(5))
    world.run(until: world.now + .seconds(8))
    if lied.contains(where: { $0.failures != 1 }) { world.fail("a liar's blocks are read") }
    if !isRight([right]) { world.fail("\(right.failures) reads fail of who refuses hashes") }
    let sent = liar.sentBlocks
    if sent > 120 { world.fail("\(sent) blocks of a liar came before it was found out") }
    result.lines.append("hashes refused: \(sent) blocks of a liar came; 100 reads of a seed right")
    scenario.stop()
  }

  /// No room: what is read is given from memory as it comes, and again while it is kept; what is kept
  /// is bounded.
  private static func diskFull(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let source = seed(scenario)
    let reader = reader(scenario, of: [source.endpoint]) {
      $0.readsAhead = false
      $0.completesPieces = false
    }
    begin(scenario)
    reader.disk.isFull = true
    let blocks = (0..<500).map { range($0) }
    let first = read(blocks, depth: 4, by: reader)
    var held = 0
    world.run(until: world.now + .seconds(60)) {
      held = max(held, reader.swarm.idle.heldBlocks)
      return first.isDone
    }
    let before = reader.receivedBytes
    let again = read(Array(blocks[..<100]), depth: 1, by: reader)
    world.run(until: world.now + .seconds(10), unless: { again.isDone })
    let fetchedAgain = reader.receivedBytes - before
    if !isRight([first, again]) { world.fail("reads fail on a full disk") }
    if held > 5 << 20 / blockLength { world.fail("\(held) blocks are held for a full disk") }
    if fetchedAgain > 100_000 { world.fail("what is in memory is fetched again") }
    reader.disk.isFull = false
    world.run(until: world.now + .seconds(60), unless: { reader.swarm.idle.heldBlocks == 0 })
    let stored = read(Array(blocks[..<100]), depth: 1, by: reader)
    world.run(until: world.now + .seconds(10), unless: { stored.isDone })
    if !isRight([stored]) || reader.receivedBytes - before > 200_000 {
      world.fail("what was held for a full disk is not there when it has room")
    }
    result.lines.append(
      "disk full: 8 MB read, \(milliseconds(first.quantile(500))) a block, at most \(held) blocks held"
    )
    scenario.stop()
  }

  /// A disk that takes seconds: readers do not wait for it, the first time or the second.
  private static func diskSlow(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let source = seed(scenario)
    let reader = reader(scenario, of: [source.endpoint]) { _ in }
    begin(scenario)
    reader.disk.latency = .seconds(2) ... .seconds(4)
    let first = read((0..<20).map { range($0 * 8) }, depth: 1, by: reader)
    world.run(until: world.now + .seconds(1), unless: { first.isDone })
    let again = read((0..<20).map { range($0 * 8) }, depth: 1, by: reader)
    world.run(until: world.now + .milliseconds(20), unless: { again.isDone })
    if !isRight([first]) { world.fail("reads wait for a slow disk") }
    if !isRight([again]) { world.fail("reads wait for what is being written") }
    result.lines.append(
      "disk slow: a block in \(milliseconds(first.quantile(500))), again in "
        + "\(milliseconds(again.quantile(500)))")
    reader.disk.latency = .microseconds(20) ... .microseconds(60)
    world.run(until: world.now + .seconds(100))
    scenario.stop()
  }

  /// A disk that can neither write nor read any more: what is read comes from peers each time.
  private static func diskFailing(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let source = seed(scenario)
    let reader = reader(scenario, of: [source.endpoint]) { $0.completesPieces = false }
    begin(scenario)
    let early = read((0..<20).map { range($0) }, depth: 4, by: reader)
    world.run(until: world.now + .seconds(5), unless: { early.isDone })
    reader.disk.failureChance = 1
    let blocks = (0..<40).map { range($0) }
    let broken = read(blocks, depth: 1, by: reader, timeout: .seconds(5))
    world.run(until: world.now + .seconds(100), unless: { broken.isDone })
    reader.disk.failureChance = 0
    let healed = read(blocks, depth: 1, by: reader, timeout: .seconds(5))
    world.run(until: world.now + .seconds(100), unless: { healed.isDone })
    if !isRight([early, broken, healed]) { world.fail("reads fail on a failing disk") }
    result.lines.append(
      "disk failing: a block in \(milliseconds(broken.quantile(500))), "
        + "\(milliseconds(broken.quantile(990))) at most")
    scenario.stop()
  }

  /// A client that does not give back what it was given: its reads end, and peers are served meanwhile.
  private static func stuckReaders(_ result: inout Result, _ scenario: Scenario) {
    let world = scenario.world
    let source = seed(scenario)
    let reader = reader(scenario, of: [source.endpoint]) { _ in }
    let other = Self.reader(scenario, of: [reader.endpoint]) { _ in }
    begin(scenario)
    let warm = read([range(0, count: 400)], depth: 1, by: reader)
    world.run(until: world.now + .seconds(5), unless: { warm.isDone })
    reader.readerTime = .seconds(20) ... .seconds(20)
    let stuck = (0..<80).map { number in
      read([range(number * 5, count: 16)], depth: 1, by: reader, timeout: .seconds(4))
    }
    world.run(until: world.now + .seconds(5))
    let served = read([range(0, count: 100)], depth: 1, by: other, timeout: .seconds(5))
    world.run(until: world.now + .seconds(5))
    reader.readerTime = .zero ... .microseconds(100)
    world.run(until: world.now + .seconds(20))
    let after = read([range(0, count: 400)], depth: 1, by: reader)
    world.run(until: world.now + .seconds(10), unless: { after.isDone })
    if stuck.contains(where: { !$0.isDone }) { world.fail("reads of a stuck client do not end") }
    if !isRight([warm, served]) { world.fail("a stuck client keeps peers from being served") }
    if !isRight([after]) { world.fail("reads fail after a client was stuck") }
    let failed = stuck.count { $0.failures == 1 }
    result.lines.append("client stuck: \(failed) of 80 reads fail in time, a peer is served")
    scenario.stop()
  }
}
