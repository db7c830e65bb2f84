/// Bytes of payload that may wait in memory for hashes or for other blocks of their piece, in all
/// contents that share it. Beyond them blocks go to disk as claims.
final class WaitingBudget {
  /// The bound.
  let bytes: Int
  /// What waits now.
  var waitingBytes = 0

  init(bytes: Int) { self.bytes = bytes }
}
