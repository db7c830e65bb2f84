import Metainfo
import Store
import Wire

/// The whole node as a value: told what happened and when, it says what to do.
///
/// Drive it so: after every call carry out `nextEffect()` until nil (`drain(into:)`), report what
/// became of each, and call `handleTimeout` at `deadline`. Time is counted from any fixed start. It
/// has no clock, socket, file, thread or randomness of its own; the bytes of payload stay in memory
/// that the caller owns, and are named by handles.
///
/// **Buffers.** Handles below 2^63 are the core's own: numbers from 0 up to
/// `SwarmConfiguration.poolBuffers`, 16 KiB each, which the caller backs with memory when they first
/// appear. Handles from 2^63 on are the caller's, by which `receive` is told where bytes are: adding
/// n to a handle names the bytes n further on. Of those the core keeps some; each is given back once
/// by `Effect.release`.
public struct Swarm: ~Copyable {
  /// What the user chose.
  public let configuration: SwarmConfiguration

  var random: SwarmRandom
  var now = Duration.zero
  var effects = Ring<Effect>()
  let pool: BlockPool
  /// Of payload that waits for a verdict, in all torrents.
  let budget: WaitingBudget
  /// For the few hashes that are made here: of hash trees.
  let hasher = LayerHasher()

  // Torrents, by their number; nil where one was removed.
  var torrents: [Torrent?] = []
  /// By v1 infohash and by truncated v2 infohash.
  var torrentsByInfohash: [SHA1Digest: TorrentID] = [:]

  /// Datasets that are followed.
  var datasets: [DatasetKey: FollowedDataset] = [:]
  /// Torrents that belong to a dataset, followed or not, in the order of their coming.
  var torrentsByDataset: [DatasetKey: [TorrentID]] = [:]
  /// How many of all torrents are for heads only.
  var headTorrents = 0
  /// How many torrents each private group has.
  var groups: [PrivateGroup: Int] = [:]
  /// How many torrents everybody may take part in.
  var publicTorrents = 0

  // Connections, by slot; nil where there is none.
  var slots: [Peer?] = []
  var generations: [UInt32] = []
  var freeSlots: [UInt32] = []
  var connectionCount = 0
  var halfOpenCount = 0

  /// Our addresses as peers see them, at most one of each family.
  var ownAddresses: [IPAddress] = []
  /// What the last peer said of them.
  var toldAddress: IPAddress?
  /// Addresses of ours that do not depend on what one peer says.
  var knownAddresses: [IPAddress] = []
  /// Where we met ourselves, or know that we would: no torrent connects there.
  var ownEndpoints = RecentSet<PeerEndpoint>(limit: PolicyLimits.ownEndpoints)

  /// Payload handles that the contents hold.
  var heldBlocks = 0
  var downloadBucket: TokenBucket
  var uploadBucket: TokenBucket
  /// What block reads from disk are for.
  var purposes = PurposeTable()
  var reads: [ReadID: PendingRead] = [:]
  var nextRead: UInt64 = 0
  /// When the first of the reads must have ended.
  var readDeadline: Duration?
  /// When the first answer that somebody waits for is late, or before.
  var hedgeDeadline: Duration?
  /// Buffers of the pool that are being read into for readers, or that readers have.
  var readersBuffers = 0
  /// Buffers that readers have while the disk has them too.
  var loans = Loans()

  /// Blocks that are being compressed or decompressed.
  var frames: FrameDesk

  /// Those to be looked at before the event ends.
  var dirtyPeers: [Peer] = []
  var dirtyTorrents: [Torrent] = []
  /// Peers that are not read from, for want of memory.
  var pausedPeers: [Peer] = []
  /// When the next round of time-outs is due; nil while there is nothing to look after.
  var nextTick: Duration?
  /// Not after the earliest deadline of a torrent.
  var torrentDeadline: Duration?
  /// When the limits on rates let something through that waits.
  var limitDeadline: Duration?
  /// Who is the first when the limits let something through.
  var limitTurn = 0
  /// Peers that blocks are sent to, as of the last tick.
  var uploadingPeers = 1
  var picked: [BlockIndex] = []

  /// A node without torrents; all of its random choices follow from `seed`.
  public init(configuration: SwarmConfiguration, seed: UInt64) {
    self.configuration = configuration
    random = SwarmRandom(seed: seed)
    pool = BlockPool(count: configuration.poolBuffers)
    budget = WaitingBudget(bytes: configuration.payloadBytes / 4)
    frames = FrameDesk(cacheBytes: configuration.compresses ? configuration.frameCacheBytes : 0)
    downloadBucket = TokenBucket(rate: configuration.downloadLimit)
    uploadBucket = TokenBucket(rate: configuration.uploadLimit)
  }

  /// The next thing to do; nil when there is none until something happens.
  public mutating func nextEffect() -> Effect? {
    let effect = effects.popFirst()
    // Until then the caller may have something of the old connection in the slot.
    if case .close(let connection) = effect { freeSlots.append(connection.slot) }
    return effect
  }

  /// What is not in use, for tests: buffers of the pool that are free; reads from disk that have a
  /// purpose; blocks on their way to disk.
  package var idle: (buffers: Int, purposes: Int, heldBlocks: Int) {
    (pool.freeCount, purposes.count, heldBlocks)
  }
}

/// Where the rest of a block goes that has come in part.
public struct BlockContinuation: Hashable, Sendable {
  /// A buffer of 16 KiB.
  public let buffer: BufferHandle
  /// Where in it the next byte goes.
  public let offset: Int
  /// How many bytes are to come; at least 1.
  public let count: Int

  init(buffer: BufferHandle, offset: Int, count: Int) {
    self.buffer = buffer
    self.offset = offset
    self.count = count
  }
}

/// What became of a chunk that was received.
public struct Intake: Sendable {
  /// How many handles into the chunk the core has kept: so many times `Effect.release` will come with
  /// one.
  public var kept = 0
  /// The beginning of a block at the end of the chunk: to be copied, now, to the start of this
  /// buffer; the rest of it goes behind, as `continuation` says.
  public var tail: (range: Range<Int>, buffer: BufferHandle)?

  init() {}
}

/// Why a torrent cannot be taken part in.
public enum SwarmError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is one of the same infohash.
  case alreadyThere
  /// What it says of its files is no geometry.
  case geometry(GeometryError)
  /// No infohash at all.
  case nothingNamed
  /// There are as many private groups as can be told apart where peers connect.
  case tooManyGroups

  /// What is wrong.
  public var description: String {
    switch self {
    case .alreadyThere: "the torrent is already there"
    case .geometry(let error): "\(error)"
    case .nothingNamed: "no infohash is given"
    case .tooManyGroups: "there are \(PrivateLimits.readKeys) private datasets already"
    }
  }
}

/// Who carries out what the core wants: libuv, or the simulator.
public protocol EffectHandler {
  /// Begins what the effect says. What came of it is reported later, not from in here.
  mutating func carryOut(_ effect: consuming Effect)
}

extension Swarm {
  /// Carries out all that is to be done now: the one loop of both the node and the simulator.
  public mutating func drain(into handler: inout some EffectHandler) {
    while let effect = nextEffect() { handler.carryOut(effect) }
  }
}
