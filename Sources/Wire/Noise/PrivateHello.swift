import Metainfo

/// What the first message of a private connection tells. docs/private.md, "First message".
public struct PrivateHello: Hashable, Sendable {
  /// When it was written, in seconds since 1970 (UTC).
  public var time: UInt64
  /// Where it was sent.
  public var dialed: PeerEndpoint
  /// Bytes of padding behind it.
  public var paddingByteCount: Int

  /// What a message tells.
  ///
  /// - Precondition: at most 512 bytes of padding.
  public init(time: UInt64, dialed: PeerEndpoint, paddingByteCount: Int) {
    precondition((0...PrivateLimits.paddingBytes).contains(paddingByteCount), "too much padding")
    self.time = time
    self.dialed = dialed
    self.paddingByteCount = paddingByteCount
  }

  /// From the payload of a message that was opened.
  init(_ payload: [UInt8]) throws(PrivateError) {
    guard payload.count == PrivateLimits.helloPayloadBytes else {
      throw .noise(.truncated(message: 0, count: payload.count))
    }
    time = Self.number(payload[0..<8])
    let high = Self.number(payload[8..<16])
    let low = Self.number(payload[16..<24])
    let address: IPAddress =
      high == 0 && low >> 32 == 0xffff
      ? .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: low)))
      : .v6(IPv6Address(high: high, low: low))
    dialed = PeerEndpoint(address: address, port: UInt16(Self.number(payload[24..<26])))
    paddingByteCount = Int(Self.number(payload[26..<28]))
    if paddingByteCount > PrivateLimits.paddingBytes { throw .padding(paddingByteCount) }
  }

  var payload: [UInt8] {
    let (high, low): (UInt64, UInt64) =
      switch dialed.address {
      case .v4(let address): (0, 0xffff << 32 | UInt64(address.rawValue))
      case .v6(let address): (address.high, address.low)
      }
    return Self.bytes(time) + Self.bytes(high) + Self.bytes(low) + Self.bytes(dialed.port)
      + Self.bytes(UInt16(paddingByteCount)) + [0, 0, 0, 0]
  }

  static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }

  static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// What the first bytes of a connection that came in are. docs/private.md, "Which of both".
public enum FirstBytes: Hashable, Sendable {
  /// More is needed.
  case undecided
  /// A handshake of BitTorrent. BEP 3.
  case bitTorrent
  /// Anything else: once there are enough of them, a first message or nothing.
  case other

  /// What begins with `bytes`.
  public init(_ bytes: some Collection<UInt8>) {
    let begins = zip(bytes, Handshake.head).allSatisfy { $0 == $1 }
    self = !begins ? .other : bytes.count >= Handshake.head.count ? .bitTorrent : .undecided
  }
}

/// The side of a private connection that dialed.
public struct PrivateInitiator: Sendable {
  /// The first bytes of the connection.
  public let hello: [UInt8]
  private let keys: PrivateKeys
  private let nonce: [UInt8]
  private var handshake: NoiseHandshake
  /// Bytes of the answer, as far as they came.
  private var received: [UInt8] = []
  private var session: PrivateSession?
  /// Bytes of the answer's padding that have not come.
  private var paddingLeft = 0

  /// - Parameter random: fit for cryptography, wherever the connection is used in earnest.
  public init(
    _ keys: PrivateKeys, time: UInt64, dialed: PeerEndpoint,
    using random: inout some RandomNumberGenerator
  ) throws(PrivateError) {
    self.keys = keys
    nonce = randomBytes(PrivateLimits.nonceBytes, using: &random)
    handshake = keys.initiator()
    let padding = randomPadding(using: &random)
    let payload = PrivateHello(time: time, dialed: dialed, paddingByteCount: padding.count).payload
    let message: [UInt8]
    do {
      message = try handshake.write(payload, ephemeral: NoiseKeyPair(using: &random))
    } catch { throw .noise(error) }
    let key = Array(message.prefix(NoiseLimits.keyBytes))
    helloKey = key
    hello =
      nonce + keys.mask(key, message: 0, nonce: nonce) + message.dropFirst(NoiseLimits.keyBytes)
      + padding
  }

  /// Our ephemeral key, by which we know the message if somebody sends it back to us.
  public let helloKey: [UInt8]

