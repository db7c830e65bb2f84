import Metainfo

/// One side of a handshake. Noise (revision 34), section 5.3, "HandshakeState".
///
/// A value: a copy is a handshake by itself. After an error nothing follows.
public struct NoiseHandshake: Sendable {
  /// Which side.
  public enum Role: Hashable, Sendable {
    /// Writes the first message.
    case initiator
    /// Answers it.
    case responder
  }

  /// The pattern it follows.
  public let pattern: NoisePattern
  /// Which side it is.
  public let role: Role

  private var symmetric: NoiseSymmetricState
  private let staticKey: NoiseKeyPair?
  private var ephemeralKey: NoiseKeyPair?
  /// The other side's public keys, as far as they are known.
  public private(set) var remoteStaticKey: [UInt8]?
  private var remoteEphemeralKey: [UInt8]?
  /// Those that are not mixed in yet.
  private var preSharedKeys: ArraySlice<SecretBytes>
  /// Number of the next message, from 0.
  private var next = 0
  private var hasFailed = false

  /// A handshake before its first message.
  ///
  /// - Parameters:
  ///   - prologue: what both sides must agree on, and is not sent.
  ///   - preSharedKeys: of 32 bytes, one for each `psk` of the pattern.
  public init(
    _ pattern: NoisePattern, _ role: Role, prologue: [UInt8] = [],
    preSharedKeys: [SecretBytes] = [], staticKey: NoiseKeyPair? = nil,
    remoteStaticKey: [UInt8]? = nil
  ) throws(NoiseError) {
    self.pattern = pattern
    self.role = role
    self.staticKey = staticKey
    self.remoteStaticKey = remoteStaticKey
    guard preSharedKeys.count == pattern.preSharedKeyCount,
      preSharedKeys.allSatisfy({ $0.count == NoiseLimits.keyBytes })
    else { throw .missingKey(.psk) }
    self.preSharedKeys = preSharedKeys[...]
    symmetric = NoiseSymmetricState(protocolName: pattern.protocolName)
    symmetric.mixHash(prologue)
    try mixPremessage(pattern.initiatorPremessage, isOurs: role == .initiator)
    try mixPremessage(pattern.responderPremessage, isOurs: role == .responder)
  }

  /// Static keys are all that patterns in use have there.
  private mutating func mixPremessage(
    _ tokens: [NoiseToken], isOurs: Bool
  ) throws(NoiseError) {
    for token in tokens {
      guard token == .s, let key = isOurs ? staticKey?.publicKey : remoteStaticKey,
        key.count == NoiseLimits.keyBytes
      else { throw .missingKey(token) }
      symmetric.mixHash(key)
    }
  }

  /// Whether all messages were exchanged.
  public var isFinished: Bool { next == pattern.messages.count && !hasFailed }

  /// Hash of all that was said, 64 bytes: once the handshake is over it names the session. Noise, section 11.2.
  public var hash: [UInt8] { symmetric.hash }

  /// Whether the next message is ours to write.
  public var isOurTurn: Bool {
    next < pattern.messages.count && !hasFailed && next.isMultiple(of: 2) == (role == .initiator)
  }

  /// The next message, which is ours, with `payload` in it.
  ///
  /// - Parameter ephemeral: a new pair, used for nothing else; needed where the message has an `e`.
  public mutating func write(
    _ payload: [UInt8] = [], ephemeral: NoiseKeyPair? = nil
  ) throws(NoiseError) -> [UInt8] {
    guard !hasFailed else { throw .failedBefore }
    guard isOurTurn else { throw .outOfTurn }
    hasFailed = true
    var message: [UInt8] = []
    for token in pattern.messages[next] {
      switch token {
      case .e:
        guard let ephemeral else { throw .missingKey(.e) }
        ephemeralKey = ephemeral
        message += ephemeral.publicKey
        mixEphemeral(ephemeral.publicKey)
      case .s:
        guard let staticKey else { throw .missingKey(.s) }
        message += try symmetric.sealAndHash(staticKey.publicKey)
      default: try mix(token)
      }
    }
    message += try symmetric.sealAndHash(payload)
    if message.count > NoiseLimits.messageBytes { throw .tooLong(message.count) }
    advance()
    return message
  }

