import Discovery
import Metainfo
import TestSupport
import Testing
import Wire

/// What nodes do together. Every test has a seed; times are those of the world, not of the machine.
@Suite struct DHTNetworkTests {
  static func secret(_ byte: UInt8) -> DatasetSecret {
    DatasetSecret(seed: [UInt8](repeating: byte, count: 32))!
  }

  static func item(_ number: Int64, salt: String = "", _ byte: UInt8 = 1) throws -> MutableItem {
    try MutableItem(
      signedBy: secret(byte), salt: Array(salt.utf8), sequence: number,
      value: Array("i\(number)e".utf8))
  }

  @Test func nodesFindEachOther() {
    let world = DHTWorld.network(of: 60, seed: 1)
    for node in world.nodes {
      let status = node.dht.status.v4
      #expect((status?.goodNodes ?? 0) >= 8, "\(node.endpoint) knows \(status?.goodNodes ?? 0)")
    }
  }

  /// The nodes on which something is stored are those nearest to it, but for a few.
  @Test func lookupEndsAtTheNearest() throws {
    let world = DHTWorld.network(of: 100, seed: 2)
    let item = try ImmutableItem(value: Array("5:hello".utf8))
    let lookup = world.with(world.nodes[7]) { $0.put(item, now: $1) }
    let outcome = try #require(world.result(of: lookup, at: world.nodes[7]).outcome)
    #expect(outcome.stored == 8)
    let target = NodeID(item.target)
    let byDistance = world.nodes.filter { $0 !== world.nodes[7] }.sorted {
      $0.dht.status.v4!.id.distance(to: target) < $1.dht.status.v4!.id.distance(to: target)
    }
    #expect(byDistance.prefix(8).filter { $0.dht.status.items == 1 }.count >= 7)
    #expect(world.nodes.filter { $0.dht.status.items == 1 }.count == 8)
    #expect(outcome.hops <= 4)
  }

  @Test func peersAreAnnouncedAndFound() throws {
    let world = DHTWorld.network(of: 80, seed: 3)
    let infohash = SHA1Digest(hashing: Array("torrent".utf8))
    for number in 10..<15 {
      let node = world.nodes[number]
      let lookup = world.with(node) {
        $0.findPeers(of: infohash, announcing: 7_000, isSeed: number == 10, now: $1)
      }
      let outcome = try #require(world.result(of: lookup, at: node).outcome)
      #expect(outcome.stored == 8)
    }
    let searcher = world.nodes[70]
    let lookup = world.with(searcher) {
      $0.findPeers(of: infohash, announcing: nil, isSeed: false, now: $1)
    }
    let result = world.result(of: lookup, at: searcher)
    let expected = (10..<15).map {
      PeerEndpoint(address: DHTWorld.v4($0).address, port: 7_000)
    }
    #expect(result.all.peers == Set(expected))
    #expect(result.took < .seconds(1))
    #expect(result.outcome?.stored == 0)
  }

  @Test(arguments: ["", "foobar"])
  func newestValueIsFound(salt: String) throws {
    let world = DHTWorld.network(of: 80, seed: 4)
    for number in [Int64(1), 2, 5] {
      let item = try Self.item(number, salt: salt)
      let lookup = world.with(world.nodes[3]) { $0.put(item, cas: nil, now: $1) }
      #expect(world.result(of: lookup, at: world.nodes[3]).outcome?.stored == 8)
    }
    let reader = world.nodes[50]
    let key = Self.secret(1).key
    let lookup = world.with(reader) {
      $0.get(mutable: key, salt: Array(salt.utf8), newerThan: nil, now: $1)
    }
    #expect(world.result(of: lookup, at: reader).all.mutable == [try Self.item(5, salt: salt)])
    let again = world.with(reader) {
      $0.get(mutable: key, salt: Array(salt.utf8), newerThan: 5, now: $1)
    }
    let second = world.result(of: again, at: reader)
    #expect(second.all.mutable.isEmpty && second.outcome?.answered ?? 0 >= 8)
    // Anyone may put what somebody has signed, and an old one changes nothing.
    let old = world.with(reader) { $0.put(try! Self.item(2, salt: salt), cas: nil, now: $1) }
    let third = world.result(of: old, at: reader)
    #expect(third.all.mutable == [try Self.item(5, salt: salt)])
    #expect(third.outcome?.stored == 0 && third.outcome?.errors[302] == 1)
  }

