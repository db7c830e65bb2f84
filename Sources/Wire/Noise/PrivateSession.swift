import Metainfo

/// Both directions of a private connection behind its handshake. docs/private.md, "Frames".
public struct PrivateSession: Sendable {
  /// Makes frames.
  public var sender: PrivateSender
  /// Opens them.
  public var receiver: PrivateReceiver

  init(_ ciphers: (sending: NoiseCipher, receiving: NoiseCipher)) {
    sender = PrivateSender(direction: PrivateDirection(cipher: ciphers.sending))
    receiver = PrivateReceiver(direction: PrivateDirection(cipher: ciphers.receiving))
  }
}

/// One direction: its cipher, and how much went under its key.
struct PrivateDirection: Sendable {
  private var cipher: NoiseCipher
  private var bytes: UInt64 = 0
  /// Frames so far.
  private(set) var frames: UInt64 = 0

  init(cipher: NoiseCipher) { self.cipher = cipher }

  mutating func ticket() throws(PrivateError) -> NoiseTicket {
    do { return try cipher.ticket() } catch { throw .noise(error) }
  }

  /// A frame of so many bytes on the wire is done: both sides change the key behind the same one.
  mutating func finishFrame(byteCount: Int) {
    frames += 1
    bytes += UInt64(byteCount)
    if bytes >= NoiseLimits.rekeyBytes {
      cipher.rekey()
      bytes = 0
    }
  }
}

/// What is sent.
public struct PrivateSender: Sendable {
  private var direction: PrivateDirection

  init(direction: PrivateDirection) { self.direction = direction }

  /// The right to seal the next frame, which can be done on any thread; frames go out in the order of their
  /// tickets.
  ///
  /// - Precondition: content and padding have at most 65,519 bytes together.
  public mutating func ticket(
    contentByteCount: Int, paddingByteCount: Int = 0
  ) throws(PrivateError) -> PrivateSealTicket {
    precondition(
      contentByteCount >= 0 && paddingByteCount >= 0
        && contentByteCount + paddingByteCount <= PrivateLimits.frameBytes, "too long for a frame")
    let ticket = PrivateSealTicket(
      contentByteCount: contentByteCount, paddingByteCount: paddingByteCount,
      head: try direction.ticket(), body: try direction.ticket())
    direction.finishFrame(byteCount: ticket.byteCount)
    return ticket
  }

  /// A frame with this content.
  public mutating func frame(
    _ content: [UInt8], paddingByteCount: Int = 0
  ) throws(PrivateError) -> [UInt8] {
    let ticket = try ticket(contentByteCount: content.count, paddingByteCount: paddingByteCount)
    var bytes = [UInt8](repeating: 0, count: ticket.byteCount)
    bytes.withUnsafeMutableBytes { buffer in
      buffer[PrivateSealTicket.contentOffset...].copyBytes(from: content)
      ticket.seal(buffer)
    }
    return bytes
  }
}

/// The right to seal one frame.
public struct PrivateSealTicket: Sendable {
  /// Where in a frame its content begins.
  public static let contentOffset = PrivateLimits.frameHeadBytes

  /// Bytes of content.
  public let contentByteCount: Int
  /// Bytes of zero behind them.
  public let paddingByteCount: Int
  fileprivate let head: NoiseTicket
  fileprivate let body: NoiseTicket

  /// Bytes of the whole frame.
  public var byteCount: Int {
    PrivateLimits.frameHeadBytes + contentByteCount + paddingByteCount + NoiseLimits.tagBytes
  }

  /// Makes a frame of what lies in `buffer` from `contentOffset` on, in place.
  ///
  /// - Precondition: `buffer` has exactly `byteCount` bytes.
  public func seal(_ buffer: UnsafeMutableRawBufferPointer) {
    precondition(buffer.count == byteCount, "not the size of the frame")
    let bodyStart = Self.contentOffset
    buffer.storeBytes(of: UInt16(contentByteCount).bigEndian, as: UInt16.self)
    buffer.storeBytes(of: UInt16(paddingByteCount).bigEndian, toByteOffset: 2, as: UInt16.self)
    head.seal(UnsafeMutableRawBufferPointer(rebasing: buffer[..<bodyStart]))
    let padding = bodyStart + contentByteCount
    UnsafeMutableRawBufferPointer(rebasing: buffer[padding..<(padding + paddingByteCount)])
      .initializeMemory(as: UInt8.self, repeating: 0)
    body.seal(UnsafeMutableRawBufferPointer(rebasing: buffer[bodyStart...]))
  }
}

/// What is received. First a head of 20 bytes, then a body whose length the head told, and so on.
public struct PrivateReceiver: Sendable {
  /// What comes next.
  public enum Demand: Hashable, Sendable {
    /// The 20 bytes before a body.
    case head
    /// A body of this many bytes, its tag included.
    case body(byteCount: Int)
  }

  /// Here and below not private, for tests only.
  var direction: PrivateDirection
  var lengths: (content: Int, padding: Int)?
  private var failure: PrivateError?

  init(direction: PrivateDirection) { self.direction = direction }

  /// What comes next.
  public var demand: Demand {
    guard let lengths else { return .head }
    return .body(byteCount: lengths.content + lengths.padding + NoiseLimits.tagBytes)
  }

  /// Opens a head, which is overwritten.
  ///
  /// - Precondition: a head is awaited, and `bytes` are its 20.
  public mutating func readHead(
    _ bytes: UnsafeMutableRawBufferPointer
  ) throws(PrivateError) {
    precondition(lengths == nil && bytes.count == PrivateLimits.frameHeadBytes, "no head")
    if let failure { throw failure }
    do throws(PrivateError) {
      guard try direction.ticket().open(bytes) else { throw PrivateError.frame(direction.frames) }
      let content = Int(UInt16(bigEndian: bytes.loadUnaligned(as: UInt16.self)))
      let padding = Int(
        UInt16(bigEndian: bytes.loadUnaligned(fromByteOffset: 2, as: UInt16.self)))
      guard content + padding <= PrivateLimits.frameBytes else {
        throw PrivateError.frameTooLong(content + padding)
      }
      lengths = (content, padding)
    } catch {
      failure = error
      throw error
    }
  }

  /// The right to open the body that is awaited, which can be done on any thread; the next head can be read
  /// before it is done.
  ///
  /// - Precondition: a body is awaited.
  public mutating func bodyTicket() throws(PrivateError) -> PrivateOpenTicket {
    guard let lengths else { preconditionFailure("no body is awaited") }
    let frame = direction.frames
    let ticket = PrivateOpenTicket(
      contentByteCount: lengths.content, frame: frame,
      byteCount: lengths.content + lengths.padding + NoiseLimits.tagBytes,
      body: try direction.ticket())
    direction.finishFrame(byteCount: PrivateLimits.frameHeadBytes + ticket.byteCount)
    self.lengths = nil
    return ticket
  }
}

/// The right to open one body.
public struct PrivateOpenTicket: Sendable {
  /// Bytes of content, which the body begins with.
  public let contentByteCount: Int
  /// Number of the frame in its direction, from 0.
  public let frame: UInt64
  /// Bytes of the body.
  public let byteCount: Int
  fileprivate let body: NoiseTicket

  /// Opens the body in place; what counts are its first `contentByteCount` bytes. After an error nothing of it is
  /// there, and the connection ends.
  ///
  /// - Precondition: `buffer` has exactly `byteCount` bytes.
  public func open(_ buffer: UnsafeMutableRawBufferPointer) throws(PrivateError) {
    precondition(buffer.count == byteCount, "not the size of the body")
    guard body.open(buffer) else { throw .frame(frame) }
  }
}
