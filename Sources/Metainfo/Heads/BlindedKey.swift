import CSodium

/// A dataset's key in a disguise that follows from a read key: what is signed by it can be published without telling
/// whose it is. Who has key and read key computes the same one; only the owner of the dataset's secret signs by it.
/// docs/private.md, "Heads in the DHT".
///
/// The disguise of A is A + hB, where B is the base point of ed25519 and h a number that follows from
/// the read key and A, as hidden services of Tor have it (rend-spec-v3, appendix A.2).
public struct BlindedKey: Sendable {
  /// What stands in the place of the dataset's key.
  public let key: DatasetKey
  /// The number h, below the group's order.
  private let factor: SecretBytes

  /// The disguise of `key`; nil where that is no point of the curve, so that nobody can sign by it.
  public init?(_ key: DatasetKey, _ readKey: ReadKey) {
    let hash = readKey.derived(
      "blind", key.bytes, count: Int(crypto_core_ed25519_NONREDUCEDSCALARBYTES))
    let factor = Self.reduced(hash)
    var point = [UInt8](repeating: 0, count: DatasetKey.byteCount)
    var sum = point
    let isGood = factor.withUnsafeBytes { factor in
      guard let factor = factor.bindMemory(to: UInt8.self).baseAddress else { return false }
      return crypto_scalarmult_ed25519_base_noclamp(&point, factor) == 0
        && crypto_core_ed25519_add(&sum, key.bytes, point) == 0
    }
    guard isGood, let blinded = DatasetKey(sum) else { return nil }
    self.key = blinded
    self.factor = factor
  }

  /// The signature of `message` that the disguised key checks. Always the same for the same message.
  ///
  /// - Precondition: `secret` is that of the key in disguise.
  public func sign(_ message: [UInt8], with secret: DatasetSecret) -> Signature {
    // RFC 8032, section 5.1.5: half of the hash is the secret number, half makes the nonces.
    let expanded = SecretBytes(count: 64) { result in
      guard let result = result.bindMemory(to: UInt8.self).baseAddress else { return }
      crypto_hash_sha512(result, secret.seed, UInt64(DatasetSecret.seedByteCount))
    }
    let number = Self.reduced(
      SecretBytes(count: 64) { wide in
        expanded.withUnsafeBytes {
          wide.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[..<32]))
        }
        wide[0] &= 248
        wide[31] = wide[31] & 127 | 64
      })
    let blinded = Self.combined(number, factor, crypto_core_ed25519_scalar_add)
    // A nonce of its own for this disguise: the key's own signature of the same message uses another.
    let nonce = Self.reduced(
      Self.hash(expanded.suffix(32), Array("SwarmNode blinded".utf8) + key.bytes + message))
    var commitment = [UInt8](repeating: 0, count: 32)
    nonce.withUnsafeBytes { nonce in
      guard let nonce = nonce.bindMemory(to: UInt8.self).baseAddress else { return }
      _ = crypto_scalarmult_ed25519_base_noclamp(&commitment, nonce)
    }
    let challenge = Self.reduced(Self.hash(SecretBytes([]), commitment + key.bytes + message))
    let product = Self.combined(challenge, blinded, crypto_core_ed25519_scalar_mul)
    let answer = Self.combined(nonce, product, crypto_core_ed25519_scalar_add)
    guard let signature = Signature(commitment + answer.withUnsafeBytes { Array($0) }) else {
      preconditionFailure("32 and 32 bytes")
    }
    return signature
  }

  /// SHA-512 of a secret and what follows it.
  private static func hash(_ secret: SecretBytes, _ rest: [UInt8]) -> SecretBytes {
    SecretBytes(count: 64) { result in
      guard let result = result.bindMemory(to: UInt8.self).baseAddress else { return }
      var state = crypto_hash_sha512_state()
      crypto_hash_sha512_init(&state)
      secret.withUnsafeBytes { secret in
        if let start = secret.bindMemory(to: UInt8.self).baseAddress {
          crypto_hash_sha512_update(&state, start, UInt64(secret.count))
        }
      }
      crypto_hash_sha512_update(&state, rest, UInt64(rest.count))
      crypto_hash_sha512_final(&state, result)
      sodium_memzero(&state, MemoryLayout.size(ofValue: state))
    }
  }

  /// A number of 64 bytes, its lowest first, modulo the group's order.
  private static func reduced(_ wide: SecretBytes) -> SecretBytes {
    SecretBytes(count: 32) { result in
      wide.withUnsafeBytes { wide in
        guard let result = result.bindMemory(to: UInt8.self).baseAddress,
          let wide = wide.bindMemory(to: UInt8.self).baseAddress
        else { return }
        crypto_core_ed25519_scalar_reduce(result, wide)
      }
    }
  }

  /// What libsodium's `operation` makes of two numbers.
  private static func combined(
    _ a: SecretBytes, _ b: SecretBytes,
    _ operation: (UnsafeMutablePointer<UInt8>, UnsafePointer<UInt8>, UnsafePointer<UInt8>) -> Void
  ) -> SecretBytes {
    SecretBytes(count: 32) { result in
      a.withUnsafeBytes { a in
        b.withUnsafeBytes { b in
          guard let result = result.bindMemory(to: UInt8.self).baseAddress,
            let a = a.bindMemory(to: UInt8.self).baseAddress,
            let b = b.bindMemory(to: UInt8.self).baseAddress
          else { return }
          operation(result, a, b)
        }
      }
    }
  }
}
