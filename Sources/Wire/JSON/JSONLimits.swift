/// Bounds on JSON from outside, each with its reason.
public enum JSONLimits {
  /// Bytes of a text: a request that names ten thousand ranges has half a megabyte.
  public static let bytes = 1 << 20
  /// Lists and objects inside each other: no request of ours has more than four levels.
  public static let depth = 16
  /// Values in a text: ten thousand ranges of two numbers, and the objects that they stand in. A value
  /// takes up to 100 bytes of memory.
  public static let values = 1 << 16
}
