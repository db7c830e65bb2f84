/// Bounds on the server of block devices, each with its reason.
enum NBDServerLimits {
  /// Bytes read from a socket at once: more requests than a client has under way.
  static let inputBytes = 64 << 10
  /// Bytes that a connection may owe before no more is taken from it: enough for eight reads of 1 MiB,
  /// few enough that what was read is still in a cache when it is sent.
  static let window = 8 << 20
  /// Bytes that all connections together may owe: a client that takes nothing costs its share of them.
  static let windows = 128 << 20
  /// Bytes of a chunk of output, if one read does not need more.
  static let chunkBytes = 256 << 10
  /// Largest chunk that is kept to be used again, and how many: reads of 1 MiB are common.
  static let spareBytes = 2 << 20
  static let spareChunks = 8
  /// Chunks in one send.
  static let sendParts = 16
  /// Connections at once: a client with `multi_conn` uses 4 to 16.
  static let connections = 256
  /// Blocks looked at for one answer about what is here: 4 GiB, a few milliseconds. Clients ask again
  /// from where an answer ends.
  static let statusBlocks = 1 << 18
  /// Runs in one answer: 32 KiB of it.
  static let statusRuns = 4_096
  /// Time within which a read should end, when the user says nothing.
  static let readTimeout = Duration.seconds(60)

  // MARK: Waiting awake

  /// Nanoseconds within which a client asks again that reads one thing after the other: it is woken,
  /// computes a little, and so are we, each of which takes up to 50 µs on a virtual machine.
  static let quickGap: UInt64 = 250_000
  /// Nanoseconds for which the next request is looked for without sleeping.
  static let awakeTime: UInt64 = 150_000
  /// Requests in a row that must come so quickly before that is done, and what is remembered of them at
  /// the most: two long pauses end it.
  static let quickRequests = 8
  static let rememberedRequests = 16
  /// Nanoseconds for which we did nothing though awake: somebody else needs this processor. And how long
  /// it is left to them.
  static let lostTime: UInt64 = 100_000
  static let restTime: UInt64 = 100_000_000

  // MARK: Boot traces

  /// Reads that are noted before they are made a trace of, and those that may wait at the most, while
  /// a thread works on others: 16 KiB, and 1 MiB.
  static let notesAtOnce = 1_024
  static let notedReads = 65_536
  /// Nanoseconds between two writes of a trace: what a kill may lose.
  static let traceInterval: UInt64 = 3_000_000_000
  /// Seconds for which a boot without a client, or whose node was stopped, goes on all the same: QEMU
  /// tries to connect for a minute, as it is usually told to.
  static let traceGap = 90
  /// Bytes that are fetched because a trace says so, whole pieces where they are, or a share of the file, one in so many, if that is
  /// more: Debian reads 12 MiB of 400 to python3, a desktop some hundreds of several thousand.
  static let tracedBytes: UInt64 = 64 << 20
  static let tracedShare: UInt64 = 4
  /// Ranges that wait in the core for peers, how many are looked at to find some that are not here, bytes
  /// in one of them at the most, and how often they are filled up: enough for a line of 3 Gbit/s where ranges have 16 KiB, and soon forgotten when nobody
  /// reads any more.
  static let prefetchRanges = 512
  static let prefetchLooks = 4_096
  static let prefetchBytes: UInt64 = 64 << 10
  static let prefetchMilliseconds: UInt64 = 20

  /// A read that waits for longer has stalled: a guest that is used to disks shows it by then.
  static let stall = Duration.seconds(1)
  /// Milliseconds in which the operator gets one line at the most about reads that failed.
  static let failureInterval: UInt64 = 1_000
}
