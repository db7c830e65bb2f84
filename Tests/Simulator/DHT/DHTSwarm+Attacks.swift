import Discovery
import Metainfo
import TestSupport
import Wire

/// What hostile hosts do by themselves.
extension DHTSwarm {
  /// Attacks of one host, now and again.
  func attack(_ host: DHTHost) {
    guard host.isUp else { return }
    switch host.vice {
    case .reflector?:
      reflect(host)
      world.after(seconds: Double.random(in: 1...3, using: &world.random)) { [self] in
        attack(host)
      }
    case .flooder?:
      flood(host)
      world.after(seconds: Double.random(in: 2...6, using: &world.random)) { [self] in
        attack(host)
      }
    default: return
    }
  }

  /// Queries in the name of somebody who is not part of it, and answers in the names of others.
  private func reflect(_ host: DHTHost) {
    let known = host.dht.state.nodes
    guard !known.isEmpty else { return }
    for _ in 0..<4 {
      let to = world.random.pick(known).endpoint
      let query = KRPCQuery(
        id: NodeID.random(using: &world.random), isReadOnly: world.random.chance(of: 500),
        method: method())
      let message = KRPCMessage(transaction: world.random.bytes(2), body: .query(query))
      world.send(message.encoded, from: victim(), to: to, by: host)
      var response = KRPCResponse(id: world.random.pick(known).id)
      response.nodes = underworld.members.isEmpty ? [] : [world.random.pick(underworld.members)]
      let answer = KRPCMessage(transaction: world.random.bytes(4), body: .response(response))
      world.send(answer.encoded, from: world.random.pick(known).endpoint, to: to, by: host)
    }
  }

  /// One of eight who have nothing to do with the DHT.
  private func victim() -> PeerEndpoint {
    let bits = UInt32(0x2c00_0001) + UInt32.random(in: 0..<8, using: &world.random) << 8
    return PeerEndpoint(address: .v4(IPv4Address(rawValue: bits)), port: 80)
  }

  private func method() -> KRPCMethod {
    let target =
      world.random.chance(of: 700)
      ? NodeID(MutableItem.target(of: world.random.pick(datasets).key))
      : NodeID.random(using: &world.random)
    switch Int.random(in: 0..<4, using: &world.random) {
    case 0: return .ping
    case 1: return .findNode(target: target, want: [.v4, .v6])
    case 2: return .getPeers(.init(infohash: target, want: [.v4, .v6], scrape: true))
    default: return .get(target: target, newerThan: nil, want: [.v4, .v6])
    }
  }

  /// A burst of queries at one node, and something stored that nobody wants.
  private func flood(_ host: DHTHost) {
    let known = host.dht.state.nodes
    guard !known.isEmpty else { return }
    let to = world.random.pick(known).endpoint
    for _ in 0..<Int.random(in: 10...60, using: &world.random) {
      let query = KRPCQuery(id: host.nodeID, method: method())
      let message = KRPCMessage(transaction: world.random.bytes(4), body: .query(query))
      world.send(message.encoded, from: host.endpoint, to: to, by: host)
    }
    guard world.random.chance(of: 200) else { return }
    let bytes = world.random.bytes(900)
    if let item = try? ImmutableItem(value: Array("900:".utf8) + bytes) {
      _ = world.with(host) { $0.put(item, now: $1) }
    }
    let infohash = SHA1Digest(hashing: bytes)
    _ = world.with(host) { $0.findPeers(of: infohash, announcing: 1, isSeed: true, now: $1) }
  }
}
