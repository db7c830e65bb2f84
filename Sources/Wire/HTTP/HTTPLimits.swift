/// Bounds on what is read of a request, each with its reason.
public enum HTTPLimits {
  /// Bytes of a request's target: the longest path that a torrent may have, each byte escaped, and a query.
  public static let targetBytes = 16 << 10
  /// Parameters of a query: no resource of ours has more than five.
  public static let parameters = 32
  /// Entity tags or media ranges in a list: caches keep a few versions, browsers send a dozen types.
  public static let listItems = 64
}
