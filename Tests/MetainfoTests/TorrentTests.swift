import Testing

@testable import Metainfo

@Suite struct TorrentTests {
  private func torrent(_ keys: BencodeValue) throws -> Torrent {
    var torrent = keys
    torrent["info"] = Samples.v1()
    return try Torrent(parsing: torrent.encoded)
  }

  private func texts(_ texts: String...) -> BencodeValue { .list(texts.map { .text($0) }) }

  @Test func trackers() throws {
    #expect(try torrent([:]).trackers == [])
    #expect(try torrent(["announce": .text("http://a")]).trackers == [["http://a"]])
    #expect(try torrent(["announce": .text("")]).trackers == [])
    // With tiers, `announce` counts for nothing. BEP 12.
    let tiers = BencodeValue.list([texts("http://b", "", "http://c"), .list([]), texts("udp://d")])
    #expect(
      try torrent(["announce": .text("http://a"), "announce-list": tiers]).trackers
        == [["http://b", "http://c"], ["udp://d"]])
    #expect(
      try torrent(["announce": .text("http://a"), "announce-list": .list([.list([])])]).trackers
        == [["http://a"]])
  }

  /// Some programs write URLs where BEP 12 has tiers.
  @Test func trackersWithoutTiers() throws {
    let list = BencodeValue.list([.text("http://b"), .text(""), texts("udp://c", "udp://d")])
    #expect(
      try torrent(["announce": .text("http://a"), "announce-list": list]).trackers
        == [["http://b"], ["udp://c", "udp://d"]])
  }

  @Test func theLongestLists() throws {
    let count = MetainfoLimits.listEntries
    let urls = BencodeValue.list([BencodeValue](repeating: .text("x"), count: count))
    let full = try torrent([
      "announce-list": .list([urls]), "url-list": urls, "collections": urls,
      "nodes": .list(
        [BencodeValue](repeating: .list([.text("x"), .integer(1)]), count: count)),
    ])
    #expect(full.trackers.map(\.count) == [count])
    #expect(full.webSeeds.count == count)
    #expect(full.collections.count == count)
    #expect(full.nodes.count == count)
  }

  @Test func webSeeds() throws {
    #expect(try torrent(["url-list": .text("http://a/")]).webSeeds == ["http://a/"])
    #expect(try torrent(["url-list": .text("")]).webSeeds == [])
    #expect(
      try torrent(["url-list": texts("http://a/", "", "http://b/")]).webSeeds == [
        "http://a/", "http://b/",
      ])
    #expect(try torrent(["url-list": .list([])]).webSeeds == [])
  }

  @Test func theRest() throws {
    let digest = BencodeValue.string([UInt8](repeating: 2, count: 20))
    var info = Samples.v1()
    info["similar"] = .list([digest])
    info["collections"] = texts("c")
    let full: BencodeValue = [
      "info": info, "comment": .string([0xff]), "created by": .text("p"),
      "creation date": .integer(-5),
      "nodes": .list([.list([.text("127.0.0.1"), .integer(6881)])]),
      "similar": .list([digest, .string([UInt8](repeating: 1, count: 20))]),
      "collections": texts("c", "d"), "unknown": [:],
    ]
    let torrent = try Torrent(parsing: full.encoded)
    #expect(torrent.comment == [0xff])
    #expect(torrent.createdBy == Array("p".utf8))
    #expect(torrent.creationDate == -5)
    #expect(torrent.nodes == [DHTNodeAddress(host: "127.0.0.1", port: 6881)])
    #expect(torrent.similar.map { $0.bytes[0] } == [2, 1])
    #expect(torrent.collections == [Array("c".utf8), Array("d".utf8)])
    #expect(torrent.pieceLayers.isEmpty)
  }

  private static func tooMany(_ value: BencodeValue) -> BencodeValue {
    .list([BencodeValue](repeating: value, count: MetainfoLimits.listEntries + 1))
  }

  private static let tooLong = BencodeValue.string(
    [UInt8](repeating: 0x78, count: MetainfoLimits.textBytes + 1))

  /// Key, what is wrongly there, place and reason.
  static let bad: [(String, BencodeValue, MetainfoPlace, MetainfoFault)] = [
    ("info", .list([]), .info, .wrongKind("", expected: .dictionary)),
    ("announce", .integer(1), .torrent, .wrongKind("announce", expected: .string)),
    ("announce", .string([0xff]), .torrent, .notUTF8("announce")),
    ("announce-list", .text("x"), .torrent, .wrongKind("announce-list", expected: .list)),
    (
      "announce-list", .list([.text("x"), .integer(1)]), .entry("announce-list", 1),
      .wrongKind("", expected: .list)
    ),
    ("announce-list", .list([.string([0xff])]), .torrent, .notUTF8("announce-list")),
    ("announce-list", tooMany(.text("x")), .torrent, .tooManyEntries("announce-list")),
    (
      "announce-list", .list([tooMany(.text("x"))]), .torrent, .tooManyEntries("announce-list")
    ),
    (
      "announce-list",
      .list([.list([BencodeValue](repeating: .text("x"), count: 4_095)), .text("y"), .text("z")]),
      .torrent, .tooManyEntries("announce-list")
    ),
    ("url-list", tooMany(.text("x")), .torrent, .tooManyEntries("url-list")),
    (
      "nodes", tooMany(.list([.text("x"), .integer(1)])), .torrent, .tooManyEntries("nodes")
    ),
    ("similar", tooMany(.text("x")), .torrent, .tooManyEntries("similar")),
    ("collections", tooMany(.text("x")), .torrent, .tooManyEntries("collections")),
    (
      "announce-list", .list([.list([]), .list([.integer(1)])]), .entry("announce-list", 1),
      .wrongKind("", expected: .string)
    ),
    ("url-list", .integer(1), .torrent, .wrongKind("url-list", expected: .list)),
    (
      "url-list", .list([.text("x"), .integer(1)]), .entry("url-list", 1),
      .wrongKind("", expected: .string)
    ),
    ("url-list", .list([.string([0xff])]), .torrent, .notUTF8("url-list")),
    ("creation date", .text("1"), .torrent, .wrongKind("creation date", expected: .integer)),
    ("comment", .integer(1), .torrent, .wrongKind("comment", expected: .string)),
    ("comment", tooLong, .torrent, .textTooLong("comment", MetainfoLimits.textBytes + 1)),
    ("created by", tooLong, .torrent, .textTooLong("created by", MetainfoLimits.textBytes + 1)),
    ("nodes", .list([.text("x")]), .entry("nodes", 0), .wrongKind("", expected: .list)),
    ("nodes", .list([.list([.text("x")])]), .entry("nodes", 0), .wrongKind("", expected: .list)),
    (
      "nodes", .list([.list([.integer(1), .integer(1)])]), .entry("nodes", 0),
      .wrongKind("host", expected: .string)
    ),
    (
      "nodes", .list([.list([.text("x"), .text("1")])]), .entry("nodes", 0),
      .wrongKind("port", expected: .integer)
    ),
    ("nodes", .list([.list([.text("x"), .integer(65_536)])]), .entry("nodes", 0), .port(65_536)),
    ("nodes", .list([.list([.text("x"), .integer(0)])]), .entry("nodes", 0), .port(0)),
  ]

  @Test(arguments: bad.indices)
  func names(index: Int) {
    let (key, value, place, reason) = Self.bad[index]
    var torrent: BencodeValue = ["info": Samples.v1()]
    torrent[key] = value
    #expect(throws: MetainfoError(place, reason)) { try Torrent(parsing: torrent.encoded) }
  }

  @Test func outermost() {
    #expect(throws: MetainfoError(.torrent, .missing("info"))) {
      try Torrent(parsing: Array("de".utf8))
    }
    #expect(throws: MetainfoError(.torrent, .wrongKind("", expected: .dictionary))) {
      try Torrent(parsing: Array("le".utf8))
    }
    let whole = (["info": Samples.v1()] as BencodeValue).encoded
    let trailing = BencodeError(offset: whole.count, reason: .trailingBytes)
    #expect(throws: MetainfoError(.torrent, .bencode(trailing))) {
      try Torrent(parsing: whole + [0x0a])
    }
  }

  /// A whole torrent that libtorrent made: each byte changed, each end cut off.
  @Test func survivesDamage() throws {
    let vector = try #require(LibtorrentVectors.all.first { $0.name == "folder, hybrid" })
    let bytes = vector.bytes
    for index in bytes.indices {
      #expect(throws: MetainfoError.self) { try Torrent(parsing: Array(bytes.prefix(index))) }
      for mask in [1, 0xff] as [UInt8] {
        var changed = bytes
        changed[index] ^= mask
        if let torrent = try? Torrent.inspect(changed).torrent {
          // A byte inside of the info dictionary never goes unnoticed by the infohash.
          #expect(
            torrent.info.infohashV2?.hex != vector.v2
              || torrent.info.bytes == slice(of: bytes, torrent))
        }
      }
    }
  }

  private func slice(of bytes: [UInt8], _ torrent: Torrent) -> [UInt8]? {
    (try? Torrent(parsing: bytes))?.info.bytes
  }
}