  /// Who has a value now, and whether that is enough. BEP 44, "Expiration".
  @Test func copiesAreCounted() throws {
    let world = DHTWorld.network(of: 60, seed: 16)
    let (putter, reader) = (world.nodes[1], world.nodes[40])
    func get(newerThan: Int64?) throws -> DHTOutcome {
      let lookup = world.with(reader) {
        $0.get(mutable: Self.secret(1).key, salt: [], newerThan: newerThan, now: $1)
      }
      return try #require(world.result(of: lookup, at: reader).outcome)
    }
    let nothing = try get(newerThan: nil)
    #expect(nothing.copies == 0 && !nothing.isAtAllClosest)
    let item = try Self.item(1)
    let put = world.with(putter) { $0.put(item, cas: nil, now: $1) }
    let stored = try #require(world.result(of: put, at: putter).outcome)
    #expect(stored.copies == 8 && stored.isAtAllClosest)
    for newerThan in [nil, Int64(1)] {
      let outcome = try get(newerThan: newerThan)
      #expect(outcome.copies == 8 && outcome.isAtAllClosest)
    }
    // Of a newer one, which only we know, there are none.
    let newer = try get(newerThan: 2)
    #expect(newer.copies == 0 && !newer.isAtAllClosest)
    // One of those that had it is gone: the next nearest has none.
    try #require(world.nodes.first { $0.dht.status.items == 1 }).isUp = false
    let fewer = try get(newerThan: 1)
    #expect(fewer.copies == 7 && !fewer.isAtAllClosest)
    // Putting again reaches those that had it and the one that had not.
    let again = world.with(putter) { $0.put(item, cas: nil, now: $1) }
    let second = try #require(world.result(of: again, at: putter).outcome)
    #expect(second.copies == 8 && second.isAtAllClosest)
  }

  /// Two networks that know nothing of each other but a place that was configured become one.
  @Test func partsMeetAgain() throws {
    let world = DHTWorld.network(of: 24, seed: 17)
    let others = world.nodes
    for node in others { node.isUp = false }
    var part: [DHTWorld.Node] = []
    for number in 100..<124 {
      part.append(
        world.add(at: DHTWorld.v4(number), bootstrap: [DHTWorld.v4(100), DHTWorld.v4(0)]))
      world.run(for: .milliseconds(50))
    }
    world.run(for: .seconds(60))
    for node in others { node.isUp = true }
    world.run(for: .seconds(1_200))
    let item = try ImmutableItem(value: Array("5:hello".utf8))
    let put = world.with(part[3]) { $0.put(item, now: $1) }
    #expect(world.result(of: put, at: part[3]).outcome?.stored == 8)
    #expect(others.contains { $0.dht.status.items == 1 })
    for reader in [others[5], others[9], part[7]] {
      let get = world.with(reader) { $0.get(immutable: item.target, now: $1) }
      #expect(world.result(of: get, at: reader).all.immutable == [item])
    }
  }

  @Test func comparedAndSwapped() throws {
    let world = DHTWorld.network(of: 40, seed: 5)
    let node = world.nodes[1]
    func put(_ number: Int64, cas: Int64?) throws -> DHTOutcome? {
      let item = try Self.item(number)
      let lookup = world.with(node) { $0.put(item, cas: cas, now: $1) }
      return world.result(of: lookup, at: node).outcome
    }
    #expect(try put(1, cas: 0)?.stored == 8)
    #expect(try put(2, cas: 1)?.stored == 8)
    #expect(try put(3, cas: 1)?.errors == [301: 8])
    #expect(try put(3, cas: 2)?.stored == 8)
  }

  @Test func immutableValueIsFound() throws {
    let world = DHTWorld.network(of: 60, seed: 6)
    let item = try ImmutableItem(value: Array("995:".utf8) + [UInt8](repeating: 7, count: 995))
    let put = world.with(world.nodes[1]) { $0.put(item, now: $1) }
    #expect(world.result(of: put, at: world.nodes[1]).outcome?.stored == 8)
    let get = world.with(world.nodes[40]) { $0.get(immutable: item.target, now: $1) }
    let result = world.result(of: get, at: world.nodes[40])
    #expect(result.all.immutable == [item])
    #expect(world.nodes.map(\.longest).max() ?? 0 <= 1_452)
  }