  /// Takes bytes of the answer, its padding included, from `bytes` at `offset` on, which moves behind what
  /// was used.
  ///
  /// - Returns: the session once the answer is whole; what follows in `bytes` belongs to it.
  public mutating func receive(
    _ bytes: [UInt8], at offset: inout Int
  ) throws(PrivateError) -> PrivateSession? {
    if session == nil {
      let count = min(PrivateLimits.answerBytes - received.count, bytes.count - offset)
      received += bytes[offset..<(offset + count)]
      offset += count
      if received.count < PrivateLimits.answerBytes { return nil }
      let key = keys.mask(
        Array(received.prefix(NoiseLimits.keyBytes)), message: 1, nonce: nonce)
      do {
        let payload = try handshake.read(key + received.dropFirst(NoiseLimits.keyBytes))
        session = PrivateSession(try handshake.split())
        paddingLeft = Int(PrivateHello.number(payload.prefix(2)))
      } catch { throw .noise(error) }
      if paddingLeft > PrivateLimits.paddingBytes { throw .padding(paddingLeft) }
    }
    let count = min(paddingLeft, bytes.count - offset)
    paddingLeft -= count
    offset += count
    return paddingLeft == 0 ? session : nil
  }
}

/// The side of private connections that listens: all read keys it has.
public struct PrivateResponder: Sendable {
  /// A first message that one of the keys opened, and that was not answered before.
  public struct Opened: Sendable {
    /// Place of the key among those that were given.
    public let keyIndex: Int
    /// What the message tells. So many bytes of padding follow it.
    public let hello: PrivateHello
    fileprivate let handshake: NoiseHandshake
    fileprivate let nonce: [UInt8]
  }

  private let keys: [PrivateKeys]

  /// - Precondition: at most 1,024 keys.
  public init(_ keys: [PrivateKeys]) {
    precondition(keys.count <= PrivateLimits.readKeys, "more read keys than are tried")
    self.keys = keys
  }

  /// Tries every key on the first 104 bytes of a connection, whatever comes of it, so that the time tells nothing.
  ///
  /// - Returns: nil where no key opens it, or it was seen before, is of another time, or meant for somebody
  ///   else: the connection gets no byte.
  /// - Parameters:
  ///   - time: now, in seconds since 1970 (UTC).
  ///   - places: where this node can be dialed on this connection, if that is known for sure; then messages
  ///     for other places are not answered.
  public func open(
    _ bytes: [UInt8], time: UInt64, places: Set<PeerEndpoint>? = nil, memory: inout HelloMemory
  ) -> Opened? {
    guard bytes.count == PrivateLimits.helloBytes else { return nil }
    let nonce = Array(bytes.prefix(PrivateLimits.nonceBytes))
    let masked = Array(bytes.dropFirst(PrivateLimits.nonceBytes).prefix(NoiseLimits.keyBytes))
    let sealed = bytes.dropFirst(PrivateLimits.nonceBytes + NoiseLimits.keyBytes)
    var found: (opened: Opened, key: [UInt8])?
    for (index, keys) in keys.enumerated() {
      var handshake = keys.responder
      let key = keys.mask(masked, message: 0, nonce: nonce)
      guard let payload = try? handshake.read(key + sealed), let hello = try? PrivateHello(payload)
      else { continue }
      found = (Opened(keyIndex: index, hello: hello, handshake: handshake, nonce: nonce), key)
    }
    guard let found else { return nil }
    if let places, !places.contains(found.opened.hello.dialed) { return nil }
    let group = keys[found.opened.keyIndex].discoveryID
    guard
      memory.admit(found.key, of: group, sentAt: found.opened.hello.time, now: time)
    else { return nil }
    return found.opened
  }

  /// The answer, padding included, and the session behind it.
  ///
  /// - Parameter random: fit for cryptography, wherever the connection is used in earnest.
  public func answer(
    _ opened: Opened, using random: inout some RandomNumberGenerator
  ) throws(PrivateError) -> (bytes: [UInt8], session: PrivateSession) {
    var handshake = opened.handshake
    let padding = randomPadding(using: &random)
    let room = [UInt8](repeating: 0, count: PrivateLimits.answerPayloadBytes - 2)
    do {
      let message = try handshake.write(
        PrivateHello.bytes(UInt16(padding.count)) + room, ephemeral: NoiseKeyPair(using: &random))
      let key = keys[opened.keyIndex].mask(
        Array(message.prefix(NoiseLimits.keyBytes)), message: 1, nonce: opened.nonce)
      return (
        key + message.dropFirst(NoiseLimits.keyBytes) + padding,
        PrivateSession(try handshake.split())
      )
    } catch { throw .noise(error) }
  }
}

private func randomBytes(_ count: Int, using random: inout some RandomNumberGenerator) -> [UInt8] {
  (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
}

private func randomPadding(using random: inout some RandomNumberGenerator) -> [UInt8] {
  randomBytes(Int.random(in: 0...PrivateLimits.paddingBytes, using: &random), using: &random)
}
