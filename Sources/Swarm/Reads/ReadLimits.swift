/// Bounds on reads, and on what is fetched ahead of them, each with its reason.
enum ReadLimits {
  /// Blocks of one read on their way at once.
  static let window = 32
  /// Blocks of a torrent that readers wait for at once; further ones wait for their turn. Hundreds of
  /// readers with a few blocks each, and a list that is walked in microseconds.
  static let awaited = 2_048
  /// Blocks that readers have before they are on disk: 1 MiB. Beyond, they are read from disk.
  static let lent = 64
  /// Of those, what peers may have of them: readers here come first.
  static let lentToPeers = 32

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

  /// How long after a block a peer that knows hashes only of what it has read is asked for them: it reads
  /// and hashes a piece meanwhile, from its system's memory, or from a disk that seeks. After more it is as
  /// soon to ask when the block is here.
  static let readingTime = Duration.milliseconds(2)
  static let longestReading = Duration.milliseconds(16)

  // MARK: Beside bulk

  /// How long after a read came from peers the queues at peers are kept short for the next one.
  static let demandTime = Duration.seconds(2)
  /// Requests at a peer meanwhile: what its line holds on the way there and back, and so much more, in
  /// percent.
  static let queueShare = 125
  /// Requests of other kinds that a peer has meanwhile at least, so that reads without end do not
  /// stop a download.
  static let leastBulk = 2

  // MARK: Many that read the same

  /// Blocks of which is remembered that a peer promised them, or that they were read here: 16 MiB.
  static let recentBlocks = 1_024
  /// Who asks for a block so soon before or after us, at least, reads what we read: on a near network
  /// machines that begin at once differ by so much. Twice the way there and back elsewhere.
  static let leastStep = Duration.milliseconds(100)
  /// How much later than four times the usual time an answer may come that goes through others:
  /// beyond, nothing is got through that peer for a while.
  static let relaySlack = Duration.milliseconds(50)
  /// The first time; each time that it happens again twice as long, at most so many times.
  static let slowTime = Duration.seconds(2)
  static let slips = 5
  /// Answers in time for which one of those times is forgotten.
  static let timely = 32
  /// Blocks in a row that a peer may reject which it was to get for us, until it is taken to be slow.
  static let declines = 3
  /// A peer that says nothing for so long while it owes an answer that somebody waits for is gone: the
  /// machine or the way there has changed, which TCP finds out after minutes.
  static let deadTime = Duration.seconds(8)
  /// The same where nobody else can be asked: its disk may just have to start.
  static let deadTimeAlone = Duration.seconds(16)
  /// How much sooner who has everything must be to be asked for what others have, while these read, too.
  static let spared = Duration.milliseconds(100)
  /// How long that is believed: longer than a system that starts goes without reading.
  static let stepTime = Duration.seconds(10)
  /// Blocks that a peer is told of in one message, at most: each may be a run of its own.
  static let untold = 64
  /// Requests of peers that wait for blocks on their way to us: a read of 1 MiB for each of 16 peers.
  static let parked = 1_024
  /// Requests of one peer among those.
  static let parkedOfPeer = 256
  /// Blocks that a peer may tell of in a second, and at once: more than anybody reads. Each costs some work,
  /// and a message of 770 bytes can name two million.
  static let toldRate: UInt64 = 4_096
  static let toldAtOnce = 8_192
  /// What is fetched for others, or because others read it, comes behind all reads of our own.
  static let behindReads = Duration.seconds(86_400)
  /// How long they wait: who asked has asked another one by then.
  static let parkedTime = Duration.seconds(4)
  /// Blocks that are fetched at once only because peers asked for them: 4 MiB.
  static let relayed = 256
  /// How many of a crowd get a block through one of those that ask who is ahead: it differs from block
  /// to block, so that all send as much, and who is ahead sends little.
  static let childrenOfEach = 8
  /// How often in a row who is taken to be ahead may be asked for what it has not asked for.
  static let lag = 3
  /// Blocks that are fetched because a peer reads them, for each that was read here after it: what
  /// it reads and we do not costs no more.
  static let foreseen = 4
  /// How many of them in advance.
  static let foresight = 256
  /// Wanted pieces up to which it is looked who of a crowd asks for each: of more, nobody reads here
  /// and there.
  static let ledPieces = 4_096

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
