import Metainfo
import TestSupport
import Testing
import Wire

@testable import Swarm

private func contact(_ number: Int, port: UInt16 = 6881) -> PeerExchange.Contact {
  let address = IPAddress.v4(IPv4Address(rawValue: 0x0100_0001 + UInt32(number) << 8))
  return PeerExchange.Contact(endpoint: PeerEndpoint(address: address, port: port))
}

@Suite struct PolicyExchangeTests {
  @Test func theFirstMessageIsAtOnceTheNextAMinuteLater() {
    var ledger = PeerExchangeLedger()
    let none = ledger.message(current: [], now: .seconds(1))
    #expect(none == nil)
    let first = ledger.message(current: [contact(1)], now: .seconds(2))
    #expect(first?.added == [contact(1)])
    #expect(first?.dropped == [])
    #expect(ledger.nextMessage == .seconds(62))
    let early = ledger.message(current: [contact(2)], now: .seconds(62) - .nanoseconds(1))
    #expect(early == nil)
    let second = ledger.message(current: [contact(2)], now: .seconds(62))
    #expect(second?.added == [contact(2)])
    #expect(second?.dropped == [contact(1).endpoint])
    let same = ledger.message(current: [contact(2)], now: .seconds(200))
    #expect(same == nil)
  }

  @Test func whoComesAndGoesInBetweenIsNotTold() {
    var ledger = PeerExchangeLedger()
    _ = ledger.message(current: [contact(1)], now: .zero)
    _ = ledger.message(current: [contact(1), contact(2)], now: .seconds(30))
    let message = ledger.message(current: [contact(1)], now: .seconds(60))
    #expect(message == nil)
  }

  @Test func theReceiverIsNotToldOfItself() {
    var ledger = PeerExchangeLedger()
    let message = ledger.message(
      current: [contact(1), contact(2)], except: contact(1).endpoint, now: .zero)
    #expect(message?.added == [contact(2)])
  }

  @Test func privateTorrentsTellNothing() {
    var ledger = PeerExchangeLedger(isPrivate: true)
    let message = ledger.message(current: [contact(1)], now: .zero)
    #expect(message == nil)
    #expect(ledger.nextMessage == nil)
    var told = PeerExchange()
    told.added = [contact(1)]
    let accepted = ledger.accept(told, now: .zero)
    #expect(accepted == nil)
  }

  /// Whoever believes the messages knows at every moment peers that were there a moment ago, and after
  /// some quiet minutes all of them.
  @Test(arguments: UInt64(0)..<20)
  func theOtherSideIsInTheKnow(seed: UInt64) throws {
    var rng = SplitMix64(seed: seed)
    var ledger = PeerExchangeLedger()
    var current: [PeerExchange.Contact] = []
    var known: Set<PeerEndpoint> = []
    var last: Duration?
    for second in 0..<3_600 {
      let now = Duration.seconds(second)
      if second < 2_400, rng.oneIn(3) {
        let index = Int.random(in: 0..<180, using: &rng)
        if let place = current.firstIndex(of: contact(index)) {
          current.remove(at: place)
        } else {
          current.append(contact(index))
        }
        // A caller that is not careful.
        if rng.oneIn(4), let twice = current.randomElement(using: &rng) { current.append(twice) }
        if rng.oneIn(9) { current.append(contact(index, port: 0)) }
      }
      guard let message = ledger.message(current: current, now: now) else { continue }
      if let last { #expect(now - last >= .seconds(60), "seed \(seed)") }
      last = now
      let added = message.added.map(\.endpoint)
      #expect(added.count <= 50 && message.dropped.count <= 50, "seed \(seed)")
      #expect(!added.isEmpty || !message.dropped.isEmpty, "seed \(seed)")
      #expect(Set(added).count == added.count, "seed \(seed)")
      #expect(Set(message.dropped).count == message.dropped.count, "seed \(seed)")
      #expect(Set(added).isDisjoint(with: message.dropped), "seed \(seed)")
      #expect(known.isDisjoint(with: added), "seed \(seed)")
      #expect(known.isSuperset(of: message.dropped), "seed \(seed)")
      #expect(added.allSatisfy { $0.port > 0 }, "seed \(seed)")
      known.formUnion(added)
      known.subtract(message.dropped)
    }
    #expect(known == Set(current.map(\.endpoint).filter { $0.port > 0 }), "seed \(seed)")
    #expect(known.count > 20)
  }

  @Test func theLedgerIsBounded() {
    var ledger = PeerExchangeLedger()
    for minute in 0..<100 {
      // All of them others each minute: more than can be told to have left.
      let current = (0..<200).map { contact(minute * 200 + $0) }
      let message = ledger.message(current: current, now: .seconds(60 * minute))
      #expect((message?.added.count ?? 0) <= 50)
      #expect((message?.dropped.count ?? 0) == (minute == 0 ? 0 : 50))
    }
  }

  // MARK: Accepting

  @Test func messagesThatComeTooOftenAreIgnored() {
    var ledger = PeerExchangeLedger()
    var message = PeerExchange()
    message.added = [contact(1)]
    var accepted: [Int] = []
    for second in [0, 1, 29, 30, 59, 61, 120, 130, 149, 150] {
      if ledger.accept(message, now: .seconds(second)) != nil { accepted.append(second) }
    }
    #expect(accepted == [0, 30, 61, 120, 150])
  }

  @Test func onlyTheFirstMessageMayBeLong() {
    var ledger = PeerExchangeLedger()
    var message = PeerExchange()
    message.added = (0..<100).map { contact($0) }
    let counts = (0..<3).map { ledger.accept(message, now: .seconds(60 * $0))?.count }
    #expect(counts == [100, 50, 50])
  }

  @Test func ofAnAddressOneIsTaken() {
    var ledger = PeerExchangeLedger()
    var message = PeerExchange()
    let taken = [
      endpoint("192.0.2.1:5"), endpoint("127.0.0.1:5"), endpoint("127.0.0.1:6"),
      endpoint("192.168.0.1:5"), endpoint("192.168.0.1:6"),
    ]
    let left = [
      endpoint("192.0.2.1:6"), endpoint("[::ffff:192.0.2.1]:7"), endpoint("127.0.0.1:5"),
      endpoint("0.0.0.0:5"), PeerEndpoint(address: endpoint("192.0.2.3:1").address, port: 0),
      endpoint("224.0.0.1:5"),
    ]
    message.added = (taken + left).map { PeerExchange.Contact(endpoint: $0) }
    let accepted = ledger.accept(message, now: .zero)
    #expect(accepted?.map(\.endpoint) == taken)
  }
}
