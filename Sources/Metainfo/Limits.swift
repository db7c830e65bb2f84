/// Bounds on metainfo from outside, each with its reason.
public enum MetainfoLimits {
  /// Bytes in one name: what Linux file systems take (NAME_MAX).
  public static let pathElementBytes = 255
  /// Bytes in a path: what Linux system calls take (PATH_MAX), less room for the target folder.
  public static let pathBytes = 3_584
  /// Folders inside each other: deeper trees are not made by people.
  public static let pathDepth = 128
}
