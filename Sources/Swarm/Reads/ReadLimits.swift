/// Bounds on reads, and on what is fetched ahead of them, each with its reason.
enum ReadLimits {
  /// Blocks of one read on their way at once.
  static let window = 32
  /// Blocks of a torrent that readers wait for at once; further ones wait for their turn. Hundreds of
  /// readers with a few blocks each, and a list that is walked in microseconds.
  static let awaited = 2_048
  /// Blocks that readers have before they are on disk: 1 MiB. Beyond, they are read from disk.
  static let lent = 64

  // MARK: Who answers first

  /// What an answer is taken to need from a peer of which nothing is known: a far one. Those that are
  /// known to be nearer are asked first, and it is tried out when they are late.
  static let unknownAnswer = Duration.milliseconds(250)
  /// How much later than usual an answer may come before it is late, at least: timers, a disk that
  /// seeks.
  static let leastSlack = Duration.milliseconds(10)
  /// The latest that an answer is called late, whatever was usual: half of what a reader may wait for
  /// a sound disk.
  static let longestWorst = Duration.seconds(4)
  /// By how much a peer that is late is put behind others, for each answer that it owes.
  static let lateness = Duration.seconds(1)
  /// The rate at which a peer is taken to answer before anything was measured, bytes a second.
  static let unknownRate: UInt64 = 256 << 10

  // MARK: Beside bulk

  /// How long after a read came from peers the queues at peers are kept short for the next one.
  static let demandTime = Duration.seconds(2)
  /// Requests at a peer meanwhile: what its line holds on the way there and back, and so much more, in
  /// percent.
  static let queueShare = 125
  /// Requests of other kinds that a peer has meanwhile at least, so that reads without end do not
  /// stop a download.
  static let leastBulk = 2

  // MARK: Ahead

  /// Readers of a torrent that are followed at once, each with its place in a file.
  static let streams = 32
  /// How far from where the last read ended the next one may begin, in bytes: systems read ahead
  /// themselves, and their reads overtake each other.
  static let streamSlack: UInt64 = 64 << 10
  /// The first window ahead of a reader.
  static let firstWindow: UInt64 = 64 << 10
  /// The largest: 100 ms of a line of 300 Mbit/s. More would be wasted where the reader stops.
  static let largestWindow: UInt64 = 4 << 20
  /// Ranges that wait to be fetched ahead of readers; of more the oldest are dropped, since their
  /// reader has gone on.
  static let aheadRanges = 256
  /// Ranges of a torrent that wait to be prefetched: a boot of half an hour reads as many. 1 MiB.
  static let prefetchRanges = 65_536
  /// Blocks looked at to find one to fetch ahead that a peer has.
  static let scannedAhead = 256
  /// Ranges that are looked through for those that are done with, and blocks in one of these at the most:
  /// some 10,000 looks, 50 microseconds.
  static let compactedRanges = 1_024
  static let compactedBlocks = 8
  /// The largest piece of which the rest is fetched when a block was read, in bytes: of larger ones it
  /// would be many times what was read.
  static let completedPiece: UInt64 = 1 << 20

  // MARK: Status

  /// How old a read is before it is called stalled: as long as a slow disk takes.
  static let stalledAfter = Duration.seconds(1)
  /// Stalled reads that are told, the oldest: a person reads no more.
  static let toldStalls = 16
}
