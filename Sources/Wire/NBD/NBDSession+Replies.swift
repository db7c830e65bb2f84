/// The transmission: what clients are answered. Sections "Simple reply message", "Structured reply
/// chunk message", "Extended reply chunk message".
extension NBDSession {
  /// Bytes in the longest header before data.
  public static let longestDataHeader = 40

  /// Bytes in the header before data, as was negotiated.
  public var dataHeaderBytes: Int {
    switch style {
    case .simple: 16
    case .structured: 28
    case .extended: 40
    }
  }

  /// Writes what comes before `bytes` of the export in the answer to a read. That header and then
  /// exactly these bytes must be sent, with nothing between; they are trusted to be at hand, for the
  /// header promises them. The last missing bytes end the read.
  ///
  /// - Precondition: the range is in that of the read, and in no earlier one; of a read that
  ///   `isWhole` it is all. `buffer` has room for `longestDataHeader`.
  /// - Returns: how many bytes the header has; 0 if the read has been answered already, or the
  ///   client has broken the protocol: then nothing is to be sent.
  public mutating func writeDataHeader(
    for id: NBDRequestID, _ bytes: Range<UInt64>, into buffer: UnsafeMutableRawBufferPointer
  ) -> Int {
    guard let flight = flights[id], !isFailed else { return 0 }
    guard case .read(let isWhole) = flight.request.kind else {
      preconditionFailure("data for what is no read")
    }
    let range = flight.request.range
    precondition(!bytes.isEmpty && bytes.clamped(to: range) == bytes, "data outside of the read")
    precondition(!isWhole || bytes == range, "a read in one run is answered in parts")
    let count = bytes.upperBound - bytes.lowerBound
    let isLast = flights.announce(count, of: id)
    var writer = MessageWriter(buffer)
    let header: Int
    switch style {
    case .simple:
      writer.write(NBDMagic.simpleReply)
      writer.write(UInt32(0))
      writer.write(flight.cookie)
      header = 16
    case .structured:
      writer.write(NBDMagic.structuredReply)
      writer.write(isLast ? NBDChunk.done : 0)
      writer.write(NBDChunk.data)
      writer.write(flight.cookie)
      writer.write(UInt32(8 + count))
      writer.write(bytes.lowerBound)
      header = 28
    case .extended:
      writer.write(NBDMagic.extendedReply)
      writer.write(isLast ? NBDChunk.done : 0)
      writer.write(NBDChunk.data)
      writer.write(flight.cookie)
      writer.write(flight.request.offset)
      writer.write(8 + count)
      writer.write(bytes.lowerBound)
      header = 40
    }
    willSend(header + Int(count))
    return header
  }

  /// Answers a request for the cache: it is done, or under way. A request that was answered already
  /// is left alone.
  ///
  /// - Precondition: it is no read and no question.
  public mutating func complete(_ id: NBDRequestID) {
    guard !isFailed, let flight = flights.remove(id) else { return }
    precondition(flight.request.kind == .cache, "success without an answer")
    writeSuccess(for: flight.cookie, flight.request.offset)
  }

  /// Ends a request with an error, whatever has been sent of it. A request that was answered already
  /// is left alone.
  ///
  /// - Parameters:
  ///   - offset: which byte of the export could not be had, if it is about one; else nil. It is told
  ///     if it is in the range.
  ///   - text: for people; cut to `NBDLimits.textBytes`.
  public mutating func fail(
    _ id: NBDRequestID, _ code: NBDErrorCode, at offset: UInt64? = nil, _ text: String = ""
  ) {
    guard !isFailed, let flight = flights.remove(id) else { return }
    let request = flight.request
    let place = offset.flatMap { request.range.contains($0) ? $0 : nil }
    writeError(code, text, at: place, for: flight.cookie, request.offset)
  }

  /// Answers what is known of a range, from its beginning on. Runs of which a context tells the same
  /// become one. The answer ends with the runs, with the range, or after `NBDLimits.statusRuns` runs,
  /// so that a long sequence should be lazy; without any run it claims nothing. A request that was
  /// answered already is left alone.
  ///
  /// - Precondition: it is such a question.
  public mutating func answerStatus(_ id: NBDRequestID, _ runs: some Sequence<NBDRun>) {
    guard !isFailed, let flight = flights.remove(id) else { return }
    guard case .blockStatus(let isOne) = flight.request.kind else {
      preconditionFailure("a status for what is no question")
    }
    var extents = contexts.map { NBDExtents($0) }
    var left = flight.request.length
    for (index, run) in runs.enumerated() where run.length > 0 {
      let length = min(run.length, left)
      for place in extents.indices { extents[place].append(run, length) }
      left -= length
      if left == 0 || index + 1 >= NBDLimits.statusRuns { break }
      if isOne, extents.allSatisfy({ $0.list.count > 1 }) { break }
    }
    for place in extents.indices {
      if extents[place].list.isEmpty { extents[place].list = [(flight.request.length, 0)] }
      if isOne { extents[place].list.removeSubrange(1...) }
      let isLast = place + 1 == extents.count
      writeStatus(extents[place], isLast: isLast, for: flight)
    }
  }

