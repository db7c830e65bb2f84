/// Bounds on the server of block devices, each with its reason.
enum NBDServerLimits {
  /// Bytes read from a socket at once: more requests than a client has under way.
  static let inputBytes = 64 << 10
  /// Bytes that a connection may owe before no more is taken from it: enough for eight reads of 1 MiB,
  /// few enough that what was read is still in a cache when it is sent.
  static let window = 8 << 20
  /// Bytes of a chunk of output, if one read does not need more.
  static let chunkBytes = 256 << 10
  /// Largest chunk that is kept to be used again, and how many: reads of 1 MiB are common.
  static let spareBytes = 2 << 20
  static let spareChunks = 8
  /// Chunks in one send.
  static let sendParts = 16
  /// Connections at once: a client with `multi_conn` uses 4 to 16.
  static let connections = 256
  /// Blocks looked at for one answer about what is here: 16 GiB, some milliseconds. Clients ask again
  /// from where an answer ends.
  static let statusBlocks = 1 << 20
  /// Time within which a read should end, when the user says nothing.
  static let readTimeout = Duration.seconds(60)
  /// A read that waits for longer has stalled: a guest that is used to disks shows it by then.
  static let stall = Duration.seconds(1)
}
