import Discovery
import Metainfo
import TestSupport
import Wire

/// Many nodes of the DHT, of which a fifth is hostile; hosts come and go, networks fall apart. What
/// honest nodes put they find, and no head goes back.
public final class DHTSwarm {
  let world: DHTWorld
  let count: Int
  var datasets: [DHTDataset] = []
  var torrents: [DHTThing] = []
  var values: [DHTThing] = []
  var underworld = Underworld()
  var phase = DHTPhase.steady
  var figures: [String: DHTFigures] = [:]
  /// Lookups for heads next to which the hostile sit.
  var besieged = DHTFigures()
  /// How hosts are to be, those first that begin the network.
  private var plans: [Plan] = []
  private var networks: Set<UInt32> = []

  struct Plan {
    let endpoint: PeerEndpoint
    let isBehindNAT: Bool
    let vice: DHTVice?
    /// What it begins with, for those who choose their id.
    let id: NodeID?
  }

  /// Honest hosts that everyone begins with, which stay.
  static let bootstraps = 8
  /// A lookup is over after so long, in microseconds: 96 nodes, four at a time, each with a second and
  /// some more before it counts as late, and four at the end.
  static let lookupTime: Int64 = 32_000_000

  init(seed: UInt64, nodes: Int, prints: Bool) {
    count = max(nodes, 40)
    world = DHTWorld(
      seed: seed, replay: ".build/release/swarm-sim --dht \(seed) --nodes \(count)")
    world.isPrinted = prints
    world.onEffect = { [unowned self] in heard($0, $1) }
    world.onSpeech = { [unowned self] in said($0, $1) }
    world.onQuery = { [unowned self] in lie($0, $1) }
    plan()
  }

  // MARK: Who is there

  private func plan() {
    let subjects = max(4, count / 50)
    // Publishers come right after those whom everyone begins with.
    let sybils = count / 5 / DHTVice.allCases.count
    for number in 0..<subjects {
      datasets.append(
        DHTDataset(
          number: number, publisher: Self.bootstraps + number, isBesieged: number * 8 < sybils,
          random: &world.random))
      torrents.append(DHTThing(infohash: SHA1Digest(hashing: world.random.bytes(8))))
    }
    var behind: [PeerEndpoint] = []
    var hostile = 0
    for number in 0..<count {
      let isFree = number >= Self.bootstraps + subjects
      // A fifth of all is hostile, spread over those who come later.
      if isFree, hostile * (count - Self.bootstraps - subjects) < number * count / 5 {
        plans.append(plan(DHTVice.allCases[hostile % DHTVice.allCases.count], hostile))
        hostile += 1
        continue
      }
      let isBehindNAT = isFree && world.random.chance(of: 200)
      var endpoint = freeEndpoint()
      if isBehindNAT {
        // Up to some machines share an address.
        if let box = behind.last, world.random.chance(of: 500) {
          endpoint = PeerEndpoint(address: box.address, port: box.port + 1)
        }
        behind.append(endpoint)
      }
      plans.append(Plan(endpoint: endpoint, isBehindNAT: isBehindNAT, vice: nil, id: nil))
    }
  }

  private func plan(_ vice: DHTVice, _ number: Int) -> Plan {
    let targets = datasets.filter(\.isBesieged).map { NodeID(MutableItem.target(of: $0.key)) }
    guard vice == .sybil || vice == .pretender, !targets.isEmpty else {
      return Plan(endpoint: freeEndpoint(), isBehindNAT: false, vice: vice, id: nil)
    }
    let target = targets[number / DHTVice.allCases.count % targets.count]
    if vice == .pretender {
      return Plan(
        endpoint: freeEndpoint(), isBehindNAT: false, vice: vice,
        id: .random(near: target, bits: 100, using: &world.random))
    }
    // The best of sixteen addresses with eight ids each.
    var best: (endpoint: PeerEndpoint, id: NodeID)?
    for _ in 0..<16 {
      let endpoint = freeEndpoint()
      for _ in 0..<16 {
        let id = NodeID.random(for: endpoint.address, using: &world.random).leaning(to: target)
        if let best, best.id.distance(to: target) <= id.distance(to: target) { continue }
        best = (endpoint, id)
      }
    }
    guard let best else { preconditionFailure("sixteen were tried") }
    return Plan(endpoint: best.endpoint, isBehindNAT: false, vice: vice, id: best.id)
  }

