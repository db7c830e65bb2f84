import TestSupport
import Testing
import Wire

/// Whole connections, made up at random.
@Suite struct NBDRandomTests {
  typealias B = NBDBytes

  /// However the stream is cut, the session does the same.
  @Test func chunksMakeNoDifference() {
    for seed in UInt64(1)...20 {
      var random = SplitMix64(seed: seed)
      let stream = Self.stream(&random)
      var whole = NBDHarness()
      whole.runs = NBDStatusTests.runs
      whole.take(stream)
      for longest in [1, 40, 3_000] {
        var parts = NBDHarness()
        parts.runs = NBDStatusTests.runs
        var rest = stream[...]
        while !rest.isEmpty {
          let count = min(rest.count, Int.random(in: 1...longest, using: &random))
          parts.take(Array(rest.prefix(count)))
          rest = rest.dropFirst(count)
        }
        #expect(parts.events == whole.events, "seed \(seed)")
        #expect(parts.sent == whole.sent, "seed \(seed)")
        #expect(parts.error == whole.error, "seed \(seed)")
        #expect(parts.left == whole.left, "seed \(seed)")
      }
    }
  }

  /// A negotiation and requests; in one of four something is wrong somewhere.
  static func stream(_ random: inout SplitMix64) -> [UInt8] {
    var stream = B.clientFlags(UInt32.random(in: 0...3, using: &random))
    var style = NBDStyle.simple
    for _ in 0..<Int.random(in: 0...8, using: &random) {
      switch Int.random(in: 0..<8, using: &random) {
      case 0: stream += B.option(3)
      case 1:
        stream += B.option(8)
        if style == .simple { style = .structured }
      case 2:
        stream += B.option(11)
        style = .extended
      case 3: stream += B.contexts(10, "disk", ["base:allocation", "x-swarm:present"])
      case 4: stream += B.information(6, random.oneIn(2) ? "disk" : "nothing", [1, 2, 3])
      case 5: stream += B.option(UInt32.random(in: 0...300, using: &random), random.bytes(9))
      case 6:
        stream += B.option(
          6, random.bytes(Int.random(in: 0...(random.oneIn(20) ? 70_000 : 200), using: &random)))
      default: stream += B.contexts(9, "disk", [])
      }
    }
    if random.oneIn(3), style != .extended {
      stream += B.option(1, Array("disk".utf8))
    } else {
      stream += B.information(7, "disk", [3])
    }
    for cookie in 0..<UInt64.random(in: 0...40, using: &random) {
      stream += request(&random, style, cookie).bytes
    }
    if random.oneIn(2) { stream += style.request(2, cookie: 0, 0, 0) }
    if random.oneIn(4) {
      stream[Int.random(in: 0..<stream.count, using: &random)] ^=
        1
        << UInt8.random(
          in: 0...7, using: &random)
    }
    return stream
  }

  /// What a request must come to.
  enum Outcome: Equatable {
    case data(Range<UInt64>)
    case success
    case status(UInt64, isOne: Bool)
    case error(UInt32)
  }

  /// A request to an export of 4,096 bytes with both contexts, and the slow opinion of it.
  static func request(
    _ random: inout SplitMix64, _ style: NBDStyle, _ cookie: UInt64
  ) -> (bytes: [UInt8], outcome: Outcome) {
    let types: [UInt16] = [0, 0, 0, 0, 5, 7, 7, 1, 3, 4, 6, 8]
    let type = types[Int.random(in: 0..<types.count, using: &random)]
    let isOdd = random.oneIn(6)
    let offset = UInt64.random(in: 0...(isOdd ? 5_000 : 4_000), using: &random)
    let length = UInt32.random(in: 0...(isOdd ? 5_000 : UInt32(4_096 - offset)), using: &random)
    var flags: UInt16 = random.oneIn(4) ? 1 << UInt16.random(in: 0...4, using: &random) : 0
    let data = type == 1 ? random.bytes(Int(length)) : []
    if style == .extended, type == 1 { flags = 1 << 5 }
    let bytes = style.request(type, flags: flags, cookie: cookie, offset, length, data: data)
    let isInside = Int(offset) + Int(length) <= 4_096
    switch type {
    case 0:
      let allowed: [UInt16] = style == .simple ? [0] : [0, 4]
      guard isInside, allowed.contains(flags) else { return (bytes, .error(22)) }
      return (bytes, length == 0 ? .success : .data(offset..<(offset + UInt64(length))))
    case 5: return (bytes, isInside && flags == 0 ? .success : .error(22))
    case 7:
      let isGood = isInside && length > 0 && style != .simple && (flags == 0 || flags == 8)
      return (bytes, isGood ? .status(UInt64(length), isOne: flags == 8) : .error(22))
    case 8: return (bytes, .error(22))
    default: return (bytes, .error(1))
    }
  }

