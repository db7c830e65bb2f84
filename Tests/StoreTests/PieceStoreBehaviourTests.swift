import Metainfo
import Testing

@testable import Store

/// What the store asks of the disk, operation by operation.
@Suite struct PieceStoreBehaviourTests {
  private static let second = Duration.seconds(1)

  /// One file of 100 blocks, an empty one, a symlink.
  private static func layout() throws -> ContentLayout {
    let entries = [
      FileEntry(
        path: PieceStoreNames.path("a/image"), length: 100 * 16_384, attributes: .executable,
        piecesRoot: SHA256Digest(hashing: [1])),
      FileEntry(path: PieceStoreNames.path("empty"), length: 0),
      FileEntry(
        path: PieceStoreNames.path("a/b/link"), length: 0,
        symlinkTarget: PieceStoreNames.path("c/target")),
    ]
    return ContentLayout(
      geometry: try PieceGeometry(v2Lengths: [100 * 16_384, 0, 0], pieceLength: 65_536),
      entries: entries)
  }

  /// A store over a disk without content, opened.
  private static func opened(policy: CheckpointPolicy = CheckpointPolicy()) throws -> PieceStore {
    var store = PieceStore(owned: try layout(), policy: policy)
    store.open(now: .zero)
    let load = try Self.next(&store)
    store.handle(DiskCompletion(id: load.id, result: .success(.map(nil))), now: .zero)
    Self.expectNotice(&store, .opened)
    return store
  }

  private static func block(_ number: Int, _ store: PieceStore) -> BlockIndex {
    store.layout.geometry.blocks(of: store.layout.geometry.files[0])[number]
  }

  /// Hands out all operations, each of which succeeds; what they were.
  private static func succeed(_ store: inout PieceStore, now: Duration = .zero) -> [DiskAction] {
    var actions: [DiskAction] = []
    while let operation = store.nextOperation() {
      actions.append(operation.action)
      store.handle(DiskCompletion(id: operation.id, result: .success(.done)), now: now)
    }
    return actions
  }

  private static func next(_ store: inout PieceStore) throws -> DiskOperation {
    let operation = store.nextOperation()
    return try #require(operation)
  }

  private static func expectIdle(_ store: inout PieceStore) {
    let operation = store.nextOperation()
    #expect(operation == nil)
  }

  private static func expectNotice(_ store: inout PieceStore, _ expected: StoreNotice?) {
    let notice = store.nextNotice()
    #expect(notice == expected)
  }

  private static func expectWrite(
    _ store: inout PieceStore, _ block: BlockIndex, _ buffer: BufferHandle,
    _ expected: PieceStore.Admission
  ) {
    let admission = store.write(block, from: buffer, isHashed: true)
    #expect(admission == expected)
  }

  @Test func neighboursAreWrittenTogether() throws {
    var store = try Self.opened()
    // 3 in the middle first, then what lies around it, out of order, and one far away.
    for number in [30, 31, 29, 80, 32, 28] {
      let buffer = BufferHandle(UInt64(number))
      Self.expectWrite(&store, Self.block(number, store), buffer, .queued)
      Self.expectWrite(&store, Self.block(number, store), buffer, .alreadyThere)
    }
    let create = try Self.next(&store)
    let file = store.layout.geometry.files[0]
    guard case .create(file, 100 * 16_384, true, _) = create.action else {
      Issue.record("\(create)")
      return
    }
    Self.expectIdle(&store)
    store.handle(DiskCompletion(id: create.id, result: .success(.done)), now: .zero)
    let runs = Self.succeed(&store).map { action -> [UInt64] in
      if case .write(let parts, _) = action { parts.map(\.buffer.rawValue) } else { [] }
    }
    #expect(runs == [[28, 29, 30, 31, 32], [80]])
  }

  @Test func runsAreBounded() throws {
    var store = try Self.opened()
    for number in 0..<100 {
      _ = store.write(Self.block(number, store), from: BufferHandle(0), isHashed: true)
    }
    let sizes = Self.succeed(&store).compactMap { action -> Int? in
      if case .write(let parts, _) = action { parts.count } else { nil }
    }
    #expect(sizes == [64, 36])
  }

  @Test func fewOperationsAtOnce() throws {
    var store = try Self.opened()
    _ = store.write(Self.block(0, store), from: BufferHandle(0), isHashed: true)
    _ = Self.succeed(&store)
    let proof = try #require(store.verified(Self.block(0, store)))
    // The same block again and again is not one run.
    for number in 0..<100 {
      let isReading = store.read(proof, into: BufferHandle(UInt64(number)))
      #expect(isReading)
    }
    var count = 0
    while store.nextOperation() != nil { count += 1 }
    #expect(count == PieceStoreLimits.operations)
  }

