import Testing
import Wire

/// Options and their answers, byte by byte.
@Suite struct NBDNegotiationTests {
  typealias B = NBDBytes

  /// HAS_FLAGS, READ_ONLY, CAN_MULTI_CONN, SEND_CACHE; with structured replies SEND_DF as well.
  static let flags = B.hexBytes("0503")
  static let structuredFlags = B.hexBytes("0583")
  static let size = B.hexBytes("0000000000001000")

  static func information(_ option: UInt32, _ flags: [UInt8] = flags) -> [UInt8] {
    B.optionReply(option, 3, B.hexBytes("0000") + size + flags)
  }

  /// What the client sends behind its flags, and what comes back; each on a connection of its own.
  static let table: [(String, sent: [UInt8], answer: [UInt8])] = [
    (
      "list", B.option(3),
      B.optionReply(3, 2, B.string("disk") + Array("a small disk".utf8))
        + B.optionReply(3, 2, B.string("other")) + B.optionReply(3, 1)
    ),
    ("list with data", B.option(3, [1]), B.optionError(3, 3, "this option has no data")),
    ("info", B.information(6, "disk"), information(6) + B.optionReply(6, 1)),
    ("info of the default export", B.information(6, ""), information(6) + B.optionReply(6, 1)),
    (
      "info with everything, twice, and more", B.information(6, "disk", [3, 0, 1, 2, 77, 3]),
      information(6) + B.optionReply(6, 3, B.hexBytes("0001") + Array("disk".utf8))
        + B.optionReply(6, 3, B.hexBytes("0002") + Array("a small disk".utf8))
        + B.optionReply(6, 3, B.hexBytes("0003 00000001 00004000 02000000"))
        + B.optionReply(6, 1)
    ),
    ("info of nothing", B.information(6, "nothing"), B.optionError(6, 6, "no such export")),
    ("info of a secret", B.information(6, "secret"), B.optionError(6, 2, "not for you")),
    (
      "info, name longer than the data", B.option(6, B.hexBytes("00000005 6469736b 0000")),
      B.optionError(6, 3, "the lengths in this option contradict each other")
    ),
    (
      "info, one request missing", B.option(6, B.string("disk") + B.hexBytes("0002 0001")),
      B.optionError(6, 3, "the lengths in this option contradict each other")
    ),
    (
      "info, bytes behind the requests", B.option(6, B.string("disk") + B.hexBytes("0000 00")),
      B.optionError(6, 3, "the lengths in this option contradict each other")
    ),
    (
      "info without data", B.option(6),
      B.optionError(6, 3, "the lengths in this option contradict each other")
    ),
    (
      "info, too much data", B.option(6, [UInt8](repeating: 0, count: 65_537)),
      B.optionError(6, 9, "too much data")
    ),
    ("go", B.information(7, "disk"), information(7) + B.optionReply(7, 1)),
    ("go to nothing", B.information(7, "nothing"), B.optionError(7, 6, "no such export")),
    (
      "go with structured replies", B.option(8) + B.information(7, "disk", [0]),
      B.optionReply(8, 1) + information(7, structuredFlags) + B.optionReply(7, 1)
    ),
    (
      "go with extended headers", B.option(11) + B.information(7, "disk", [0]),
      B.optionReply(11, 1) + information(7, structuredFlags) + B.optionReply(7, 1)
    ),
    (
      "structured replies with data", B.option(8, [0]),
      B.optionError(8, 3, "this option has no data")
    ),
    (
      "structured replies twice", B.option(8) + B.option(8),
      B.optionReply(8, 1) + B.optionError(8, 3, "structured replies are agreed on already")
    ),
    (
      "extended headers, then structured replies", B.option(11) + B.option(8),
      B.optionReply(11, 1) + B.optionError(8, 10, "extended headers are agreed on already")
    ),
    (
      "structured replies, then extended headers, twice",
      B.option(8) + B.option(11) + B.option(11),
      B.optionReply(8, 1) + B.optionReply(11, 1)
        + B.optionError(11, 3, "extended headers are agreed on already")
    ),
    (
      "extended headers with data", B.option(11, [0]),
      B.optionError(11, 3, "this option has no data")
    ),
    ("TLS", B.option(5), B.optionError(5, 1, "no TLS here")),
    ("TLS with data", B.option(5, [1, 2]), B.optionError(5, 3, "this option has no data")),
    ("peek", B.option(4), B.optionError(4, 1, "unknown option")),
    (
      "unknown, with data, then list with data",
      B.option(0x1234_5678, [UInt8](repeating: 0x49, count: 70_000)) + B.option(3, [7]),
      B.optionError(0x1234_5678, 1, "unknown option")
        + B.optionError(3, 3, "this option has no data")
    ),
    ("option 0", B.option(0), B.optionError(0, 1, "unknown option")),
    ("abort", B.option(2), B.optionReply(2, 1)),
    ("abort with data", B.option(2, [1, 2, 3]), B.optionReply(2, 1)),
    ("export by name", B.option(1, Array("disk".utf8)), size + flags),
    ("the default export by name", B.option(1), size + flags),
    ("no such name", B.option(1, Array("nothing".utf8)), []),
  ]