  /// Requests come in any chunks, answers go in any order and parts; each request comes to what it
  /// should, once.
  @Test(arguments: NBDStyle.allCases)
  func answersInAnyOrderAreUnderstood(style: NBDStyle) {
    for seed in UInt64(1)...60 {
      var random = SplitMix64(seed: seed)
      var harness = NBDHarness.reading(
        style, contexts: style == .simple ? [] : ["base:allocation", "x-swarm:present"])
      harness.isLazy = true
      harness.runs = NBDStatusTests.runs
      var outcomes: [UInt64: Outcome] = [:]
      var stream: [UInt8] = []
      for cookie in 0..<UInt64(60) {
        let request = Self.request(&random, style, cookie)
        stream += request.bytes
        outcomes[cookie] = request.outcome
      }
      var missing: [NBDRequestID: [Range<UInt64>]] = [:]
      var failed: Set<UInt64> = []
      while !stream.isEmpty || !harness.waiting.isEmpty {
        if !stream.isEmpty, harness.waiting.isEmpty || random.oneIn(2) {
          let count = min(stream.count, Int.random(in: 1...200, using: &random))
          harness.take(Array(stream.prefix(count)))
          stream.removeFirst(count)
          continue
        }
        let place = Int.random(in: 0..<harness.waiting.count, using: &random)
        let request = harness.waiting[place]
        guard case .read(isWhole: false) = request.kind else {
          harness.waiting.remove(at: place)
          harness.answer(request)
          continue
        }
        if random.oneIn(10) {
          harness.waiting.remove(at: place)
          let before = harness.sent.count
          harness.fail(request, .inputOutput, at: request.offset)
          failed.insert(Self.cookie(harness.sent[before...], style))
          continue
        }
        var parts = missing[request.id] ?? [request.range]
        var part = parts.remove(at: Int.random(in: 0..<parts.count, using: &random))
        if part.count > 1, random.oneIn(2) {
          let cut = UInt64.random(in: (part.lowerBound + 1)..<part.upperBound, using: &random)
          parts.append(cut..<part.upperBound)
          part = part.lowerBound..<cut
        }
        missing[request.id] = parts
        harness.send(request.id, part)
        if parts.isEmpty { harness.waiting.remove(at: place) }
      }
      #expect(harness.error == nil && harness.session.requestCount == 0, "seed \(seed)")
      check(harness, outcomes, failed, style, seed)
    }
  }

  /// The number in the head of a chunk.
  private static func cookie(_ chunk: ArraySlice<UInt8>, _ style: NBDStyle) -> UInt64 {
    chunk.dropFirst(8).prefix(8).reduce(0) { $0 << 8 | UInt64($1) }
  }

