import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// A random swarm with random faults, from one seed.
final class RandomSwarm {
  let scenario: Scenario
  private var random: SplitMix64
  private var faultEnd = Duration.zero

  /// How long faults go on at the most.
  static let longestTrouble = 90
  /// How long all may take when faults have stopped. Back-off of a peer is ten minutes at most, and a
  /// file takes less than one at the lowest rate.
  static let patience = Duration.seconds(1_800)

  init(seed: UInt64) throws {
    scenario = try Scenario(seed: seed, makeDataset: Self.dataset)
    random = scenario.world.fork()
    populate()
  }

  private static func dataset(_ random: inout SplitMix64) throws -> Dataset {
    let kind = random.pick([TorrentKind.v2, .v2, .hybrid, .v1])
    var pieceLength = 16_384 << Int.random(in: 0...2, using: &random)
    if kind == .v1, random.oneIn(4) { pieceLength = random.pick([49_152, 40_000, 20_000]) }
    let count = random.pick([1, 1, 2, 3, 6])
    let total = random.logarithmic(60_000...3_000_000)
    var sizes = (0..<count).map { _ in Int.random(in: 0...(2 * total / count), using: &random) }
    if random.oneIn(3) { sizes.append(random.pick([0, 1, 16_384, pieceLength, pieceLength + 1])) }
    sizes.append(random.pick([1, 40_000, 16_383, 200_000]))
    return try Dataset(
      kind: kind, sizes: sizes, pieceLength: pieceLength, isPrivate: random.oneIn(8),
      random: &random)
  }

  /// What sort of swarm it is, in a line.
  var summary: String {
    let vices = scenario.peers.map(\.vice.rawValue).joined(separator: " ")
    return "\(scenario.dataset.kind) \(scenario.dataset.totalBytes) bytes, "
      + "\(scenario.nodes.count) nodes, peers: [\(vices)]"
  }

  // MARK: Who is there

  private func populate() {
    let leechCount = Int.random(in: 1...7, using: &random)
    let seed = scenario.addNode(seedPlan(), on: scenario.addHost())
    var plans: [NodePlan] = (0..<leechCount).map { _ in leechPlan() }
    if random.oneIn(4) { plans.append(seedPlan()) }
    let hosts = plans.map { _ in scenario.addHost() }
    let hostiles = Int.random(in: 0...3, using: &random)
    for _ in 0..<hostiles {
      scenario.addPeer(random.pick(Vice.hostile), on: scenario.addHost())
    }
    if random.oneIn(3) { scenario.addPeer(.none, on: scenario.addHost()) }
    let others = hosts.map { $0.endpoint(SimulatedNode.port) } + scenario.peers.map(\.endpoint)
    for (var plan, host) in zip(plans, hosts) {
      // Everybody can learn of the source; others it may know or be told of.
      plan.peers = [seed.endpoint]
      for other in others where random.oneIn(2) { plan.peers.append(other) }
      plan.peers.shuffle(using: &random)
      scenario.addNode(plan, on: host)
    }
    scenario.nameTheHonest()
  }

  private func seedPlan() -> NodePlan {
    let content: TorrentRequest.Content =
      random.oneIn(2)
      ? .inPlace(claimsAll: true)
      : .proven(leaves: random.oneIn(2) ? scenario.dataset.leaves : [])
    return NodePlan(
      source: scenario.wholeTorrent, content: content, configuration: scenario.configuration())
  }

  private func leechPlan() -> NodePlan {
    var plan = NodePlan(
      source: random.oneIn(2) ? scenario.wholeTorrent : scenario.link(), content: .owned,
      configuration: scenario.configuration())
    if random.oneIn(4) {
      let files = scenario.dataset.contents.indices
      plan.wanted = Set(files.filter { _ in random.oneIn(2) })
    }
    return plan
  }

  // MARK: What happens

  /// Plays it to its end.
  func play() {
    let world = scenario.world
    for node in scenario.nodes {
      world.after(random.duration(.zero ... .seconds(8))) { node.start() }
    }
    for peer in scenario.peers {
      world.after(random.duration(.zero ... .seconds(5))) { [self] in
        peer.start()
        bother(with: peer)
      }
    }
    readNowAndThen()
    let isCalm = random.oneIn(5)
    faultEnd =
      isCalm ? .seconds(9) : .seconds(Int.random(in: 10...Self.longestTrouble, using: &random))
    if !isCalm { trouble() }
    world.run(until: faultEnd)
    calmDown()
    // A moment for everybody to begin again: a node that is starting is not finished.
    world.run(until: faultEnd + .seconds(3))
    let end = faultEnd + Self.patience
    world.run(until: end, unless: { scenario.isFinished })
    if !scenario.isFinished { world.fail("not finished in time: \(scenario.standstill)") }
    for node in scenario.nodes where !node.isDamaged { node.checkContent() }
    finalReads()
    scenario.stop()
  }

