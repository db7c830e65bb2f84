import Testing
import Wire

/// Requests and their answers, byte by byte.
@Suite struct NBDTransmissionTests {
  typealias B = NBDBytes
  static let readOnly = "the export is read-only"

  /// Type, flags, offset, length, payload; which error, with which text. Export: 4,096 bytes.
  struct Refused: Sendable {
    var type: UInt16
    var flags: UInt16 = 0
    var offset: UInt64 = 0
    var length: UInt32 = 512
    var hasData = false
    var code: UInt32
    var text: String
  }

  static let outside = "the range is not inside the export"
  static let badFlag = "a flag that this command does not have"
  static let refused: [Refused] = [
    Refused(type: 0, offset: 3_585, code: 22, text: outside),
    Refused(type: 0, offset: 4_096, code: 22, text: outside),
    Refused(type: 0, offset: .max, code: 22, text: outside),
    Refused(type: 0, offset: .max - 511, code: 22, text: outside),
    Refused(type: 0, offset: 4_097, length: 0, code: 22, text: outside),
    Refused(type: 0, length: .max, code: 22, text: outside),
    Refused(type: 0, flags: 1, code: 22, text: badFlag),
    Refused(type: 0, flags: 8, code: 22, text: badFlag),
    Refused(type: 3, length: 0, code: 1, text: readOnly),
    Refused(type: 4, code: 1, text: readOnly),
    Refused(type: 6, code: 1, text: readOnly),
    Refused(type: 6, flags: 2, code: 1, text: readOnly),
    Refused(type: 5, flags: 1, code: 22, text: badFlag),
    Refused(type: 5, offset: 4_000, code: 22, text: outside),
    Refused(type: 7, code: 22, text: "no metadata context was chosen"),
    Refused(type: 8, code: 22, text: "unknown command"),
    Refused(type: 0xffff, flags: 0xffdf, code: 22, text: "unknown command"),
    Refused(type: 1, hasData: true, code: 1, text: readOnly),
    Refused(type: 1, offset: .max, hasData: true, code: 1, text: readOnly),
  ]

