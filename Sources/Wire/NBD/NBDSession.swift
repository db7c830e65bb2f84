/// The server's side of one NBD connection: fixed newstyle negotiation, then requests for one
/// read-only export. The protocol's document is doc/proto.md of NetworkBlockDevice/nbd, extended
/// headers those of its branch extension-ext-header.
///
/// It does no I/O. Its owner
///
/// - gives it what was read, by `next(in:at:)`, while `isReading`, and does what the events say;
/// - after each call sends what `takeOutput` has, whole messages, in order, and reports by
///   `didSend` how many bytes left, those of blocks too;
/// - sends data of reads itself: first the header that `writeDataHeader` gives, then as many bytes
///   from wherever they are;
/// - closes the connection when `isOver`, and after an error.
///
/// Messages may be sent in any order among each other, but nothing may come between a header and its
/// data. While the client does not take what it asked for, no more is read from it.
public struct NBDSession: Sendable {
  /// What comes next from the client.
  enum State: Sendable {
    case clientFlags
    case optionHead
    /// The data of an option, this many bytes.
    case optionData(NBDOption, Int)
    /// So many bytes that nobody wants, and then what was to be said of them.
    case skipping(Int, Skipped)
    /// Nothing, until the owner has answered.
    case asking(Question)
    case request
    /// Nothing: what was asked for is still answered.
    case closing
    case failed(NBDError)
  }

  /// What to answer when a payload has been stepped over.
  enum Skipped: Sendable {
    case option(UInt32, NBDRefusal, String)
    case abort
    case request(Head, NBDErrorCode, String)
  }

  /// What the owner is to say.
  enum Question: Sendable {
    case list
    /// By `NBD_OPT_EXPORT_NAME`.
    case exportName(name: [UInt8])
    /// By `NBD_OPT_INFO` and `NBD_OPT_GO`, with what the client wants to know.
    case information(NBDOption, name: [UInt8], wanted: Set<UInt16>)
    /// Whether there is such an export; then these contexts are told, or chosen.
    case contexts(NBDOption, name: [UInt8], [NBDContext])
  }

  /// The fields of a request.
  struct Head: Sendable {
    var flags: UInt16
    var type: UInt16
    var cookie: UInt64
    var offset: UInt64
    var length: UInt64
  }

  /// How many bytes the client may be owed before no more is read from it; at least 1.
  public var window = NBDLimits.bytesInFlight

  var state = State.clientFlags
  var output: [UInt8] = []
  var flights = NBDFlights()
  var style = NBDReplyStyle.simple
  var isShuttingDown = false
  /// Whether zeros are left out behind the answer to `NBD_OPT_EXPORT_NAME`.
  var omitsZeroes = false
  /// The contexts that were chosen last, and for which export.
  var contexts: [NBDContext] = []
  var contextsExport: [UInt8] = []
  /// Bytes in the export that is read.
  var exportSize: UInt64 = 0

  /// The beginning of a message whose end has not come.
  private var partial: [UInt8] = []
  /// Bytes that were taken from the client.
  private var taken: UInt64 = 0
  /// Where the message that is being looked at begins, in bytes from the beginning of the stream.
  var messageOffset: UInt64 = 0
  /// Bytes that were given to the owner to be sent, and were not yet.
  private var unsent = 0

  /// A session at its beginning: the greeting waits in the output.
  public init() {
    output.append(number: NBDMagic.server)
    output.append(number: NBDMagic.option)
    output.append(number: NBDHandshakeFlags.known)
  }

  /// Requests that wait for their answers.
  public var requestCount: Int { flights.count }

  /// Whether it takes bytes now. If not, a later answer or `didSend` changes that; then what is left
  /// of the chunk comes first.
  public var isReading: Bool {
    switch state {
    case .asking, .closing, .failed: false
    default:
      flights.count < NBDLimits.requestsInFlight && output.count + unsent + flights.owed < window
    }
  }

  /// Whether the connection should be closed now: both sides are done with it, and all is sent.
  public var isOver: Bool {
    guard case .closing = state else { return false }
    return flights.count == 0 && output.isEmpty && unsent == 0
  }

  /// Whether there is something to send.
  public var hasOutput: Bool { !output.isEmpty }

  /// What is to be sent.
  public mutating func takeOutput() -> [UInt8] {
    unsent += output.count
    defer { output = [] }
    return output
  }

  /// So many bytes have been sent: of `takeOutput`, of headers, of data.
  public mutating func didSend(_ count: Int) {
    precondition(count >= 0 && count <= unsent, "more bytes sent than there were")
    unsent -= count
  }

