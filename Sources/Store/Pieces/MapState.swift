import Metainfo

/// When the store makes verified blocks durable, and when it tries again after a full disk.
public struct CheckpointPolicy: Hashable, Sendable {
  /// Bytes in one map that were verified since its last checkpoint: this many start one.
  public var bytes: UInt64
  /// The longest time that a verified block waits for a checkpoint to start.
  public var interval: Duration
  /// How long writes wait after the disk was full.
  public var retry: Duration
  /// When files in place are looked at.
  public var looks = LookPolicy()

  /// A policy; the defaults lose about a second or 64 MiB of transfer to a kill or a power cut.
  public init(
    bytes: UInt64 = 64 << 20, interval: Duration = .seconds(1), retry: Duration = .seconds(5)
  ) {
    self.bytes = bytes
    self.interval = interval
    self.retry = retry
  }
}

/// When files in place of which something is missing are looked at, and when what is found is
/// believed.
public struct LookPolicy: Hashable, Sendable {
  /// Until the first look, and between looks after something changed.
  public var first = Duration.seconds(10)
  /// While nothing changes looks come at twice the interval each time, up to this.
  public var longest = Duration.seconds(60)
  /// How long a file that changed must look the same before it is read: one that is being copied
  /// would be read over and over.
  public var quiet = Duration.seconds(1)
  /// Blocks that the disk did not give, of files that look as they did, are tried again at twice the
  /// interval each time, up to this: bad sectors cost seconds each.
  public var longestRetry = Duration.seconds(3600)

  /// The defaults.
  public init() {}
}

/// One block map at run time.
struct MapState: Sendable {
  /// How far the map is opened.
  enum Stage: Sendable {
    case unloaded
    case loading
    case examining(BlockMapSlot?, Inspection)
    case open
    /// The map's file could not be read. Nothing is known and nothing can be kept.
    case failed
  }

  var map: BlockMap
  var stage = Stage.unloaded
  /// Whether the map's file was never made durable by its name.
  var fileIsNew = true
  /// The slot that was loaded, until it is known to be durable: after a kill or a failed sync it may
  /// be in the page cache only, and be clean there. So it is written once more, byte for byte the
  /// same, and synced, before the other slot is overwritten.
  var loaded: BlockMapSlot?
  /// The slot that holds the newest durable state. Never written to: the other one is.
  var durableSlot = 1
  /// The highest generation ever tried.
  var generation: UInt64 = 0
  /// Whether the newest slot on disk promises that nothing was written since. Invariant: while it
  /// does, no write of content is under way.
  var diskIsClean = false
  /// What the files looked like when the map was opened or they were last found changed; nil for one
  /// that is not there. In place only.
  var baseline: [FileEvidence?] = []
  /// Counts the times that bytes on disk became doubtful; work begun before is not to be believed.
  var epoch: UInt64 = 0
  /// The checkpoint under way.
  var pass: CheckpointPass?
  /// Bytes verified since the last checkpoint began.
  var dirtyBytes: UInt64 = 0
  /// Since when something is to be made durable; nil when nothing is.
  var dirtySince: Duration?
  /// Blocks with a queued write that waits for this map, or for a file of it.
  var waiting: [BlockIndex] = []
  /// The examination whose verdict counts.
  var examinations: [BlockIndex: Examination] = [:]

  /// The block's bytes are wrong, or about to be overwritten: nothing that was found out about them
  /// counts any more, the checkpoint under way included.
  mutating func forget(_ block: BlockIndex) {
    let number = map.local(block)
    map.forget(block)
    examinations[block] = nil
    pass?.verified.remove(number)
    pass?.claimed.remove(number)
  }

  /// As `forget`, of members; those that were verified are returned.
  mutating func forget(_ members: BlockSet) -> BlockSet {
    pass?.verified.subtract(members)
    pass?.claimed.subtract(members)
    return map.forget(members)
  }

  var isOpen: Bool { if case .open = stage { true } else { false } }
}

/// Evidence of several files being gathered.
struct Inspection: Sendable {
  var evidence: [FileEvidence?]
  var remaining: Int

  init(count: Int) {
    evidence = Array(repeating: nil, count: count)
    remaining = count
  }
}

/// A checkpoint: data to the medium, then the slot, then the slot to the medium.
struct CheckpointPass: Sendable {
  enum Step: Sendable {
    case syncingData(remaining: Int)
    case examining(Inspection)
    case rewritingLoaded
    case syncingLoaded
    case writingSlot
    case syncingSlot
  }

  /// Tells late completions of an earlier pass from this one's.
  let serial: UInt64
  /// Whether this is the last one before a stop.
  let isClean: Bool
  var step: Step
  /// What was verified and claimed when the pass began: all of it written before the data was
  /// synced.
  var verified: BlockSet
  var claimed: BlockSet
  var evidence: [FileEvidence?] = []
}

/// A file in place of which something is missing, or was lately.
struct FileWatch: Sendable {
  /// Whether a look at it is queued or under way.
  var isLookedAt = false
  /// It changed, and is not believed before it has looked the same until then.
  var quietUntil: Duration?
  /// When blocks that the disk did not give are tried again; nil when there are none.
  var retryAt: Duration?
  /// The last interval between such tries.
  var retryDelay = Duration.zero
}

/// One file at run time.
struct FileState: Sendable {
  var isThere = false
  var isBeingCreated = false
  /// Whether its name was never made durable.
  var isNew = false
  /// Whether it holds bytes that the medium may not.
  var needsSync = false
}
