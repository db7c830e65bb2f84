/// Bounds on the piece store's work, each with its reason.
public enum PieceStoreLimits {
  /// Disk operations under way at once: enough to keep the thread pool and a fast disk busy, few
  /// enough that what is urgent does not wait long behind what is not.
  public static let operations = 32
  /// Blocks in one read or write: 1 MiB, beyond which larger calls are no faster.
  public static let blocksPerTransfer = 64
  /// Files looked at at once because something of them is missing: it can wait for what cannot.
  public static let looks = 4
  /// Times that a map is read in vain before the operator is told that it is not going to work.
  public static let mapTries = 4
  /// Before any try to read a map again: whoever puts it right does not wait long, and the log of a
  /// disk that is gone for ever stays short.
  public static let longestMapRetry = Duration.seconds(300)
}
