/// How often a peer that the user named is tried: soon at first, since who starts both sides starts one of
/// them first, then as often as long as somebody waits for it. It is never given up.
public enum NamedRetry {
  /// How long after the last of `failures` failures in a row: 1, 2, 4, 8 s, then always 15 s.
  ///
  /// - Parameter failures: at least 1.
  public static func wait(after failures: Int) -> Duration {
    let doublings = min(max(failures, 1) - 1, 10)
    return min(PolicyLimits.firstNamedRetry * (1 << doublings), PolicyLimits.longestNamedRetry)
  }
}
