/// Bounds on the swarm's work, each with its reason.
enum SwarmLimits {
  /// Requests of a peer that wait for us: 32 MiB, what a fast link has in flight for a quarter of a
  /// second at 1 Gbit/s. It is told to peers ("reqq"); what goes beyond it is rejected.
  static let uploadQueue = 2_000
  /// Bytes of an info dictionary that is sent unasked: one image has some hundreds, a folder of a hundred
  /// files so many; with the handshakes they fit into the first ten packets of a TCP connection.
  static let pushedMetadata = 8 << 10
  /// Requests in a row for pieces that are not here, before a peer is given up: twice what it may have
  /// sent before it could know that they were lost.
  static let vainRequests = 4_000
  /// Requests that a peer has from us at once, whatever it can take.
  static let pipeline = 2_000
  /// Requests before anything is known of a peer's speed: a quarter of a second at 2 Mbit/s. More would
  /// make many who ask one slow seed ask for the same.
  static let firstPipeline = 4
  /// Requests to the slowest peer: it shall not wait for us between two.
  static let leastPipeline = 2
  /// Requests to a peer that does not tell how many it takes: what old clients are known to take.
  static let silentPipeline = 250
  /// How long a request is to wait at the peer, at least: enough for the way there and back on a long
  /// line, and for the peer's disk.
  static let queueTime = Duration.milliseconds(500)
  /// The same as a multiple of the shortest time that an answer took.
  static let queueLatencies = 3
  /// At the end, what a peer does not send within this time is asked of others as well. Nobody notices
  /// it, and a LAN brings ten megabytes meanwhile.
  static let endTime = Duration.milliseconds(Int64(endMilliseconds))
  static let endMilliseconds: UInt64 = 250
  /// How long we wait for data of a peer that has our requests, before they go to others.
  static let snubTime = Duration.seconds(20)
  /// How long a TCP connection may take to be made: a SYN is sent again after 1, 3 and 7 seconds.
  static let connectTime = Duration.seconds(10)
  /// How long both handshakes may take.
  static let handshakeTime = Duration.seconds(15)
  /// A peer that says nothing for so long is gone. BEP 3: keep-alives come every two minutes.
  static let silenceTime = Duration.seconds(150)
  /// After so long without sending we send a keep-alive.
  static let keepAliveTime = Duration.seconds(100)
  /// Connections being made at once: routers and firewalls take many more for a scan.
  static let halfOpen = 24
  /// New connections begun in one step, so that a large swarm is not called all at once.
  static let connectsPerTick = 8
  /// How long a torrent waits for its turn to connect, when the node as a whole has no room.
  static let turn = Duration.seconds(1)
  /// Connections of one address whose handshake is not here, and those of all in all, as a part of
  /// what the node may have: nobody takes all places by saying nothing.
  static let silentPerAddress = 8
  static let silentShare = 2
  /// Connections kept free for those that we make, as a part of all.
  static let outgoingShare = 8
  /// Bytes owed to a peer in small messages, from which on what costs us much is refused.
  static let refusingBytes = 1 << 20
  /// Pieces that a peer may take back before the connection ends: its disk has failed, or it plays.
  static let takenBack = 1_000
  /// How often a peer may become a seed piece by piece: it costs a walk over all pieces.
  static let becomesSeed = 16
  /// How long a seed's advice holds that brings no more of it.
  static let adviceTime = Duration.seconds(30)
  /// How often time-outs, choking and connections are looked at.
  static let tick = Duration.milliseconds(500)
  /// How often peers are choked and unchoked. BEP 3.
  static let chokeTime = Duration.seconds(10)
  /// Bytes given to the system for one peer and not taken by it: enough that a fast link is never
  /// idle, little enough that a cancel or choke still means something.
  static let sendWindow = 1 << 20
  /// The same before anything is known of a peer's speed.
  static let firstSendWindow = 128 << 10
  /// The same for slow peers.
  static let smallSendWindow = 64 << 10
  /// Bytes of small messages that a peer may leave unread before it is given up.
  static let unreadMessages = 4 << 20
  /// Pieces that an unchoking peer may reject, and no block between them, before it is given up.
  static let rejections = 200
  /// How long two peers that have nothing for each other stay connected: time to tell of others.
  static let uselessTime = Duration.seconds(5)
  /// Hash requests that a peer has from us at once.
  static let hashRequests = 64
  /// Hash requests of a peer that wait for an answer: as many as it may have pieces on their way.
  static let hashAnswers = 2_000
  /// How long we wait for hashes before another peer is asked.
  static let hashTime = Duration.seconds(8)
  /// Blocks that nobody asked for, beyond those that were cancelled, before a peer is given up.
  static let unaskedBlocks = 64
  /// Keep-alives and other messages without content in a row, before a peer is given up: two an
  /// hour are usual.
  static let emptyMessages = 1_000
  /// Pieces that a choked peer may request. BEP 6.
  static let allowedFast = 10
  /// Pieces that a peer is advised to request at once, and that we take advice on.
  static let suggestions = 256
  /// How long a leech to which nothing comes waits for what a seed suggested to others.
  static let patience = Duration.seconds(2)
  /// Pieces that are asked of one peer only, because they came wrong from several: as many as
  /// `ContentLimits.suspectPieces`, whose senders are remembered.
  static let alonePieces = 64
  /// What a peer says that it has before the metadata is here, in words of 64 pieces: a million
  /// pieces, and less than half a megabyte.
  static let earlyHaves = 16_384
  /// Bytes that are hashed for a peer that asks for leaf hashes which are not kept: at first, for
  /// each second, and for each byte that it is sent. A question of 53 bytes can cost 64 MiB of disk.
  static let hashedAtOnce: UInt64 = 256 << 20
  static let hashedPerSecond: UInt64 = 16 << 20
  static let hashedPerUpload: UInt64 = 4
  /// After so long without one, messages without content weigh half: who says little over days does
  /// no harm.
  static let emptyTime = Duration.seconds(10)

