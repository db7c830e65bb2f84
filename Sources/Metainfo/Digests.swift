import CHash

/// A 32-byte SHA-256: v2 infohashes, pieces roots, and every node of a BEP 52 Merkle tree.
///
/// The layout is exactly the 32 bytes in order, so that a layer `[SHA256Digest]` is also the
/// contiguous input of the layer above it.
public struct SHA256Digest: Sendable {
  /// Size of a digest, in bytes.
  public static let byteCount = 32

  /// The bytes in memory order, eight at a time. Never interpreted as numbers.
  @usableFromInline var words: (UInt64, UInt64, UInt64, UInt64)

  /// 32 zero bytes: in BEP 52 the leaf hash of a block beyond the end of the file.
  public static let zero = SHA256Digest()

  @inlinable init() { words = (0, 0, 0, 0) }

  /// A digest from its 32 bytes; nil for any other length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.init()
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
  }

  /// The SHA-256 of `bytes`.
  public init(hashing bytes: UnsafeRawBufferPointer) {
    self.init()
    withUnsafeMutableBytes(of: &words) { digest in
      chash_sha256(bytes.baseAddress, bytes.count, digest.baseAddress)
    }
  }

  /// The SHA-256 of `bytes`.
  public init(hashing bytes: some Sequence<UInt8>) {
    let digest =
      bytes.withContiguousStorageIfAvailable { SHA256Digest(hashing: UnsafeRawBufferPointer($0)) }
      ?? Array(bytes).withUnsafeBytes { SHA256Digest(hashing: $0) }
    self = digest
  }

  /// The parent of two nodes: SHA-256 of their 64 bytes. BEP 52.
  public static func parent(of left: SHA256Digest, _ right: SHA256Digest) -> SHA256Digest {
    Swift.withUnsafeBytes(of: (left.words, right.words)) { SHA256Digest(hashing: $0) }
  }

  /// Calls `body` with the 32 bytes.
  @inlinable
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    try Swift.withUnsafeBytes(of: words, body)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  /// The first 20 bytes: how a v2 infohash appears in handshakes, trackers and the DHT. BEP 52.
  public var truncated: SHA1Digest { SHA1Digest(bytes.prefix(SHA1Digest.byteCount))! }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { bytes.hex }
}

extension SHA256Digest: Hashable, Comparable, CustomStringConvertible {
  /// Whether all 32 bytes agree.
  @inlinable
  public static func == (a: SHA256Digest, b: SHA256Digest) -> Bool { a.words == b.words }

  /// Feeds half of the bytes: they are as good as random already.
  @inlinable
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
  }

  /// Byte order, as in sorted dictionary keys.
  public static func < (a: SHA256Digest, b: SHA256Digest) -> Bool {
    let (a, b) = (a.words, b.words)
    return (a.0.bigEndian, a.1.bigEndian, a.2.bigEndian, a.3.bigEndian)
      < (b.0.bigEndian, b.1.bigEndian, b.2.bigEndian, b.3.bigEndian)
  }

  /// The hexadecimal digits.
  public var description: String { hex }
}

/// A 20-byte SHA-1, or a truncated SHA-256: v1 infohashes, v1 pieces, and names in the DHT.
public struct SHA1Digest: Sendable, Hashable {
  /// Size of a digest, in bytes.
  public static let byteCount = 20

  /// The bytes in memory order. Never interpreted as numbers.
  var words: (UInt32, UInt32, UInt32, UInt32, UInt32)

  /// A digest from its 20 bytes; nil for any other length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    words = (0, 0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
  }

  /// The SHA-1 of `bytes`.
  public init(hashing bytes: UnsafeRawBufferPointer) {
    words = (0, 0, 0, 0, 0)
    withUnsafeMutableBytes(of: &words) { digest in
      chash_sha1(bytes.baseAddress, bytes.count, digest.baseAddress)
    }
  }

  /// The SHA-1 of `bytes`.
  public init(hashing bytes: some Sequence<UInt8>) {
    let digest =
      bytes.withContiguousStorageIfAvailable { SHA1Digest(hashing: UnsafeRawBufferPointer($0)) }
      ?? Array(bytes).withUnsafeBytes { SHA1Digest(hashing: $0) }
    self = digest
  }

  /// Calls `body` with the 20 bytes.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    try Swift.withUnsafeBytes(of: words, body)
  }

  /// The 20 bytes.
  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  /// 40 lower-case hexadecimal digits.
  public var hex: String { bytes.hex }

  /// Whether all 20 bytes agree.
  public static func == (a: SHA1Digest, b: SHA1Digest) -> Bool { a.words == b.words }

  /// Feeds 8 of the bytes: they are as good as random already.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
  }
}

extension SHA1Digest: CustomStringConvertible {
  /// The hexadecimal digits.
  public var description: String { hex }
}
