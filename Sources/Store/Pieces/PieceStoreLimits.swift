/// Bounds on the piece store's work, each with its reason.
public enum PieceStoreLimits {
  /// Disk operations under way at once: enough to keep the thread pool and a fast disk busy, few
  /// enough that what is urgent does not wait long behind what is not.
  public static let operations = 32
  /// Blocks in one read or write: 1 MiB, beyond which larger calls are no faster.
  public static let blocksPerTransfer = 64
  /// Files looked at at once because something of them is missing: it can wait for what cannot.
  public static let looks = 4
}
