import Discovery
import Metainfo
import TestSupport
import Wire

/// What hostile hosts answer.
extension DHTSwarm {
  /// A hostile host was sent something. Returns false where its node is to see to it, as an honest one.
  func lie(_ host: DHTHost, _ datagram: Datagram) -> Bool {
    guard let vice = host.vice, let message = try? KRPCMessage(datagram.bytes),
      case .query(let query) = message.body
    else { return false }
    learn(query)
    if case .ping = query.method { return false }
    var response = KRPCResponse(id: host.nodeID)
    response.token = [1, 2, 3, 4]
    let target = query.method.target ?? response.id
    switch vice {
    case .mute: return true
    case .babbler:
      world.send(babble(message), from: host.endpoint, to: datagram.from, by: host)
      return true
    case .inventor: response.nodes = invented(next: target, host, count: 8)
    case .cartel: response.nodes = accomplices(next: target)
    case .hoarder: response.nodes = lists(of: host, next: target)
    case .replayer:
      response.nodes = lists(of: host, next: target)
      give(underworld.oldest[target.digest], to: &response)
    case .forger:
      response.nodes = lists(of: host, next: target)
      forge(query, &response)
    case .peerForger:
      response.nodes = lists(of: host, next: target)
      response.peers = (0..<50).map { _ in nowhere() }
    case .giant:
      response.nodes = invented(next: target, host, count: 16)
      response.peers = (0..<Int.random(in: 20...400, using: &world.random)).map { _ in nowhere() }
    case .reflector, .flooder: return false
    case .sybil, .pretender:
      response.nodes = accomplices(next: target)
      if world.random.chance(of: 500) {
        give(underworld.oldest[target.digest], to: &response)
      } else {
        forge(query, &response)
      }
    }
    underworld.lies += 1
    let answer = KRPCMessage(
      transaction: message.transaction, requester: requester(datagram.from, vice),
      body: .response(response))
    world.send(answer.encoded, from: host.endpoint, to: datagram.from, by: host)
    return true
  }

  /// Where the one that asks is: some tell others that they are somewhere else.
  private func requester(_ endpoint: PeerEndpoint, _ vice: DHTVice) -> PeerEndpoint {
    switch vice {
    case .sybil, .cartel, .pretender: nowhere()
    default: endpoint
    }
  }

  /// Heads that others put are what liars replay.
  private func learn(_ query: KRPCQuery) {
    guard case .put(let put) = query.method, let owner = put.owner,
      let dataset = datasets.first(where: { $0.key == owner.key }),
      let item = dataset.item(owner.sequence), item.value == put.value
    else { return }
    underworld.saw(item)
  }

  /// Somewhere nobody is.
  func nowhere() -> PeerEndpoint {
    let bits = 0x2d00_0000 | UInt32.random(in: 0...0x00ff_ffff, using: &world.random)
    return PeerEndpoint(
      address: .v4(IPv4Address(rawValue: bits)),
      port: UInt16.random(in: 1...UInt16.max, using: &world.random))
  }

  private func lists(of host: DHTHost, next target: NodeID) -> [NodeContact] {
    let known = host.dht.state.nodes
    return Array(
      known.sorted { $0.id.distance(to: target) < $1.id.distance(to: target) }.prefix(8))
  }

  private func accomplices(next target: NodeID) -> [NodeContact] {
    var best: [NodeContact] = []
    // Not the best of all, which would cost a look at all of them each time.
    for _ in 0..<32 {
      guard !underworld.members.isEmpty else { break }
      let member = world.random.pick(underworld.members)
      if !best.contains(where: { $0.endpoint == member.endpoint }) { best.append(member) }
    }
    best.sort { $0.id.distance(to: target) < $1.id.distance(to: target) }
    return Array(best.prefix(8))
  }

  /// Nodes next to the target: with ids that fit their addresses, and with better ones that do not; at
  /// places where nobody is, and at the liar's own.
  private func invented(next target: NodeID, _ host: DHTHost, count: Int) -> [NodeContact] {
    (0..<count).map { index in
      var place = nowhere()
      if index == 0 { place = PeerEndpoint(address: host.endpoint.address, port: place.port) }
      if index.isMultiple(of: 3) {
        return NodeContact(
          id: .random(near: target, bits: 60, using: &world.random), endpoint: place)
      }
      let id = NodeID.random(for: place.address, using: &world.random).leaning(to: target)
      return NodeContact(id: id, endpoint: place)
    }
  }

  private func give(_ item: MutableItem?, to response: inout KRPCResponse) {
    guard let item else { return }
    response.key = item.key
    response.sequence = item.sequence
    response.value = item.value
    response.signature = item.signature
  }

  /// A newer head that nobody has signed, or signed for another number; or another value.
  private func forge(_ query: KRPCQuery, _ response: inout KRPCResponse) {
    guard case .get(let target, _, _) = query.method else { return }
    guard let item = underworld.newest[target.digest] else {
      response.value = Array("4:lies".utf8)
      return
    }
    give(item, to: &response)
    switch Int.random(in: 0..<4, using: &world.random) {
    case 0: response.sequence = item.sequence + Int64.random(in: 1...1_000, using: &world.random)
    case 1: response.value = Array("d2:ih20:aaaaaaaaaaaaaaaaaaaae".utf8)
    case 2: response.key = datasets.first { $0.key != item.key }?.key
    // Only the number, which nothing proves.
    default:
      (response.sequence, response.value, response.key, response.signature) =
        (.max, nil, nil, nil)
    }
  }

  private func babble(_ message: KRPCMessage) -> [UInt8] {
    var answer = KRPCMessage(
      transaction: message.transaction, body: .response(KRPCResponse(id: .zero))
    ).encoded
    switch Int.random(in: 0..<5, using: &world.random) {
    case 0: return world.random.bytes(Int.random(in: 0...3_000, using: &world.random))
    case 1: return Array(answer.dropLast(Int.random(in: 1...20, using: &world.random)))
    case 2:
      let place = Int.random(in: answer.indices, using: &world.random)
      answer[place] ^= UInt8.random(in: 1...255, using: &world.random)
      return answer
    case 3: return [UInt8](repeating: UInt8(ascii: "l"), count: 1_400)
    default: return message.encoded
    }
  }
}

extension NodeID {
  /// The id nearest to a target that is allowed where this one is: 21 bits and the last three stay.
  /// BEP 42.
  func leaning(to target: NodeID) -> NodeID {
    var bytes = target.bytes
    let own = self.bytes
    bytes[0] = own[0]
    bytes[1] = own[1]
    bytes[2] = own[2] & 0xf8 | bytes[2] & 0x07
    bytes[19] = own[19]
    return NodeID(bytes) ?? self
  }
}

extension KRPCMethod {
  /// What it is about.
  var target: NodeID? {
    switch self {
    case .findNode(let target, _), .get(let target, _, _): target
    case .getPeers(let arguments): arguments.infohash
    case .announcePeer(let arguments): arguments.infohash
    case .put(let put): put.owner.map { NodeID(MutableItem.target(of: $0.key, salt: $0.salt)) }
    case .ping, .sampleInfohashes, .unknown: nil
    }
  }
}
