import Metainfo
import TestSupport
import Testing
import Wire

@testable import Swarm

private let us = endpoint("198.51.100.7:6881")

extension PeerList {
  fileprivate mutating func next(_ now: Duration) -> PeerEndpoint? {
    next(now: now, us: [us.address], port: us.port)
  }
}

@Suite struct PolicyPeerListTests {
  @Test func namedComeFirstInTheirOrderThenByPriority() {
    var list = PeerList()
    let others = (1...30).map { endpoint("203.\($0).2.1:6881") }
    let named = [endpoint("192.0.2.9:1"), endpoint("192.0.2.8:1"), others[4]]
    for other in others { list.add(other, source: .dht, now: .zero) }
    for peer in named { list.add(peer, source: .user, now: .zero) }
    let rest = others.filter { $0 != others[4] }
      .sorted { slowPriority($0, us) > slowPriority($1, us) }
    // What was known before keeps its place among the named: it was there first.
    let expected = [others[4], named[0], named[1]] + rest
    let given = (0..<40).compactMap { _ in list.next(.zero) }
    #expect(given == expected)
    #expect(list.nextDeadline(now: .zero) == nil)
  }

  @Test func placesOfNoPeerAreRefused() {
    var list = PeerList()
    for text in ["0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1", "[ff02::1]:1", "[::]:1"] {
      let added = list.add(endpoint(text), source: .user, now: .zero)
      #expect(!added, "\(text)")
    }
    let none = list.add(
      PeerEndpoint(address: us.address, port: 0), source: .user, now: .zero)
    #expect(!none)
    list.exclude(us)
    let own = list.add(us, source: .user, now: .zero)
    #expect(!own)
    #expect(list.count == 0)
  }

  /// Who is given up and heard on the local network is there again: one attempt each time it is heard,
  /// and no sooner than the wait after the last one.
  @Test func theLocalNetworkBringsPeersBack() {
    var list = PeerList()
    let peer = endpoint("192.168.1.5:6881")
    list.add(peer, source: .local, now: .zero)
    var now = Duration.zero
    while let due = list.nextDeadline(now: now) {
      now = due
      #expect(list.next(now) == peer)
      list.failed(peer, now: now)
    }
    let last = now
    list.add(peer, source: .dht, now: last + .seconds(200))
    #expect(list.nextDeadline(now: last + .seconds(200)) == nil, "the DHT says it for half an hour")
    for second in 0..<400 { list.add(peer, source: .local, now: last + .seconds(second)) }
    now = last + .seconds(400)
    #expect(list.next(now) == peer)
    list.failed(peer, now: now)
    var attempts = 0
    for second in 0..<3_600 {
      list.add(peer, source: .local, now: now + .seconds(second))
      guard list.next(now + .seconds(second)) != nil else { continue }
      attempts += 1
      list.failed(peer, now: now + .seconds(second))
    }
    #expect((1...45).contains(attempts), "\(attempts) in an hour")
    now += .seconds(3_700)
    list.add(peer, source: .local, now: now)
    #expect(list.next(now) == peer)
    list.connected(peer)
    list.closed(peer, wasUseful: true, now: now)
    #expect(list.failures(of: peer) == 0)
  }

  @Test func mappedAddressesAreTheSamePeer() {
    var list = PeerList()
    list.add(endpoint("192.0.2.1:5"), source: .dht, now: .zero)
    let again = list.add(endpoint("[::ffff:192.0.2.1]:5"), source: .dht, now: .zero)
    #expect(!again)
    let given = list.next(.zero)
    #expect(given == endpoint("192.0.2.1:5"))
    list.failed(endpoint("[::ffff:192.0.2.1]:5"), now: .zero)
    #expect(list.nextDeadline(now: .zero) == .seconds(5))
  }

  @Test func backOffDoublesAndEnds() {
    var list = PeerList()
    let peer = endpoint("192.0.2.1:5")
    list.add(peer, source: .dht, now: .zero)
    var now = Duration.zero
    for wait in [5, 10, 20, 40] {
      #expect(list.connectable(now: now) == 1)
      let given = list.next(now)
      #expect(given == peer)
      list.failed(peer, now: now)
      #expect(list.connectable(now: now + .seconds(wait) - .nanoseconds(1)) == 0)
      #expect(list.nextDeadline(now: now) == now + .seconds(wait))
      now += .seconds(wait)
    }
    let last = list.next(now)
    #expect(last == peer)
    list.failed(peer, now: now)
    #expect(list.nextDeadline(now: now) == nil)
    // Told of again: not at once, but later.
    list.add(peer, source: .dht, now: now + .seconds(60))
    #expect(list.nextDeadline(now: now) == nil)
    list.add(peer, source: .dht, now: now + .seconds(2_000))
    #expect(list.nextDeadline(now: now) == now + .seconds(2_000))
  }

