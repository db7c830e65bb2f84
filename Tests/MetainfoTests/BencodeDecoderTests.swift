import TestSupport
import Testing

@testable import Metainfo

@Suite struct BencodeDecoderTests {
  /// What one reads and keeps nowhere may have its keys in any order; the first of equals counts.
  @Test func keysAsTheyCome() throws {
    let text = "d1:bi1e1:ad2:zzi1e0:i5ee1:bi2e3:cccle"
    #expect(throws: BencodeError.self) { try Bencode.decode(Array((text + "e").utf8)) }
    let root = try Bencode.decode(Array((text + "e").utf8), keys: .asTheyCome)
    #expect(root["b"]?.integer == 1 && root["a"]?["zz"]?.integer == 1 && root["ccc"]?.list != nil)
    #expect(root["a"]?[""]?.integer == 5 && root.dictionary?.count == 4)
    // Nothing else is forgiven.
    for bad in [text, text + "e0:", "di1e0:e", "d1:ae", "d1:ai01ee", "d1:ai-0ee", "d01:ai1ee"] {
      #expect(throws: BencodeError.self, "\(bad)") {
        try Bencode.decode(Array(bad.utf8), keys: .asTheyCome)
      }
    }
  }

  /// Input, value; both directions. The first rows are the examples of BEP 3.
  static let canonical: [(String, BencodeValue)] = [
    ("4:spam", .text("spam")),
    ("i3e", .integer(3)),
    ("i-3e", .integer(-3)),
    ("l4:spam4:eggse", .list([.text("spam"), .text("eggs")])),
    (
      "d3:cow3:moo4:spam4:eggse",
      .dictionary([Array("cow".utf8): .text("moo"), Array("spam".utf8): .text("eggs")])
    ),
    ("d4:spaml1:a1:bee", .dictionary([Array("spam".utf8): .list([.text("a"), .text("b")])])),
    ("0:", .string([])),
    ("le", .list([])),
    ("de", .dictionary([:])),
    ("d0:0:e", .dictionary([[]: .string([])])),
    ("i0e", .integer(0)),
    ("i9223372036854775807e", .integer(.max)),
    ("i-9223372036854775808e", .integer(.min)),
    ("10:0123456789", .text("0123456789")),
    ("ll0:i-1eedee", .list([.list([.string([]), .integer(-1)]), .dictionary([:])])),
    // A key that is another's beginning comes first.
    (
      "d1:ai1e2:aai2e1:bi3ee",
      .dictionary([[0x61]: .integer(1), [0x61, 0x61]: .integer(2), [0x62]: .integer(3)])
    ),
  ]

  @Test(arguments: canonical)
  func decodesAndEncodes(text: String, value: BencodeValue) throws {
    let bytes = Array(text.utf8)
    let node = try Bencode.decode(bytes)
    #expect(BencodeValue(node) == value)
    #expect(node.range == 0..<bytes.count)
    #expect(value.encoded == bytes)
  }

  /// Input, where it is wrong, and why.
  static let malformed: [(String, Int, BencodeError.Reason)] = [
    ("", 0, .truncated),
    ("i12", 3, .truncated),
    ("i", 1, .truncated),
    ("i-", 2, .truncated),
    ("12", 2, .truncated),
    ("l", 1, .truncated),
    ("d", 1, .truncated),
    ("d1:a", 4, .truncated),
    ("d1:ai1e", 7, .truncated),
    ("4:spa", 0, .stringPastEnd(4)),
    ("d1:a4:xye", 4, .stringPastEnd(4)),
    ("9223372036854775807:", 0, .stringPastEnd(.max)),
    ("9223372036854775808:", 0, .lengthOverflow),
    ("l99999999999999999999999999:e", 1, .lengthOverflow),
    ("i3ex", 3, .trailingBytes),
    ("i3ei3e", 3, .trailingBytes),
    ("lee", 2, .trailingBytes),
    ("e", 0, .unexpectedByte(UInt8(ascii: "e"))),
    ("x", 0, .unexpectedByte(UInt8(ascii: "x"))),
    ("-1:a", 0, .unexpectedByte(UInt8(ascii: "-"))),
    ("1-:a", 1, .unexpectedByte(UInt8(ascii: "-"))),
    ("1a", 1, .unexpectedByte(UInt8(ascii: "a"))),
    ("ie", 1, .unexpectedByte(UInt8(ascii: "e"))),
    ("i-e", 2, .unexpectedByte(UInt8(ascii: "e"))),
    ("i--1e", 2, .unexpectedByte(UInt8(ascii: "-"))),
    ("i+1e", 1, .unexpectedByte(UInt8(ascii: "+"))),
    ("i1.5e", 2, .unexpectedByte(UInt8(ascii: "."))),
    ("i 1e", 1, .unexpectedByte(UInt8(ascii: " "))),
    ("i-0e", 1, .negativeZero),
    ("i00e", 1, .leadingZero),
    ("i03e", 1, .leadingZero),
    ("i-03e", 1, .leadingZero),
    ("l04:spame", 1, .leadingZero),
    ("00:", 0, .leadingZero),
    ("i9223372036854775808e", 1, .integerOverflow),
    ("i-9223372036854775809e", 1, .integerOverflow),
    ("i99999999999999999999e", 1, .integerOverflow),
    ("di1ei2ee", 1, .keyNotString),
    ("dlei2ee", 1, .keyNotString),
    ("d1:ae", 4, .missingValue),
    ("d1:bi1e1:ai2ee", 7, .unsortedKey),
    ("d2:aai1e1:ai2ee", 8, .unsortedKey),
    ("d1:ai1e1:ai2ee", 7, .duplicateKey),
    ("d0:i1e0:i2ee", 6, .duplicateKey),
    // Each dictionary has an order of its own.
    ("d1:ad1:bi1e1:bi1eee", 11, .duplicateKey),
  ]

  @Test(arguments: malformed)
  func names(text: String, offset: Int, reason: BencodeError.Reason) {
    #expect(throws: BencodeError(offset: offset, reason: reason)) {
      try Bencode.decode(Array(text.utf8))
    }
  }

  @Test(arguments: canonical)
  func refusesEveryTruncation(text: String, value: BencodeValue) {
    let bytes = Array(text.utf8)
    for count in 0..<bytes.count {
      #expect {
        try Bencode.decode(Array(bytes.prefix(count)))
      } throws: {
        guard let error = $0 as? BencodeError else { return false }
        if case .stringPastEnd = error.reason { return error.offset < count }
        return error == BencodeError(offset: count, reason: .truncated)
      }
    }
  }

  @Test func boundsDepth() throws {
    let limits = BencodeLimits(bytes: 1 << 20, depth: 3, nodes: 100)
    _ = try Bencode.decode(Array("llleee".utf8), limits: limits)
    #expect(throws: BencodeError(offset: 3, reason: .tooDeep(3))) {
      try Bencode.decode(Array("lllleeee".utf8), limits: limits)
    }
  }

  @Test func aHundredThousandListsAreAnError() {
    let lists = [UInt8](repeating: UInt8(ascii: "l"), count: 100_000)
    let closed = lists + [UInt8](repeating: UInt8(ascii: "e"), count: 100_000)
    for input in [lists, closed] {
      #expect(throws: BencodeError(offset: 512, reason: .tooDeep(512))) {
        try Bencode.decode(input)
      }
      #expect(
        throws: MetainfoError(.torrent, .bencode(BencodeError(offset: 136, reason: .tooDeep(136))))
      ) {
        try Torrent(parsing: input)
      }
    }
  }

  @Test func decodesWithoutRecursion() throws {
    let depth = 100_000
    let bytes =
      [UInt8](repeating: UInt8(ascii: "l"), count: depth)
      + [UInt8](repeating: UInt8(ascii: "e"), count: depth)
    let limits = BencodeLimits(bytes: 1 << 20, depth: depth, nodes: depth)
    #expect(try Bencode.decode(bytes, limits: limits).range == 0..<2 * depth)
  }

  @Test func boundsNodesAndBytes() throws {
    let bytes = Array("d1:ai1e1:bi2ee".utf8)
    _ = try Bencode.decode(bytes, limits: BencodeLimits(bytes: bytes.count, depth: 1, nodes: 5))
    #expect(throws: BencodeError(offset: 10, reason: .tooManyNodes(4))) {
      try Bencode.decode(bytes, limits: BencodeLimits(bytes: 100, depth: 1, nodes: 4))
    }
    #expect(throws: BencodeError(offset: 0, reason: .tooLarge(13))) {
      try Bencode.decode(bytes, limits: BencodeLimits(bytes: 13, depth: 1, nodes: 5))
    }
  }

  @Test func decodesAPrefix() throws {
    // A BEP 9 data message: the metadata follows its dictionary.
    let dictionary = Array("d8:msg_typei1e5:piecei0e10:total_sizei3ee".utf8)
    let bytes = [0x14, 0x02] + dictionary + Array("xyz".utf8)
    let node = try Bencode.decodePrefix(bytes, from: 2)
    #expect(node.range == 2..<2 + dictionary.count)
    #expect(Array(node.encoded) == dictionary)
    #expect(node["total_size"]?.integer == 3)
    #expect(node["absent"] == nil)
    #expect(throws: BencodeError(offset: 5, reason: .truncated)) {
      try Bencode.decodePrefix(Array("xxxi1".utf8), from: 3)
    }
    #expect(throws: BencodeError(offset: 1, reason: .truncated)) {
      try Bencode.decodePrefix([0], from: 1)
    }
  }

  @Test func knowsRanges() throws {
    let node = try Bencode.decode(Array("d1:al2:xyi-7ee1:bd1:c0:ee".utf8))
    let list = try #require(node["a"])
    #expect(list.range == 4..<14)
    #expect(list.list?.map(\.range) == [5..<9, 9..<13])
    #expect(list.list?.map(\.kind) == [.string, .integer])
    #expect(list.list?.count == 2)
    #expect(node["b"]?.range == 17..<24)
    #expect(node.dictionary?.map { Array($0.key) } == [[0x61], [0x62]])
    // What a value is not, it does not give.
    #expect(list.integer == nil && list.string == nil && list.dictionary == nil)
    #expect(list["a"] == nil)
    #expect(node.list == nil && node.integer == nil)
  }

  @Test(arguments: 0..<300 as Range<UInt64>)
  func roundTripsRandomValues(seed: UInt64) throws {
    var generator = SplitMix64(seed: seed)
    let value = Self.randomValue(depth: 4, using: &generator)
    let bytes = value.encoded
    #expect(BencodeValue(try Bencode.decode(bytes)) == value)
    // Whatever is accepted is canonical: it is its own encoding.
    for _ in 0..<20 {
      var changed = bytes
      changed[Int.random(in: 0..<bytes.count, using: &generator)] =
        generator.oneIn(2)
        ? generator.bytes(1)[0] : Array("0123456789ilde:-".utf8).randomElement(using: &generator)!
      if let node = try? Bencode.decode(changed) {
        #expect(BencodeValue(node).encoded == changed)
      }
    }
  }

  static func randomValue(depth: Int, using generator: inout SplitMix64) -> BencodeValue {
    let count = Int.random(in: 0...4, using: &generator)
    switch Int.random(in: 0..<(depth > 0 ? 4 : 2), using: &generator) {
    case 0:
      let width = Int64.random(in: 0...63, using: &generator)
      return .integer(Int64.random(in: .min ... .max, using: &generator) >> width)
    case 1:
      return .string(generator.bytes(Int.random(in: 0...12, using: &generator)))
    case 2:
      return .list((0..<count).map { _ in randomValue(depth: depth - 1, using: &generator) })
    default:
      var pairs: [[UInt8]: BencodeValue] = [:]
      for _ in 0..<count {
        let key = generator.bytes(Int.random(in: 0...3, using: &generator))
        pairs[key] = randomValue(depth: depth - 1, using: &generator)
      }
      return .dictionary(pairs)
    }
  }
}

