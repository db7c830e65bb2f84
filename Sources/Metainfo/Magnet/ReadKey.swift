import CSodium

/// The 32 random bytes that open a private dataset: only a link carries them (`x.rk`, ours), and the state folder of
/// whoever takes part. docs/private.md.
///
/// Never shown: what prints it prints that it is one. Only `hex` has its digits, for the link.
public struct ReadKey: Sendable {
  /// Size of a read key, in bytes.
  public static let byteCount = 32

  /// The bytes, wiped when nobody has them any more.
  public let secret: SecretBytes

  /// A key from its 32 bytes; nil for another length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    secret = SecretBytes(bytes)
  }

  /// A key from its 64 hexadecimal digits, of either case; nil for anything else.
  public init?(hex text: some StringProtocol) {
    guard let bytes = [UInt8](hex: text) else { return nil }
    self.init(bytes)
  }

  /// A new key.
  ///
  /// - Parameter generator: fit for cryptography, wherever the key is used in earnest.
  public init(using generator: inout some RandomNumberGenerator) {
    secret = SecretBytes(count: Self.byteCount) { bytes in
      for offset in stride(from: 0, to: bytes.count, by: 8) {
        bytes.storeBytes(of: generator.next(), toByteOffset: offset, as: UInt64.self)
      }
    }
  }

  /// 64 lower-case hexadecimal digits: for the link and the key's file, and for nothing else.
  public var hex: String { secret.withUnsafeBytes { $0.hex } }
}

extension ReadKey {
  /// The version of all that follows from read keys, in every derived key and in the prologue of
  /// connections. docs/private.md.
  public static let protocolVersion = "SwarmNode private 1"

  /// What follows from this key for one purpose: BLAKE2b, keyed with it, of the protocol's version, a space,
  /// the label, and `context`. docs/private.md, "Keys".
  ///
  /// - Precondition: from 16 to 64 bytes.
  public func derived(
    _ label: String, _ context: [UInt8] = [], count: Int = ReadKey.byteCount
  ) -> SecretBytes {
    precondition((16...64).contains(count), "BLAKE2b has 16 to 64 bytes")
    let message = Array("\(Self.protocolVersion) \(label)".utf8) + context
    return SecretBytes(count: count) { result in
      secret.withUnsafeBytes { key in
        guard let result = result.bindMemory(to: UInt8.self).baseAddress else { return }
        crypto_generichash(
          result, count, message, UInt64(message.count),
          key.bindMemory(to: UInt8.self).baseAddress, key.count)
      }
    }
  }
}

extension ReadKey: Hashable {
  /// Whether all 32 bytes agree.
  public static func == (a: ReadKey, b: ReadKey) -> Bool { a.secret == b.secret }

  /// Feeds all 32 bytes.
  public func hash(into hasher: inout Hasher) {
    secret.withUnsafeBytes { hasher.combine(bytes: $0) }
  }
}

extension ReadKey: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Not the key.
  public var description: String { "a read key" }
  /// Not the key either.
  public var debugDescription: String { description }
  /// Nor here.
  public var customMirror: Mirror { Mirror(self, children: []) }
}