  // MARK: Compression

  /// Blocks compressed by one job, and frames opened by one: some tenths of a millisecond at the usual levels,
  /// so that no thread is kept from other work for long.
  static let blocksPerPacking = 8
  static let framesPerOpening = 16
  /// Blocks that threads may be compressing before others go as they are: then the processor is what holds
  /// things up.
  static let packingBlocks = 192
  /// Frames that wait for buffers before no more is read from peers: 4 MiB of blocks.
  static let arrivedFrames = 256
  /// How long a frame waits for a buffer before its block is asked for again: what holds the buffers may wait
  /// for this very block.
  static let arrivedTime = Duration.seconds(2)
  /// Of the pool, the part that opening frames leaves for blocks that come as they are.
  static let poolShareKept = 16
  /// How long a line is watched before the level is chosen anew; the first time sooner, since a fast one is not
  /// to be held up.
  static let lineTime = Duration.milliseconds(250)
  static let firstLineTime = Duration.milliseconds(50)

  // MARK: Heads

  /// Heads of a peer whose signature is checked in a row, and after that one a second: a check takes
  /// 0.1 ms, and nobody publishes faster for long.
  static let headBurst = 4
  /// Heads that we send to a peer in a row, and after that one a second: less than it takes.
  static let headsGivenBurst = 2
  /// How often a peer that sends old heads is told the newest one again.
  static let headAnswerTime = Duration.seconds(60)
  /// Connections over which only heads travel, as a part of all: the others are for content.
  static let headShare = 2
  /// Such connections of one dataset, however many there are: one may be a liar or asleep.
  static let leastForHeads = 2
  /// Peers of a dataset's swarm beyond what it may have, which are told the head and of others, and
  /// then go: else who knows nothing but the key is turned away by a large swarm.
  static let headGuests = 8
  /// Who has exchanged heads with us for so long is worth to be connected to again; not who had no
  /// place for us.
  static let companionTime = Duration.seconds(60)
}
