import Testing
import Wire

/// An owner of a session that answers at once, from one small export called "disk" (and "").
struct NBDHarness {
  var session = NBDSession()
  var events: [NBDEvent] = []
  /// All that was sent, data of reads included.
  var sent: [UInt8] = []
  var error: NBDError?
  /// Requests that wait: all, if `isLazy`.
  var waiting: [NBDRequest] = []
  var isLazy = false
  let size: Int
  /// Its bytes; none where it is so large that only its bounds are tried.
  let content: [UInt8]
  var runs: [NBDRun] = []
  /// Bytes of the client that were not taken.
  private(set) var left: [UInt8] = []

  init(size: Int = 4_096) {
    self.size = size
    content = (0..<(size > 1 << 20 ? 0 : size)).map {
      UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8)
    }
    flush()
  }

  /// Takes what the client sends, as one chunk.
  mutating func take(_ bytes: [UInt8]) {
    let chunk = left + bytes
    left = []
    var offset = 0
    do {
      while let event = try session.next(in: chunk.span.bytes, at: &offset) {
        events.append(event)
        answer(event)
      }
    } catch {
      self.error = error
    }
    left = Array(chunk[offset...])
    if session.isReading { #expect(left.isEmpty, "bytes are left, and it says that it reads") }
    flush()
  }

  /// Takes `bytes` and gives what is sent because of them.
  mutating func answer(to bytes: [UInt8]) -> [UInt8] {
    let before = sent.count
    take(bytes)
    return Array(sent[before...])
  }

  mutating func flush() {
    let output = session.takeOutput()
    sent += output
    session.didSend(output.count)
    #expect(!session.hasOutput)
  }

  private mutating func answer(_ event: NBDEvent) {
    switch event {
    case .list:
      session.answerList([
        NBDListing(name: Array("disk".utf8), description: "a small disk"),
        NBDListing(name: [UInt8](repeating: 0x61, count: 4_097)),
        NBDListing(name: Array("other".utf8)),
      ])
    case .export(let name, _):
      switch String(decoding: name, as: UTF8.self) {
      case "", "disk":
        session.answerExport(
          .export(
            NBDExport(
              name: Array("disk".utf8), description: "a small disk", size: UInt64(size))))
      case "secret": session.answerExport(.refused("not for you"))
      default: session.answerExport(.unknown("no such export"))
      }
    case .request(let request):
      if isLazy { waiting.append(request) } else { answer(request) }
    case .goodbye: break
    }
    flush()
  }

  /// The whole answer.
  mutating func answer(_ request: NBDRequest) {
    switch request.kind {
    case .read: send(request.id, request.range)
    case .cache: session.complete(request.id)
    case .blockStatus: session.answerStatus(request.id, runs)
    }
    flush()
  }

  /// A part of a read.
  mutating func send(_ id: NBDRequestID, _ range: Range<UInt64>) {
    flush()
    var header = [UInt8](repeating: 0xee, count: NBDSession.longestDataHeader)
    let count = header.withUnsafeMutableBytes {
      session.writeDataHeader(for: id, range, into: $0)
    }
    #expect(header[count...].allSatisfy { $0 == 0xee }, "more is written than is said")
    if count == 0 { return }
    sent += header[..<count] + content[Int(range.lowerBound)..<Int(range.upperBound)]
    session.didSend(count + range.count)
  }

  mutating func fail(
    _ request: NBDRequest, _ code: NBDErrorCode, at offset: UInt64? = nil, _ text: String = ""
  ) {
    session.fail(request.id, code, at: offset, text)
    flush()
  }
}

extension NBDHarness {
  /// In transmission, with what was sent before forgotten.
  static func reading(
    _ style: NBDStyle, contexts: [String] = [], size: Int = 4_096
  ) -> NBDHarness {
    var harness = NBDHarness(size: size)
    harness.take(NBDBytes.clientFlags())
    if let option = style.option { harness.take(NBDBytes.option(option)) }
    if !contexts.isEmpty { harness.take(NBDBytes.contexts(10, "disk", contexts)) }
    harness.take(NBDBytes.information(7, "disk"))
    harness.sent = []
    harness.events = []
    return harness
  }
}

/// How a client negotiates to be answered.
enum NBDStyle: CaseIterable {
  case simple, structured, extended

  var option: UInt32? {
    switch self {
    case .simple: nil
    case .structured: 8
    case .extended: 11
    }
  }

  func request(
    _ type: UInt16, flags: UInt16 = 0, cookie: UInt64, _ offset: UInt64, _ length: UInt32,
    data: [UInt8] = []
  ) -> [UInt8] {
    self == .extended
      ? NBDBytes.extendedRequest(
        type, flags: flags, cookie: cookie, offset, UInt64(length), data: data)
      : NBDBytes.request(type, flags: flags, cookie: cookie, offset, length, data: data)
  }

  /// An error that ends the request at `offset`, as this style has it.
  func error(_ code: UInt32, _ text: String, cookie: UInt64, _ offset: UInt64) -> [UInt8] {
    let payload = NBDBytes.errorPayload(code, text)
    return switch self {
    case .simple: NBDBytes.simple(cookie, error: code)
    case .structured: NBDBytes.chunk(0x8001, cookie, payload)
    case .extended: NBDBytes.extendedChunk(0x8001, cookie, offset, payload)
    }
  }

  func success(cookie: UInt64, _ offset: UInt64) -> [UInt8] {
    switch self {
    case .simple: NBDBytes.simple(cookie)
    case .structured: NBDBytes.chunk(0, cookie)
    case .extended: NBDBytes.extendedChunk(0, cookie, offset)
    }
  }
}