  @Test(arguments: refused, NBDStyle.allCases)
  func badRequestIsAnswered(row: Refused, style: NBDStyle) {
    var harness = NBDHarness.reading(style)
    let data = row.hasData ? [UInt8](repeating: 0x25, count: Int(row.length)) : []
    let flags = row.flags | (style == .extended && row.hasData ? 1 << 5 : 0)
    let request = style.request(
      row.type, flags: flags, cookie: 0x0102_0304_0506_0708, row.offset, row.length, data: data)
    #expect(
      harness.answer(to: request)
        == style.error(row.code, row.text, cookie: 0x0102_0304_0506_0708, row.offset))
    // What follows is understood.
    let read = harness.answer(to: style.request(0, cookie: 1, 100, 1))
    #expect(read.last == harness.content[100] && harness.events.count == 1)
    #expect(harness.session.requestCount == 0 && harness.error == nil)
  }

  @Test func simpleRead() {
    var harness = NBDHarness.reading(.simple)
    #expect(
      harness.answer(to: B.request(0, cookie: 0xfedc_ba98_7654_3210, 4_094, 2))
        == B.hexBytes("67446698 00000000 fedcba9876543210") + harness.content[4_094...])
    // Nobody told this client of DF.
    #expect(
      harness.answer(to: B.request(0, flags: 4, cookie: 1, 0, 1)) == B.simple(1, error: 22))
    #expect(
      harness.answer(to: B.request(0, cookie: 1, 0, 0)) == B.simple(1), "a read of nothing succeeds"
    )
  }

  @Test func structuredReadInChunks() throws {
    var harness = NBDHarness.reading(.structured)
    harness.isLazy = true
    harness.take(B.request(0, cookie: 7, 1_000, 24))
    let request = try #require(harness.waiting.first)
    #expect(request.kind == .read(isWhole: false) && request.range == 1_000..<1_024)
    harness.send(request.id, 1_008..<1_024)
    harness.send(request.id, 1_000..<1_008)
    var expected = B.hexBytes("668e33ef 0000 0001 0000000000000007 00000018 00000000000003f0")
    expected += harness.content[1_008..<1_024]
    expected += B.hexBytes("668e33ef 0001 0001 0000000000000007 00000010 00000000000003e8")
    expected += harness.content[1_000..<1_008]
    #expect(harness.sent == expected)
    // It is over: whatever else is said of it is not sent.
    let count = harness.sent.count
    harness.send(request.id, 1_000..<1_008)
    harness.fail(request, .inputOutput)
    #expect(harness.sent.count == count && harness.session.requestCount == 0)
  }

  @Test func extendedRead() {
    var harness = NBDHarness.reading(.extended)
    #expect(
      harness.answer(to: B.extendedRequest(0, cookie: 7, 1_000, 4))
        == B.hexBytes(
          "6e8a278c 0001 0001 0000000000000007 00000000000003e8 000000000000000c 00000000000003e8")
        + harness.content[1_000..<1_004])
    #expect(
      harness.answer(to: B.extendedRequest(0, cookie: 8, 1_000, 1 << 32))
        == B.extendedChunk(0x8001, 8, 1_000, B.errorPayload(22, Self.outside)))
  }

  @Test(arguments: [NBDStyle.structured, .extended])
  func fragmentsAreForbiddenByTheFlag(style: NBDStyle) {
    var harness = NBDHarness.reading(style)
    harness.take(style.request(0, flags: 4, cookie: 7, 0, 100) + style.request(0, cookie: 8, 0, 9))
    let kinds = harness.events.map { event -> NBDRequest.Kind? in
      if case .request(let request) = event { request.kind } else { nil }
    }
    #expect(kinds == [.read(isWhole: true), .read(isWhole: false)])
  }

  @Test func longReadIsRefused() {
    for (style, code) in [(NBDStyle.simple, UInt32(22)), (.structured, 75), (.extended, 75)] {
      var harness = NBDHarness.reading(style, size: 1 << 26)
      harness.isLazy = true
      let answer = harness.answer(to: style.request(0, cookie: 3, 1, (1 << 25) + 1))
      #expect(answer == style.error(code, "too many bytes for one read", cookie: 3, 1))
      harness.take(style.request(0, cookie: 3, 1, 1 << 25))
      #expect(harness.waiting.count == 1)
    }
  }

  @Test func failuresTellThePlace() throws {
    let styles: [(NBDStyle, [UInt8])] = [
      (.simple, B.simple(7, error: 5)),
      (
        .structured,
        B.hexBytes("668e33ef 0001 8002 0000000000000007 00000013 00000005 0005")
          + Array("3 out".utf8)
          + B.hexBytes("0000000000000064")
      ),
      (.extended, B.extendedChunk(0x8002, 7, 50, B.errorPayload(5, "3 out") + B.big(UInt64(100)))),
    ]
    for (style, answer) in styles {
      var harness = NBDHarness.reading(style)
      harness.isLazy = true
      harness.take(style.request(0, cookie: 7, 50, 100))
      harness.fail(harness.waiting[0], .inputOutput, at: 100, "3\0 out")
      #expect(harness.sent == answer)
    }
  }

  @Test func failureOutsideOfTheRangeHasNoPlace() {
    for place in [UInt64(49), 150, .max] {
      var harness = NBDHarness.reading(.structured)
      harness.isLazy = true
      harness.take(B.request(0, cookie: 7, 50, 100))
      harness.fail(harness.waiting[0], .inputOutput, at: place)
      #expect(harness.sent == B.chunk(0x8001, 7, B.errorPayload(5, "")))
    }
  }

  @Test func textIsCutBetweenCharacters() {
    var harness = NBDHarness.reading(.structured)
    harness.isLazy = true
    harness.take(B.request(0, cookie: 7, 50, 100))
    harness.fail(harness.waiting[0], .inputOutput, "a" + String(repeating: "é", count: 200))
    let text = "a" + String(repeating: "é", count: 127)
    #expect(harness.sent == B.chunk(0x8001, 7, B.errorPayload(5, text)))
  }

  @Test(arguments: NBDStyle.allCases)
  func cacheIsTold(style: NBDStyle) throws {
    var harness = NBDHarness.reading(style)
    #expect(
      harness.answer(to: style.request(5, cookie: 5, 96, 4_000)) == style.success(cookie: 5, 96))
    guard case .request(let request) = harness.events.first else {
      Issue.record("no request")
      return
    }
    #expect(request.kind == .cache && request.range == 96..<4_096)
    #expect(
      harness.answer(to: style.request(5, cookie: 5, 4_096, 0)) == style.success(cookie: 5, 4_096))
    #expect(harness.events.count == 1)
  }

  @Test(arguments: NBDStyle.allCases)
  func goodbyeLetsAnswersOut(style: NBDStyle) {
    var harness = NBDHarness.reading(style)
    harness.isLazy = true
    harness.take(style.request(0, cookie: 5, 0, 10) + style.request(0, cookie: 6, 0, 10))
    harness.take(style.request(2, cookie: 0, 0, 0) + style.request(0, cookie: 7, 0, 10))
    #expect(harness.events.last == .goodbye && harness.waiting.count == 2)
    #expect(!harness.session.isReading && !harness.session.isOver)
    harness.answer(harness.waiting[1])
    harness.session.fail(harness.waiting[0].id, .inputOutput)
    #expect(!harness.session.isOver, "the last answer is not sent")
    harness.flush()
    #expect(harness.session.isOver && harness.error == nil)
  }

  @Test(arguments: NBDStyle.allCases)
  func garbageEndsTheSession(style: NBDStyle) {
    var harness = NBDHarness.reading(style)
    harness.isLazy = true
    harness.take(style.request(0, cookie: 5, 0, 10) + [UInt8](repeating: 0x77, count: 40))
    #expect(harness.error?.reason == .requestMagic(0x7777_7777))
    harness.sent = []
    harness.answer(harness.waiting[0])
    harness.fail(harness.waiting[0], .inputOutput)
    #expect(harness.sent == [], "nothing is said to who broke the protocol")
  }

  @Test func requestOfTheOtherStyleEndsTheSession() {
    var compact = NBDHarness.reading(.structured)
    compact.take(B.extendedRequest(0, cookie: 5, 0, 10))
    #expect(compact.error?.reason == .requestMagic(0x21e4_1c71))
    var extended = NBDHarness.reading(.extended)
    extended.take(B.request(0, cookie: 5, 0, 10) + B.request(0, cookie: 5, 0, 10))
    #expect(extended.error?.reason == .requestMagic(0x2560_9513))
  }

  @Test func hugeWriteEndsTheSession() {
    for style in NBDStyle.allCases {
      var harness = NBDHarness.reading(style)
      let flags: UInt16 = style == .extended ? 1 << 5 : 0
      harness.take(style.request(1, flags: flags, cookie: 5, 0, 1 << 25))
      #expect(harness.error == nil && harness.sent == [])
      harness.take([UInt8](repeating: 0, count: 1 << 25))
      #expect(harness.sent == style.error(1, Self.readOnly, cookie: 5, 0))
      harness.take(style.request(1, flags: flags, cookie: 5, 0, (1 << 25) + 1))
      #expect(harness.error?.reason == .payload((1 << 25) + 1))
    }
  }

  @Test func payloadsOfExtendedRequestsAreSteppedOver() {
    var harness = NBDHarness.reading(.extended, contexts: ["base:allocation"])
    let data = [UInt8](repeating: 0x21, count: 12)
    let text = "this command has no payload"
    for type: UInt16 in [0, 3, 5, 7, 99] {
      let request = B.extendedRequest(type, flags: 1 << 5, cookie: 4, 8, 12, data: data)
      #expect(
        harness.answer(to: request)
          == B.extendedChunk(0x8001, 4, 8, B.errorPayload(22, text)))
    }
    #expect(
      harness.answer(to: B.extendedRequest(1, cookie: 4, 8, 12))
        == B.extendedChunk(0x8001, 4, 8, B.errorPayload(22, "a write without its data")))
    #expect(harness.events.isEmpty && harness.error == nil)
  }

  @Test func shutDownRefusesRequests() {
    var harness = NBDHarness.reading(.structured)
    harness.isLazy = true
    harness.take(B.request(0, cookie: 1, 0, 10))
    harness.session.shutDown()
    #expect(
      harness.answer(to: B.request(0, cookie: 2, 0, 10))
        == B.chunk(0x8001, 2, B.errorPayload(108, "the server is shutting down")))
    harness.fail(harness.waiting[0], .shuttingDown)
    #expect(harness.session.requestCount == 0)
  }
}
