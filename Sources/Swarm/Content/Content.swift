import Metainfo
import Store

/// The content of one torrent: which blocks are right, by their hashes, and on disk. Joins the piece
/// store and the hash trees, and decides what is hashed.
///
/// Drive it so: after every call carry out `nextHashJob`, `nextOperation` and take `nextNotice` until
/// all three are nil. Results come back by `hashed` and `completed`.
///
/// What always holds: a block is told as `verified` only if its bytes were hashed and the hash is the
/// torrent's; every buffer that `receive` brought comes back by one `.release`; every buffer taken
/// from the pool is given back to it.
final class Content {
  /// A block that came, on its way to a verdict.
  struct Arrival {
    let block: BlockIndex
    let buffer: BufferHandle
    let sender: ConnectionID
  }

  /// What a hash job under way is for.
  enum Job {
    /// Blocks that came, to be judged by their leaves.
    case arrivals([Arrival])
    /// Blocks that came and go to disk without a verdict, for their hashes alone.
    case spilled([Arrival])
    /// Blocks read back, to be judged by their leaves or to give them.
    case readBack([ReadBack])
    /// A run of a v1 piece.
    case pieceRun(PieceWork)
    /// Blocks of a piece, by their positions, for their hashes alone.
    case digests(PieceWork, [Int])
  }

  let geometry: PieceGeometry
  let layout: ContentLayout
  let limits: ContentLimits
  let mode: TorrentRequest.Content
  let v1Pieces: [SHA1Digest]
  let pool: BlockPool
  let takeJobID: () -> HashJobID
  let hasher: LayerHasher
  let budget: WaitingBudget

  /// In memory of its own, so that no access to it is checked at run time.
  private let storage: UnsafeMutablePointer<PieceStore>
  var store: PieceStore {
    @inline(__always) _read { yield storage.pointee }
    @inline(__always) _modify { yield &storage.pointee }
  }
  /// Hash trees; files of the same bytes share one.
  var trees: [MerkleTree] = []
  /// The tree of a file; -1 for empty files, and in v1 torrents.
  var treeOfFile: [Int32] = []
  var treeOfRoot: [SHA256Digest: Int32] = [:]
  /// The first file of each tree.
  var firstFile: [FileIndex] = []
  /// Blocks of each piece that are not here.
  var missing: [UInt16]
  /// Pieces to be counted anew.
  var doubtful: Set<PieceIndex> = []

  var arriving: [Arrival] = []
  /// Blocks that go to disk without a verdict, for want of memory.
  var spilling: [Arrival] = []
  var jobs: [HashJobID: Job] = [:]
  var hashJobs = Ring<HashJob>()
  var notices = Ring<ContentNotice>()
  /// Payload that `receive` brought and no `.release` gave back yet.
  private(set) var heldBytes = 0
  /// Of that, what waits for hashes or for other blocks of its piece.
  var waitingBytes = 0
  /// Pieces with blocks that cannot be judged one by one yet.
  var works: [PieceIndex: PieceWork] = [:]
  /// First tries of pieces that were wrong as a whole.
  var suspects: [PieceIndex: [Suspect]] = [:]
  var suspectOrder = Ring<PieceIndex>()
  /// Peers of which is to be told when something that they sent is proven.
  var onTrial: Set<ConnectionID> = []

  /// Reads under way, for peers and for hashing, by their buffers.
  var reading: [BufferHandle: ReadPurpose] = [:]
  var readBackBlocks = 0
  /// Blocks read back and not yet in a hash job.
  var readBack: [ReadBack] = []
  /// Pieces whose claims are to be looked at, and those that are being read.
  var claims = ClaimQueue()
  /// Claimed blocks that are being read, or hashed, for a verdict.
  var examining: Set<BlockIndex> = []
  var judging: [PieceWork] = []
  /// In place, after the disk failed: when claims are examined again.
  var examinesFrom: Duration?

  /// Pieces that are hashed to answer questions: all of them, and those not begun.
  var hashings: [PieceIndex: PieceHashing] = [:]
  var hashingQueue = Ring<PieceHashing>()
  var hashing: [PieceHashing] = []
  var answersWaiting = 0
  /// Pieces with leaves in memory, in the order in which they became known.
  var learned = Ring<(tree: Int32, piece: FilePieceIndex)>()
  var leafDigests = 0
  /// By tree: roots of pieces as their blocks were hashed, where no piece layer could prove them:
  /// hybrids that come from v1 peers.
  var unprovenLayers: [Int: UnprovenLayer] = [:]

  var isFull = false
  /// The store was told to close.
  var isClosing = false
  var storeIsClosing = false
  var storeIsClosed = false
  var isClosed = false
  var now = Duration.zero

