import Metainfo
import TestSupport
import Testing
import Wire

@testable import Discovery

@Suite struct RoutingTableTests {
  /// Whatever happens to a table, its invariants hold, and what is nearest agrees with a sort of all.
  @Test(arguments: [UInt64(1), 2, 3, 4])
  func invariantsHold(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let own = NodeID.random(using: &random)
    var table = RoutingTable(id: own, limitsNetworks: true, now: 0)
    var pool: [NodeContact] = (0..<400).map { _ in
      let bits = UInt32(0x5000_0000) + UInt32.random(in: 0..<600, using: &random) << 6
      let id = NodeID.random(
        near: own, bits: Int.random(in: 0..<24, using: &random), using: &random)
      return NodeContact(
        id: id, endpoint: PeerEndpoint(address: .v4(IPv4Address(rawValue: bits | 1)), port: 1))
    }
    pool.append(NodeContact(id: own, endpoint: pool[0].endpoint))
    var now: DHTTime = 0
    for step in 0..<3_000 {
      now += DHTTime.random(in: 0..<5_000_000, using: &random)
      var contact = pool.randomElement(using: &random)!
      if random.oneIn(20) { contact.endpoint = pool.randomElement(using: &random)!.endpoint }
      switch Int.random(in: 0..<8, using: &random) {
      case 0, 1: table.missed(contact)
      case 2: _ = table.asked(contact, now: now)
      case 3: table.restore(contact, now: now)
      default: table.answered(contact, now: now)
      }
      if step.isMultiple(of: 50) { check(table, now: now, using: &random) }
    }
    #expect(table.count > 40, "seed \(seed)")
    let moved = table.moved(to: .random(using: &random), now: now)
    check(moved, now: now, using: &random)
  }

  private func check(
    _ table: RoutingTable, now: DHTTime, using random: inout SplitMix64
  ) {
    let all = Array(table.nodes)
    #expect(all.count == table.count)
    #expect(Set(all.map(\.contact.id)).count == all.count)
    #expect(Set(all.map(\.contact.endpoint.address)).count == all.count)
    #expect(!all.contains { $0.contact.id == table.id })
    for (depth, bucket) in table.buckets.enumerated() {
      #expect(bucket.nodes.count <= DHTLimits.bucketSize && bucket.spares.count <= DHTLimits.spares)
      for node in bucket.nodes {
        let shared = table.id.sharedBits(with: node.contact.id)
        #expect(depth == table.buckets.count - 1 ? shared >= depth : shared == depth)
      }
      let networks = bucket.nodes.map(\.contact.endpoint.address.network)
      #expect(Set(networks).count == networks.count)
    }
    var networks: [UInt64?: Int] = [:]
    for node in all { networks[node.contact.endpoint.address.network, default: 0] += 1 }
    #expect(networks.values.allSatisfy { $0 <= DHTLimits.networkInTable })
    let target = NodeID.random(using: &random)
    func slow(_ nodes: [RoutingNode]) -> [NodeContact] {
      nodes.map(\.contact).sorted { $0.id.distance(to: target) < $1.id.distance(to: target) }
    }
    let good = slow(all.filter { $0.isGood(at: now) })
    let rest = slow(all.filter { !$0.isGood(at: now) && $0.answered != nil && $0.misses == 0 })
    #expect(table.closest(to: target, count: 8, now: now) == Array((good + rest).prefix(8)))
    let alive = slow(all.filter { $0.misses == 0 })
    let doubtful = slow(all.filter { $0.misses > 0 })
    #expect(table.seeds(for: target, count: 16) == Array((alive + doubtful).prefix(16)))
  }

  @Test func badNodesAreReplaced() {
    var random = SplitMix64(seed: 9)
    let own = NodeID.zero
    var table = RoutingTable(id: own, limitsNetworks: true, now: 0)
    // Sixteen of the farther half: eight find a place, four wait.
    let far = (0..<16).map { number in
      NodeContact(
        id: NodeID.random(near: own.turned(bit: 0), bits: 1, using: &random),
        endpoint: DHTWorld.v4(number))
    }
    for contact in far { table.answered(contact, now: 1) }
    #expect(table.count == 8 && table.counts(at: 2).spares == 4)
    table.missed(far[0])
    #expect(table.node(far[0].id) != nil, "one miss is not yet bad")
    table.answered(far[0], now: 2)
    table.missed(far[0])
    table.missed(far[0])
    #expect(table.node(far[0].id) == nil && table.count == 8)
    #expect(table.node(far[15].id) != nil, "the newest that waited")
    // Who has an id keeps it from others for as long as it answers.
    let thief = NodeContact(id: far[1].id, endpoint: DHTWorld.v4(99))
    table.answered(thief, now: 3)
    #expect(table.node(far[1].id)?.contact == far[1])
    table.missed(far[1])
    table.answered(thief, now: 4)
    #expect(table.node(far[1].id)?.contact == thief)
  }

  @Test func nodesGrowOld() {
    var random = SplitMix64(seed: 10)
    var table = RoutingTable(id: .zero, limitsNetworks: true, now: 0)
    let contact = NodeContact(id: .random(using: &random), endpoint: DHTWorld.v4(1))
    table.answered(contact, now: 0)
    let limit = DHTLimits.goodFor
    #expect(table.counts(at: limit - 1).good == 1 && table.counts(at: limit).good == 0)
    #expect(table.asked(contact, now: limit) && table.counts(at: limit + 1).good == 1)
    #expect(table.questionable(atMost: 5, now: limit + 1).isEmpty)
    #expect(table.questionable(atMost: 5, now: 2 * limit) == [contact])
    var generator = DHTRandom(secret: [], seed: 1)
    #expect(table.staleTarget(now: DHTLimits.refreshAfter - 1, using: &generator) == nil)
    #expect(table.staleTarget(now: DHTLimits.refreshAfter, using: &generator) == .zero)
    #expect(table.staleTarget(now: DHTLimits.refreshAfter, using: &generator) == nil)
  }
}

@Suite struct RoundTripTests {
  @Test func waitFollowsTheNetwork() {
    var trips = RoundTrips()
    #expect(trips.wait == DHTLimits.firstWait)
    for _ in 0..<50 { trips.add(300) }
    #expect(trips.wait == DHTLimits.shortestWait && trips.patience == DHTLimits.shortestPatience)
    for _ in 0..<50 { trips.add(200_000) }
    #expect((200_000...400_000).contains(trips.wait))
    for _ in 0..<50 { trips.add(.max) }
    #expect(trips.wait == DHTLimits.longestWait)
    trips.add(-5)
    #expect(trips.wait > 0)
  }
}