  /// Peers that are up to no good do not wait to be found.
  private func bother(with peer: ScriptedPeer) {
    for node in scenario.nodes where random.oneIn(2) { peer.connect(to: node.endpoint) }
    guard scenario.world.now < .seconds(200) else { return }
    scenario.world.after(random.duration(.seconds(5) ... .seconds(40))) { [self] in
      bother(with: peer)
    }
  }

  private func readNowAndThen() {
    scenario.world.after(random.duration(.milliseconds(200) ... .seconds(8))) { [self] in
      guard scenario.world.now < .seconds(150) else { return }
      random.pick(scenario.nodes).beginRead(
        timeout: random.duration(.milliseconds(20) ... .seconds(20)))
      readNowAndThen()
    }
  }

  /// Whoever has all can be read from, at once.
  private func finalReads() {
    let world = scenario.world
    guard world.failure == nil else { return }
    var reads: [(SimulatedNode, ReadID)] = []
    for node in scenario.nodes where node.isFinished && node.plan.wanted == nil && !node.isDamaged {
      if let id = node.beginRead(timeout: .seconds(30)) { reads.append((node, id)) }
    }
    world.run(until: world.now + .seconds(31))
    for (node, id) in reads where node.readers[id]?.failure != nil {
      world.fail("host \(node.number) has all, and a read of it failed")
    }
  }

  // MARK: Faults

  private func trouble() {
    let world = scenario.world
    world.after(random.duration(.milliseconds(100) ... .seconds(6))) { [self] in
      guard world.now < faultEnd else { return }
      fault()
      trouble()
    }
  }

  private func fault() {
    let world = scenario.world
    let node = random.pick(scenario.nodes)
    let phase = random.duration(.milliseconds(500) ... .seconds(25))
    world.note(.fault, node.number)
    switch Int.random(in: 0..<14, using: &random) {
    case 0, 1, 2:
      for _ in 0..<Int.random(in: 1...5, using: &random) { scenario.network.breakConnection() }
    case 3:
      scenario.network.split()
      world.after(phase) { [self] in scenario.network.heal() }
    case 4, 5: crash(node)
    case 6: restart(node)
    case 7:
      node.disk.latency = .milliseconds(20) ... .milliseconds(900)
      world.after(phase) { [self] in restore(node.disk) }
    case 8 where node !== scenario.source:
      node.disk.failureChance = random.pick([0.01, 0.2, 1])
      world.after(phase) { node.disk.failureChance = 0 }
    case 9:
      node.disk.isFull = true
      world.after(phase) { node.disk.isFull = false }
    case 10: damage()
    case 11:
      scenario.network.hangChance = 0.5
      scenario.network.refusalChance = 0.3
      world.after(phase) { [self] in
        scenario.network.hangChance = 0
        scenario.network.refusalChance = 0
      }
    case 12:
      let rate = node.host.uploadRate
      node.host.uploadRate = max(20_000, rate / 20)
      world.after(phase) { node.host.uploadRate = rate }
    default: scenario.network.shredChance = random.pick([0.02, 0.3])
    }
  }

  private func restore(_ disk: VirtualDisk) {
    disk.latency = .microseconds(50) ... .milliseconds(3)
  }

  private func crash(_ node: SimulatedNode) {
    node.crash(isPowerCut: Bool.random(using: &random))
    scenario.world.after(random.duration(.milliseconds(100) ... .seconds(20))) { node.start() }
  }

  private func restart(_ node: SimulatedNode) {
    node.stop()
    scenario.world.after(random.duration(.seconds(3) ... .seconds(20))) { node.start() }
  }

  /// Somebody changes a file in the user's folder. Not of the source: the others need it.
  private func damage() {
    // What a node that has not started believes to have hashed just now is not touched.
    let inPlace = scenario.nodes.filter {
      $0.plan.isInPlace && $0 !== scenario.source && $0.incarnation > 0
    }
    guard !inPlace.isEmpty else { return }
    let node = random.pick(inPlace)
    let files = scenario.dataset.geometry.files.filter {
      scenario.dataset.geometry.length(of: $0) > 0
    }
    guard !files.isEmpty else { return }
    node.isDamaged = true
    node.disk.damage(random.pick(files))
    scenario.world.note(.changed, node.number)
  }

  /// Faults stop; whoever is down comes back.
  private func calmDown() {
    let network = scenario.network
    network.heal()
    (network.hangChance, network.refusalChance, network.shredChance) = (0, 0, 0.02)
    for node in scenario.nodes {
      restore(node.disk)
      node.disk.failureChance = 0
      node.disk.isFull = false
      keepUp(node)
    }
  }

  /// Starts the node again when it is down, or when it has stopped.
  private func keepUp(_ node: SimulatedNode) {
    let world = scenario.world
    guard world.now < faultEnd + .seconds(230) else { return }
    if !node.isRunning { node.start() }
    if node.isStopping { world.after(.seconds(1)) { [self] in keepUp(node) } }
  }
}