  @Test func namedPeersAreTriedForEver() {
    var list = PeerList()
    let peer = endpoint("192.0.2.1:5")
    list.add(peer, source: .user, now: .zero)
    var now = Duration.zero
    for attempt in 0..<100 {
      let given = list.next(now)
      #expect(given == peer)
      list.failed(peer, now: now)
      let wait = Duration.seconds(attempt < 4 ? 1 << attempt : 15)
      #expect(NamedRetry.wait(after: attempt + 1) == wait)
      #expect(list.nextDeadline(now: now) == now + wait)
      now += wait
    }
  }

  @Test func namesBeyondTheBoundAreOrdinary() {
    var list = PeerList()
    for number in 0..<200 {
      list.add(endpoint("192.0.\(number).1:5"), source: .user, now: .zero)
    }
    var now = Duration.zero
    for _ in 0..<5 {
      while let peer = list.next(now) { list.failed(peer, now: now) }
      now += .seconds(600)
    }
    #expect(list.connectable(now: now) == PolicyLimits.namedPeers)
  }

  @Test func whoIsReachedAndDoesNotShareIsCounted() {
    var list = PeerList()
    let peers = [endpoint("192.0.2.1:5"), endpoint("192.0.2.2:5")]
    for peer in peers { list.add(peer, source: .user, now: .zero) }
    #expect(list.next(.zero) == peers[0] && list.next(.zero) == peers[1])
    list.failed(peers[0], isRefusal: true, now: .zero)
    list.failed(peers[1], now: .zero)
    #expect(list.refusing == 1)
    // Until it turns out otherwise.
    #expect(list.next(.seconds(5)) == peers[0])
    #expect(list.refusing == 1)
    list.connected(peers[0])
    #expect(list.refusing == 0)
  }

  @Test func usefulPeersAreForgiven() {
    var list = PeerList()
    let peer = endpoint("192.0.2.1:5")
    list.add(peer, source: .exchange, now: .zero)
    for round in 0..<20 {
      let now = Duration.seconds(round * 1_000)
      _ = list.next(now)
      list.connected(peer)
      #expect(list.nextDeadline(now: now) == nil)
      list.closed(peer, wasUseful: round < 10, now: now)
    }
    // Ten times useful, then five times not: given up.
    #expect(list.nextDeadline(now: .zero) == nil)
  }

  @Test func whoCameToUsIsNotConnectedTo() {
    var list = PeerList()
    let peer = endpoint("192.0.2.1:5")
    list.add(peer, source: .incoming, now: .zero)
    list.connected(peer, isIncoming: true)
    #expect(list.connectable(now: .seconds(9)) == 0)
    // An attempt crosses: the list does not give it out before both are gone.
    list.closed(peer, wasUseful: true, now: .zero)
    _ = list.next(.seconds(5))
    list.connected(peer, isIncoming: true)
    list.connected(peer)
    list.closed(peer, wasUseful: false, now: .seconds(5))
    #expect(list.nextDeadline(now: .zero) == nil)
    list.closed(peer, wasUseful: true, now: .seconds(6))
    #expect(list.nextDeadline(now: .zero) == .seconds(11))
  }

  @Test func seedsAreOfNoUseToSeeds() {
    var list = PeerList()
    let (seed, leech) = (endpoint("192.0.2.1:5"), endpoint("192.0.3.1:5"))
    list.add(seed, source: .exchange, flags: [.uploadOnly], now: .zero)
    list.add(leech, source: .exchange, flags: [.reachable], now: .zero)
    #expect(list.connectable(now: .zero) == 2)
    list.wantsSeeds = false
    #expect(list.connectable(now: .zero) == 1)
    let given = (list.next(.zero), list.next(.zero))
    #expect(given == (leech, nil))
  }

  // MARK: Liars

  @Test func aBanIsOfTheAddress() {
    var list = PeerList()
    let liar = endpoint("192.0.2.1:5")
    for port in 5...9 { list.add(endpoint("192.0.2.1:\(port)"), source: .dht, now: .zero) }
    list.ban(liar)
    #expect(list.count == 0)
    #expect(list.isBanned(liar.address))
    #expect(list.isBanned(endpoint("192.0.2.1:77")))
    #expect(list.isBanned(endpoint("[::ffff:192.0.2.1]:77")))
    #expect(!list.isBanned(endpoint("192.0.2.2:5")))
    let added = list.add(endpoint("192.0.2.1:6"), source: .dht, now: .zero)
    #expect(!added)
  }

  @Test func onLoopbackItIsOfTheEndpoint() {
    var list = PeerList()
    for port in 5...9 { list.add(endpoint("127.0.0.1:\(port)"), source: .dht, now: .zero) }
    list.ban(endpoint("127.0.0.1:5"))
    list.ban(endpoint("127.0.0.1:5").address)
    #expect(list.count == 4)
    #expect(list.isBanned(endpoint("127.0.0.1:5")))
    #expect(!list.isBanned(endpoint("127.0.0.1:6")))
    #expect(!list.isBanned(endpoint("127.0.0.1:5").address))
  }

