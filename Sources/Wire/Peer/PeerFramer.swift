/// Cuts what a peer sends into messages, and copies no data of blocks.
///
/// Bytes come in by two ways, which may be mixed at will:
///
/// - In chunks: whoever read some bytes calls `next(in:at:)` until it returns nil; then the whole
///   chunk has been used.
/// - Straight: while `demand` is `.block`, the next bytes are data of one block. They may be read to
///   the place where the block is gathered; `advanceBlock(by:)` is told how many came. While it is
///   `.messages`, a read of no more than so many bytes cannot take data along.
///
/// It keeps the bytes of one unfinished message, no more; they have come before they are kept. After
/// an error it returns the same error for ever.
public struct PeerFramer: Sendable {
  /// What comes next from the peer.
  public enum Demand: Hashable, Sendable {
    /// Messages. No data of a block can begin before this many bytes more have come; at least 1.
    case messages(beforeData: Int)
    /// Data of the block that the last message announced, this many bytes of it; at least 1.
    case block(remaining: Int)
  }

  /// What was found in a chunk.
  public enum Element: Hashable, Sendable {
    /// A message. If it has a body that is not a block's, `withBody` shows it until the next call of
    /// `next`; of an unknown message there is none.
    case message(PeerMessage)
    /// Data of the block that the last message announced: where they are in the chunk, never empty,
    /// and how many bytes of the block follow them.
    case block(Range<Int>, remaining: Int)
  }

  private enum State {
    /// A message begins, or goes on from what is in `partial`.
    case message
    /// Data of a block, this many bytes.
    case block(Int)
    /// The body of an unknown message, this many bytes.
    case unknown(Int)
    case failed(PeerProtocolError)
  }

  /// Where the body of the last message is.
  private enum Body {
    case nowhere
    case chunk(Range<Int>)
    case partial(Range<Int>)
  }

  private var state = State.message
  private var body = Body.nowhere
  private var layout: MessageLayout
  /// The beginning of a message whose end has not come; or, until the next call, the last message,
  /// if its body is here.
  private var partial: [UInt8] = []

  /// Memory that is kept for the next unfinished message: enough for all that are common.
  private static let keptCapacity = 256

  /// A framer at the beginning of the first message, behind the handshake.
  public init(bitfieldLimit: Int = WireLimits.bitfieldBytes) {
    layout = MessageLayout(bitfieldLimit: bitfieldLimit)
  }

  /// Longer bitfields are an error, in bytes: what fits the torrent, once that is known.
  public var bitfieldLimit: Int {
    get { layout.bitfieldLimit }
    set { layout.bitfieldLimit = newValue }
  }

  /// What comes next. After an error there is no sense in it.
  public var demand: Demand {
    switch state {
    case .block(let remaining): return .block(remaining: remaining)
    case .unknown(let remaining):
      return .messages(beforeData: remaining + MessageLayout.pieceHeadLength)
    case .message, .failed:
      guard case .nowhere = body, !partial.isEmpty,
        let needed = try? layout.neededByteCount(partial.span.bytes)
      else { return .messages(beforeData: MessageLayout.pieceHeadLength) }
      // A head that is not known yet may be a piece's.
      return .messages(beforeData: max(needed, MessageLayout.pieceHeadLength) - partial.count)
    }
  }

  /// So many bytes of the block were read to where they belong.
  ///
  /// - Precondition: `demand` is `.block` with at least as many remaining.
  /// - Returns: how many bytes of the block are still to come.
  @discardableResult
  public mutating func advanceBlock(by count: Int) -> Int {
    guard case .block(let remaining) = state, (0...remaining).contains(count) else {
      preconditionFailure("no data of a block is awaited, or less")
    }
    state = remaining == count ? .message : .block(remaining - count)
    return remaining - count
  }

  /// The next message or run of data in `chunk` from `offset` on, which moves behind it; nil when
  /// the chunk is used up.
  ///
  /// - Precondition: `offset` is in `chunk` or at its end.
  @inline(__always)
  public mutating func next(
    in chunk: RawSpan, at offset: inout Int
  ) throws(PeerProtocolError) -> Element? {
    if case .message = state, partial.isEmpty {
      let rest = chunk.extracting(offset...)
      do {
        let needed = try layout.neededByteCount(rest)
        if needed <= rest.byteCount {
          let message = try layout.message(rest)
          let start = offset
          offset += needed
          body = .nowhere
          switch message {
          case .piece(let block): state = .block(Int(block.length))
          case .bitfield(let count), .extended(_, let count):
            body = .chunk((start + needed - count)..<offset)
          case .unknown(_, let count): state = count > 0 ? .unknown(count) : .message
          default: break
          }
          return .message(message)
        }
      } catch {
        state = .failed(error)
        throw error
      }
    }
    return try slowNext(in: chunk, at: &offset)
  }

  /// Calls `read` with the body of the message that `next` has just returned, which is empty where it
  /// has none, or is handed out otherwise.
  ///
  /// - Precondition: `chunk` is what `next` was given.
  public func withBody<Result, Failure>(
    in chunk: RawSpan, _ read: (RawSpan) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    switch body {
    case .nowhere: try read(chunk.extracting(0..<0))
    case .chunk(let range): try read(chunk.extracting(range))
    case .partial(let range): try read(partial.span.bytes.extracting(range))
    }
  }
}

// MARK: - Whatever is not a whole message in one chunk

extension PeerFramer {
  private mutating func slowNext(
    in chunk: RawSpan, at offset: inout Int
  ) throws(PeerProtocolError) -> Element? {
    if case .partial = body {
      forgetPartial()
      return try next(in: chunk, at: &offset)
    }
    body = .nowhere
    let available = chunk.byteCount - offset
    switch state {
    case .failed(let error): throw error
    case .block(let remaining):
      let count = min(remaining, available)
      if count == 0 { return nil }
      offset += count
      return .block((offset - count)..<offset, remaining: advanceBlock(by: count))
    case .unknown(let remaining):
      let count = min(remaining, available)
      offset += count
      state = count == remaining ? .message : .unknown(remaining - count)
      return count == remaining ? try next(in: chunk, at: &offset) : nil
    case .message:
      do {
        return try gather(from: chunk, at: &offset)
      } catch {
        state = .failed(error)
        forgetPartial()
        throw error
      }
    }
  }

  /// Adds to the unfinished message what it needs, and no byte more.
  private mutating func gather(
    from chunk: RawSpan, at offset: inout Int
  ) throws(PeerProtocolError) -> Element? {
    while true {
      let needed = try layout.neededByteCount(partial.span.bytes)
      if needed <= partial.count { return .message(try finish()) }
      let count = min(needed - partial.count, chunk.byteCount - offset)
      if count == 0 { return nil }
      chunk.extracting(offset..<(offset + count)).withUnsafeBytes { partial += $0 }
      offset += count
    }
  }

  /// The message whose needed bytes are all there.
  private mutating func finish() throws(PeerProtocolError) -> PeerMessage {
    let message = try layout.message(partial.span.bytes)
    switch message {
    case .bitfield(let count), .extended(_, let count):
      body = .partial((partial.count - count)..<partial.count)
      return message
    case .piece(let block): state = .block(Int(block.length))
    case .unknown(_, let count): state = count > 0 ? .unknown(count) : .message
    default: break
    }
    forgetPartial()
    return message
  }

  private mutating func forgetPartial() {
    body = .nowhere
    if partial.capacity > Self.keptCapacity {
      partial = []
    } else {
      partial.removeAll(keepingCapacity: true)
    }
  }
}
