import Metainfo
import TestSupport
import Wire

/// Many who follow one dataset by its key, of whom some lie; the network falls apart and heals, nodes
/// crash and come back, and the key is used twice. Versions get around, and none goes back.
public final class HeadSwarm {
  /// What it took, in seconds of virtual time.
  public struct Result: Sendable {
    /// What went wrong, if anything did.
    public var failure: String?
    /// From the start of all nodes, who know nothing but the key and some peers, to the last that has
    /// version 1.
    public var joined = 0.0
    /// From publishing a version to the last node that has it.
    public var spread = 0.0
    /// The same for the last of five versions within a second.
    public var burst = 0.0
    /// From the moment that a network in two parts is whole again.
    public var healed = 0.0
    /// The version after one whose number was used twice.
    public var settled = 0.0
    /// Nodes that saw that the key was used twice.
    public var warned = 0
    /// How many events there were.
    public var events = 0
    /// A hash of them.
    public var hash: UInt64 = 0

    /// One line with all that was measured.
    public var summary: String {
      let times = [
        ("joined", joined), ("a version", spread), ("five at once", burst),
        ("after a partition", healed), ("after one number twice", settled),
      ]
      let texts = times.map { "\($0) \(Double(Int($1 * 100)) / 100) s" }
      return texts.joined(separator: ", ") + ", \(warned) warned, \(events) events"
    }
  }

  private let world: World
  private let network: Network
  private let truth: HeadTruth
  private var random: SplitMix64
  private var nodes: [HeadNode] = []
  private var liars: [HeadLiar] = []
  private var result = Result()

  /// How long a version may take to all nodes while the network is whole: a round trip or two for each
  /// step of the way, and a second where one sends too fast.
  private static let spreadTime = Duration.seconds(5)
  /// How long until all are connected again: named peers are tried every 30 seconds.
  private static let healTime = Duration.seconds(90)

  private init(seed: UInt64, followers: Int, liars count: Int, prints: Bool) {
    world = World(seed: seed, replay: ".build/release/swarm-sim --heads \(seed)")
    world.log.isPrinted = prints
    network = Network(world: world)
    random = world.fork()
    truth = HeadTruth(random: &random)
    let version = SHA256Digest(hashing: [1])
    var plans: [HeadNode.Plan] = []
    for number in 0..<followers {
      var plan = HeadNode.Plan()
      // The first two publish, and pass on between both kinds of swarms.
      let kind = number < 2 ? 0 : Int.random(in: 0..<5, using: &random)
      if kind < 2 { plan.torrent = version }
      if kind == 1 { plan.meets = false }
      plans.append(plan)
    }
    let hosts = (0..<(followers + count)).map { _ in
      network.addHost(
        uploadRate: Double(random.logarithmic(50_000...10_000_000)),
        downloadRate: 10_000_000,
        latency: random.duration(.microseconds(100) ... .milliseconds(120)))
    }
    for number in 0..<followers {
      let others = (0..<number).filter {
        plans[$0].meets && plans[number].meets
          || plans[$0].torrent != nil && plans[number].torrent != nil
      }
      for _ in 0..<(others.isEmpty ? 0 : 3) {
        plans[number].peers.append(hosts[random.pick(others)].endpoint(HeadNode.port))
      }
      nodes.append(
        HeadNode(network: network, host: hosts[number], truth: truth, plan: plans[number]))
    }
    for number in 0..<count {
      let vice = HeadVice.allCases[number % HeadVice.allCases.count]
      let host = hosts[followers + number]
      truth.liars.insert(host.address)
      liars.append(HeadLiar(network: network, host: host, truth: truth, vice: vice))
    }
  }

