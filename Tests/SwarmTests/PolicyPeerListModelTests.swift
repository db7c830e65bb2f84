import Metainfo
import TestSupport
import Testing
import Wire

@testable import Swarm

/// What `PeerList` should do, by walking all it knows each time. Small lists only: it has no bounds.
private struct SlowPeerList {
  struct Peer {
    var isNamed = false
    var isAttempting = false
    var connections = 0
    var failures = 0
    var notBefore: Duration
    var number: Int
  }

  var peers: [PeerEndpoint: Peer] = [:]
  var banned: Set<IPAddress> = []
  var number = 0

  mutating func add(_ endpoint: PeerEndpoint, isNamed: Bool, now: Duration) {
    if banned.contains(endpoint.address), !isNamed, peers[endpoint]?.isNamed != true { return }
    if var peer = peers[endpoint] {
      if isNamed, !peer.isNamed {
        peer.isNamed = true
        peer.failures = 0
        peer.notBefore = now
      }
      if peer.failures >= 5, !peer.isNamed, now >= peer.notBefore + .seconds(1_800) {
        peer.failures = 0
        peer.notBefore = now
      }
      peers[endpoint] = peer
    } else {
      peers[endpoint] = Peer(isNamed: isNamed, notBefore: now, number: number)
      number += 1
    }
  }

  func candidates() -> [PeerEndpoint: Peer] {
    peers.filter {
      !$0.value.isAttempting && $0.value.connections == 0
        && ($0.value.isNamed || $0.value.failures < 5)
    }
  }

  func next(_ now: Duration, us: PeerEndpoint) -> PeerEndpoint? {
    let ready = candidates().filter { $0.value.notBefore <= now }
    let named = ready.filter(\.value.isNamed)
    if !named.isEmpty {
      return named.min {
        ($0.value.failures, $0.value.number) < ($1.value.failures, $1.value.number)
      }?
      .key
    }
    // Two ports of one address have the same priority.
    return ready.min {
      let (a, b) = (slowPriority($0.key, us), slowPriority($1.key, us))
      return a != b ? a > b : $0.value.number < $1.value.number
    }?.key
  }

  mutating func fail(_ endpoint: PeerEndpoint, _ now: Duration) {
    guard var peer = peers[endpoint] else { return }
    var wait = peer.isNamed ? 1 : 5
    for _ in 0..<peer.failures { wait = min(wait * 2, peer.isNamed ? 15 : 600) }
    peer.notBefore = now + .seconds(wait)
    peer.failures += 1
    peers[endpoint] = peer
  }

  mutating func dropBanned() {
    peers = peers.filter { endpoint, peer in
      peer.isNamed || peer.isAttempting || peer.connections > 0
        || !banned.contains(endpoint.address)
    }
  }
}

@Suite struct PolicyPeerListModelTests {
  @Test(arguments: UInt64(0)..<40)
  func agreesWithTheSlowOne(seed: UInt64) {
    var rng = SplitMix64(seed: seed)
    let us = endpoint("198.51.100.7:6881")
    let all = (0..<25).map { endpoint("203.0.\($0 / 2).1:\(100 + $0 % 2)") }
    var list = PeerList()
    var slow = SlowPeerList()
    var now = Duration.zero
    for _ in 0..<1_500 {
      now += .milliseconds(rng.oneIn(20) ? 60_000 : Int.random(in: 0...3_000, using: &rng))
      let peer = all[Int.random(in: all.indices, using: &rng)]
      let known = slow.peers[peer]
      switch Int.random(in: 0..<20, using: &rng) {
      case 0..<4:
        let isNamed = rng.oneIn(12)
        list.add(peer, source: isNamed ? .user : .dht, now: now)
        slow.add(peer, isNamed: isNamed, now: now)
      case 4..<11:
        let given = list.next(now: now, us: [us.address], port: us.port)
        let expected = slow.next(now, us: us)
        #expect(given == expected, "seed \(seed) at \(now)")
        if let expected { slow.peers[expected]?.isAttempting = true }
      case 11..<14:
        list.failed(peer, now: now)
        if known?.isAttempting == true {
          slow.peers[peer]?.isAttempting = false
          slow.fail(peer, now)
        }
      case 14..<16:
        let isIncoming = known?.isAttempting != true
        list.connected(peer, isIncoming: isIncoming)
        slow.peers[peer]?.connections += 1
        if !isIncoming { slow.peers[peer]?.isAttempting = false }
      case 16..<19:
        let wasUseful = rng.oneIn(2)
        list.closed(peer, wasUseful: wasUseful, now: now)
        guard let known, known.connections > 0 else { break }
        slow.peers[peer]?.connections -= 1
        if wasUseful {
          slow.peers[peer]?.failures = 0
          slow.peers[peer]?.notBefore = now + .seconds(5)
        } else {
          slow.fail(peer, now)
        }
      default:
        guard rng.oneIn(8) else { break }
        list.ban(peer.address)
        slow.banned.insert(peer.address)
      }
      slow.dropBanned()
      #expect(list.count == slow.peers.count, "seed \(seed) at \(now)")
      let candidates = slow.candidates()
      let ready = candidates.filter { $0.value.notBefore <= now }.count
      #expect(list.connectable(now: now) == ready, "seed \(seed) at \(now)")
      let deadline = candidates.map { max($0.value.notBefore, now) }.min()
      #expect(list.nextDeadline(now: now) == deadline, "seed \(seed) at \(now)")
    }
  }
}