  /// The content of a torrent of which nothing was looked at yet.
  ///
  /// - Parameters:
  ///   - pieceLayers: those that are known; wrong ones are ignored. BEP 52.
  ///   - pool: where buffers come from for what is read back.
  ///   - hasher: for hash trees; contents can share one.
  ///   - budget: what may wait in memory, in all contents that share it.
  ///   - takeJobID: names for hash jobs, never the same twice.
  init(
    info: InfoDictionary, pieceLayers: PieceLayers, mode: TorrentRequest.Content, pool: BlockPool,
    hasher: LayerHasher = LayerHasher(), budget: WaitingBudget = WaitingBudget(bytes: .max / 2),
    limits: ContentLimits = ContentLimits(),
    takeJobID: @escaping () -> HashJobID
  ) throws(GeometryError) {
    layout = try ContentLayout(info)
    geometry = layout.geometry
    self.limits = limits
    self.hasher = hasher
    self.budget = budget
    self.mode = mode
    self.pool = pool
    self.takeJobID = takeJobID
    v1Pieces = info.v1Pieces
    storage = .allocate(capacity: 1)
    if case .owned = mode {
      storage.initialize(to: PieceStore(owned: layout))
    } else {
      storage.initialize(to: PieceStore(inPlace: layout))
    }
    missing = []
    missing = geometry.pieces.map { UInt16(blockCount(of: $0)) }
    if geometry.kind.hasV2 { try makeTrees(info.files, pieceLayers) }
  }

  deinit {
    storage.deinitialize(count: 1)
    storage.deallocate()
  }

  // MARK: What is known

  /// Whether the block maps are loaded.
  var isOpen: Bool { store.isOpen }
  /// Whether it does not open, since what is here cannot be read.
  var isBlocked: Bool { store.isBlocked }

  /// Whether blocks from peers can be kept: nothing is written in the user's own folder, whatever is
  /// missing there.
  var takesBlocks: Bool { if case .owned = mode { true } else { false } }

  /// Whether the whole piece is verified and on disk.
  func hasPiece(_ piece: PieceIndex) -> Bool { isOpen && missing[Int(piece.rawValue)] == 0 }

  /// Whether the block is verified and on disk. A block without a byte of a file is here when its
  /// piece is.
  func isHere(_ block: BlockIndex) -> Bool { store.proof(of: block) != nil }

  /// Whether the block is said to be here, and will be told as `.stored` or `.missing`, or else
  /// waits for hashes: it need not be fetched before.
  func isClaimed(_ block: BlockIndex) -> Bool { store.standing(of: block) == .claimed }

  /// Whether the block is right and on its way to disk.
  func isBeingWritten(_ block: BlockIndex) -> Bool { store.isBeingWritten(block) }

  /// Whether no block of the piece need be fetched unless a claim is wrong: its own hash then tells as
  /// much as leaves would.
  func isWhollyClaimed(_ piece: PieceIndex) -> Bool {
    geometry.blocks(of: piece).allSatisfy {
      geometry.dataLength(of: $0) == 0 || store.standing(of: $0) != .missing
    }
  }

  /// Calls `body` with runs of blocks that are here; numbers that are no blocks can be among them.
  func forEachRunHere(_ body: (BlockRange) -> Void) { store.forEachVerifiedRun(body) }

  /// Calls `body` with runs of claimed blocks; numbers that are no blocks can be among them.
  func forEachRunClaimed(_ body: (BlockRange) -> Void) { store.forEachClaimedRun(body) }

  // MARK: Work

  /// Begins to load the block maps. `.opened` tells when that is done.
  func open(now: Duration) {
    self.now = max(self.now, now)
    store.open(now: now)
  }

  /// Begins to stop: what is right by its hash and on its way to disk gets there, the rest is
  /// dropped. `.closed` tells the end; results of jobs are awaited until then.
  func close(now: Duration) {
    self.now = max(self.now, now)
    guard !isClosing else { return }
    isClosing = true
    flush()
    dropWaiting()
    refuseAnswers()
    goOn()
  }

  /// When `handleTimeout` is to be called; nil for never.
  var deadline: Duration? {
    guard let examinesFrom, !isClosing else { return store.deadline }
    return store.deadline.map { min($0, examinesFrom) } ?? examinesFrom
  }

  /// Time passed.
  func handleTimeout(now: Duration) {
    self.now = max(self.now, now)
    store.handleTimeout(now: now)
    if let from = examinesFrom, from <= self.now { examinesFrom = nil }
    // With nothing left to try, only new blocks can find out whether there is room.
    if isFull, !store.isFull, !store.hasWrites { hasRoom() }
    goOn()
  }

