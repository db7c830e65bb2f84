import CSodium

/// The secret half of a dataset key: whoever has it publishes versions. Never shown: it has no
/// description, and what prints it prints that it is one.
public struct DatasetSecret: Sendable {
  /// Bytes of the seed that a key pair follows from. RFC 8032.
  public static let seedByteCount = 32

  /// The public half: names the dataset.
  public let key: DatasetKey
  /// Seed and public key, as libsodium has them.
  private let bytes: [UInt8]

  /// The pair that follows from a seed of 32 bytes; nil for another length.
  public init?(seed: [UInt8]) {
    guard seed.count == Self.seedByteCount else { return nil }
    var publicBytes = [UInt8](repeating: 0, count: DatasetKey.byteCount)
    var secretBytes = [UInt8](repeating: 0, count: Int(crypto_sign_ed25519_SECRETKEYBYTES))
    guard crypto_sign_ed25519_seed_keypair(&publicBytes, &secretBytes, seed) == 0,
      let key = DatasetKey(publicBytes)
    else { return nil }
    self.key = key
    bytes = secretBytes
  }

  /// The seed: to keep it where nobody else reads it.
  public var seed: [UInt8] { Array(bytes.prefix(Self.seedByteCount)) }

  /// The signature of `message`. Always the same for the same message. RFC 8032, "Ed25519".
  public func sign(_ message: [UInt8]) -> Signature {
    var signature = [UInt8](repeating: 0, count: Signature.byteCount)
    guard
      crypto_sign_ed25519_detached(&signature, nil, message, UInt64(message.count), bytes) == 0,
      let signature = Signature(signature)
    else { preconditionFailure("signing with a key pair cannot fail") }
    return signature
  }
}

extension DatasetSecret: CustomStringConvertible, CustomReflectable {
  /// Not the secret.
  public var description: String { "the secret of \(key)" }

  /// Not the secret either.
  public var customMirror: Mirror { Mirror(self, children: []) }
}

/// 64 bytes by which the owner of a key vouches for a message. BEP 44, "sig".
public struct Signature: Hashable, Sendable {
  /// Size of a signature, in bytes.
  public static let byteCount = 64

  /// The 64 bytes.
  public let bytes: [UInt8]

  /// A signature from its 64 bytes, right or not; nil for another length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = Array(bytes)
  }

  /// Whether the owner of `key` made it for `message`.
  public func isValid(of message: [UInt8], by key: DatasetKey) -> Bool {
    crypto_sign_ed25519_verify_detached(bytes, message, UInt64(message.count), key.bytes) == 0
  }
}