  /// Plays it all, from one seed.
  public static func run(
    seed: UInt64, followers: Int = 100, liars: Int = 18, prints: Bool = false
  ) -> Result {
    let swarm = HeadSwarm(seed: seed, followers: followers, liars: liars, prints: prints)
    defer { swarm.network.tearDown() }
    defer { swarm.world.tearDown() }
    do {
      try swarm.play()
    } catch {
      swarm.world.fail("\(error)")
    }
    swarm.result.failure = swarm.world.failure?.description
    swarm.result.events = swarm.world.log.count
    swarm.result.hash = swarm.world.log.hash
    return swarm.result
  }

  private func play() throws {
    let publisher = nodes[0]
    publisher.start()
    publisher.publish(try truth.publish(1))
    for node in nodes.dropFirst() {
      world.after(random.duration(.zero ... .seconds(2))) { node.start() }
    }
    for liar in liars {
      world.after(random.duration(.zero ... .seconds(10))) { [self] in
        liar.start(nodes.map(\.endpoint))
      }
    }
    result.joined = wait(for: 1, in: .seconds(30))
    rest(.seconds(20))

    publisher.publish(try truth.publish(2))
    result.spread = wait(for: 2, in: Self.spreadTime)

    for version in 3...7 {
      rest(.milliseconds(200))
      publisher.publish(try truth.publish(Int64(version)))
    }
    result.burst = wait(for: 7, in: Self.spreadTime * 2)
    try restartSome()

    try playPartition(publisher)
    try playTwice(publisher)
    rest(.seconds(30))
  }

  /// Nodes end and come back, some with a power cut, while a version is published.
  private func restartSome() throws {
    for node in nodes.dropFirst(2) where random.oneIn(8) {
      node.crash(isPowerCut: Bool.random(using: &random))
      world.after(random.duration(.seconds(1) ... .seconds(40))) { node.start() }
    }
    rest(.seconds(5))
    nodes[0].publish(try truth.publish(8))
    _ = wait(for: 8, in: .seconds(40) + Self.healTime)
  }

  /// The network falls into two parts: one learns of a version, the other when it is whole again.
  private func playPartition(_ publisher: HeadNode) throws {
    network.split()
    rest(.seconds(1))
    publisher.publish(try truth.publish(9))
    rest(random.duration(.seconds(10) ... .seconds(250)))
    for node in nodes where node.host.part != publisher.host.part && node.version == 9 {
      world.fail("\(node.summary), which is published in the other part")
    }
    network.heal()
    result.healed = wait(for: 9, in: Self.healTime)
    rest(.seconds(20))
  }

  /// Both parts publish a version of the same number. Who has one stays with it, those on the border
  /// say so, and the next version is for all.
  private func playTwice(_ publisher: HeadNode) throws {
    network.split()
    (nodes[0].host.part, nodes[1].host.part) = (0, 1)
    rest(.seconds(1))
    let (first, second) = (try truth.publish(10), try truth.publish(10))
    publisher.publish(first)
    nodes[1].publish(second)
    rest(random.duration(.seconds(5) ... .seconds(60)))
    network.heal()
    rest(Self.healTime)
    for node in nodes where node.version != 10 { world.fail("\(node.summary), not 10") }
    result.warned = nodes.count { $0.toldTwice.contains(10) }
    if result.warned == 0 { world.fail("nobody says that the key was used twice") }
    let sides = Set(nodes.compactMap(\.stored))
    if sides != [first, second] { world.fail("one of two heads of the same number is gone") }
    publisher.publish(try truth.publish(11))
    result.settled = wait(for: 11, in: Self.spreadTime)
  }

  private func rest(_ time: Duration) { world.run(until: world.now + time) }

  /// Waits until all have the version; how many seconds it took.
  private func wait(for version: Int64, in time: Duration) -> Double {
    let start = world.now
    world.run(
      until: start + time,
      unless: { nodes.allSatisfy { $0.version == version && $0.isRunning } })
    let late = nodes.filter { $0.version != version || !$0.isRunning }
    if !late.isEmpty {
      let lines = late.prefix(5).map(\.summary).joined(separator: "; ")
      world.fail("\(late.count) of \(nodes.count) have not version \(version): \(lines)")
    }
    return (world.now - start).inSeconds
  }
}
