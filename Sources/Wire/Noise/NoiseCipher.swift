import CSeal
import CSodium
import Metainfo

/// The key and the number for one message, which are used once: so that sealing and opening can be done on any
/// thread, and in any order, on memory that the job owns. Noise, section 12.3.
public struct NoiseTicket: Sendable {
  /// What does the work. Both give the same bytes.
  enum Engine { case libsodium, libcrypto }

  private let key: SecretBytes
  private let number: UInt64

  init(key: SecretBytes, number: UInt64) {
    self.key = key
    self.number = number
  }

  /// libsodium but for what there is much of: the content of a private connection, which nothing else vouches for.
  private static func engine(for count: Int, _ data: [UInt8]) -> Engine {
    count >= NoiseLimits.bulkBytes && data.isEmpty && cseal_available() ? .libcrypto : .libsodium
  }

  /// Seals the message that lies in `buffer` before its last 16 bytes, in place; those become the tag.
  ///
  /// - Precondition: `buffer` has at least 16 bytes.
  public func seal(_ buffer: UnsafeMutableRawBufferPointer, vouchingFor data: [UInt8] = []) {
    let isSealed = seal(buffer, vouchingFor: data, by: Self.engine(for: buffer.count, data))
    precondition(isSealed, "no memory to seal with")
  }

  /// By one of the engines, and libcrypto for no data besides the message; false when it has no memory.
  func seal(
    _ buffer: UnsafeMutableRawBufferPointer, vouchingFor data: [UInt8], by engine: Engine
  ) -> Bool {
    guard buffer.count >= NoiseLimits.tagBytes,
      let bytes = buffer.bindMemory(to: UInt8.self).baseAddress
    else { preconditionFailure("no room for the tag") }
    let count = buffer.count - NoiseLimits.tagBytes
    return withKeyAndNonce { key, nonce in
      switch engine {
      case .libcrypto: cseal_seal(key, nonce, bytes, count)
      case .libsodium:
        crypto_aead_chacha20poly1305_ietf_encrypt(
          bytes, nil, bytes, UInt64(count), data, UInt64(data.count), nil, nonce, key) == 0
      }
    }
  }

  /// Opens what `seal` made, in place. False, and nothing of the message is in `buffer`, where it was
  /// changed or sealed by another key, number or data.
  public func open(
    _ buffer: UnsafeMutableRawBufferPointer, vouchingFor data: [UInt8] = []
  ) -> Bool {
    open(buffer, vouchingFor: data, by: Self.engine(for: buffer.count, data))
  }

  /// By one of the engines, and libcrypto for no data besides the message.
  func open(
    _ buffer: UnsafeMutableRawBufferPointer, vouchingFor data: [UInt8], by engine: Engine
  ) -> Bool {
    guard buffer.count >= NoiseLimits.tagBytes,
      let bytes = buffer.bindMemory(to: UInt8.self).baseAddress
    else { return false }
    return withKeyAndNonce { key, nonce in
      switch engine {
      case .libcrypto: cseal_open(key, nonce, bytes, buffer.count - NoiseLimits.tagBytes)
      case .libsodium:
        crypto_aead_chacha20poly1305_ietf_decrypt(
          bytes, nil, nil, bytes, UInt64(buffer.count), data, UInt64(data.count), nonce, key) == 0
      }
    }
  }

  /// Four bytes of zero and the number, its lowest byte first.
  private func withKeyAndNonce<Result>(
    _ body: (UnsafePointer<UInt8>, UnsafePointer<UInt8>) -> Result
  ) -> Result {
    var nonce = (UInt32(0), UInt32(0), UInt32(0))
    nonce.1 = UInt32(truncatingIfNeeded: number).littleEndian
    nonce.2 = UInt32(truncatingIfNeeded: number >> 32).littleEndian
    return withUnsafeBytes(of: &nonce) { nonce in
      key.withUnsafeBytes { key in
        guard let key = key.bindMemory(to: UInt8.self).baseAddress,
          let nonce = nonce.bindMemory(to: UInt8.self).baseAddress
        else { preconditionFailure("a key has 32 bytes") }
        return body(key, nonce)
      }
    }
  }
}

/// A key and the number of the next message under it. Noise, section 5.1, "CipherState".
public struct NoiseCipher: Sendable {
  /// Nil before the first secret: then messages are not sealed.
  private var key: SecretBytes?
  /// Number of the next message. 2^64 - 1 is reserved.
  public private(set) var number: UInt64