  @Test(arguments: table)
  func optionIsAnswered(what: String, sent: [UInt8], answer: [UInt8]) {
    var harness = NBDHarness()
    #expect(harness.sent == B.greeting)
    #expect(harness.answer(to: B.clientFlags()) == [])
    #expect(harness.answer(to: sent) == answer, "\(what)")
    #expect(harness.error == nil)
  }

  static let contextTable: [(String, sent: [UInt8], answer: [UInt8])] = [
    (
      "list of all", B.contexts(9, "disk", []),
      meta(9, 0, "base:allocation") + meta(9, 0, "x-swarm:present") + B.optionReply(9, 1)
    ),
    (
      "list of a namespace", B.contexts(9, "disk", ["base:"]),
      meta(9, 0, "base:allocation") + B.optionReply(9, 1)
    ),
    (
      "list of one by name, one by namespace",
      B.contexts(9, "disk", ["base:allocation", "x-swarm:"]),
      meta(9, 0, "base:allocation") + meta(9, 0, "x-swarm:present") + B.optionReply(9, 1)
    ),
    (
      "list of what is not", B.contexts(9, "disk", ["base:other", "qemu:", "qemu:dirty-bitmap:b"]),
      B.optionReply(9, 1)
    ),
    ("choice of none", B.contexts(10, "disk", []), B.optionReply(10, 1)),
    (
      "wildcards choose nothing", B.contexts(10, "disk", ["base:", "x-swarm:"]),
      B.optionReply(10, 1)
    ),
    (
      "choice of both, one twice",
      B.contexts(
        10, "disk", ["x-swarm:present", "base:allocation", "base:allocation", "qemu:x"]),
      meta(10, 1, "base:allocation") + meta(10, 2, "x-swarm:present") + B.optionReply(10, 1)
    ),
    (
      "of no export", B.contexts(10, "nothing", ["base:allocation"]),
      B.optionError(10, 6, "no such export")
    ),
    (
      "without a namespace", B.contexts(10, "disk", ["allocation"]),
      B.optionError(10, 3, "a query has no namespace")
    ),
    (
      "with an empty namespace", B.contexts(9, "disk", [":allocation"]),
      B.optionError(9, 3, "a query has no namespace")
    ),
    (
      "too many", B.contexts(9, "disk", [String](repeating: "base:allocation", count: 65)),
      B.optionError(9, 9, "more than 64 queries")
    ),
    (
      "as many as may be", B.contexts(9, "disk", [String](repeating: "base:allocation", count: 64)),
      meta(9, 0, "base:allocation") + B.optionReply(9, 1)
    ),
    (
      "more queries than data", B.option(10, B.string("disk") + B.hexBytes("ffffffff")),
      B.optionError(10, 3, "the lengths in this option contradict each other")
    ),
    (
      "a query longer than the data",
      B.option(10, B.string("disk") + B.hexBytes("00000001 00000003 6261")),
      B.optionError(10, 3, "the lengths in this option contradict each other")
    ),
    (
      "bytes behind the queries", B.option(10, B.string("disk") + B.hexBytes("00000000 00")),
      B.optionError(10, 3, "the lengths in this option contradict each other")
    ),
    (
      "a query longer than any string",
      B.contexts(10, "disk", ["base:" + String(repeating: "a", count: 4_092)]),
      B.optionError(10, 3, "the lengths in this option contradict each other")
    ),
  ]

  static func meta(_ option: UInt32, _ id: UInt32, _ name: String) -> [UInt8] {
    B.optionReply(option, 4, B.big(id) + Array(name.utf8))
  }

  @Test(arguments: contextTable, [UInt32(8), 11])
  func contextsAreAnswered(row: (String, sent: [UInt8], answer: [UInt8]), style: UInt32) {
    var harness = NBDHarness()
    harness.take(B.clientFlags() + B.option(style))
    #expect(harness.answer(to: row.sent) == row.answer, "\(row.0)")
  }