  private var isFailed: Bool {
    if case .failed = state { true } else { false }
  }
}

/// What one context tells of a range.
private struct NBDExtents {
  let context: NBDContext
  var list: [(length: UInt64, flags: UInt32)] = []

  init(_ context: NBDContext) { self.context = context }

  mutating func append(_ run: NBDRun, _ length: UInt64) {
    let flags = context.flags(run)
    if let last = list.last, last.flags == flags {
      list[list.count - 1].length += length
    } else {
      list.append((length, flags))
    }
  }
}

// MARK: - Whole messages

extension NBDSession {
  /// The bytes of a text for people, no more than `limit`, cut between characters, without NUL.
  static func text(_ text: String, limit: Int = NBDLimits.textBytes) -> [UInt8] {
    var bytes: [UInt8] = []
    for character in text.unicodeScalars where character != "\0" {
      let more = UTF8.encode(character).map { Array($0) } ?? []
      if bytes.count + more.count > limit { break }
      bytes += more
    }
    return bytes
  }

  /// Success without data.
  mutating func writeSuccess(for cookie: UInt64, _ offset: UInt64) {
    if style == .simple {
      writeSimple(0, cookie)
    } else {
      writeChunk(NBDChunk.none, isLast: true, 0, cookie, offset)
    }
  }

  /// An error that ends a request; `place` is the byte of the export that it is about.
  mutating func writeError(
    _ code: NBDErrorCode, _ text: String, at place: UInt64?, for cookie: UInt64, _ offset: UInt64
  ) {
    if style == .simple {
      writeSimple(code.rawValue, cookie)
      return
    }
    let text = Self.text(text)
    let type = place == nil ? NBDChunk.error : NBDChunk.errorOffset
    writeChunk(type, isLast: true, 6 + text.count + (place == nil ? 0 : 8), cookie, offset)
    output.append(number: code.rawValue)
    output.append(number: UInt16(text.count))
    output += text
    if let place { output.append(number: place) }
  }

  private mutating func writeStatus(
    _ extents: NBDExtents, isLast: Bool, for flight: NBDFlights.Flight
  ) {
    let (cookie, offset) = (flight.cookie, flight.request.offset)
    if style == .extended {
      let byteCount = 8 + 16 * extents.list.count
      writeChunk(NBDChunk.blockStatusExtended, isLast: isLast, byteCount, cookie, offset)
      output.append(number: extents.context.rawValue)
      output.append(number: UInt32(extents.list.count))
      for extent in extents.list {
        output.append(number: extent.length)
        output.append(number: UInt64(extent.flags))
      }
    } else {
      let byteCount = 4 + 8 * extents.list.count
      writeChunk(NBDChunk.blockStatus, isLast: isLast, byteCount, cookie, offset)
      output.append(number: extents.context.rawValue)
      for extent in extents.list {
        // No more than was asked for, which came in 32 bits.
        output.append(number: UInt32(truncatingIfNeeded: extent.length))
        output.append(number: extent.flags)
      }
    }
  }

  private mutating func writeSimple(_ error: UInt32, _ cookie: UInt64) {
    output.append(number: NBDMagic.simpleReply)
    output.append(number: error)
    output.append(number: cookie)
  }

  /// The head of a chunk, and as much of its payload as is said to follow.
  private mutating func writeChunk(
    _ type: UInt16, isLast: Bool, _ byteCount: Int, _ cookie: UInt64, _ offset: UInt64
  ) {
    output.append(number: style == .extended ? NBDMagic.extendedReply : NBDMagic.structuredReply)
    output.append(number: isLast ? NBDChunk.done : 0)
    output.append(number: type)
    output.append(number: cookie)
    if style == .extended {
      output.append(number: offset)
      output.append(number: UInt64(byteCount))
    } else {
      output.append(number: UInt32(byteCount))
    }
  }
}
