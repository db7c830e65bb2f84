/// The 32-byte ed25519 public key that names a dataset. BEP 46, "Public Key".
///
/// Any 32 bytes make a key: whether they are a point of the curve shows when a signature is
/// checked against them.
public struct DatasetKey: Sendable {
  /// Size of a key, in bytes.
  public static let byteCount = 32

  /// The bytes in memory order, eight at a time. Never interpreted as numbers.
  private var words: (UInt64, UInt64, UInt64, UInt64) = (0, 0, 0, 0)

  /// A key from its 32 bytes; nil for any other length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    withUnsafeMutableBytes(of: &words) { $0.copyBytes(from: bytes) }
  }

  /// A key from its 64 hexadecimal digits, of either case; nil for anything else.
  public init?(hex text: some StringProtocol) {
    guard let bytes = [UInt8](hex: text) else { return nil }
    self.init(bytes)
  }

  /// Calls `body` with the 32 bytes.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    try Swift.withUnsafeBytes(of: words, body)
  }

  /// The 32 bytes.
  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  /// 64 lower-case hexadecimal digits.
  public var hex: String { bytes.hex }
}

extension DatasetKey: Hashable, CustomStringConvertible {
  /// Whether all 32 bytes agree.
  public static func == (a: DatasetKey, b: DatasetKey) -> Bool { a.words == b.words }

  /// Feeds all 32 bytes: a key can be chosen by an adversary.
  public func hash(into hasher: inout Hasher) {
    withUnsafeBytes { hasher.combine(bytes: $0) }
  }

  /// The hexadecimal digits.
  public var description: String { hex }
}