  @Test func contextsNeedStructuredReplies() {
    for option: UInt32 in [9, 10] {
      var harness = NBDHarness()
      harness.take(B.clientFlags())
      #expect(
        harness.answer(to: B.contexts(option, "disk", []))
          == B.optionError(option, 3, "structured replies must be agreed on first"))
    }
  }

  @Test func zeroesStandBehindTheExportUnlessRefused() {
    for (flags, zeroes) in [(UInt32(0), 124), (1, 124), (2, 0), (3, 0)] {
      var harness = NBDHarness()
      harness.take(B.clientFlags(flags))
      let answer = harness.answer(to: B.option(1, Array("disk".utf8)))
      #expect(answer == Self.size + Self.flags + [UInt8](repeating: 0, count: zeroes))
      #expect(harness.events == [.export(name: Array("disk".utf8), .transmission)])
      #expect(
        harness.answer(to: B.request(0, cookie: 9, 16, 2))
          == B.simple(9) + harness.content[16..<18])
    }
  }

  @Test func purposesAreTold() {
    var harness = NBDHarness()
    harness.take(B.clientFlags() + B.option(8) + B.information(6, "x") + B.contexts(9, "y", []))
    harness.take(B.option(3) + B.information(7, "disk"))
    #expect(
      harness.events == [
        .export(name: Array("x".utf8), .information), .export(name: Array("y".utf8), .contexts),
        .list, .export(name: Array("disk".utf8), .transmission),
      ])
  }

  @Test func nothingIsReadWhileTheOwnerThinks() throws {
    var session = NBDSession()
    let bytes = B.clientFlags() + B.information(6, "disk") + B.option(3)
    var offset = 0
    let event = try session.next(in: bytes.span.bytes, at: &offset)
    #expect(event == .export(name: Array("disk".utf8), .information))
    #expect(!session.isReading)
    #expect(try session.next(in: bytes.span.bytes, at: &offset) == nil)
    #expect(offset == bytes.count - 16)
    session.answerExport(.unknown(""))
    #expect(session.isReading)
    #expect(try session.next(in: bytes.span.bytes, at: &offset) == .list)
    session.answerExport(.unknown("which nobody asked for"))
    #expect(!session.isReading)
    session.answerList([])
    #expect(offset == bytes.count && session.isReading)
    #expect(
      session.takeOutput()
        == B.greeting + B.optionError(6, 6, "") + B.optionReply(3, 1))
  }

  static let broken: [(String, sent: [UInt8], error: String)] = [
    ("flags", B.clientFlags(4), "NBD client at byte 0: flags 0x4, of which some were not offered"),
    (
      "no option", B.clientFlags() + B.option(3) + [UInt8](repeating: 0x47, count: 16),
      "NBD client at byte 20: 0x4747474747474747 where an option should begin"
    ),
    (
      "a name too long", B.clientFlags() + B.option(1, [UInt8](repeating: 0x61, count: 4_097)),
      "NBD client at byte 4: a name of 4097 bytes, more than 4096"
    ),
    (
      "data without end",
      B.clientFlags() + B.hexBytes("49484156454f5054 0000ffff 02000001"),
      "NBD client at byte 4: 33554433 bytes of payload, more than 33554432"
    ),
    (
      "name after extended headers", B.clientFlags() + B.option(11) + B.option(1),
      "NBD client at byte 20: NBD_OPT_EXPORT_NAME after NBD_OPT_EXTENDED_HEADERS"
    ),
  ]

  @Test(arguments: broken)
  func brokenNegotiationEnds(what: String, sent: [UInt8], error: String) {
    var harness = NBDHarness()
    harness.take(sent)
    #expect(harness.error?.description == error, "\(what)")
    #expect(!harness.session.isReading)
    // The same again, for ever.
    harness.error = nil
    harness.take([])
    #expect(harness.error?.description == error, "\(what)")
  }

  @Test func abortEndsTheSession() {
    for data in [0, 5] {
      var harness = NBDHarness()
      harness.take(B.clientFlags() + B.option(2, [UInt8](repeating: 1, count: data)) + [1, 2, 3])
      #expect(harness.events == [.goodbye])
      #expect(!harness.session.isReading && harness.session.isOver && harness.error == nil)
    }
  }

  @Test func unknownNameEndsTheSessionOnlyWhereNoAnswerIsPossible() {
    var harness = NBDHarness()
    harness.take(B.clientFlags() + B.information(7, "nothing"))
    #expect(!harness.session.isOver && harness.session.isReading)
    harness.take(B.option(1, Array("nothing".utf8)))
    #expect(harness.session.isOver && !harness.session.isReading)
  }

  @Test func shutDownRefusesOptions() {
    var harness = NBDHarness()
    harness.take(B.clientFlags())
    harness.session.shutDown()
    let text = "the server is shutting down"
    #expect(
      harness.answer(to: B.option(3) + B.information(7, "disk") + B.option(99, [1]) + B.option(2))
        == B.optionError(3, 7, text) + B.optionError(7, 7, text) + B.optionError(99, 7, text)
        + B.optionReply(2, 1))
    #expect(harness.session.isOver)
  }
}
