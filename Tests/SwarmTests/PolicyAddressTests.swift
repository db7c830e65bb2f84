import Metainfo
import TestSupport
import Testing
import Wire

@testable import Swarm

/// `192.0.2.1:6881` or `[2001:db8::1]:6881`.
func endpoint(_ text: String) -> PeerEndpoint {
  guard let address = try? PeerAddress(parsing: Array(text.utf8)) else {
    Issue.record("\(text) is no endpoint")
    return PeerEndpoint(address: .v4(IPv4Address(rawValue: 0)), port: 0)
  }
  switch address.host {
  case .ipv4(let host): return PeerEndpoint(address: .v4(host), port: address.port)
  case .ipv6(let host): return PeerEndpoint(address: .v6(host), port: address.port)
  case .name:
    Issue.record("\(text) is a name")
    return PeerEndpoint(address: .v4(IPv4Address(rawValue: 0)), port: address.port)
  }
}

private func address(_ text: String) -> IPAddress {
  endpoint(text.contains(":") ? "[\(text)]:1" : "\(text):1").address
}

@Suite struct PolicyAddressTests {
  @Test func oneMachineHasOneName() {
    #expect(address("::ffff:192.0.2.1").unmapped == address("192.0.2.1"))
    for text in ["192.0.2.1", "::1", "2001:db8::ffff:c000:201", "::192.0.2.1"] {
      #expect(address(text).unmapped == address(text))
    }
  }

  @Test(arguments: [
    ("127.0.0.1", true), ("127.255.0.9", true), ("::1", true), ("126.0.0.1", false),
    ("128.0.0.1", false), ("::2", false), ("1::1", false), ("0.0.0.1", false),
  ])
  func loopback(text: String, isLoopback: Bool) {
    #expect(address(text).isLoopback == isLoopback)
  }

  @Test(arguments: [
    ("10.0.0.1", true), ("11.0.0.1", false), ("172.16.0.1", true), ("172.31.255.255", true),
    ("172.32.0.1", false), ("172.15.0.1", false), ("192.168.3.4", true), ("192.169.0.1", false),
    ("100.64.0.1", true), ("100.127.255.255", true), ("100.128.0.0", false),
    ("100.63.0.0", false), ("169.254.1.1", true), ("169.253.1.1", false), ("127.0.0.1", true),
    ("8.8.8.8", false), ("fc00::1", true), ("fdff::1", true), ("fe00::1", false),
    ("fe80::1", true), ("febf::1", true), ("fec0::1", false), ("2001:db8::1", false),
    ("::1", true),
  ])
  func local(text: String, isLocal: Bool) { #expect(address(text).isLocal == isLocal) }

  @Test(arguments: [
    ("0.0.0.0", false), ("0.1.2.3", false), ("1.0.0.0", true), ("223.255.255.255", true),
    ("224.0.0.1", false), ("239.1.1.1", false), ("240.0.0.1", false),
    ("255.255.255.255", false), ("::", false), ("::1", true), ("ff02::1", false),
    ("fe80::1", true),
  ])
  func unicast(text: String, isUnicast: Bool) { #expect(address(text).isUnicast == isUnicast) }
}

@Suite struct PolicyAllowedFastTests {
  /// The two sets of BEP 6.
  @Test func vectorsOfTheSpecification() throws {
    let infohash = try #require(SHA1Digest(Array(repeating: 0xaa, count: 20)))
    let all: [UInt32] = [1059, 431, 808, 1217, 287, 376, 1188, 353, 508]
    for count in [7, 9] {
      let pieces = AllowedFast.pieces(
        for: address("80.4.4.200"), infohash: infohash, pieceCount: 1313, count: count)
      #expect(pieces == Array(all.prefix(count)))
    }
    let mapped = AllowedFast.pieces(
      for: address("::ffff:80.4.4.200"), infohash: infohash, pieceCount: 1313, count: 9)
    #expect(mapped == all)
  }

  @Test(arguments: UInt64(0)..<50)
  func setsAreDistinctGrowAndEnd(seed: UInt64) throws {
    var rng = SplitMix64(seed: seed)
    let infohash = SHA1Digest(hashing: rng.bytes(8))
    let bits = UInt32.random(in: 0...UInt32.max, using: &rng)
    let peer = IPAddress.v4(IPv4Address(rawValue: bits))
    let neighbour = IPAddress.v4(IPv4Address(rawValue: bits ^ 0x5a))
    let pieceCount = Int.random(in: 1...(rng.oneIn(2) ? 70 : 1 << 24), using: &rng)
    var last: [UInt32] = []
    for count in [0, 1, 2, 9, 10, 11, 64, 1_000] {
      func set(of peer: IPAddress) -> [UInt32] {
        AllowedFast.pieces(for: peer, infohash: infohash, pieceCount: pieceCount, count: count)
      }
      let pieces = set(of: peer)
      #expect(pieces.count == min(count, pieceCount, 64), "seed \(seed)")
      #expect(Set(pieces).count == pieces.count, "seed \(seed)")
      #expect(pieces.allSatisfy { $0 < pieceCount }, "seed \(seed)")
      #expect(Array(pieces.prefix(last.count)) == last, "seed \(seed)")
      #expect(set(of: neighbour) == pieces, "seed \(seed)")
      last = pieces
    }
  }

  @Test func noSetWhereThereIsNoRule() {
    let infohash = SHA1Digest(hashing: [])
    #expect(
      AllowedFast.pieces(
        for: address("2001:db8::1"), infohash: infohash, pieceCount: 9, count: 9
      ).isEmpty)
    for (pieces, count) in [(0, 5), (5, 0), (-1, 5), (5, -1), (1 << 33, 5)] {
      #expect(
        AllowedFast.pieces(
          for: address("192.0.2.1"), infohash: infohash, pieceCount: pieces, count: count
        ).isEmpty)
    }
  }
}

