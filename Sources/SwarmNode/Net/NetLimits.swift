import Wire

/// Bounds on sockets and on the memory behind them, each with its reason.
enum NetLimits {
  /// Connections that the system completes before we accept them: the most that Linux gave for long.
  static let backlog: Int32 = 511
  /// Connections accepted in a row before others have their turn.
  static let acceptsInARow = 64
  /// Least time between two lines of log about descriptors having run out, in nanoseconds.
  static let fullReportInterval: UInt64 = 60_000_000_000

  /// Bytes in a receive slab: 63 blocks a read when data comes fast, and still in the second-level
  /// cache when it is hashed.
  static let slabBytes = 1 << 20
  /// Slabs in use at once before reading stops, if they are full of blocks: as many bytes as the
  /// core keeps on their way to disk.
  static let slabs = 32
  /// The same if they are mostly empty: a few blocks that stay can hold a slab each.
  static let scatteredSlabs = 128
  /// Free room below which a slab is not read into any more: four blocks, since a block that does
  /// not fit costs a copy.
  static let leastRead = 64 << 10
  /// Bytes read from one connection before others have their turn.
  static let readTurn = 2 << 20
  /// Bytes read from all connections before the core's effects are carried out, so that hashing
  /// begins while more is read.
  static let readBatch = 1 << 20
  /// Bytes sent to one connection before others have their turn.
  static let sendTurn = 4 << 20

  /// Content of a private connection that is sealed at once, with all that belongs to it: what a socket takes, and
  /// still in the second-level cache when it is sent.
  static let sealedAtOnce = 256 << 10
  /// Bytes to be sent from which on a frame takes as many blocks as it can: with less the first shall not wait for
  /// the second.
  static let bulkBytes = 128 << 10

  /// How long who says nothing that we know stays connected. docs/private.md.
  static let silence = Duration.seconds(Int64(PrivateLimits.silenceSeconds))
  /// The same of who says enough to be told from all that we know, where everybody may know us for a node of
  /// BitTorrent: others' encryption begins so, and who speaks it tries again without when it is closed. And of
  /// everybody from when its bytes came: more than it takes to try all read keys, so that it does not tell how many
  /// there are.
  static let refusal = Duration.milliseconds(100)
  /// Bytes of it that are read at once, and in all: more stays in the system's buffers.
  static let swallowedAtOnce = 16 << 10
  static let swallowed = 1 << 20
  /// Such connections of one address: with more, the first of them goes.
  static let strangersPerAddress = 8
  /// Read keys that are tried on first messages in a second, and at once: with 4 microseconds each a fifth of a
  /// thread's time, and one message with all keys that there may be.
  static let triesPerSecond = 50_000
  static let triesAtOnce = 1_024

  /// Packets in which the first messages of a connection go out: as many as TCP sends before anything was
  /// acknowledged. Linux counts its window in packets, and opens it when more than half of it was used: so
  /// the first block, twelve packets with its hashes, goes out at once instead of in two round trips.
  static let smallPackets = 10
  /// Bytes in one of them at least: few packets for few bytes.
  static let leastSmallPacket = 24
  /// Messages of more bytes open the window by themselves.
  static let smallPacketBytes = 8 << 10
  /// Parts in one send: 64 blocks with their heads are 1 MiB, which is more than a socket takes.
  static let sendParts = 128
  /// Time that what is queued has to leave after the core closed a connection, in milliseconds.
  static let lingerMilliseconds: UInt64 = 3_000
  /// Bytes that may be queued then; with more the connection is cut.
  static let lingerBytes = 1 << 20

  /// Datagrams received in one call, and calls before others have their turn: 128 datagrams are some
  /// milliseconds of work for whoever gets them.
  static let datagramsInACall = 32
  static let datagramCallsInATurn = 4
  /// Time in which interfaces, addresses and routes may settle before they are read, in milliseconds: a
  /// cable that is plugged in changes a dozen things.
  static let networkSettleMilliseconds: UInt64 = 200
  /// Link-local addresses of which it is known on which interface they are: a LAN has fewer peers.
  static let linkScopes = 256
  /// Peers of a private dataset that are remembered for its further torrents: more than a torrent has
  /// connections.
  static let groupPeers = 200
  /// Names that are looked up at once: each waits on a thread of its own.
  static let nameLookups = 8

  /// Congestion controls of TCP that send what they may at once, the best first. Any user may take the
  /// last one.
  static let unpacedControls = ["cubic", "reno"]
}
