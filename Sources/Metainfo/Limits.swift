/// Bounds on metainfo from outside, each with its reason.
public enum MetainfoLimits {
  /// Bytes in a piece, at most: 512 MiB, more than any client makes, so that offsets in a piece fit
  /// a request's 32 bits with room to spare.
  public static let pieceLength: UInt64 = 1 << 29
  /// Bytes in one name: what Linux file systems take (NAME_MAX).
  public static let pathElementBytes = 255
  /// Bytes in a path: what Linux system calls take (PATH_MAX), less room for the target folder.
  public static let pathBytes = 3_584
  /// Folders inside each other: deeper trees are not made by people.
  public static let pathDepth = 128
}
