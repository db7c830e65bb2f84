import Metainfo

/// The 20 bytes by which a peer names itself, new in every run. BEP 3, "peer_id"; BEP 20 puts the
/// program and its version into the first eight.
public struct PeerID: Hashable, Sendable {
  /// Size, in bytes.
  public static let byteCount = 20

  /// The bytes, eight or four at a time in memory order. Never interpreted as numbers.
  private var words: (UInt64, UInt64, UInt32)

  /// A name from its 20 bytes; nil for any other length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    words = (0, 0, 0)
    withUnsafeMutableBytes(of: &words) { words in
      for (index, byte) in bytes.enumerated() { words[index] = byte }
    }
  }

  /// Calls `body` with the 20 bytes.
  public func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
    -> Result
  {
    try Swift.withUnsafeBytes(of: words) {
      try body(UnsafeRawBufferPointer(rebasing: $0.prefix(Self.byteCount)))
    }
  }

  /// The 20 bytes.
  public var bytes: [UInt8] { withUnsafeBytes { Array($0) } }

  /// Whether all 20 bytes agree.
  public static func == (a: PeerID, b: PeerID) -> Bool { a.words == b.words }

  /// Feeds all of the bytes.
  public func hash(into hasher: inout Hasher) {
    hasher.combine(words.0)
    hasher.combine(words.1)
    hasher.combine(words.2)
  }
}

extension PeerID: CustomStringConvertible {
  /// The bytes as text; what cannot be printed is escaped.
  public var description: String { printable(bytes) }
}
