import Discovery
import Metainfo
import TestSupport
import Testing
import Wire

/// Nodes that lie, and datagrams that are forged.
@Suite struct DHTHostileTests {
  /// A fifth of the nodes tell values with wrong signatures, older values, peers nobody announced at
  /// places that cannot be, and nodes ever closer to the target that are not there.
  @Test(arguments: [UInt64(1), 2, 3])
  func liarsDoNotPrevail(seed: UInt64) throws {
    let world = DHTWorld.network(of: 100, seed: 100 + seed)
    let old = try DHTNetworkTests.item(1)
    let new = try DHTNetworkTests.item(2)
    for number in stride(from: 4, to: 100, by: 5) {
      let node = world.nodes[number]
      guard let id = node.dht.status.v4?.id else { continue }
      var random = SplitMix64(seed: seed + UInt64(number))
      node.mask = { message, from in
        guard case .query(let query) = message.body else { return nil }
        var response = KRPCResponse(id: id)
        response.token = [1, 2, 3]
        switch query.method {
        case .get(let target, _, _), .findNode(let target, _):
          response.nodes = (0..<8).map { index in
            let near = NodeID.random(near: target, bits: 60 + index, using: &random)
            // Nobody there, the liar itself, or the one that asks.
            switch index {
            case 0: return NodeContact(id: near, endpoint: node.endpoint)
            case 1: return NodeContact(id: near, endpoint: from)
            default:
              let place = Int.random(in: 10_000..<900_000, using: &random)
              return NodeContact(id: near, endpoint: DHTWorld.v4(place))
            }
          }
        default: break
        }
        if case .get = query.method {
          response.key = old.key
          if number.isMultiple(of: 2) {
            response.sequence = 9
            response.value = Array("i9e".utf8)
            response.signature = old.signature
          } else {
            response.sequence = old.sequence
            response.value = old.value
            response.signature = old.signature
          }
        }
        return KRPCMessage(transaction: message.transaction, body: .response(response))
      }
    }
    for item in [old, new] {
      let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
      let result = world.result(of: put, at: world.nodes[0])
      #expect((result.outcome?.stored ?? 0) >= 4, "seed \(seed)")
    }
    var found = 0
    let readers = world.nodes.filter { $0.mask == nil }.suffix(20)
    for reader in readers {
      let lookup = world.with(reader) {
        $0.get(mutable: new.key, salt: [], newerThan: nil, now: $1)
      }
      let result = world.result(of: lookup, at: reader)
      #expect(result.outcome != nil && result.took < .seconds(5), "\(result.took)")
      #expect((result.outcome?.asked ?? 0) <= 96)
      #expect(result.all.mutable.allSatisfy { $0 == old || $0 == new })
      if result.all.mutable.last == new { found += 1 }
    }
    #expect(found >= 19, "seed \(seed): \(found) of \(readers.count)")
  }