  private func check(
    _ harness: NBDHarness, _ outcomes: [UInt64: Outcome], _ failed: Set<UInt64>, _ style: NBDStyle,
    _ seed: UInt64
  ) {
    var reads: [UInt64: Range<UInt64>] = [:]
    for case (let cookie, .data(let range)) in outcomes { reads[cookie] = range }
    let client = NBDReferenceClient(harness.sent, style: style, reads: reads)
    #expect(client.faults.isEmpty, "seed \(seed)")
    #expect(client.done.sorted() == outcomes.keys.sorted(), "seed \(seed)")
    for (cookie, outcome) in outcomes {
      switch outcome {
      case .data where failed.contains(cookie): #expect(client.errors[cookie] == 5, "seed \(seed)")
      case .data(let range):
        let data = client.data[cookie] ?? [:]
        #expect(data.keys.sorted() == Array(range), "seed \(seed), cookie \(cookie)")
        #expect(data.allSatisfy { harness.content[Int($0.key)] == $0.value }, "seed \(seed)")
        #expect(client.errors[cookie] == nil, "seed \(seed)")
      case .success: #expect(client.errors[cookie] == nil, "seed \(seed)")
      case .status(let length, let isOne):
        let extents = client.extents[cookie] ?? [:]
        #expect(extents.keys.sorted() == [1, 2], "seed \(seed)")
        for list in extents.values {
          let total = list.reduce(0) { $0 + $1.length }
          #expect(isOne ? list.count == 1 && total <= length : total <= length, "seed \(seed)")
        }
      case .error(let code):
        #expect(client.errors[cookie] == code, "seed \(seed), cookie \(cookie)")
      }
    }
  }
}

/// A client that asks for more than it takes.
@Suite struct NBDPressureTests {
  typealias B = NBDBytes

  @Test func requestsInFlightAreBounded() {
    var harness = NBDHarness.reading(.structured)
    harness.isLazy = true
    let requests = (0..<UInt64(600)).flatMap { B.request(5, cookie: $0, 0, 1) }
    harness.take(requests)
    #expect(harness.waiting.count == NBDLimits.requestsInFlight && !harness.session.isReading)
    #expect(harness.left.count == (600 - NBDLimits.requestsInFlight) * 28)
    harness.answer(harness.waiting[100])
    #expect(harness.session.isReading)
    harness.take([])
    #expect(harness.waiting.count == NBDLimits.requestsInFlight + 1 && !harness.session.isReading)
  }

  @Test func bytesInFlightAreBoundedUntilTheyAreSent() {
    var session = NBDHarness.reading(.structured, size: 1 << 30).session
    let request = B.request(0, cookie: 1, 0, 1 << 24)
    var ids: [NBDRequestID] = []
    func take() {
      var offset = 0
      let event = try? session.next(in: request.span.bytes, at: &offset)
      if case .some(.request(let request)) = event ?? nil { ids.append(request.id) }
    }
    take()
    #expect(session.isReading)
    take()
    #expect(ids.count == 2 && !session.isReading, "32 MiB are asked for")
    var header = [UInt8](repeating: 0, count: NBDSession.longestDataHeader)
    let count = header.withUnsafeMutableBytes {
      session.writeDataHeader(for: ids[0], 0..<(1 << 24), into: $0)
    }
    #expect(count == 28 && session.requestCount == 1)
    #expect(!session.isReading, "answered, but not sent")
    session.didSend(1 << 20)
    #expect(session.isReading)
    session.window = 1 << 20
    #expect(!session.isReading)
  }

  /// Answers that nobody takes stop the reading, whatever they are.
  @Test func errorsThatAreNotSentStopTheReading() throws {
    var session = NBDHarness.reading(.structured).session
    session.window = 1_000
    let requests = (0..<UInt64(1_000)).flatMap { B.request(3, cookie: $0, 0, 0) }
    var offset = 0
    #expect(try session.next(in: requests.span.bytes, at: &offset) == nil)
    #expect(!session.isReading && offset < requests.count)
    let first = session.takeOutput()
    #expect((1_000..<1_100).contains(first.count))
    #expect(try session.next(in: requests.span.bytes, at: &offset) == nil)
    #expect(!session.hasOutput)
    session.didSend(first.count)
    #expect(try session.next(in: requests.span.bytes, at: &offset) == nil)
    #expect(session.hasOutput)
  }
}