  /// An address in a /24 of its own.
  private func freeEndpoint() -> PeerEndpoint {
    while true {
      let bits = UInt32.random(in: 0x3000_0000..<0xa000_0000, using: &world.random)
      guard networks.insert(bits >> 8).inserted else { continue }
      return PeerEndpoint(address: .v4(IPv4Address(rawValue: bits)), port: 6881)
    }
  }

  /// Hosts come, one after the other, within so many seconds.
  func gather(seconds: Double) {
    for (number, plan) in plans.enumerated() {
      let isFirst = number < Self.bootstraps
      let time = isFirst ? Double(number) * 0.05 : 1 + seconds * Double(number) / Double(count)
      world.after(seconds: time) { [self] in
        let host = DHTHost(
          number: number, endpoint: plan.endpoint,
          latency: Int64.random(in: 5_000...60_000, using: &world.random),
          isBehindNAT: plan.isBehindNAT, vice: plan.vice,
          dht: node(plan, saved: plan.id.map { DHTState(id: $0) }, behaves: isFirst))
        host.side = number.isMultiple(of: 2) ? 0 : 1
        world.add(host)
        settle(host)
      }
    }
  }

  private func node(_ plan: Plan, saved: DHTState?, behaves: Bool) -> DHT {
    var configuration = DHTConfiguration()
    configuration.families = .v4
    configuration.secret = world.random.bytes(16)
    // One on each side, wherever the network breaks.
    configuration.bootstrapNodes = (0..<2).map { side in
      let some = Int.random(in: 0..<Self.bootstraps / 2, using: &world.random)
      return plans[2 * some + side].endpoint
    }
    // Others have to be told their address by those they ask.
    if behaves { configuration.knownAddresses = [plan.endpoint.address] }
    configuration.isReadOnly = plan.isBehindNAT && world.random.chance(of: 300)
    if plan.vice == .pretender { configuration.adaptsNodeID = false }
    return DHT(
      configuration: configuration, saved: saved, seed: world.random.next(),
      now: .microseconds(world.now))
  }

  /// A new host begins its life.
  private func settle(_ host: DHTHost) {
    if host.vice != nil {
      world.after(seconds: 20) { [self] in
        underworld.members.append(NodeContact(id: host.nodeID, endpoint: host.endpoint))
        attack(host)
      }
    }
    if mayLeave(host) { live(host) }
  }

  func mayLeave(_ host: DHTHost) -> Bool { host.number >= Self.bootstraps + datasets.count }

  // MARK: Coming and going

  /// A host stays for half an hour, as a mean, and leaves without a word.
  private func live(_ host: DHTHost) {
    world.after(seconds: world.random.lifetime(mean: 1_800)) { [self] in
      leave(host)
      world.after(seconds: Double.random(in: 20...400, using: &world.random)) { [self] in
        comeBack(host)
        live(host)
      }
    }
  }

  func leave(_ host: DHTHost) { host.isUp = false }

  /// With what it knew of the DHT, or with nothing.
  func comeBack(_ host: DHTHost) {
    guard !host.isUp else { return }
    let state = host.dht.state
    // As the file of a state folder has it.
    var saved = try? DHTState(decoding: state.encoded)
    if saved != state { world.fail("what host \(host.number) had kept reads differently") }
    if world.random.chance(of: 500) { saved = plans[host.number].id.map { DHTState(id: $0) } }
    host.restart(node(plans[host.number], saved: saved, behaves: false))
    world.drain(host)
  }

  /// Clocks of some hosts jump: ahead by up to two days, or back a little.
  func jumpClocks() {
    for host in world.hosts
    where host.isUp && mayLeave(host) && world.random.chance(of: 10) {
      let isAhead = world.random.chance(of: 700)
      host.skew +=
        isAhead
        ? Int64(world.random.logarithmicSeconds()) * 1_000_000
        : -Int64.random(in: 0...3_000_000, using: &world.random)
      host.hasJumped = true
      world.with(host) { $0.handleTimeout(now: $1) }
    }
  }
}

extension SplitMix64 {
  /// A time that does not depend on how long it has lasted: each second ends it with the same chance.
  fileprivate mutating func lifetime(mean: Double) -> Double {
    // Halves until a coin falls: the same law without a logarithm, in steps.
    var time = Double.random(in: 0...1, using: &self)
    while next() & 1 == 0 { time += 1 }
    return max(10, time * mean * 0.667)
  }

  /// Seconds up to two days, few as likely as many.
  fileprivate mutating func logarithmicSeconds() -> Int {
    Int.random(in: 0...(1 << Int.random(in: 0...17, using: &self)), using: &self)
  }
}