  /// So many bytes were given to the owner to be sent, beside `takeOutput`.
  mutating func willSend(_ count: Int) { unsent += count }

  /// From now on everything is refused as by a server that goes down. What waits for an answer is the
  /// owner's to end.
  public mutating func shutDown() { isShuttingDown = true }

  /// What the client wants, from `chunk` at `offset` on, which moves behind it. Nil when the chunk is
  /// used up, or, with bytes left, when `isReading` has become false.
  ///
  /// - Precondition: `offset` is in `chunk` or at its end.
  public mutating func next(
    in chunk: RawSpan, at offset: inout Int
  ) throws(NBDError) -> NBDEvent? {
    if case .failed(let error) = state { throw error }
    do {
      while isReading {
        let available = chunk.byteCount - offset
        if case .skipping(let left, let then) = state {
          let count = min(left, available)
          offset += count
          taken += UInt64(count)
          state = .skipping(left - count, then)
          if count < left { return nil }
          skipped(then)
          continue
        }
        let needed = neededByteCount
        let event: NBDEvent?
        if partial.isEmpty, needed <= available {
          messageOffset = taken
          let message = chunk.extracting(offset..<(offset + needed))
          offset += needed
          taken += UInt64(needed)
          event = try take(message)
        } else {
          guard let message = gather(needed, from: chunk, at: &offset) else { return nil }
          event = try take(message.span.bytes)
        }
        if let event { return event }
      }
      return nil
    } catch {
      state = .failed(error)
      partial = []
      throw error
    }
  }

  /// Ends the stream with an error at the message that is being looked at.
  func broken(_ reason: NBDError.Reason) -> NBDError { NBDError(reason, at: messageOffset) }

  /// Steps over `count` bytes, then says what there is to say.
  mutating func skip(_ count: UInt64, then: Skipped) throws(NBDError) {
    guard count <= NBDLimits.payloadBytes else { throw broken(.payload(count)) }
    if count == 0 { skipped(then) } else { state = .skipping(Int(count), then) }
  }
}

extension NBDSession {
  /// Bytes of the message that comes next, or of its part that tells how long it is.
  private var neededByteCount: Int {
    switch state {
    case .clientFlags: 4
    case .optionHead: 16
    case .optionData(_, let count): count
    case .request: style.requestBytes
    case .skipping, .asking, .closing, .failed: 0
    }
  }

  /// Adds to the unfinished message what it needs, and no byte more.
  private mutating func gather(
    _ needed: Int, from chunk: RawSpan, at offset: inout Int
  ) -> [UInt8]? {
    if partial.isEmpty { messageOffset = taken }
    let count = min(needed - partial.count, chunk.byteCount - offset)
    chunk.extracting(offset..<(offset + count)).withUnsafeBytes { partial += $0 }
    offset += count
    taken += UInt64(count)
    guard partial.count == needed else { return nil }
    defer { partial = [] }
    return partial
  }

  /// One message that is whole.
  @inline(__always)
  private mutating func take(_ message: RawSpan) throws(NBDError) -> NBDEvent? {
    switch state {
    case .request: return try takeRequest(message)
    case .clientFlags: try takeClientFlags(message.number(at: 0))
    case .optionHead: return try takeOptionHead(message)
    case .optionData(let option, _):
      return takeOption(option, message.withUnsafeBytes { Array($0) })
    case .skipping, .asking, .closing, .failed: break
    }
    return nil
  }

  private mutating func takeClientFlags(_ flags: UInt32) throws(NBDError) {
    guard flags & ~UInt32(NBDHandshakeFlags.known) == 0 else { throw broken(.clientFlags(flags)) }
    // A client that knows no fixed newstyle sends one option, EXPORT_NAME: nothing need be different.
    omitsZeroes = flags & UInt32(NBDHandshakeFlags.noZeroes) != 0
    state = .optionHead
  }

  private mutating func skipped(_ then: Skipped) {
    switch then {
    case .option(let option, let refusal, let text):
      refuse(option, refusal, text)
      state = .optionHead
    case .abort:
      reply(to: NBDOption.abort.rawValue, NBDOptionReply.ack)
      state = .closing
    case .request(let head, let code, let text):
      writeError(code, text, at: nil, for: head.cookie, head.offset)
      state = .request
    }
  }
}

extension RawSpan {
  /// A number, its highest byte first. Stops if it is not all there.
  @inline(__always)
  func number<Number: FixedWidthInteger & BitwiseCopyable>(at offset: Int) -> Number {
    Number(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