  /// Many nodes with one address, next to the target: with ids that fit their address, or without.
  @Test func sybilsOfOneNetworkAreFew() throws {
    let world = DHTWorld.network(of: 60, seed: 31)
    let item = try DHTNetworkTests.item(1)
    var random = SplitMix64(seed: 5)
    let target = NodeID(item.target)
    // Thirty of one /24, in everyone's way: they claim to know only each other.
    var sybils: [NodeContact] = []
    for number in 0..<30 {
      let address = IPv4Address(rawValue: 0x6000_0001 + UInt32(number))
      sybils.append(
        NodeContact(
          id: .random(near: target, bits: 30, using: &random),
          endpoint: PeerEndpoint(address: .v4(address), port: 1)))
    }
    for sybil in sybils {
      let node = world.add(at: sybil.endpoint, bootstrap: [])
      let claims = Array(sybils.shuffled(using: &random).prefix(8))
      node.mask = { message, _ in
        guard case .query = message.body else { return nil }
        var response = KRPCResponse(id: sybil.id)
        response.nodes = claims
        response.token = [1]
        return KRPCMessage(transaction: message.transaction, body: .response(response))
      }
    }
    for node in world.nodes where node.mask == nil {
      world.with(node) { $0.addNodes(sybils.map(\.endpoint), now: $1) }
    }
    world.run(for: .seconds(30))
    let put = world.with(world.nodes[0]) { $0.put(item, cas: nil, now: $1) }
    _ = world.result(of: put, at: world.nodes[0])
    let honest = world.nodes.filter { $0.mask == nil && $0.dht.status.items == 1 }
    #expect(honest.count == 8)
    let reader = world.nodes[33]
    let get = world.with(reader) { $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1) }
    #expect(world.result(of: get, at: reader).all.mutable == [item])
  }

  /// An answer counts from the place that was asked, with the transaction of the question.
  @Test func forgedAnswersAreIgnored() throws {
    let configuration = DHTConfiguration()
    var dht = DHT(configuration: configuration, saved: nil, seed: 9, now: .zero)
    dht.addNodes([DHTWorld.v4(1)], now: .zero)
    var question: KRPCMessage?
    while let effect = dht.nextEffect() {
      if case .send(let bytes, _) = effect { question = try KRPCMessage(bytes) }
    }
    let asked = try #require(question)
    #expect(asked.transaction.count == 4)
    var random = SplitMix64(seed: 1)
    let id = NodeID.random(for: DHTWorld.v4(1).address, using: &random)
    var answer = KRPCMessage(
      transaction: asked.transaction, body: .response(KRPCResponse(id: id)))
    dht.receive(answer.encoded, from: DHTWorld.v4(2), now: .zero)
    dht.receive(answer.encoded, from: DHTWorld.v4(1, port: 7), now: .zero)
    answer.transaction[0] ^= 1
    dht.receive(answer.encoded, from: DHTWorld.v4(1), now: .zero)
    answer.transaction = []
    dht.receive(answer.encoded, from: DHTWorld.v4(1), now: .zero)
    #expect(dht.status.v4?.goodNodes == 0)
    dht.receive(asked.encoded, from: DHTWorld.v4(1), now: .zero)
    answer.transaction = asked.transaction
    // As a socket for both families has it.
    let mapped = IPAddress.v6(IPv6Address(high: 0, low: 0xffff_0000_0000 | 0x5000_0101))
    dht.receive(answer.encoded, from: PeerEndpoint(address: mapped, port: 6881), now: .zero)
    #expect(dht.status.v4?.goodNodes == 1)
  }

  /// A node whose id does not fit its address is asked, but not kept. BEP 42.
  @Test(arguments: [true, false])
  func wrongIDsAreNotKept(enforces: Bool) throws {
    let world = DHTWorld(seed: 40)
    var random = SplitMix64(seed: 3)
    let id = NodeID.random(using: &random)
    let node = world.add(at: DHTWorld.v4(1), bootstrap: [DHTWorld.v4(2)]) {
      $0.enforcesNodeIDs = enforces
    }
    let other = world.add(at: DHTWorld.v4(2), bootstrap: [])
    other.mask = { message, _ in
      KRPCMessage(transaction: message.transaction, body: .response(KRPCResponse(id: id)))
    }
    world.run(for: .seconds(3))
    #expect(node.dht.status.v4?.goodNodes == (enforces ? 0 : 1))
  }

  /// Others tell our address; when enough agree the id follows. BEP 42.
  @Test func idFollowsTheAddress() throws {
    let world = DHTWorld.network(of: 30, seed: 41)
    let node = world.add(at: DHTWorld.v4(77), bootstrap: [DHTWorld.v4(0)]) {
      $0.knownAddresses = []
    }
    let before = try #require(node.dht.status.v4?.id)
    world.run(for: .seconds(5))
    let after = try #require(node.dht.status.v4)
    #expect(before != after.id && !before.isAllowed(at: node.endpoint.address))
    #expect(after.id.isAllowed(at: node.endpoint.address))
    #expect(after.externalAddress == node.endpoint.address && after.goodNodes >= 8)
    let told = node.heard.compactMap {
      if case .address(let address) = $0.what { address } else { nil }
    }
    #expect(told == [node.endpoint.address])
  }

  /// Two votes do not settle it, nor do many of one network.
  @Test func fewVotesDoNotCount() throws {
    let world = DHTWorld(seed: 42)
    let node = world.add(
      at: DHTWorld.v4(1),
      bootstrap: (0..<20).map { number in
        let bits = UInt32(0x6000_0001 + number)
        return PeerEndpoint(address: .v4(IPv4Address(rawValue: bits)), port: 1)
      }
    ) {
      $0.knownAddresses = []
      $0.enforcesNodeIDs = false
    }
    var random = SplitMix64(seed: 3)
    for number in 0..<20 {
      let bits = UInt32(0x6000_0001 + number)
      let liar = world.add(
        at: PeerEndpoint(address: .v4(IPv4Address(rawValue: bits)), port: 1), bootstrap: [])
      let id = NodeID.random(using: &random)
      liar.mask = { message, _ in
        guard case .query = message.body else { return nil }
        return KRPCMessage(
          transaction: message.transaction, requester: DHTWorld.v4(5),
          body: .response(KRPCResponse(id: id)))
      }
    }
    let before = node.dht.status.v4?.id
    world.run(for: .seconds(60))
    #expect(node.dht.status.v4?.id == before && node.dht.status.v4?.externalAddress == nil)
    #expect(node.dht.status.packetsIn > 10)
  }
}