  /// An operation of the disk has ended.
  func completed(_ completion: DiskCompletion, now: Duration) {
    self.now = max(self.now, now)
    store.handle(completion, now: now)
    goOn()
  }

  /// The next hash job; nil when there is none now.
  func nextHashJob() -> HashJob? { hashJobs.popFirst() }

  /// The next operation for the disk; nil when there is none now.
  func nextOperation() -> DiskOperation? { store.nextOperation() }

  /// The next thing to tell; nil when all was told.
  func nextNotice() -> ContentNotice? {
    if let notice = notices.popFirst() { return notice }
    goOn()
    return notices.popFirst()
  }

  /// Does what can be done: takes what the store has to tell, and goes on with what waited for
  /// buffers.
  func goOn() {
    takeStoreNotices()
    if isOpen && !isClosing {
      pumpAnswers()
      pumpJudging()
      pumpClaims()
    }
    flushReadBack()
    guard isClosing else { return }
    if !storeIsClosing && jobs.isEmpty && readBackBlocks == 0 {
      storeIsClosing = true
      store.close(now: now)
    }
    if storeIsClosed && !isClosed && jobs.isEmpty && reading.isEmpty {
      isClosed = true
      notices.append(.closed)
    }
  }

  // MARK: Buffers and jobs

  func hold() { heldBytes += blockLength }

  /// A buffer that `receive` brought is not needed any more.
  func release(_ buffer: BufferHandle) {
    heldBytes -= blockLength
    notices.append(.release(buffer))
  }

  func submit(_ work: HashJob.Work, for job: Job) {
    let id = takeJobID()
    jobs[id] = job
    hashJobs.append(HashJob(id: id, work: work))
  }

  // MARK: Blocks and pieces

  /// Blocks of the piece that hold bytes of files.
  func blockCount(of piece: PieceIndex) -> Int {
    let blocks = geometry.blocks(of: piece)
    guard geometry.kind == .v1, geometry.streamLength != geometry.totalLength else {
      return blocks.count
    }
    return blocks.reduce(0) { $0 + (geometry.dataLength(of: $1) > 0 ? 1 : 0) }
  }

  /// The piece's place in its file's tree; nil in v1 torrents.
  func treePiece(of piece: PieceIndex) -> TreePiece? {
    guard geometry.kind.hasV2, let first = geometry.blocks(of: piece).first,
      let leaf = geometry.leaf(of: first)
    else { return nil }
    let tree = treeOfFile[Int(leaf.file.rawValue)]
    let shape = trees[Int(tree)].shape
    return TreePiece(
      tree: Int(tree), file: leaf.file, piece: shape.piece(of: leaf.leaf),
      leaves: shape.leaves(of: shape.piece(of: leaf.leaf)))
  }

  struct TreePiece {
    let tree: Int
    let file: FileIndex
    let piece: FilePieceIndex
    /// The piece's leaves in the tree.
    let leaves: Range<Int>
  }

  private func makeTrees(_ files: [FileEntry], _ layers: PieceLayers) throws(GeometryError) {
    treeOfFile.reserveCapacity(files.count)
    for (file, entry) in zip(geometry.files, files) {
      guard entry.length > 0, let root = entry.piecesRoot else {
        treeOfFile.append(-1)
        continue
      }
      if let known = treeOfRoot[root], trees[Int(known)].shape.fileLength == entry.length {
        treeOfFile.append(known)
        continue
      }
      let shape: MerkleShape
      do throws(MerkleShapeError) {
        shape = try MerkleShape(
          fileLength: entry.length, pieceLength: UInt64(geometry.pieceLength))
      } catch {
        throw .tooManyBlocks(pieces: UInt64(geometry.pieces.count))
      }
      let number = Int32(trees.count)
      treeOfFile.append(number)
      // Two lengths under one root contradict each other: only the first can be had from peers.
      if treeOfRoot[root] == nil { treeOfRoot[root] = number }
      var tree = MerkleTree(shape: shape, root: root)
      if let layer = layers[root] { try? tree.add(pieceLayer: layer, using: hasher) }
      trees.append(tree)
      firstFile.append(file)
    }
  }
}

extension PieceStore {
  /// As `verified`; mutating, because the compiler copies a whole store, with dozens of reference
  /// counts, before it asks one that another object holds: a third of all that a block costs.
  mutating func proof(of block: BlockIndex) -> VerifiedBlock? { verified(block) }

  /// As `state`; mutating for the same reason.
  mutating func standing(of block: BlockIndex) -> BlockState { state(of: block) }
}
