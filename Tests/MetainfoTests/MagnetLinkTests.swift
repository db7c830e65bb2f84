import Metainfo
import TestSupport
import Testing

private let v1 = SHA1Digest(UInt8(0)..<20)!
private let v2 = SHA256Digest(UInt8(0)..<32)!
private let v1Hex = "000102030405060708090a0b0c0d0e0f10111213"
private let v2Hex = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"

/// URIs that others wrote, and what they say.
private let foreign: [(uri: String, link: MagnetLink)] = [
  // libtorrent 2.0.8, `make_magnet_uri(add_torrent_params)` from Python.
  ("magnet:?xt=urn:btih:\(v1Hex)", MagnetLink(v1Infohash: v1)),
  (
    "magnet:?xt=urn:btmh:1220\(v2Hex)"
      + "&dn=na%c3%afve%20%2b%20plain%2f%26%3f%3d%25~!()*%27",
    MagnetLink(v2Infohash: v2, name: Array("naïve + plain/&?=%~!()*'".utf8))
  ),
  (
    "magnet:?xt=urn:btih:\(v1Hex)&xt=urn:btmh:1220\(v2Hex)&dn=both"
      + "&tr=http%3a%2f%2ft.example%2fannounce%3fk%3da%2bb%26c"
      + "&tr=udp%3a%2f%2f%5b2001%3adb8%3a%3a1%5d%3a80&ws=https%3a%2f%2fw.example%2fa%20b%2f"
      + "&x.pe=192.0.2.7:6881&x.pe=[2001:db8::5]:51413&so=0,2-4,6",
    MagnetLink(
      v1Infohash: v1, v2Infohash: v2, name: Array("both".utf8),
      trackers: ["http://t.example/announce?k=a+b&c", "udp://[2001:db8::1]:80"],
      webSeeds: ["https://w.example/a b/"],
      peers: [
        PeerAddress(host: .ipv4(IPv4Address(rawValue: 0xc000_0207)), port: 6881),
        PeerAddress(host: .ipv6(IPv6Address(high: 0x2001_0db8 << 32, low: 5)), port: 51413),
      ],
      selection: FileSelection([0...0, 2...4, 6...6]))
  ),
  // BEP 46, test vectors 1 and 2.
  (
    "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e",
    MagnetLink(
      datasetKey: DatasetKey(
        hex: "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"))
  ),
  (
    "magnet:?xs=urn:btpk:8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e&s=6e",
    MagnetLink(
      datasetKey: DatasetKey(
        hex: "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"), salt: [0x6e])
  ),
]

/// What links in the wild do, on top of one infohash.
private let habits: [(rest: String, link: MagnetLink)] = [
  // "+" is a space in names only.
  ("&dn=a+b%2Bc", MagnetLink(v1Infohash: v1, name: Array("a b+c".utf8))),
  ("&tr=http://t/a+b", MagnetLink(v1Infohash: v1, trackers: ["http://t/a+b"])),
  // Names are bytes.
  ("&dn=%ff%00%2", MagnetLink()),
  ("&dn=%ff%00", MagnetLink(v1Infohash: v1, name: [0xff, 0])),
  ("&dn=naïve name", MagnetLink(v1Infohash: v1, name: Array("naïve name".utf8))),
  // Numbers after names, any case, empty values, unknown parameters, nothing at all.
  (
    "&tr.1=http://a/&TR.20=http://b/&tr.x=http://c/",
    MagnetLink(v1Infohash: v1, trackers: ["http://a/", "http://b/"])
  ),
  ("&x.pe.1=h:1&x.pe.=i:2", MagnetLink(v1Infohash: v1, peers: [peer("h:1"), peer("i:2")])),
  ("&dn=&tr=&ws=&xl=&so=&s=&x.pe=&xt=", MagnetLink(v1Infohash: v1)),
  ("&x.zz=%zz&kt=a&dn&&=&&dn=n", MagnetLink(v1Infohash: v1, name: [0x6e])),
  ("&dn=one&dn=two", MagnetLink(v1Infohash: v1, name: Array("two".utf8))),
  ("&dn=a=b", MagnetLink(v1Infohash: v1, name: Array("a=b".utf8))),
  ("&xl=18446744073709551615", MagnetLink(v1Infohash: v1, exactLength: .max)),
  // The same thing twice, a thing from another network, a torrent's address.
  ("&xt.1=urn:btih:\(v1Hex.uppercased())&xt=urn:sha1:X&xs=http://x/", MagnetLink(v1Infohash: v1)),
  ("&xt.2=URN:btmh:1220\(v2Hex)", MagnetLink(v1Infohash: v1, v2Infohash: v2)),
  ("&xt=urn%3Abtmh%3A1220\(v2Hex)", MagnetLink(v1Infohash: v1, v2Infohash: v2)),
  (
    "&so=8,0-2,3,7&so=1-4,4294967295",
    MagnetLink(
      v1Infohash: v1, selection: FileSelection([0...4, 7...8, UInt32.max...UInt32.max]))
  ),
]