@Suite struct BencodeEncoderTests {
  @Test func writesWhatItIsTold() {
    var encoder = BencodeEncoder(capacity: 10)
    encoder.beginDictionary()
    encoder.key("a")
    encoder.beginList()
    encoder.integer(.min)
    encoder.string("é")
    encoder.beginDictionary()
    encoder.end()
    encoder.end()
    encoder.key([0x61, 0x00])
    encoder.encoded(Array("i1e".utf8))
    encoder.key("b")
    encoder.value(.dictionary([[0xff]: .integer(1), []: .integer(10)]))
    encoder.end()
    let expected =
      Array("d1:ali-9223372036854775808e2:édee2:a\u{0}i1e1:bd0:i10e1:".utf8) + [0xff]
      + Array("i1eee".utf8)
    #expect(encoder.bytes == expected)
  }

  @Test func insistsOnOrder() async {
    await #expect(processExitsWith: .failure) {
      var encoder = BencodeEncoder()
      encoder.beginDictionary()
      encoder.key("b")
      encoder.integer(1)
      encoder.key("a")
    }
    await #expect(processExitsWith: .failure) {
      var encoder = BencodeEncoder()
      encoder.beginDictionary()
      encoder.key("a")
      encoder.integer(1)
      encoder.key("a")
    }
  }
}
