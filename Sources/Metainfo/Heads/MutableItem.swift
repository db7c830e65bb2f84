/// Bounds on what the DHT keeps for others. BEP 44.
public enum ItemLimits {
  /// Bytes of a bencoded value.
  public static let valueBytes = 1_000
  /// Bytes of a salt.
  public static let saltBytes = 64
}

/// A value that the owner of a key has signed, with a number that grows. BEP 44, "Mutable Items".
///
/// Invariant: the signature is right, the value is one bencoded value, and both value and salt are
/// within `ItemLimits`.
public struct MutableItem: Hashable, Sendable {
  /// Whose it is.
  public let key: DatasetKey
  /// Which of the owner's items; empty for the one without salt.
  public let salt: [UInt8]
  /// Grows with each change.
  public let sequence: Int64
  /// The value, bencoded, as it was signed.
  public let value: [UInt8]
  /// The owner's word for all of it.
  public let signature: Signature

  /// An item that somebody else has signed.
  public init(
    key: DatasetKey, salt: [UInt8] = [], sequence: Int64, value: [UInt8], signature: Signature
  ) throws(ItemError) {
    try Self.check(salt: salt, sequence: sequence, value: value)
    let message = Self.signedBytes(salt: salt, sequence: sequence, value: value)
    guard signature.isValid(of: message, by: key) else { throw .wrongSignature }
    self.key = key
    self.salt = salt
    self.sequence = sequence
    self.value = value
    self.signature = signature
  }

  /// An item of ours.
  public init(
    signedBy secret: DatasetSecret, salt: [UInt8] = [], sequence: Int64, value: [UInt8]
  ) throws(ItemError) {
    try Self.check(salt: salt, sequence: sequence, value: value)
    key = secret.key
    self.salt = salt
    self.sequence = sequence
    self.value = value
    signature = secret.sign(Self.signedBytes(salt: salt, sequence: sequence, value: value))
  }

  /// Where in the DHT it is kept.
  public var target: SHA1Digest { Self.target(of: key, salt: salt) }

  /// Where in the DHT an item of this key and salt is kept. BEP 44.
  public static func target(of key: DatasetKey, salt: [UInt8] = []) -> SHA1Digest {
    SHA1Digest(hashing: key.bytes + salt)
  }

  private static func check(
    salt: [UInt8], sequence: Int64, value: [UInt8]
  ) throws(ItemError) {
    if salt.count > ItemLimits.saltBytes { throw .saltTooLarge(salt.count) }
    if value.count > ItemLimits.valueBytes { throw .valueTooLarge(value.count) }
    if sequence < 0 { throw .negativeSequence(sequence) }
    do { _ = try Bencode.decode(value) } catch { throw .malformedValue(error) }
  }

  /// What is signed: salt, if there is one, sequence number and value, each bencoded with its key.
  /// BEP 44, "Signature Verification".
  static func signedBytes(salt: [UInt8], sequence: Int64, value: [UInt8]) -> [UInt8] {
    let saltPart = salt.isEmpty ? [] : Array("4:salt\(salt.count):".utf8) + salt
    return saltPart + Array("3:seqi\(sequence)e1:v".utf8) + value
  }
}

/// A value that is kept under its own hash. BEP 44, "Immutable Items".
///
/// Invariant: it is one bencoded value within `ItemLimits`.
public struct ImmutableItem: Hashable, Sendable {
  /// The value, bencoded.
  public let value: [UInt8]

  /// An item of a bencoded value.
  public init(value: [UInt8]) throws(ItemError) {
    if value.count > ItemLimits.valueBytes { throw .valueTooLarge(value.count) }
    do { _ = try Bencode.decode(value) } catch { throw .malformedValue(error) }
    self.value = value
  }

  /// Where in the DHT it is kept.
  public var target: SHA1Digest { SHA1Digest(hashing: value) }
}

/// Why something is no item of the DHT. BEP 44, "Errors".
public enum ItemError: Error, Hashable, Sendable, CustomStringConvertible {
  /// So many bytes are too many for a value.
  case valueTooLarge(Int)
  /// So many bytes are too many for a salt.
  case saltTooLarge(Int)
  /// Sequence numbers are not negative.
  case negativeSequence(Int64)
  /// The value is not bencoded.
  case malformedValue(BencodeError)
  /// The key's owner did not sign this.
  case wrongSignature

  /// What is wrong.
  public var description: String {
    switch self {
    case .valueTooLarge(let count):
      "a value of \(count) bytes, where the DHT keeps \(ItemLimits.valueBytes) at most (BEP 44)"
    case .saltTooLarge(let count):
      "a salt of \(count) bytes, where \(ItemLimits.saltBytes) are allowed (BEP 44)"
    case .negativeSequence(let number): "sequence number \(number) is negative (BEP 44)"
    case .malformedValue(let error): "the value is not bencoded: \(error)"
    case .wrongSignature: "the signature is not of this key and value (BEP 44)"
    }
  }
}
