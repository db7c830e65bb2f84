/// What is fetched for the sake of reads, besides the blocks that they need.
public struct ReadingPolicy: Hashable, Sendable {
  /// Nobody wants the whole: where `TorrentRequest.wanted` names no files, nothing is fetched but what
  /// is read, and what is fetched ahead of that. Such a node stays interested in whoever has more, so
  /// that a read need not wait to be let in; it never says that it wants nothing (BEP 21), for seeds
  /// would end the connection, and it is finished when all is here.
  public var isSparse = false
  /// Whether what a reader reads in order is fetched ahead of it.
  public var readsAhead = true
  /// If sparse, whether the rest of a piece of which something was read is fetched too, after all
  /// reads: only whole pieces can be shared with others who read the same.
  public var completesPieces = true

  /// A torrent that is wanted as its request says, with reading ahead.
  public init() {}

  /// A torrent of which only what is read is fetched.
  public static var sparse: ReadingPolicy {
    var policy = ReadingPolicy()
    policy.isSparse = true
    return policy
  }
}