  /// Half of the nodes leave at once: what was found before is found still, in little time.
  @Test(arguments: [UInt64(7), 8, 9])
  func departuresDoNotStall(seed: UInt64) throws {
    let world = DHTWorld.network(of: 120, seed: seed)
    let item = try Self.item(1)
    let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
    #expect(world.result(of: put, at: world.nodes[0]).outcome?.stored == 8)
    for node in world.nodes.dropFirst(2) where world.random.oneIn(2) {
      if node.dht.status.items == 0 { node.isUp = false }
    }
    let keepers = world.nodes.filter { $0.dht.status.items == 1 }
    for node in keepers.prefix(4) { node.isUp = false }
    for reader in world.nodes.filter(\.isUp).prefix(10) {
      let lookup = world.with(reader) {
        $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1)
      }
      let result = world.result(of: lookup, at: reader)
      #expect(result.all.mutable == [item], "seed \(seed)")
      #expect(result.took < .seconds(2), "seed \(seed): \(result.took)")
    }
  }

  @Test func lossIsSurvived() throws {
    let world = DHTWorld.network(of: 60, seed: 10)
    world.loss = 5
    let item = try Self.item(1)
    let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
    #expect((world.result(of: put, at: world.nodes[0]).outcome?.stored ?? 0) >= 5)
    var found = 0
    for reader in world.nodes[20..<40] {
      let lookup = world.with(reader) {
        $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1)
      }
      if world.result(of: lookup, at: reader).all.mutable == [item] { found += 1 }
    }
    #expect(found >= 19)
  }

  /// Both families at once, and a node of both that was told only a place of one.
  @Test func bothFamiliesAreUsed() throws {
    let world = DHTWorld(seed: 11)
    for number in 0..<12 { world.add(at: DHTWorld.v4(number), bootstrap: [DHTWorld.v4(0)]) }
    for number in 0..<12 { world.add(at: DHTWorld.v6(number), bootstrap: [DHTWorld.v6(0)]) }
    world.run(for: .seconds(20))
    let infohash = SHA1Digest(hashing: Array("x".utf8))
    for endpoint in [DHTWorld.v4(3), DHTWorld.v6(3)] {
      let node = try #require(world.nodes.first { $0.endpoint == endpoint })
      let lookup = world.with(node) {
        $0.findPeers(of: infohash, announcing: 99, isSeed: true, now: $1)
      }
      #expect((world.result(of: lookup, at: node).outcome?.stored ?? 0) >= 8)
    }
    // The world gives a node one place; what comes to the other one is lost, which is enough here:
    // it asks in both networks.
    let both = world.add(
      at: DHTWorld.v4(50), bootstrap: [DHTWorld.v4(0), DHTWorld.v6(0)]
    ) { $0.families = [.v4, .v6] }
    let status = both.dht.status
    #expect(status.v4 != nil && status.v6 != nil && status.v4?.id != status.v6?.id)
    #expect(status.packetsOut == 2)
  }

  /// A node that begins with what it knew finds something without any configured node.
  @Test func stateIsOfUse() throws {
    let world = DHTWorld.network(of: 50, seed: 12)
    let item = try Self.item(1)
    let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
    #expect(world.result(of: put, at: world.nodes[0]).outcome?.stored == 8)
    let state = world.nodes[9].dht.state
    #expect(state.nodes.count >= 8)
    let again = try DHTState(decoding: state.encoded)
    #expect(again == state)
    let node = world.add(at: DHTWorld.v4(200), bootstrap: [], saved: again)
    let lookup = world.with(node) { $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1) }
    let result = world.result(of: lookup, at: node)
    #expect(result.all.mutable == [item] && result.took < .seconds(1))
  }

  @Test func corruptStateIsNamed() {
    #expect(throws: DHTStateError.self) { try DHTState(decoding: []) }
    #expect(throws: DHTStateError.wrongField("id")) {
      try DHTState(decoding: Array("d2:id3:abce".utf8))
    }
    #expect(throws: DHTStateError.wrongField("nodes")) {
      try DHTState(decoding: Array("d5:nodes3:abce".utf8))
    }
    #expect(throws: DHTStateError.wrongField("")) { try DHTState(decoding: Array("le".utf8)) }
  }

  /// A lookup that begins before any node is known goes on as soon as one is.
  @Test func lookupBeginsWithTheNode() throws {
    let world = DHTWorld.network(of: 30, seed: 13)
    let item = try Self.item(1)
    let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
    #expect(world.result(of: put, at: world.nodes[0]).outcome?.stored == 8)
    let late = world.add(at: DHTWorld.v4(300), bootstrap: [DHTWorld.v4(2)])
    let lookup = world.with(late) { $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1) }
    let result = world.result(of: lookup, at: late)
    #expect(result.all.mutable == [item] && result.took < .seconds(1))
    // And one that was told of no node ends by itself.
    let alone = world.add(at: DHTWorld.v4(301), bootstrap: [])
    let vain = world.with(alone) { $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1) }
    let end = world.result(of: vain, at: alone)
    #expect(end.outcome == DHTOutcome() && end.took < .seconds(6))
    world.with(alone) { $0.addNodes([DHTWorld.v4(4)], now: $1) }
    let third = world.with(alone) { $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1) }
    #expect(world.result(of: third, at: alone).all.mutable == [item])
  }

  /// Days pass at once, as after a suspended machine: tables recover.
  @Test func jumpOfTheClockIsSurvived() throws {
    let world = DHTWorld.network(of: 40, seed: 14)
    world.jump(by: .seconds(3 * 86_400))
    world.run(for: .seconds(120))
    for node in world.nodes { #expect((node.dht.status.v4?.goodNodes ?? 0) >= 8) }
    let item = try Self.item(1)
    let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
    #expect(world.result(of: put, at: world.nodes[0]).outcome?.stored == 8)
    let node = world.nodes[0]
    node.dht.handleTimeout(now: .seconds(Int64.max))
    node.dht.handleTimeout(now: .zero)
    #expect(node.dht.status.items == 0)
  }

  /// Sockets are idle when nothing happens: packets of an hour, each node.
  @Test func upkeepIsQuiet() {
    let world = DHTWorld.network(of: 30, seed: 15)
    let before = world.packets
    world.run(for: .seconds(3_600))
    let each = (world.packets - before) / 30
    #expect(each < 1_500, "\(each) packets a node and hour")
    for node in world.nodes { #expect((node.dht.status.v4?.goodNodes ?? 0) >= 8) }
  }
}
