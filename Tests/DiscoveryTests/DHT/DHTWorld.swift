import Discovery
import Metainfo
import TestSupport
import Testing
import Wire

/// Many nodes and the network between them, in one value: what happens follows from a seed.
final class DHTWorld {
  enum Heard {
    case peers([PeerEndpoint])
    case mutable(MutableItem)
    case immutable(ImmutableItem)
    case ended(DHTOutcome, at: Duration)
    case address(IPAddress)
  }

  /// A node; a class, because the value in it is owned by one.
  final class Node {
    var dht: DHT
    let endpoint: PeerEndpoint
    var isUp = true
    /// In place of the node, whatever answers for it.
    var mask: ((KRPCMessage, PeerEndpoint) -> KRPCMessage?)?
    var heard: [(lookup: DHTLookupID?, what: Heard)] = []
    /// What the node said when it was last asked.
    var deadline: Duration?
    /// The longest datagram that was sent.
    var longest = 0

    init(_ dht: consuming DHT, at endpoint: PeerEndpoint) {
      self.dht = dht
      self.endpoint = endpoint
    }
  }

  private struct Letter {
    let at: Duration
    let bytes: [UInt8]
    let from: PeerEndpoint
    let to: PeerEndpoint
  }

  private(set) var now: Duration = .zero
  private(set) var nodes: [Node] = []
  private var places: [PeerEndpoint: Node] = [:]
  private var letters: [Letter] = []
  var random: SplitMix64
  /// One of so many datagrams is lost; 0 for none.
  var loss = 0
  /// From one node to another, and by how much that may vary.
  var delay: Duration = .milliseconds(20)
  var jitter: Duration = .milliseconds(10)
  private(set) var packets = 0

  init(seed: UInt64) { random = SplitMix64(seed: seed) }

  static func v4(_ number: Int, port: UInt16 = 6881) -> PeerEndpoint {
    // Each in a /24 of its own, none of them local.
    let bits = UInt32(0x5000_0001) + UInt32(number) << 8
    return PeerEndpoint(address: .v4(IPv4Address(rawValue: bits)), port: port)
  }

  static func v6(_ number: Int) -> PeerEndpoint {
    let address = IPv6Address(high: 0x2600_0000_0000_0000 + UInt64(number), low: 1)
    return PeerEndpoint(address: .v6(address), port: 6881)
  }

  @discardableResult
  func add(
    at endpoint: PeerEndpoint, bootstrap: [PeerEndpoint], saved: DHTState? = nil,
    change: (inout DHTConfiguration) -> Void = { _ in }
  ) -> Node {
    var configuration = DHTConfiguration()
    configuration.bootstrapNodes = bootstrap
    configuration.knownAddresses = [endpoint.address]
    if case .v4 = endpoint.address {
      configuration.families = .v4
    } else {
      configuration.families = .v6
    }
    change(&configuration)
    let node = Node(
      DHT(configuration: configuration, saved: saved, seed: random.next(), now: now), at: endpoint)
    nodes.append(node)
    places[endpoint] = node
    drain(node)
    return node
  }

  /// A network of so many nodes that know each other.
  static func network(of count: Int, seed: UInt64) -> DHTWorld {
    let world = DHTWorld(seed: seed)
    for number in 0..<count {
      world.add(at: v4(number), bootstrap: number == 0 ? [] : [v4(0), v4(number / 2)])
      world.run(for: .milliseconds(50))
    }
    world.run(for: .seconds(20))
    return world
  }

  /// Does something with a node, and lets out what comes of it.
  @discardableResult
  func with<Result>(_ node: Node, _ body: (inout DHT, Duration) -> Result) -> Result {
    let result = body(&node.dht, now)
    drain(node)
    return result
  }

  func run(for time: Duration) {
    let end = now + time
    while true {
      var due: Node?
      var dueAt = end
      for node in nodes where node.isUp {
        if let deadline = node.deadline, deadline < dueAt { (due, dueAt) = (node, deadline) }
      }
      if let next = letters.last, next.at <= dueAt {
        letters.removeLast()
        now = max(now, next.at)
        deliver(next)
      } else if let due {
        now = max(now, dueAt)
        due.dht.handleTimeout(now: now)
        drain(due)
        // Else its owner would call it again and again.
        #expect(due.deadline.map { $0 > now } != false)
      } else {
        now = end
        return
      }
    }
  }

  /// Runs until a lookup has ended, and returns what was heard of it.
  func result(
    of lookup: DHTLookupID, at node: Node, within limit: Duration = .seconds(30)
  ) -> (outcome: DHTOutcome?, took: Duration, all: [Heard]) {
    let start = now
    while now - start < limit {
      for (id, what) in node.heard where id == lookup {
        if case .ended(let outcome, let at) = what {
          return (outcome, at - start, node.heard.filter { $0.lookup == lookup }.map(\.what))
        }
      }
      run(for: .milliseconds(20))
    }
    return (nil, limit, node.heard.filter { $0.lookup == lookup }.map(\.what))
  }

  func jump(by time: Duration) { now += time }

  /// A datagram from somewhere, as it is.
  func inject(_ bytes: [UInt8], from: PeerEndpoint, to node: Node) {
    node.dht.receive(bytes, from: from, now: now)
    drain(node)
  }

  private func deliver(_ letter: Letter) {
    guard let node = places[letter.to], node.isUp else { return }
    if let mask = node.mask {
      if let message = try? KRPCMessage(letter.bytes), let answer = mask(message, letter.from) {
        post(answer.encoded, from: node.endpoint, to: letter.from)
      }
      return
    }
    node.dht.receive(letter.bytes, from: letter.from, now: now)
    drain(node)
  }

  private func post(_ bytes: [UInt8], from: PeerEndpoint, to: PeerEndpoint) {
    packets += 1
    if loss > 0, random.oneIn(loss) { return }
    let extra = Int64.random(in: 0...Int64(jitter / .microseconds(1)), using: &random)
    let letter = Letter(
      at: now + delay + .microseconds(extra), bytes: bytes, from: from, to: to)
    // The next one is last; of two at one time the earlier comes first.
    var place = letters.endIndex
    while place > 0, letters[place - 1].at <= letter.at { place -= 1 }
    letters.insert(letter, at: place)
  }

  private func drain(_ node: Node) {
    defer { node.deadline = node.dht.deadline }
    while let effect = node.dht.nextEffect() {
      switch effect {
      case .send(let bytes, let to):
        node.longest = max(node.longest, bytes.count)
        post(bytes, from: node.endpoint, to: to)
      case .peers(let id, let peers): node.heard.append((id, .peers(peers)))
      case .mutable(let id, let item): node.heard.append((id, .mutable(item)))
      case .immutable(let id, let item): node.heard.append((id, .immutable(item)))
      case .ended(let id, let outcome): node.heard.append((id, .ended(outcome, at: now)))
      case .externalAddress(let address): node.heard.append((nil, .address(address)))
      }
    }
  }
}

extension [DHTWorld.Heard] {
  var peers: Set<PeerEndpoint> {
    reduce(into: []) { if case .peers(let some) = $1 { $0.formUnion(some) } }
  }

  var mutable: [MutableItem] {
    compactMap { if case .mutable(let item) = $0 { item } else { nil } }
  }

  var immutable: [ImmutableItem] {
    compactMap { if case .immutable(let item) = $0 { item } else { nil } }
  }
}