  @Test func dataThenSlotThenAcknowledged() throws {
    let policy = CheckpointPolicy(bytes: 1 << 40, interval: Self.second, retry: Self.second)
    var store = try Self.opened(policy: policy)
    let block = Self.block(7, store)
    _ = store.write(block, from: BufferHandle(0), isHashed: true)
    #expect(store.deadline == nil)
    _ = Self.succeed(&store, now: .milliseconds(100))
    #expect(store.verified(block) != nil && !store.isAcknowledged(block))
    #expect(store.deadline == .milliseconds(1100))
    store.handleTimeout(now: .milliseconds(1099))
    Self.expectIdle(&store)
    store.handleTimeout(now: .milliseconds(1100))
    for expected in ["sync", "writeMap", "syncMap"] {
      let operation = try Self.next(&store)
      #expect("\(operation.action)".hasPrefix(expected + "("))
      Self.expectIdle(&store)
      #expect(!store.isAcknowledged(block))
      store.handle(DiskCompletion(id: operation.id, result: .success(.done)), now: Self.second)
    }
    #expect(store.isAcknowledged(block))
    #expect(store.deadline == nil)
  }

  @Test func manyBytesDoNotWait() throws {
    let policy = CheckpointPolicy(bytes: 16_384 * 2, interval: Self.second * 100)
    var store = try Self.opened(policy: policy)
    for number in 0..<2 {
      _ = store.write(Self.block(number, store), from: BufferHandle(0), isHashed: true)
    }
    _ = Self.succeed(&store)
    #expect(
      store.isAcknowledged(Self.block(0, store)) && store.isAcknowledged(Self.block(1, store)))
  }

  @Test func fullDiskMakesWritesWait() throws {
    let policy = CheckpointPolicy(interval: Self.second * 100, retry: Self.second * 3)
    var store = try Self.opened(policy: policy)
    let block = Self.block(0, store)
    _ = store.write(block, from: BufferHandle(9), isHashed: true)
    let create = try Self.next(&store)
    store.handle(DiskCompletion(id: create.id, result: .success(.done)), now: .zero)
    let full = DiskFailure(reason: .noSpace, description: "full")
    for attempt in 0..<2 {
      let write = try Self.next(&store)
      store.handle(DiskCompletion(id: write.id, result: .failure(full)), now: store.now)
      Self.expectNotice(&store, (attempt == 0 ? .full(full) : nil))
      #expect(store.isFull)
      Self.expectIdle(&store)
      #expect(store.deadline == store.now + Self.second * 3)
      store.handleTimeout(now: store.now + Self.second * 3)
    }
    let actions = Self.succeed(&store)
    #expect(actions.count == 1)
    Self.expectNotice(&store, .stored(block, BufferHandle(9)))
    #expect(!store.isFull && store.verified(block) != nil)
  }

  @Test func fullDiskGivesBuffersBackAtTheEnd() throws {
    var store = try Self.opened()
    _ = store.write(Self.block(0, store), from: BufferHandle(9), isHashed: true)
    let create = try Self.next(&store)
    let full = DiskFailure(reason: .noSpace, description: "full")
    store.handle(DiskCompletion(id: create.id, result: .failure(full)), now: .zero)
    store.close(now: .zero)
    Self.expectIdle(&store)
    Self.expectNotice(&store, .full(full))
    Self.expectNotice(&store, .dropped(Self.block(0, store), BufferHandle(9)))
    Self.expectNotice(&store, .closed)
  }

  @Test func failedWriteIsToldOnceAndNotVerified() throws {
    var store = try Self.opened()
    for number in 0..<2 {
      _ = store.write(
        Self.block(number, store), from: BufferHandle(UInt64(number)), isHashed: true)
    }
    let create = try Self.next(&store)
    store.handle(DiskCompletion(id: create.id, result: .success(.done)), now: .zero)
    let write = try Self.next(&store)
    let broken = DiskFailure(reason: .other, description: "cannot write a/image")
    store.handle(DiskCompletion(id: write.id, result: .failure(broken)), now: .zero)
    Self.expectNotice(&store, .failed(broken))
    for number in 0..<2 {
      let block = Self.block(number, store)
      Self.expectNotice(&store, .dropped(block, BufferHandle(UInt64(number))))
      #expect(store.state(of: block) == .missing)
    }
    Self.expectNotice(&store, nil)
  }

  @Test func failedSyncTakesBackWhatIsNotDurable() throws {
    let policy = CheckpointPolicy(bytes: 16_384)
    var store = try Self.opened(policy: policy)
    _ = store.write(Self.block(5, store), from: BufferHandle(0), isHashed: true)
    _ = Self.succeed(&store)
    _ = store.write(Self.block(6, store), from: BufferHandle(0), isHashed: true)
    let write = try Self.next(&store)
    store.handle(DiskCompletion(id: write.id, result: .success(.done)), now: .zero)
    let sync = try Self.next(&store)
    // Another write is under way while the sync fails: it may have lost pages too.
    _ = store.write(Self.block(7, store), from: BufferHandle(7), isHashed: true)
    let late = try Self.next(&store)
    while store.nextNotice() != nil {}
    let broken = DiskFailure(reason: .other, description: "cannot sync a/image")
    store.handle(DiskCompletion(id: sync.id, result: .failure(broken)), now: .zero)
    store.handle(DiskCompletion(id: late.id, result: .success(.done)), now: .zero)
    Self.expectNotice(&store, .failed(broken))
    guard case .lost(let lost) = store.nextNotice() else {
      Issue.record("nothing lost")
      return
    }
    #expect(lost.flatMap { Array($0) } == [Self.block(6, store)])
    Self.expectNotice(&store, .dropped(Self.block(7, store), BufferHandle(7)))
    #expect(store.isAcknowledged(Self.block(5, store)))
    #expect(store.state(of: Self.block(6, store)) == .missing)
    #expect(store.state(of: Self.block(7, store)) == .missing)
  }

  @Test func entriesWithoutBytes() throws {
    var store = try Self.opened()
    store.createEmptyEntries()
    let files = store.layout.geometry.files
    let owned = OwnedContent()
    let actions = Self.succeed(&store)
    #expect(
      actions == [
        .create(files[1], length: 0, isExecutable: false, owned),
        .createSymlink(files[2], text: Array("../../c/target".utf8), owned),
      ])
  }

  @Test func claimsAreExaminedFirst() throws {
    var store = try Self.opened()
    store.claimAll()
    let block = Self.block(3, store)
    #expect(store.verified(block) == nil && store.needsVerification(block))
    for isRight in [true, false] {
      let block = Self.block(isRight ? 3 : 4, store)
      let isReading = store.examine(block, into: BufferHandle(1))
      #expect(isReading)
      let actions = Self.succeed(&store)
      #expect(actions.count == 1)
      guard case .examined(let examination, BufferHandle(1)) = store.nextNotice() else {
        Issue.record("not examined")
        return
      }
      #expect(store.verified(block) == nil)
      let isHeeded = store.judge(examination, isRight: isRight, now: .zero)
      let isHeededAgain = store.judge(examination, isRight: true, now: .zero)
      #expect(isHeeded && !isHeededAgain)
      #expect(store.state(of: block) == (isRight ? .verified : .missing))
    }
  }

  @Test func verdictOnOverwrittenBytesIsNotHeeded() throws {
    var store = try Self.opened()
    let block = Self.block(3, store)
    _ = store.write(block, from: BufferHandle(0), isHashed: false)
    _ = Self.succeed(&store)
    #expect(store.needsVerification(block))
    _ = store.nextNotice()
    _ = store.examine(block, into: BufferHandle(1))
    _ = Self.succeed(&store)
    guard case .examined(let examination, _) = store.nextNotice() else {
      Issue.record("not examined")
      return
    }
    _ = store.write(block, from: BufferHandle(2), isHashed: false)
    _ = Self.succeed(&store)
    let isHeeded = store.judge(examination, isRight: true, now: .zero)
    #expect(!isHeeded)
    #expect(store.verified(block) == nil)
  }

  @Test func nothingIsWrittenInPlace() throws {
    var store = PieceStore(inPlace: try Self.layout())
    store.open(now: .zero)
    store.createEmptyEntries()
    let block = Self.block(0, store)
    Self.expectWrite(&store, block, BufferHandle(0), .refused)
    let same = FileEvidence(size: 100 * 16_384, modified: 5, changed: 6, inode: 7)
    var seen = same
    var actions: [DiskAction] = []
    func run(_ store: inout PieceStore) {
      while let operation = store.nextOperation() {
        actions.append(operation.action)
        var value = DiskCompletion.Value.done
        switch operation.action {
        case .loadMap: value = .map(nil)
        case .examine, .read: value = .evidence([seen])
        default: break
        }
        store.handle(DiskCompletion(id: operation.id, result: .success(value)), now: .zero)
      }
    }
    run(&store)
    store.claimAll()
    _ = store.examine(block, into: BufferHandle(0))
    run(&store)
    Self.expectNotice(&store, .opened)
    guard case .examined(let examination, _) = store.nextNotice() else {
      Issue.record("not examined")
      return
    }
    store.judge(examination, isRight: true, now: .zero)
    let proof = try #require(store.verified(block))
    // The file changes: what is read then is not handed out, and the proof is worth nothing.
    seen.modified += 1
    let isReading = store.read(proof, into: BufferHandle(4))
    #expect(isReading)
    run(&store)
    Self.expectNotice(&store, .changed(store.layout.geometry.files[0]))
    Self.expectNotice(&store, .unread(block, BufferHandle(4)))
    let isReadingAgain = store.read(proof, into: BufferHandle(4))
    #expect(!isReadingAgain && store.needsVerification(block))
    store.close(now: .zero)
    run(&store)
    Self.expectNotice(&store, .closed)
    for action in actions {
      switch action {
      case .create, .createSymlink, .write: Issue.record("in place: \(action)")
      default: break
      }
    }
  }
}