  /// Reads the next message, which is the other side's.
  ///
  /// - Returns: its payload.
  public mutating func read(_ message: [UInt8]) throws(NoiseError) -> [UInt8] {
    guard !hasFailed else { throw .failedBefore }
    guard next < pattern.messages.count, !isOurTurn else { throw .outOfTurn }
    hasFailed = true
    if message.count > NoiseLimits.messageBytes { throw .tooLong(message.count) }
    var rest = message[...]
    func take(_ count: Int) throws(NoiseError) -> [UInt8] {
      guard rest.count >= count else { throw .truncated(message: next, count: message.count) }
      defer { rest = rest.dropFirst(count) }
      return Array(rest.prefix(count))
    }
    for token in pattern.messages[next] {
      switch token {
      case .e:
        let key = try take(NoiseLimits.keyBytes)
        remoteEphemeralKey = key
        mixEphemeral(key)
      case .s:
        let tag = symmetric.cipher.hasKey ? NoiseLimits.tagBytes : 0
        let sealed = try take(NoiseLimits.keyBytes + tag)
        guard let key = try symmetric.openAndHash(sealed) else {
          throw .notAuthentic(message: next)
        }
        remoteStaticKey = key
      default: try mix(token)
      }
    }
    if symmetric.cipher.hasKey, rest.count < NoiseLimits.tagBytes {
      throw .truncated(message: next, count: message.count)
    }
    guard let payload = try symmetric.openAndHash(Array(rest)) else {
      throw .notAuthentic(message: next)
    }
    advance()
    return payload
  }

  /// The ciphers of the two directions, once the handshake is over.
  public func split() throws(NoiseError) -> (sending: NoiseCipher, receiving: NoiseCipher) {
    guard isFinished else { throw hasFailed ? .failedBefore : .outOfTurn }
    let (first, second) = symmetric.split()
    return role == .initiator ? (first, second) : (second, first)
  }

  /// The message is done: what it needed of ours is not needed again.
  private mutating func advance() {
    hasFailed = false
    next += 1
    if next == pattern.messages.count { ephemeralKey = nil }
  }

  /// With pre-shared keys, ephemeral ones are mixed in as well, so that no key is used twice. Noise, section 9.2.
  private mutating func mixEphemeral(_ key: [UInt8]) {
    symmetric.mixHash(key)
    if pattern.preSharedKeyCount > 0 { key.withUnsafeBytes { symmetric.mixKey($0) } }
  }

  private mutating func mix(_ token: NoiseToken) throws(NoiseError) {
    let isInitiator = role == .initiator
    switch token {
    case .ee: try mixSecret(ephemeralKey, remoteEphemeralKey, token)
    case .ss: try mixSecret(staticKey, remoteStaticKey, token)
    case .es:
      try isInitiator
        ? mixSecret(ephemeralKey, remoteStaticKey, token)
        : mixSecret(staticKey, remoteEphemeralKey, token)
    case .se:
      try isInitiator
        ? mixSecret(staticKey, remoteEphemeralKey, token)
        : mixSecret(ephemeralKey, remoteStaticKey, token)
    case .psk:
      guard let key = preSharedKeys.popFirst() else { throw .missingKey(.psk) }
      symmetric.mixKeyAndHash(key)
    case .e, .s: preconditionFailure("a key that is sent")
    }
  }

  private mutating func mixSecret(
    _ own: NoiseKeyPair?, _ remote: [UInt8]?, _ token: NoiseToken
  ) throws(NoiseError) {
    guard let own, let remote else { throw .missingKey(token) }
    guard let secret = own.sharedSecret(with: remote) else { throw .weakKey(message: next) }
    secret.withUnsafeBytes { symmetric.mixKey($0) }
  }
}
