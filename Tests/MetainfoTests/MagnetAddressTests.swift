import Metainfo
import Testing

@Suite struct MagnetAddressTests {
  /// Texts of IPv6 addresses and their canonical form. RFC 4291, section 2.2; RFC 5952, section 4.
  /// Python 3.11 `ipaddress` reads the same addresses, and refuses the same but for the zone.
  static let addresses: [(text: String, canonical: String?)] = [
    ("::", "::"), ("::1", "::1"), ("1::", "1::"),
    ("2001:DB8:0:0:8:800:200C:417A", "2001:db8::8:800:200c:417a"),
    ("2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"), ("2001:0:0:1:0:0:0:1", "2001:0:0:1::1"),
    ("2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"), ("1:2:3:4:5:6:7::", "1:2:3:4:5:6:7:0"),
    ("::2:3:4:5:6:7:8", "0:2:3:4:5:6:7:8"), ("::ffff:192.0.2.33", "::ffff:192.0.2.33"),
    ("0:0:0:0:0:FFFF:129.144.52.38", "::ffff:129.144.52.38"), ("::13.1.68.3", "::d01:4403"),
    ("1:2:3:4:5:6:1.2.3.4", "1:2:3:4:5:6:102:304"), ("fe80::00a", "fe80::a"),
    ("ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    ("", nil), (":", nil), (":::", nil), ("1:2:3:4:5:6:7", nil), ("1:2:3:4:5:6:7:8:9", nil),
    ("1::2::3", nil), ("1:2:3:4:5:6:7:8::", nil), ("::1:2:3:4:5:6:7:8", nil), ("12345::", nil),
    ("g::", nil), ("1:", nil), (":1", nil), ("::1.2.3", nil), ("1.2.3.4::", nil),
    ("1:2:3:4:5:6:7:1.2.3.4", nil), ("fe80::1%eth0", nil), ("::01.2.3.4", nil), (" ::1", nil),
  ]

  @Test(arguments: addresses.indices)
  func readsAndWritesIPv6(row: Int) {
    let (text, canonical) = Self.addresses[row]
    #expect(IPv6Address(text.utf8)?.description == canonical)
    if let canonical {
      #expect(IPv6Address(canonical.utf8) == IPv6Address(text.utf8))
    }
  }

  @Test(arguments: ["0.0.0.0", "255.255.255.255", "192.0.2.1", "10.20.30.40"])
  func readsAndWritesIPv4(text: String) {
    #expect(IPv4Address(text.utf8)?.description == text)
  }

  @Test(arguments: [
    "", "1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1..3.4", "1.2.3.4 ", "-1.2.3.4",
    "1.2.3.99999999999999999999",
  ])
  func refusesWhatIsNotIPv4(text: String) {
    #expect(IPv4Address(text.utf8) == nil)
  }

  static let good = [
    "192.0.2.1:1", "[::1]:65535", "host.example:6881", "xn--nave-6pa.example:80", "a_b-c:9", "h.:1",
    "1.2.3.4a:5",
  ]

  @Test(arguments: good)
  func peersReadAsWritten(text: String) throws {
    #expect(try PeerAddress(parsing: text.utf8).description == text)
  }

  @Test func hostNamesIgnoreCase() throws {
    #expect(try PeerAddress(parsing: "HOST:1".utf8) == PeerAddress(parsing: "host:1".utf8))
  }

  static let bad: [(text: String, error: PeerAddressError)] = [
    ("", .noPort), ("host", .noPort), ("host:", .badPort), ("host:0", .badPort),
    ("host:65536", .badPort), ("host:+1", .badPort), ("host: 1", .badPort), (":1", .noHost),
    ("::1:80", .noBrackets), ("[::1:80", .badIPv6), ("[::1]x:80", .badIPv6), ("[]:80", .badIPv6),
    ("[1.2.3.4]:80", .badIPv6), ("[::1]", .badPort), ("1.2.3:80", .badIPv4),
    ("256.1.1.1:80", .badIPv4), ("1.2.3.4.:80", .badIPv4), ("a..b:1", .emptyLabel),
    (".a:1", .emptyLabel), (".:1", .emptyLabel), ("a b:1", .badHostByte(0x20)),
    ("a&b:1", .badHostByte(0x26)), ("é:1", .badHostByte(0xc3)),
    (String(repeating: "a", count: 254) + ":1", .hostTooLong(254)),
  ]

  @Test(arguments: bad.indices)
  func saysWhatIsWrong(row: Int) {
    #expect(throws: Self.bad[row].error) { try PeerAddress(parsing: Self.bad[row].text.utf8) }
  }

  @Test func selectionsMergeAndFind() throws {
    #expect(FileSelection([]) == nil)
    let selection = try #require(
      FileSelection([9...9, 0...1, 2...3, 1...2, 7...7, 4294967295...4294967295]))
    #expect(selection.description == "0-3,7,9,4294967295")
    let found = (0...10).filter { selection.contains($0) }
    #expect(found == [0, 1, 2, 3, 7, 9])
    #expect(selection.contains(.max))
    #expect(!selection.contains(.max - 1))
  }
}
