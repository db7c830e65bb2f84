import CSodium
import Metainfo

/// BLAKE2b, HMAC and HKDF as Noise has them. Noise, sections 4.3 and 12.6.
enum NoiseHash {
  /// The hash of `parts` in a row.
  static func hash(_ parts: [UInt8]...) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: NoiseLimits.hashBytes)
    digest.withUnsafeMutableBytes { digest in
      withState { state in
        for part in parts { part.withUnsafeBytes { state.update($0) } }
        state.finish(into: digest)
      }
    }
    return digest
  }

  /// HMAC (RFC 2104) with BLAKE2b, into `result` of 64 bytes. Keys have at most a block.
  private static func hmac(
    key: UnsafeRawBufferPointer, _ parts: UnsafeRawBufferPointer...,
    into result: UnsafeMutableRawBufferPointer
  ) {
    precondition(key.count <= NoiseLimits.hashBlockBytes, "a key longer than a block")
    withState { state in
      state.update(key, padding: 0x36)
      for part in parts { state.update(part) }
      state.finish(into: result)
    }
    withState { state in
      state.update(key, padding: 0x5c)
      state.update(UnsafeRawBufferPointer(result))
      state.finish(into: result)
    }
  }

  /// A hash in the making, in memory that is wiped behind it.
  private struct State {
    let memory: OpaquePointer

    func update(_ bytes: UnsafeRawBufferPointer) {
      crypto_generichash_update(
        memory, bytes.bindMemory(to: UInt8.self).baseAddress, UInt64(bytes.count))
    }

    /// A block: the key, zeros behind it, each byte combined with `padding`.
    func update(_ key: UnsafeRawBufferPointer, padding: UInt8) {
      withUnsafeTemporaryAllocation(
        byteCount: NoiseLimits.hashBlockBytes, alignment: 16
      ) { block in
        block.initializeMemory(as: UInt8.self, repeating: padding)
        for index in key.indices { block[index] ^= key[index] }
        update(UnsafeRawBufferPointer(block))
        wipe(block)
      }
    }

    func finish(into digest: UnsafeMutableRawBufferPointer) {
      precondition(digest.count == NoiseLimits.hashBytes, "a hash has 64 bytes")
      guard let start = digest.bindMemory(to: UInt8.self).baseAddress else { return }
      crypto_generichash_final(memory, start, digest.count)
    }
  }

  private static func withState(_ body: (State) -> Void) {
    withUnsafeTemporaryAllocation(
      byteCount: crypto_generichash_statebytes(), alignment: 64
    ) { memory in
      let state = State(memory: OpaquePointer(memory.baseAddress.unsafelyUnwrapped))
      crypto_generichash_init(state.memory, nil, 0, NoiseLimits.hashBytes)
      body(state)
      wipe(memory)
    }
  }

  /// `count` secrets of 64 bytes from a chaining key and some input. Noise, section 4.3.
  static func expand(
    _ chainingKey: SecretBytes, _ input: UnsafeRawBufferPointer, count: Int
  ) -> [SecretBytes] {
    let extracted = SecretBytes(count: NoiseLimits.hashBytes) { result in
      chainingKey.withUnsafeBytes { hmac(key: $0, input, into: result) }
    }
    var outputs: [SecretBytes] = []
    for number in 1...UInt8(count) {
      let last = outputs.last
      outputs.append(
        SecretBytes(count: NoiseLimits.hashBytes) { result in
          extracted.withUnsafeBytes { key in
            withUnsafeBytes(of: number) { number in
              if let last {
                last.withUnsafeBytes { hmac(key: key, $0, number, into: result) }
              } else {
                hmac(key: key, number, into: result)
              }
            }
          }
        })
    }
    return outputs
  }
}

/// Leaves zeros, whatever the optimiser thinks of it.
func wipe(_ bytes: UnsafeMutableRawBufferPointer) {
  if let start = bytes.baseAddress { sodium_memzero(start, bytes.count) }
}

/// A pair of keys of X25519. Noise, section 12.1.
public struct NoiseKeyPair: Sendable {
  /// The 32 bytes that only its owner has.
  let secret: SecretBytes
  /// The 32 bytes that the other side gets.
  public let publicKey: [UInt8]

  /// A pair whose halves belong together.
  init(secret: SecretBytes, publicKey: [UInt8]) {
    self.secret = secret
    self.publicKey = publicKey
  }

  /// The pair of a secret key of 32 bytes; nil for another length.
  public init?(secret: SecretBytes) {
    guard secret.count == NoiseLimits.keyBytes else { return nil }
    var publicKey = [UInt8](repeating: 0, count: NoiseLimits.keyBytes)
    secret.withUnsafeBytes { secret in
      guard let secret = secret.bindMemory(to: UInt8.self).baseAddress else { return }
      _ = crypto_scalarmult_base(&publicKey, secret)
    }
    self.init(secret: secret, publicKey: publicKey)
  }

  /// A new pair.
  ///
  /// - Parameter generator: fit for cryptography, wherever the pair is used in earnest.
  public init(using generator: inout some RandomNumberGenerator) {
    let secret = SecretBytes(count: NoiseLimits.keyBytes) { bytes in
      for offset in stride(from: 0, to: bytes.count, by: 8) {
        bytes.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
      }
    }
    guard let pair = NoiseKeyPair(secret: secret) else { preconditionFailure("32 bytes") }
    self = pair
  }

  /// What both sides can compute from one side's secret key and the other's public key; nil where it would
  /// be zero, whatever the secret key. RFC 7748, section 6.1.
  func sharedSecret(with publicKey: [UInt8]) -> SecretBytes? {
    guard publicKey.count == NoiseLimits.keyBytes else { return nil }
    var isGood = false
    let shared = SecretBytes(count: NoiseLimits.keyBytes) { result in
      secret.withUnsafeBytes { secret in
        guard let result = result.bindMemory(to: UInt8.self).baseAddress,
          let secret = secret.bindMemory(to: UInt8.self).baseAddress
        else { return }
        isGood = crypto_scalarmult(result, secret, publicKey) == 0
      }
    }
    return isGood ? shared : nil
  }
}
