/// Sizes and bounds of blocks that travel compressed, each with its reason. docs/compression.md.
public enum CompressionLimits {
  /// Bytes of a message's payload before its frame: piece, offset, length of the block.
  public static let headBytes = 12
  /// Bytes of the longest frame: it is shorter than the block, or the block goes as it is.
  public static let frameBytes = WireLimits.blockBytes - 1
  /// Of a block's bytes, the part that compression must save for the frame to be sent: less is not worth the
  /// receiver's work.
  public static let leastSaving = 16
  /// Blocks of a file that are tried before it is judged.
  public static let samples: UInt32 = 4
  /// Where a file does not compress, the most blocks that go by before one is tried again.
  public static let longestPause: UInt32 = 1_024
  /// Files whose judgment is kept: where there are more, the first one is judged anew.
  public static let files = 4_096
}
