import Metainfo

/// The content of one version on disk, as a value: says what the disk is to do, takes what came of
/// it, and hands out no block that is not verified.
///
/// Drive it so: call `open`, then after every call carry out `nextOperation()` until nil, in any
/// order and in parallel, give back each `DiskCompletion`, and take `nextNotice()` until nil; call
/// `handleTimeout` at `deadline`. Time is counted from any fixed start.
///
/// What holds at every moment, whatever fails: a block is verified only if its bytes were hashed and
/// then put in their place; a bit in a durable slot means that the bytes were hashed and on the
/// medium before; content that is not ours is never written to.
public struct PieceStore: Sendable {
  /// What a `DiskOperation` that is under way was for.
  enum Work: Sendable {
    case create(FileIndex)
    case createEmpty
    case write([PendingWrite], map: Int, epoch: UInt64)
    case read([PendingRead], map: Int, epoch: UInt64)
    case syncData(FileIndex, map: Int, serial: UInt64)
    case inspect(Int, map: Int, serial: UInt64)
    case load(map: Int)
    case slot(map: Int, serial: UInt64)
    case look(FileIndex)
  }

  struct PendingWrite: Sendable {
    let block: BlockIndex
    let buffer: BufferHandle
    let isHashed: Bool
  }

  struct PendingRead: Sendable {
    let block: BlockIndex
    let buffer: BufferHandle
    /// nil when the block is to be handed out.
    let examination: Examination?
    /// Whether it goes alone: the read that it was part of failed.
    var isAlone = false
  }

  enum Phase: Sendable { case running, closing, closed }

  /// Where everything is.
  public let layout: ContentLayout
  /// When checkpoints happen.
  public let policy: CheckpointPolicy
  /// nil in place, and then no operation that writes content can be made.
  let owned: OwnedContent?

  var phase = Phase.running
  var now = Duration.zero
  var maps: [MapState]
  var files: [FileState]
  /// Maps from here on are still to be loaded.
  var nextMapToLoad: Int
  var mapsToOpen: Int
  /// Maps that could not be read, and when that is tried again.
  var unreadableMaps: [Int] = []
  var retryMapsAt: Duration?
  /// Times in a row that one of them could not be read.
  var failedMapReads = 0
  /// Maps from here on are still to be looked at for a last checkpoint.
  var nextMapToClose = 0
  var nextSerial: UInt64 = 0
  var inFlight: [UInt64: Work] = [:]
  var control = Fifo<(DiskAction, Work)>()
  var reads = Fifo<PendingRead>()
  var writeOrder = Fifo<BlockIndex>()
  /// Writes not yet given to the disk, by block.
  var pendingWrites: [BlockIndex: PendingWrite] = [:]
  /// Blocks with a write under way.
  var writing: Set<BlockIndex> = []
  var dirtyOrder = Fifo<(map: Int, since: Duration)>()
  /// Files in place of which something is missing. What was claimed of them meanwhile may have been
  /// found right: the next round of looks lets those go.
  var watches: [FileIndex: FileWatch] = [:]
  /// Watched files to be looked at next.
  var looks = Fifo<FileIndex>()
  var looksUnderWay = 0
  /// Files that changed, in the order in which they will have been quiet for long enough; an entry
  /// counts only if its file did not change again.
  var settling = Fifo<(file: FileIndex, until: Duration)>()
  /// When all watched files are looked at.
  var nextRound: Duration?
  var lookDelay: Duration
  /// Until when writes wait for the disk to have room.
  var fullUntil: Duration?
  var fullWasTold = false
  var notices = Fifo<StoreNotice>()

  /// A store that creates and writes the content, in a folder of its own.
  public init(owned layout: ContentLayout, policy: CheckpointPolicy = CheckpointPolicy()) {
    self.init(layout: layout, policy: policy, owned: OwnedContent())
  }

  /// A store over content in the user's own folder. Nothing there is ever written to. A file whose
  /// size or times change is examined anew once it is quiet, and one of which something is missing
  /// is looked at from time to time.
  public init(inPlace layout: ContentLayout, policy: CheckpointPolicy = CheckpointPolicy()) {
    self.init(layout: layout, policy: policy, owned: nil)
  }

  private init(layout: ContentLayout, policy: CheckpointPolicy, owned: OwnedContent?) {
    self.layout = layout
    self.policy = policy
    lookDelay = policy.looks.first
    self.owned = owned
    maps = layout.maps.map { MapState(map: BlockMap(blocks: $0.blocks)) }
    files = Array(repeating: FileState(), count: layout.entries.count)
    nextMapToLoad = layout.maps.count
    mapsToOpen = layout.maps.count
  }

  // MARK: What is known

  /// Whether all block maps are loaded.
  public var isOpen: Bool { mapsToOpen == 0 }

  /// The proof that the block may be read, nil when it is not verified.
  public func verified(_ block: BlockIndex) -> VerifiedBlock? {
    maps[layout.map(of: block)].map.verified(block)
  }

  /// What is known of the block's bytes on disk.
  public func state(of block: BlockIndex) -> BlockState {
    maps[layout.map(of: block)].map.state(of: block)
  }

  /// Whether the block is there, by its claim, but must be examined before it is used.
  public func needsVerification(_ block: BlockIndex) -> Bool { state(of: block) == .claimed }

  /// Whether the block is verified and in a slot that this store has made durable: no crash loses
  /// it. What was loaded counts from its map's first checkpoint on, since what a killed process
  /// wrote may be in the page cache only.
  public func isAcknowledged(_ block: BlockIndex) -> Bool {
    let map = maps[layout.map(of: block)]
    return map.loaded == nil && map.map.isAcknowledged(block)
  }

  /// Whether there is anything to write, now or when there is room.
  public var hasWrites: Bool { !pendingWrites.isEmpty || !writing.isEmpty }

  /// Whether a map could not be read again and again, so that what is here stays unknown.
  public var isBlocked: Bool {
    mapsToOpen > 0 && failedMapReads >= PieceStoreLimits.mapTries
  }

  /// Whether writes wait because the disk is full.
  public var isFull: Bool { fullUntil != nil }

  /// The next thing to tell, nil when all was told.
  public mutating func nextNotice() -> StoreNotice? { notices.popFirst() }

  /// When `handleTimeout` is to be called, nil for never.
  public var deadline: Duration? {
    let checkpoint = dirtyOrder.first.map { $0.since + policy.interval }
    let retry = phase == .running ? retryMapsAt : nil
    return [checkpoint, fullUntil, lookDeadline, retry].compactMap(\.self).min()
  }
}
