import Metainfo
import TestSupport
import Testing

@testable import Wire

@Suite struct NodeIDTests {
  static func v4(_ text: String) -> IPAddress { .v4(IPv4Address(Array(text.utf8))!) }
  static func id(_ hex: String) -> NodeID { NodeID([UInt8](hex: hex)!)! }

  /// The table of BEP 42, "test vectors".
  @Test(arguments: [
    ("124.31.75.21", "5fbfbff10c5d6a4ec8a88e4c6ab4c28b95eee401"),
    ("21.75.31.124", "5a3ce9c14e7a08645677bbd1cfe7d8f956d53256"),
    ("65.23.51.170", "a5d43220bc8f112a3d426c84764f8c2a1150e616"),
    ("84.124.73.14", "1b0321dd1bb1fe518101ceef99462b947a01ff41"),
    ("43.213.53.83", "e56f6cbf5b7c4be0237986d5243b87aa6d51305a"),
  ])
  func idsFitTheirAddresses(address: String, hex: String) {
    let id = Self.id(hex)
    #expect(id.isAllowed(at: Self.v4(address)))
    #expect(!id.isAllowed(at: Self.v4("198.51.100.7")))
    #expect(!id.turned(bit: 20).isAllowed(at: Self.v4(address)))
    #expect(id.turned(bit: 21).isAllowed(at: Self.v4(address)))
    #expect(!id.turned(bit: 159).isAllowed(at: Self.v4(address)))
  }

  /// Of the digits 1 to 8, as another implementation has it that gives e3069283 for 1 to 9.
  @Test func checksumIsCastagnoli() {
    #expect(NodeID.crc32c(0x3132_3334_3536_3738, bytes: 8) == 0x6087_809a)
  }

  @Test func madeIDsFit() {
    var random = SplitMix64(seed: 42)
    for _ in 0..<200 {
      let four = IPAddress.v4(
        IPv4Address(rawValue: UInt32.random(in: 0...UInt32.max, using: &random)))
      let six = IPAddress.v6(IPv6Address(high: random.next(), low: random.next()))
      #expect(NodeID.random(for: four, using: &random).isAllowed(at: four))
      #expect(NodeID.random(for: six, using: &random).isAllowed(at: six))
    }
  }

  @Test(arguments: [
    "10.1.2.3", "172.16.0.1", "172.31.255.1", "192.168.1.1", "169.254.1.1", "127.0.0.1",
  ])
  func localAddressesAreExempt(address: String) {
    #expect(Self.id(String(repeating: "00", count: 20)).isAllowed(at: Self.v4(address)))
  }

  @Test(arguments: ["11.0.0.1", "172.32.0.1", "172.15.0.1", "192.169.0.1", "128.0.0.1"])
  func othersAreNot(address: String) {
    #expect(!NodeID.isExempt(Self.v4(address)))
  }

  @Test func distancesAgreeWithTheBytes() {
    var random = SplitMix64(seed: 1)
    for _ in 0..<500 {
      let (a, b, target) = (
        NodeID.random(using: &random), NodeID.random(using: &random), NodeID.random(using: &random)
      )
      func slow(_ id: NodeID) -> [UInt8] { zip(id.bytes, target.bytes).map { $0 ^ $1 } }
      #expect(
        (a.distance(to: target) < b.distance(to: target))
          == slow(a).lexicographicallyPrecedes(slow(b)))
      let bits = slow(a).reduce(into: (0, false)) { count, byte in
        if !count.1 { count.0 += byte.leadingZeroBitCount }
        if byte != 0 { count.1 = true }
      }
      #expect(a.sharedBits(with: target) == bits.0)
      #expect(NodeID(a.bytes) == a && NodeID(a.digest) == a)
    }
  }

  @Test func nearIDsShareTheirBits() {
    var random = SplitMix64(seed: 2)
    let id = NodeID.random(using: &random)
    for bits in 0...160 {
      #expect(NodeID.random(near: id, bits: bits, using: &random).sharedBits(with: id) >= bits)
      if bits < 160 { #expect(id.turned(bit: bits).sharedBits(with: id) == bits) }
    }
  }
}

@Suite struct ScrapeFilterTests {
  /// BEP 33, "Test Vectors".
  static let expected = """
    F6C3F5EA A07FFD91 BDE89F77 7F26FB2B FF37BDB8 FB2BBAA2 FD3DDDE7 BACFFF75 EE7CCBAE
    FE5EEDB1 FBFAFF67 F6ABFF5E 43DDBCA3 FD9B9FFD F4FFD3E9 DFF12D1B DF59DB53 DBE9FA5B
    7FF3B8FD FCDE1AFB 8BEDD7BE 2F3EE71E BBBFE93B CDEEFE14 8246C2BC 5DBFF7E7 EFDCF24F
    D8DC7ADF FD8FFFDF DDFFF7A4 BBEEDF5C B95CE81F C7FCFF1F F4FFFFDF E5F7FDCB B7FD79B3
    FA1FC77B FE07FFF9 05B7B7FF C7FEFEFF E0B8370B B0CD3F5B 7F2BD93F EB4386CF DD6F7FD5
    BFAF2E9E BFFFFEEC D67ADBF7 C67F17EF D5D75EBA 6FFEBA7F FF47A91E B1BFBB53 E8ABFB57
    62ABE8FF 237279BF EFBFEEF5 FFC5FEBF DFE5ADFF ADFEE1FB 737FFFFB FD9F6AEF FEEE76B6
    FD8F72EF
    """

  @Test func filterOfTheTextIsMade() {
    var filter = ScrapeFilter()
    #expect(filter.estimate == 0)
    for low in UInt32(0)...255 { filter.insert(.v4(IPv4Address(rawValue: 0xc000_0200 + low))) }
    for low in UInt64(0)...0x3e7 {
      filter.insert(.v6(IPv6Address(high: 0x2001_0db8 << 32, low: low)))
    }
    let hex = Self.expected.filter(\.isHexDigit).lowercased()
    #expect(filter.bytes.hex == hex)
    // 1224.9308(5): the text has cut it after four places.
    #expect((filter.estimate * 10_000).rounded(.down) == 12_249_308)
  }

  @Test func unionHasBoth() {
    var (a, b, both) = (ScrapeFilter(), ScrapeFilter(), ScrapeFilter())
    a.insert(.v4(IPv4Address(rawValue: 1)))
    b.insert(.v4(IPv4Address(rawValue: 2)))
    both.insert(.v4(IPv4Address(rawValue: 1)))
    both.insert(.v4(IPv4Address(rawValue: 2)))
    a.formUnion(b)
    #expect(a == both)
    #expect(ScrapeFilter(a.bytes) == a && ScrapeFilter(a.bytes.dropLast()) == nil)
    let full = ScrapeFilter([UInt8](repeating: 255, count: 256))
    #expect(full.map { $0.estimate > 6_000 && $0.estimate.isFinite } == true)
  }
}