  /// A cipher from its key, of 32 bytes, and the number of the first message.
  init(key: SecretBytes?, number: UInt64 = 0) {
    precondition(key == nil || key?.count == NoiseLimits.keyBytes, "a key has 32 bytes")
    self.key = key
    self.number = number
  }

  /// Whether messages are sealed.
  public var hasKey: Bool { key != nil }

  /// What seals or opens the next message; the number after it is then the next.
  ///
  /// - Precondition: there is a key.
  public mutating func ticket() throws(NoiseError) -> NoiseTicket {
    guard let key else { preconditionFailure("no key") }
    guard number < .max else { throw .nonceExhausted }
    defer { number += 1 }
    return NoiseTicket(key: key, number: number)
  }

  /// A new key that follows from the old one; the old one does not follow from it. Numbers go on.
  /// Noise, sections 4.2 and 11.3.
  public mutating func rekey() {
    guard let old = key else { return }
    var sealed = [UInt8](repeating: 0, count: NoiseLimits.keyBytes + NoiseLimits.tagBytes)
    sealed.withUnsafeMutableBytes { bytes in
      NoiseTicket(key: old, number: .max).seal(bytes)
      key = SecretBytes(bytes.prefix(NoiseLimits.keyBytes))
      sodium_memzero(bytes.baseAddress, bytes.count)
    }
  }

  /// The message, sealed if there is a key.
  mutating func seal(
    _ message: [UInt8], vouchingFor data: [UInt8]
  ) throws(NoiseError) -> [UInt8] {
    if key == nil { return message }
    let ticket = try ticket()
    var sealed = message + [UInt8](repeating: 0, count: NoiseLimits.tagBytes)
    sealed.withUnsafeMutableBytes { ticket.seal($0, vouchingFor: data) }
    return sealed
  }

  /// The message in `sealed`; nil where it does not open, and then the number stays.
  mutating func open(
    _ sealed: [UInt8], vouchingFor data: [UInt8]
  ) throws(NoiseError) -> [UInt8]? {
    if key == nil { return sealed }
    var next = self
    let ticket = try next.ticket()
    var message = sealed
    guard message.withUnsafeMutableBytes({ ticket.open($0, vouchingFor: data) }) else { return nil }
    message.removeLast(NoiseLimits.tagBytes)
    self = next
    return message
  }
}

/// What a handshake has mixed so far. Noise, section 5.2, "SymmetricState".
struct NoiseSymmetricState: Sendable {
  private var chainingKey: SecretBytes
  /// Hash of all that was said.
  private(set) var hash: [UInt8]
  private(set) var cipher = NoiseCipher(key: nil)

  init(protocolName: String) {
    let name = Array(protocolName.utf8)
    hash =
      name.count <= NoiseLimits.hashBytes
      ? name + [UInt8](repeating: 0, count: NoiseLimits.hashBytes - name.count)
      : NoiseHash.hash(name)
    chainingKey = SecretBytes(hash)
  }

  mutating func mixKey(_ input: UnsafeRawBufferPointer) {
    let outputs = NoiseHash.expand(chainingKey, input, count: 2)
    chainingKey = outputs[0]
    cipher = NoiseCipher(key: outputs[1].prefix(NoiseLimits.keyBytes))
  }

  mutating func mixHash(_ data: [UInt8]) { hash = NoiseHash.hash(hash, data) }

  mutating func mixKeyAndHash(_ input: SecretBytes) {
    let outputs = input.withUnsafeBytes { NoiseHash.expand(chainingKey, $0, count: 3) }
    chainingKey = outputs[0]
    outputs[1].withUnsafeBytes { mixHash(Array($0)) }
    cipher = NoiseCipher(key: outputs[2].prefix(NoiseLimits.keyBytes))
  }

  mutating func sealAndHash(_ message: [UInt8]) throws(NoiseError) -> [UInt8] {
    let sealed = try cipher.seal(message, vouchingFor: hash)
    mixHash(sealed)
    return sealed
  }

  /// Nil where it does not open.
  mutating func openAndHash(_ sealed: [UInt8]) throws(NoiseError) -> [UInt8]? {
    guard let message = try cipher.open(sealed, vouchingFor: hash) else { return nil }
    mixHash(sealed)
    return message
  }

  /// A cipher for each direction, the initiator's first.
  func split() -> (NoiseCipher, NoiseCipher) {
    let outputs = NoiseHash.expand(
      chainingKey, UnsafeRawBufferPointer(start: nil, count: 0), count: 2)
    return (
      NoiseCipher(key: outputs[0].prefix(NoiseLimits.keyBytes)),
      NoiseCipher(key: outputs[1].prefix(NoiseLimits.keyBytes))
    )
  }
}
