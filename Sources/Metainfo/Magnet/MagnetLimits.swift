/// Bounds on links from outside, each with its reason.
public enum MagnetLimits {
  /// Bytes in a magnet URI: what Linux takes as one argument of a program (MAX_ARG_STRLEN), so
  /// that no link a person can pass on a command line is refused.
  public static let uriBytes = 131_072
  /// Parameters in a magnet URI, unknown ones included: ten times what the longest tracker lists
  /// in circulation need.
  public static let parameters = 1_024
  /// Bytes of salt. BEP 44.
  public static let saltBytes = 64
  /// Bytes in a host name: RFC 1035, section 2.3.4, less the root's dot.
  public static let hostNameBytes = 253
}
