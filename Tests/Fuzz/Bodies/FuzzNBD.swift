import Wire

/// The first byte says how far the negotiation has come when the rest of the stream begins; then come
/// four sizes of chunks and four ways to answer. However the stream is cut, the session does the same;
/// what it sends can be read; every request is answered once.
func fuzzNBD(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  let prelude = Int(reader.byte())
  let sizes = (0..<4).map { _ in 1 + Int(reader.byte()) }
  let ways = (0..<4).map { _ in reader.byte() }
  let stream = NBDPrelude.bytes(prelude) + Array(bytes.dropFirst(9))
  var whole = NBDOwner(ways)
  whole.take(stream[...])
  whole.finish()
  var parts = NBDOwner(ways)
  var rest = stream[...]
  var step = 0
  while !rest.isEmpty {
    parts.take(rest.prefix(sizes[step % 4]))
    rest = rest.dropFirst(sizes[step % 4])
    step += 1
  }
  parts.finish()
  demand(parts.events == whole.events && parts.error == whole.error, "chunks make a difference")
  demand(parts.sent == whole.sent, "chunks make a difference to what is sent")
}

/// What a client sends first, so that not every input must find it.
private enum NBDPrelude {
  static func bytes(_ number: Int) -> [UInt8] {
    let flags: [UInt8] = [0, 0, 0, UInt8(number & 3)]
    switch number / 4 % 6 {
    case 0: return []
    case 1: return flags
    case 2: return flags + option(1, [])
    case 3: return flags + option(8, []) + option(10, contexts) + option(7, [0, 0, 0, 0, 0, 0])
    case 4: return flags + option(11, []) + option(10, contexts) + option(7, [0, 0, 0, 0, 0, 0])
    default: return flags + option(8, [])
    }
  }

  /// Of the default export, both.
  private static var contexts: [UInt8] {
    let names = ["base:allocation", "x-swarm:present"]
    return [0, 0, 0, 0, 0, 0, 0, 2]
      + names.flatMap { [0, 0, 0, UInt8($0.utf8.count)] + Array($0.utf8) }
  }

  private static func option(_ number: UInt8, _ data: [UInt8]) -> [UInt8] {
    Array("IHAVEOPT".utf8) + [0, 0, 0, number, 0, 0, 0, UInt8(data.count)] + data
  }
}

/// Answers by a fixed pattern, and remembers all.
private struct NBDOwner {
  var session = NBDSession()
  var events: [NBDEvent] = []
  var sent: [UInt8] = []
  var error: NBDError?
  private let ways: [UInt8]
  private var step = 0
  private var waiting: [NBDRequest] = []
  private var left: [UInt8] = []
  /// Where the transmission begins in `sent`.
  private var transmission: Int?
  private var requestCount = 0
  static let size: UInt64 = 1 << 16

  init(_ ways: [UInt8]) { self.ways = ways }

  mutating func take(_ bytes: ArraySlice<UInt8>) {
    guard error == nil else { return }
    let chunk = left + bytes
    var offset = 0
    do {
      while let event = try session.next(in: chunk.span.bytes, at: &offset) {
        events.append(event)
        flush()
        answer(event)
        flush()
        while !session.isReading, !waiting.isEmpty { answer(waiting.removeFirst()) }
      }
    } catch {
      demand(!error.description.isEmpty && error.offset <= 1 << 20)
      self.error = error
    }
    left = Array(chunk[offset...])
    demand(left.isEmpty || error != nil || !session.isReading, "bytes are left")
    flush()
  }

  /// Answers what waits, and looks at all that was sent.
  mutating func finish() {
    let isBroken = error != nil
    while let request = waiting.popLast() { answer(request) }
    flush()
    demand(isBroken || session.requestCount == 0, "an answer is missing")
    demand(session.requestCount <= NBDLimits.requestsInFlight)
    if let transmission { readReplies(sent[transmission...], isBroken: isBroken) }
  }

  private mutating func flush() {
    let output = session.takeOutput()
    sent += output
    session.didSend(output.count)
  }

  private mutating func way() -> UInt8 {
    step += 1
    return ways[step % 4]
  }

  private mutating func answer(_ event: NBDEvent) {
    switch event {
    case .list:
      session.answerList([NBDListing(name: Array("disk".utf8), description: "a disk")])
    case .export(let name, let purpose):
      demand(name.count <= NBDLimits.optionBytes)
      let isKnown = name.isEmpty || name == Array("disk".utf8)
      session.answerExport(
        isKnown
          ? .export(NBDExport(name: Array("disk".utf8), description: "a disk", size: Self.size))
          : .unknown("none"))
      flush()
      if isKnown, purpose == .transmission { transmission = sent.count }
    case .request(let request):
      demand(request.length > 0 && request.length <= Self.size, "a bad length")
      demand(request.offset <= Self.size - request.length, "a range outside")
      requestCount += 1
      if way() & 1 == 0 { answer(request) } else { waiting.append(request) }
    case .goodbye: break
    }
  }

  private mutating func answer(_ request: NBDRequest) {
    let way = way()
    if way & 2 != 0 {
      session.fail(request.id, .inputOutput, at: request.offset + UInt64(way), "no peer")
      flush()
      return
    }
    switch request.kind {
    case .cache: session.complete(request.id)
    case .blockStatus:
      session.answerStatus(
        request.id,
        (0..<UInt64(way)).lazy.map {
          NBDRun(length: 1 + $0 * 7, isHere: $0 & 1 == 0, isZero: $0 & 2 == 0)
        })
    case .read(let isWhole):
      var start = request.offset
      let end = request.range.upperBound
      while start < end {
        let part = isWhole ? request.length : min(end - start, 1_000 + 64 * UInt64(way))
        send(request, start..<(start + part))
        start += part
      }
    }
    flush()
  }

  private mutating func send(_ request: NBDRequest, _ range: Range<UInt64>) {
    flush()
    let count = withUnsafeTemporaryAllocation(
      byteCount: NBDSession.longestDataHeader, alignment: 1
    ) { buffer in
      let count = session.writeDataHeader(for: request.id, range, into: buffer)
      sent += buffer[..<count]
      return count
    }
    if count == 0 {
      demand(error != nil, "a read is over too soon")
      return
    }
    sent += repeatElement(0xda, count: range.count)
    session.didSend(count + range.count)
  }

  /// Every message has the length it says, and there are as many last ones as requests at least.
  private func readReplies(_ stream: ArraySlice<UInt8>, isBroken: Bool) {
    var rest = stream
    var done = 0
    func number(_ offset: Int, _ count: Int) -> Int {
      let bytes = rest.dropFirst(offset).prefix(count)
      demand(bytes.count == count, "a message ends too soon")
      return bytes.reduce(0) { $0 << 8 | Int($1) }
    }
    while !rest.isEmpty {
      let length: Int
      switch number(0, 4) {
      case 0x6744_6698:
        // What follows a simple reply is known to who asked alone; so it is all data or none.
        let isSuccess = number(4, 4) == 0
        length = 16 + (isSuccess ? rest.dropFirst(16).prefix { $0 == 0xda }.count : 0)
        done += 1
      case 0x668e_33ef:
        length = 20 + number(16, 4)
        done += number(4, 2)
      case 0x6e8a_278c:
        length = 32 + number(24, 8)
        done += number(4, 2)
      default:
        demand(false, "no reply begins here")
        return
      }
      demand(length <= rest.count, "a message is longer than what was sent")
      rest = rest.dropFirst(length)
    }
    demand(isBroken || done >= requestCount, "a request without its last chunk")
  }
}