private func peer(_ text: String) -> PeerAddress {
  // A mistake in the tables must show at once.
  do { return try PeerAddress(parsing: text.utf8) } catch { fatalError("\(text): \(error)") }
}

@Suite struct MagnetLinkTests {
  @Test(arguments: foreign.indices)
  func readsWhatOthersWrite(row: Int) throws {
    #expect(try MagnetLink(parsing: foreign[row].uri.utf8) == foreign[row].link)
  }

  @Test(arguments: habits.indices)
  func readsWhatIsInTheWild(row: Int) throws {
    let uri = "magnet:?xt=urn:btih:\(v1Hex)" + habits[row].rest
    if habits[row].link == MagnetLink() {
      #expect(throws: MagnetError.self) { try MagnetLink(parsing: uri.utf8) }
    } else {
      #expect(try MagnetLink(parsing: uri.utf8) == habits[row].link)
    }
  }

  @Test func readsBase32OfEitherCase() throws {
    // Python 3.11, `base64.b32encode`.
    let digest = SHA1Digest("abaabaabaabaabaabaab".utf8)
    for text in ["MFRGCYLCMFQWEYLBMJQWCYTBMFRGCYLC", "mfrgcylcmfqweylbmjqwcytbmfrgcylc"] {
      #expect(try MagnetLink(parsing: "MAGNET:?xt=urn:btih:\(text)".utf8).v1Infohash == digest)
    }
  }

  @Test func writesInfohashesFirstAndEscapesAllThatIsReserved() {
    let link = MagnetLink(
      v1Infohash: v1, v2Infohash: v2, datasetKey: DatasetKey(UInt8(32)..<64), salt: [0x6e, 0xff],
      name: Array("a +~'é/".utf8) + [0xff], exactLength: 12, trackers: ["http://t/?a=b&c", ""],
      webSeeds: ["https://w/"], peers: [peer("192.0.2.1:1"), peer("[2001:DB8:0::1]:65535")],
      selection: FileSelection([6...8, 2...2, 0...0, 4...4]))
    #expect(
      link.uri == "magnet:?xt=urn:btih:\(v1Hex)&xt=urn:btmh:1220\(v2Hex)"
        + "&xs=urn:btpk:202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f&s=6eff"
        + "&dn=a%20%2B~%27%C3%A9%2F%FF&xl=12&tr=http%3A%2F%2Ft%2F%3Fa%3Db%26c"
        + "&ws=https%3A%2F%2Fw%2F&x.pe=192.0.2.1:1&x.pe=[2001:db8::1]:65535&so=0,2,4,6-8")
    #expect(MagnetLink().uri == "magnet:?")
  }

  @Test(arguments: [1, 2, 3])
  func whatIsWrittenReadsTheSame(seed: UInt64) throws {
    var links = LinkGenerator(seed: seed)
    for _ in 0..<300 {
      let link = links.next()
      #expect(try MagnetLink(parsing: link.uri.utf8) == link, "seed \(seed)")
      #expect(link.uri.utf8.allSatisfy { (0x21...0x7e).contains($0) }, "seed \(seed)")
    }
  }
}

/// Links with anything in them, from a seed.
private struct LinkGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> MagnetLink {
    let selection = (0..<below(4)).map { _ in
      let first = UInt32(below(20))
      return first...(first + UInt32(below(3)))
    }
    return MagnetLink(
      v1Infohash: SHA1Digest(bytes(20)), v2Infohash: below(2) == 0 ? SHA256Digest(bytes(32)) : nil,
      datasetKey: below(2) == 0 ? DatasetKey(bytes(32)) : nil, salt: bytes(below(65)),
      name: bytes(below(20)), exactLength: below(2) == 0 ? word() : nil,
      trackers: (0..<below(3)).map { _ in text() }, webSeeds: (0..<below(3)).map { _ in text() },
      peers: (0..<below(4)).map { _ in peer() }, selection: FileSelection(selection))
  }

  private mutating func peer() -> PeerAddress {
    let port = UInt16(1 + below(65_535))
    if below(2) == 0 {
      return PeerAddress(
        host: .ipv4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: word()))), port: port)
    }
    // Many zero groups, for the short forms.
    let groups = (0..<8).map { _ in below(2) == 0 ? 0 : word() & 0xffff }
    let high = groups[..<4].reduce(0) { $0 << 16 | $1 }
    let low = groups[4...].reduce(0) { $0 << 16 | $1 }
    return PeerAddress(host: .ipv6(IPv6Address(high: high, low: low)), port: port)
  }

  private mutating func text() -> String {
    "x"
      + (0..<below(12)).map { _ in String(["+", "&", "%", "é", "/", "=", " "][below(7)]) }.joined()
  }

  private mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8(truncatingIfNeeded: word()) }
  }

  private mutating func below(_ bound: Int) -> Int { Int(word() % UInt64(bound)) }

  /// SplitMix64.
  private mutating func word() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var mixed = state
    mixed = (mixed ^ mixed >> 30) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ mixed >> 27) &* 0x94d0_49bb_1331_11eb
    return mixed ^ mixed >> 31
  }
}
