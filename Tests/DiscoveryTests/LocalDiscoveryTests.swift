import Metainfo
import TestSupport
import Testing
import Wire

@testable import Discovery

@Suite struct LocalDiscoveryTests {
  static let interface = NetworkInterface(
    index: 3, name: "eth0",
    addresses: [
      .init(.v4(IPv4Address(rawValue: 0x0a00_0001)), prefixLength: 24),
      .init(.v6(IPv6Address(high: 0xfe80 << 48, low: 1)), prefixLength: 64),
    ])
  static let near = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0x0a00_0002)), port: 6_771)

  /// By hand from BEP 14; interop/libtorrent/local_discovery.py reads real ones.
  static let announcement = """
    BT-SEARCH * HTTP/1.1\r\nHost: 239.192.152.143:6771\r\nPort: 6881\r\nInfohash: \
    32f17bbf96bdc77de85bb91ff8d56f124e817c0a\r\ncookie: 1a2b\r\n\r\n\r\n
    """

  @Test func readsAndWritesAnAnnouncement() throws {
    let read = try LocalAnnouncement(parsing: Array(Self.announcement.utf8))
    #expect(read.port == 6_881 && read.cookie == Array("1a2b".utf8))
    #expect(read.infohashes.map(\.hex) == ["32f17bbf96bdc77de85bb91ff8d56f124e817c0a"])
    #expect(read.encoded(to: .v4) == Array(Self.announcement.utf8))
    let v6 = String(decoding: read.encoded(to: .v6), as: UTF8.self)
    #expect(v6.contains("Host: [ff15::efc0:988f]:6771\r\n"))
  }

  @Test func headersComeInAnyOrderAndCase() throws {
    let text =
      "BT-SEARCH * HTTP/1.1\nX-New: 1\ninfohash:\(infohash(1).hex)\nPORT:  7 \nINFOHASH: "
      + "\(infohash(2).hex.uppercased())\n\njunk without an end"
    let read = try LocalAnnouncement(parsing: Array(text.utf8))
    #expect(read == LocalAnnouncement(port: 7, infohashes: [infohash(1), infohash(2)]))
  }

  static let bad: [(String, LocalAnnouncementError.Reason, Int)] = [
    ("", .notASearch, 0), ("GET / HTTP/1.1\r\n", .notASearch, 0),
    ("BT-SEARCH * HTTP/1.1\r\nPort 1\r\n", .noHeader, 22),
    ("BT-SEARCH * HTTP/1.1\r\nPort: 0\r\n", .port, 28),
    ("BT-SEARCH * HTTP/1.1\r\nPort: 65536\r\n", .port, 28),
    ("BT-SEARCH * HTTP/1.1\r\nPort: +1\r\n", .port, 28),
    ("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nPort: 1\r\n", .port, 37),
    ("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\nInfohash: 12\r\n", .infohash, 41),
    ("BT-SEARCH * HTTP/1.1\r\nPort: 1\r\n\r\n", .infohash, 33),
    ("BT-SEARCH * HTTP/1.1\r\n\r\n", .port, 24),
    (String(repeating: "x", count: 2_049), .tooLong, 2_048),
  ]

  @Test(arguments: bad.indices)
  func badAnnouncementsAreErrors(row: Int) {
    let (text, reason, offset) = Self.bad[row]
    #expect(throws: LocalAnnouncementError(offset: offset, reason: reason)) {
      try LocalAnnouncement(parsing: Array(text.utf8))
    }
  }

  /// BEP 14: every five minutes, at most once a minute, within 1,400 bytes, in turn.
  @Test(arguments: [1, 20, 100, 1_000])
  func announcementsArePacedAndFair(count: Int) throws {
    var local = LocalDiscovery(seed: 1, now: .zero)
    local.setInterfaces([Self.interface], now: .zero)
    local.announce((0..<count).map(infohash), port: 6_881, now: .zero)
    var times: [NetworkLink: [Duration]] = [:]
    var said: [SHA1Digest: Int] = [:]
    while let now = local.deadline, now < .seconds(3_600) {
      local.handleTimeout(now: now)
      while case .send(let bytes, let link)? = local.nextEffect() {
        times[link, default: []].append(now)
        #expect(bytes.count <= 1_400)
        for infohash in try LocalAnnouncement(parsing: bytes).infohashes where link.family == .v4 {
          said[infohash, default: 0] += 1
        }
      }
    }
    #expect(times.count == 2)
    for series in times.values {
      for (one, next) in zip(series, series.dropFirst()) { #expect(next - one >= .seconds(60)) }
      #expect(series[0] <= .milliseconds(400))
    }
    #expect(said.count == count)
    let (least, most) = (said.values.min() ?? 0, said.values.max() ?? 0)
    #expect(most - least <= 1)
    #expect(count > 100 || least == 12)
  }

  @Test func hearsOthersAndNotItself() throws {
    var local = LocalDiscovery(seed: 1, now: .zero)
    local.setInterfaces([Self.interface], now: .zero)
    local.announce([infohash(1), infohash(2)], port: 6_881, now: .zero)
    func hear(
      _ infohashes: [Int], cookie: [UInt8]? = nil, from: PeerEndpoint = Self.near, on: UInt32 = 3
    ) -> [LocalDiscoveryEffect] {
      let announcement = LocalAnnouncement(
        port: 7_000, infohashes: infohashes.map(infohash), cookie: cookie)
      local.receive(announcement.encoded(to: .v4), from: from, on: on, now: .seconds(1))
      var effects: [LocalDiscoveryEffect] = []
      while let effect = local.nextEffect() { effects.append(effect) }
      return effects
    }
    let place = PeerEndpoint(address: Self.near.address, port: 7_000)
    #expect(hear([2, 3, 2]) == [.peer(infohash(2), place, interface: 3)])
    #expect(hear([2], cookie: local.cookie).isEmpty)
    #expect(hear([2], on: 4).isEmpty)
    let afar = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0xc633_6401)), port: 6_771)
    #expect(hear([2], from: afar).isEmpty, "an address of the Internet")
    let site = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0xc0a8_0505)), port: 6_771)
    #expect(hear([1], from: site).count == 1, "the group is of the site")
    local.receive([1, 2, 3], from: Self.near, on: 3, now: .seconds(1))
    #expect(local.malformedCount == 1)
    local.withdraw(now: .seconds(2))
    #expect(hear([2]).isEmpty && local.deadline == nil)
  }

  @Test func aNewTorrentIsAnnouncedWhenAMinuteHasPassed() {
    var local = LocalDiscovery(seed: 3, now: .zero)
    local.setInterfaces([Self.interface], now: .zero)
    local.announce([infohash(1)], port: 1, now: .zero)
    local.handleTimeout(now: .seconds(1))
    #expect(local.deadline == .seconds(301))
    local.announce([infohash(1), infohash(2)], port: 1, now: .seconds(10))
    #expect(local.deadline == .seconds(61))
  }
}