@Suite struct PolicyPeerPriorityTests {
  /// RFC 3720, appendix B.4, has the last three; the first is the usual check of such sums.
  @Test(
    arguments: [
      (Array("123456789".utf8), 0xe306_9283), (Array(repeating: 0, count: 32), 0x8a91_36aa),
      (Array(repeating: 0xff, count: 32), 0x62a8_ab43), (Array(0..<32), 0x46dd_794e),
    ] as [([UInt8], UInt32)])
  func sums(bytes: [UInt8], sum: UInt32) {
    #expect(CRC32C.finish(bytes.reduce(CRC32C.start) { CRC32C.add(UInt64($1), 1, $0) }) == sum)
    #expect(slowCRC32C(bytes) == sum)
  }

  /// BEP 40's two, and the one it gives for equal addresses by its rule alone.
  @Test(
    arguments: [
      ("123.213.32.10:1", "98.76.54.32:2", 0xec2d_7224),
      ("123.213.32.10:1", "123.213.32.234:2", 0x9956_8189),
    ] as [(String, String, UInt32)])
  func vectorsOfTheSpecification(a: String, b: String, priority: UInt32) {
    #expect(PeerPriority.priority(endpoint(a), endpoint(b)) == priority)
    #expect(PeerPriority.priority(endpoint(b), endpoint(a)) == priority)
  }

  @Test func sameAddressGoesByPort() {
    let priority = PeerPriority.priority(endpoint("192.0.2.1:513"), endpoint("192.0.2.1:258"))
    #expect(priority == slowCRC32C([1, 2, 2, 1]))
  }

  @Test(arguments: UInt64(0)..<300)
  func agreesWithTheTextOfTheSpecification(seed: UInt64) throws {
    var rng = SplitMix64(seed: seed)
    let length = rng.oneIn(2) ? 4 : 16
    let a = rng.bytes(length)
    let shared = Int.random(in: 0...length, using: &rng)
    let b = Array(a.prefix(shared)) + rng.bytes(length - shared)
    let (first, second) = (try #require(IPAddress(compact: a)), try #require(IPAddress(compact: b)))
    let ports = (UInt16.random(in: 0...9, using: &rng), UInt16.random(in: 0...9, using: &rng))
    let one = PeerEndpoint(address: first, port: ports.0)
    let other = PeerEndpoint(address: second, port: ports.1)
    let priority = PeerPriority.priority(one, other)
    #expect(priority == slowPriority(one, other), "seed \(seed)")
    #expect(priority == PeerPriority.priority(other, one), "seed \(seed)")
  }

  @Test func bothFamiliesHaveAnAnswer() {
    let (a, b) = (endpoint("192.0.2.1:1"), endpoint("[2001:db8::1]:2"))
    #expect(PeerPriority.priority(a, b) == PeerPriority.priority(b, a))
  }
}

/// Bit by bit, no table.
private func slowCRC32C(_ bytes: [UInt8]) -> UInt32 {
  var sum = UInt32.max
  for byte in bytes {
    for bit in 0..<8 {
      let low = sum & 1 ^ UInt32(byte >> bit & 1)
      sum = sum >> 1 ^ (low == 1 ? 0x82f6_3b78 : 0)
    }
  }
  return ~sum
}

/// As BEP 40 says it: the masks in order, each for those that share what the one before leaves whole.
func slowPriority(_ a: PeerEndpoint, _ b: PeerEndpoint) -> UInt32 {
  let (x, y) = (a.address.compact, b.address.compact)
  func bytes(_ port: UInt16) -> [UInt8] { [UInt8(port >> 8), UInt8(port & 255)] }
  if x == y {
    let ports = [a.port, b.port].sorted()
    return slowCRC32C(bytes(ports[0]) + bytes(ports[1]))
  }
  var whole = x.count == 4 ? 2 : 6
  while x.prefix(whole) == y.prefix(whole) { whole += 1 }
  func masked(_ bytes: [UInt8]) -> [UInt8] {
    bytes.enumerated().map { $0.offset < whole ? $0.element : $0.element & 0x55 }
  }
  let sorted = [masked(x), masked(y)].sorted { $0.lexicographicallyPrecedes($1) }
  return slowCRC32C(sorted[0] + sorted[1])
}