  @Test func whomTheUserNamedFallsAlone() {
    var list = PeerList()
    let named = [endpoint("192.0.2.1:5"), endpoint("192.0.2.1:6")]
    for peer in named { list.add(peer, source: .user, now: .zero) }
    list.ban(named[0])
    #expect(list.isBanned(named[0]))
    #expect(!list.isBanned(named[1]))
    #expect(list.count == 1)
    let again = list.add(named[0], source: .user, now: .zero)
    #expect(!again)
    // The address, by itself: the others there go, the named one stays.
    list.add(endpoint("192.0.2.1:7"), source: .dht, now: .zero)
    list.ban(named[0].address)
    #expect(list.count == 1)
    #expect(!list.isBanned(named[1]))
    #expect(list.isBanned(endpoint("192.0.2.1:7")))
  }

  @Test func whoIsConnectedWhenBannedGoesAtTheEnd() {
    var list = PeerList()
    let peer = endpoint("192.0.2.1:5")
    list.add(peer, source: .dht, now: .zero)
    _ = list.next(.zero)
    list.connected(peer)
    list.ban(peer)
    #expect(list.count == 1)
    list.closed(peer, wasUseful: true, now: .zero)
    #expect(list.count == 0)
    #expect(list.nextDeadline(now: .zero) == nil)
  }

  @Test func bansAreBounded() {
    var list = PeerList()
    for number in 0..<(PolicyLimits.bans + 1) {
      list.ban(IPAddress.v4(IPv4Address(rawValue: 0xc000_0000 + UInt32(number))))
    }
    #expect(!list.isBanned(IPAddress.v4(IPv4Address(rawValue: 0xc000_0000))))
    #expect(list.isBanned(IPAddress.v4(IPv4Address(rawValue: 0xc000_0001))))
  }

  // MARK: Bounds

  @Test func onePeerCannotFillTheList() {
    var list = PeerList()
    let teller = endpoint("203.0.113.5:1").address
    for number in 0..<1_000 {
      list.add(
        endpoint("1.\(number / 250).\(number % 250).1:5"), source: .exchange, from: teller,
        now: .zero)
    }
    #expect(list.count == PolicyLimits.peersPerTeller)
    let other = list.add(
      endpoint("2.2.2.2:5"), source: .exchange, from: endpoint("203.0.113.6:1").address, now: .zero)
    #expect(other)
  }

  @Test func oneMachineIsNotAimedAt() {
    var list = PeerList()
    for port in 1...100 {
      list.add(endpoint("192.0.2.1:\(port)"), source: .exchange, now: .zero)
      list.add(endpoint("127.0.0.1:\(port)"), source: .dht, now: .zero)
    }
    #expect(list.count == PolicyLimits.endpointsPerAddress + 100)
  }

  /// Who is told of, who tells, and whether it is believed.
  @Test(arguments: [
    ("127.0.0.1:5", "203.0.113.5", false), ("127.0.0.1:5", "192.168.1.1", false),
    ("127.0.0.1:5", "127.0.0.1", true), ("192.168.1.2:5", "203.0.113.5", false),
    ("192.168.1.2:5", "192.168.1.1", true), ("192.168.1.2:5", "127.0.0.1", true),
    ("203.0.113.9:5", "192.168.1.1", true), ("203.0.113.9:5", "203.0.113.5", true),
    ("[::1]:5", "203.0.113.5", false),
  ])
  func strangersDoNotSendUsHome(peer: String, teller: String, isBelieved: Bool) {
    var list = PeerList()
    let added = list.add(
      endpoint(peer), source: .exchange, from: endpoint("\(teller):1").address, now: .zero)
    #expect(added == isBelieved)
  }

  @Test func theListIsBoundedAndKeepsTheBest() {
    var list = PeerList()
    let all = (0..<3_000).map { endpoint("1.\($0 / 250).\($0 % 250).1:5") }
    let named = endpoint("192.0.2.1:5")
    list.add(named, source: .user, now: .zero)
    // So that the priorities by which it chooses are known.
    _ = list.next(.zero)
    let failing = Set(all[..<500])
    for peer in all[..<500] { list.add(peer, source: .dht, now: .zero) }
    while let peer = list.next(.zero) { list.failed(peer, now: .zero) }
    for peer in all[500...] { list.add(peer, source: .dht, now: .zero) }
    #expect(list.count == PolicyLimits.knownPeers)
    let given = (0..<3_000).compactMap { _ in list.next(.seconds(1)) }
    let best = all[500...].sorted { slowPriority($0, us) > slowPriority($1, us) }
    #expect(given == Array(best.prefix(PolicyLimits.knownPeers - 1)))
    #expect(failing.isDisjoint(with: given))
    // All are in use now: nobody can go, whoever comes.
    let refused = list.add(endpoint("192.0.2.2:5"), source: .incoming, now: .zero)
    #expect(!refused)
    list.failed(given[77], now: .seconds(1))
    let taken = list.add(endpoint("192.0.2.2:5"), source: .incoming, now: .zero)
    #expect(taken)
    #expect(list.count == PolicyLimits.knownPeers)
  }
}
