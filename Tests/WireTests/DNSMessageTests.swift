import Metainfo
import TestSupport
import Testing

@testable import Wire

@Suite struct DNSMessageTests {
  static let instance = DomainName(
    labels: ["a b.c", "_bittorrent", "_tcp", "local"].map { Array($0.utf8) })!

  /// RFC 1035, 4.1.4: F.ISI.ARPA, FOO.F.ISI.ARPA, ARPA and the root, at the places the text has.
  @Test func readsThePointersOfTheSpecification() throws {
    var bytes: [UInt8] = [0, 0, 0, 0, 0, 4, 0, 0, 0, 0, 0, 0]
    bytes += "\u{1}F\u{3}ISI\u{4}ARPA\0".utf8
    bytes += [0, 1, 0, 1]
    bytes += "\u{3}FOO".utf8
    bytes += [0xc0, 12, 0, 1, 0, 1]
    bytes += [0xc0, 18, 0, 1, 0, 1]
    bytes += [0, 0, 1, 0, 1]
    let message = try DNSMessage(parsing: bytes)
    #expect(
      message.questions.map { "\($0.name)" } == ["F.ISI.ARPA.", "FOO.F.ISI.ARPA.", "ARPA.", "."])
    #expect(message.encoded() == bytes)
  }

  /// By hand from RFC 1035, 2782 and 4034.
  @Test func writesRecordsAsTheSpecificationsHaveThem() throws {
    let host = try #require(DomainName("h.local"))
    var message = DNSMessage()
    message.flags = [.response, .authoritative]
    message.answers = [
      DNSRecord(
        name: host, data: .a(IPv4Address(rawValue: 0xc000_0201)), timeToLive: 120,
        flushesCache: true),
      DNSRecord(name: host, data: .nsec(next: host, types: [.a, .aaaa]), timeToLive: 120),
      DNSRecord(
        name: host, data: .srv(DNSService(port: 6881, target: host)), timeToLive: 120),
      DNSRecord(name: host, data: .txt([]), timeToLive: 4_500),
    ]
    let hex =
      "000084000000000400000000" + "0168056c6f63616c00" + "0001800100000078" + "0004c0000201"
      + "c00c002f000100000078" + "0008" + "c00c" + "000440000008"
      + "c00c0021000100000078" + "0008" + "000000001ae1c00c" + "c00c0010000100001194" + "000100"
    #expect(message.encoded()?.hex == hex)
    #expect(try DNSMessage(parsing: #require([UInt8](hex: hex))) == message)
  }

  struct Bad: CustomTestStringConvertible {
    let testDescription: String
    let name: [UInt8]
    let reason: DNSError.Reason
    let offset: Int
  }

  static let bad = [
    Bad(testDescription: "to itself", name: [0xc0, 12], reason: .pointerNotBackwards, offset: 12),
    Bad(testDescription: "forward", name: [0xc0, 14, 0], reason: .pointerNotBackwards, offset: 12),
    Bad(
      testDescription: "loop over a label", name: [1, 97, 0xc0, 12], reason: .pointerNotBackwards,
      offset: 14),
    Bad(
      testDescription: "beyond the end", name: [0xff, 0xff], reason: .pointerNotBackwards,
      offset: 12),
    Bad(testDescription: "half a pointer", name: [0xc0], reason: .cutOff, offset: 12),
    Bad(testDescription: "type 1", name: [0x40], reason: .unknownLabelType(0x40), offset: 12),
    Bad(testDescription: "type 2", name: [0x80], reason: .unknownLabelType(0x80), offset: 12),
    Bad(testDescription: "label cut off", name: [5, 97], reason: .cutOff, offset: 12),
    Bad(testDescription: "no end", name: [1, 97], reason: .cutOff, offset: 14),
    Bad(
      testDescription: "256 bytes",
      name: (0..<4).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) } + [0],
      reason: .nameTooLong, offset: 204),
  ]

  @Test(arguments: bad)
  func badNamesAreErrors(bad: Bad) {
    let bytes: [UInt8] = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + bad.name
    #expect(throws: DNSError(offset: bad.offset, reason: bad.reason)) {
      try DNSMessage(parsing: bytes)
    }
  }

  @Test func theLongestNamePasses() throws {
    let name =
      (0..<3).flatMap { _ in [63] + [UInt8](repeating: 97, count: 63) } + [61]
      + [UInt8](repeating: 98, count: 61) + [0]
    #expect(name.count == 255)
    let bytes = [0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0] + name + [0, 1, 0, 1]
    #expect(try DNSMessage(parsing: bytes).questions.first?.name.wire == name)
  }

  /// A pointer to a pointer to a pointer: each leads back, and there is an end.
  @Test func chainsOfPointersAreBounded() throws {
    var bytes: [UInt8] = [0, 0, 0, 0, 0, 200, 0, 0, 0, 0, 0, 0]
    bytes += [0, 0, 1, 0, 1]
    var last = 12
    for _ in 1..<200 {
      let place = bytes.count
      bytes += [0xc0 | UInt8(last >> 8), UInt8(last & 255), 0, 1, 0, 1]
      last = place
    }
    #expect(throws: DNSError.self) { try DNSMessage(parsing: bytes) }
    do {
      _ = try DNSMessage(parsing: bytes)
    } catch {
      #expect(error.reason == .tooManyPointers)
    }
  }

  @Test func dataMustFitItsType() throws {
    for (type, data) in [
      (1, [1, 2, 3]), (28, [1, 2, 3, 4]), (12, [0, 0]), (33, [0, 0, 0, 0, 0]), (16, [5, 97]),
      (47, [0, 0, 33]), (47, [0, 0]),
    ] as [(UInt8, [UInt8])] {
      let bytes =
        [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, type, 0, 1, 0, 0, 0, 9, 0, UInt8(data.count)]
        + data
      #expect(throws: DNSError.self, "type \(type)") { try DNSMessage(parsing: bytes) }
    }
  }

  @Test func lengthIsBounded() {
    #expect(throws: DNSError(offset: 0, reason: .tooLong(9_001))) {
      try DNSMessage(parsing: [UInt8](repeating: 0, count: 9_001))
    }
  }

  @Test func everyShorterOrLongerMessageIsAnError() throws {
    let bytes = try #require(Self.random(seed: 1).encoded())
    for count in 0..<bytes.count {
      #expect(throws: DNSError.self) { try DNSMessage(parsing: Array(bytes[..<count])) }
    }
    #expect(throws: DNSError(offset: bytes.count, reason: .trailingBytes)) {
      try DNSMessage(parsing: bytes + [0])
    }
  }

  @Test func whatIsWrittenReadsTheSame() throws {
    for seed in UInt64(0)..<300 {
      let message = Self.random(seed: seed)
      let bytes = try #require(message.encoded(), "seed \(seed)")
      #expect(try DNSMessage(parsing: bytes) == message, "seed \(seed)")
    }
  }

  /// What has no room leaves no trace: not even in what later names point to.
  @Test func whatDoesNotFitIsNotWritten() throws {
    for seed in UInt64(0)..<200 {
      let message = Self.random(seed: seed)
      var generator = SplitMix64(seed: seed)
      var writer = DNSWriter(
        flags: message.flags, limit: Int.random(in: 12...400, using: &generator))
      var kept: [DNSRecord] = []
      for record in message.answers where writer.add(record, to: .answers) { kept.append(record) }
      let again = try DNSMessage(parsing: writer.bytes)
      #expect(again.answers == kept, "seed \(seed)")
    }
  }

  @Test func namesAreEqualWhateverTheirCase() throws {
    let a = try #require(DomainName("_BitTorrent._tcp.LOCAL"))
    let b = try #require(DomainName("_bittorrent._TCP.local"))
    #expect(a == b && Set([a, b]).count == 1)
    #expect(a != DomainName("_bittorrent._tcp.loca"))
    #expect(DomainName(labels: [[UInt8]()]) == nil)
    #expect(DomainName(labels: [[UInt8](repeating: 1, count: 64)]) == nil)
    #expect("\(Self.instance)" == "a b\\.c._bittorrent._tcp.local.")
    #expect(Self.instance.parent == DomainName("_bittorrent._tcp.local"))
  }

  /// Names share endings, as real ones do.
  static func random(seed: UInt64) -> DNSMessage {
    var generator = SplitMix64(seed: seed)
    let labels = ["local", "_tcp", "_bittorrent", "_sub", "x", "Ä", "host"].map { Array($0.utf8) }
    func name() -> DomainName {
      let count = Int.random(in: 0...6, using: &generator)
      return DomainName(labels: (0..<count).map { _ in labels.randomElement(using: &generator)! })!
    }
    func record() -> DNSRecord {
      let data: DNSData =
        switch Int.random(in: 0..<7, using: &generator) {
        case 0: .a(IPv4Address(rawValue: UInt32.random(in: 0 ... .max, using: &generator)))
        case 1: .aaaa(IPv6Address(high: generator.next(), low: generator.next()))
        case 2: .ptr(name())
        case 3: .srv(DNSService(priority: 1, weight: 2, port: 3, target: name()))
        case 4: .txt((0..<3).map { generator.bytes($0 * 7 + 1) })
        case 5:
          .nsec(
            next: name(),
            types: Set(
              (0..<4).map { _ in DNSType(rawValue: UInt16.random(in: 0..<256, using: &generator)) })
          )
        default: .unknown(DNSType(rawValue: 99), generator.bytes(5))
        }
      return DNSRecord(
        name: name(), data: data, timeToLive: UInt32.random(in: 0 ... .max, using: &generator),
        flushesCache: Bool.random(using: &generator))
    }
    var message = DNSMessage()
    message.id = UInt16.random(in: 0 ... .max, using: &generator)
    message.flags = DNSMessage.Flags(rawValue: UInt16.random(in: 0 ... .max, using: &generator))
    message.questions = (0..<3).map { _ in
      DNSQuestion(name: name(), type: .any, wantsUnicast: Bool.random(using: &generator))
    }
    message.answers = (0..<8).map { _ in record() }
    message.authorities = (0..<2).map { _ in record() }
    message.additionals = (0..<4).map { _ in record() }
    return message
  }
}
