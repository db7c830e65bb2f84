import Metainfo
import Testing

@testable import Store

/// What the store believes, and when it stops to.
@Suite struct PieceStoreTrustTests {
  @Test func blockRewrittenDuringACheckpointIsNotAcknowledged() throws {
    var store = try PieceStoreScript.opened(policy: CheckpointPolicy(bytes: 16_384))
    let block = PieceStoreScript.block(3, store)
    // A claim in a durable slot, as after an unclean stop.
    _ = store.write(block, from: BufferHandle(0), isHashed: true)
    _ = PieceStoreScript.succeed(&store)
    store.maps[0].map.distrust(BlockSet(capacity: 100, range: 3..<4))
    #expect(store.needsVerification(block))
    // Another block's checkpoint begins; meanwhile the claimed block is written anew.
    _ = store.write(PieceStoreScript.block(50, store), from: BufferHandle(1), isHashed: true)
    let other = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: other.id, result: .success(.done)), now: .zero)
    let sync = try PieceStoreScript.next(&store)
    _ = store.write(block, from: BufferHandle(2), isHashed: true)
    let write = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: write.id, result: .success(.done)), now: .zero)
    store.handle(DiskCompletion(id: sync.id, result: .success(.done)), now: .zero)
    for _ in 0..<2 {
      let slot = try PieceStoreScript.next(&store)
      store.handle(DiskCompletion(id: slot.id, result: .success(.done)), now: .zero)
    }
    #expect(store.isAcknowledged(PieceStoreScript.block(50, store)))
    #expect(store.verified(block) != nil && !store.isAcknowledged(block))
    _ = PieceStoreScript.succeed(&store)
    #expect(store.isAcknowledged(block))
  }

  @Test(arguments: [true, false])
  func changedFileIsNotTrustedAfterACleanStop(isV1: Bool) throws {
    let layout = try isV1 ? PieceStoreCrashTests.v1() : PieceStoreCrashTests.v2()
    var harness = StoreHarness(layout, seed: 5)
    harness.start()
    for block in harness.blocks { harness.write(block, .right, isHashed: true) }
    harness.finish(clean: true)
    harness.start()
    for block in harness.blocks { #expect(harness.store.verified(block) != nil) }
    harness.finish(clean: true)
    let file = layout.geometry.files[3]
    harness.disk.files[file]?.size += 1
    harness.start()
    for block in harness.blocks {
      let isPart = layout.geometry.spans(of: block).contains { $0.file == file }
      #expect(harness.store.state(of: block) == (isPart ? .claimed : .verified))
    }
  }

  @Test func entriesWithoutBytes() throws {
    var store = try PieceStoreScript.opened()
    store.createEmptyEntries()
    let files = store.layout.geometry.files
    let owned = OwnedContent()
    let actions = PieceStoreScript.succeed(&store)
    #expect(
      actions == [
        .create(files[1], length: 0, isExecutable: false, owned),
        .createSymlink(files[2], text: Array("../../c/target".utf8), owned),
      ])
  }

  @Test func claimsAreExaminedFirst() throws {
    var store = try PieceStoreScript.opened()
    store.claimAll()
    let block = PieceStoreScript.block(3, store)
    #expect(store.verified(block) == nil && store.needsVerification(block))
    for isRight in [true, false] {
      let block = PieceStoreScript.block(isRight ? 3 : 4, store)
      let isReading = store.examine(block, into: BufferHandle(1))
      #expect(isReading)
      let actions = PieceStoreScript.succeed(&store)
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
    var store = try PieceStoreScript.opened()
    let block = PieceStoreScript.block(3, store)
    _ = store.write(block, from: BufferHandle(0), isHashed: false)
    _ = PieceStoreScript.succeed(&store)
    #expect(store.needsVerification(block))
    _ = store.nextNotice()
    _ = store.examine(block, into: BufferHandle(1))
    _ = PieceStoreScript.succeed(&store)
    guard case .examined(let examination, _) = store.nextNotice() else {
      Issue.record("not examined")
      return
    }
    _ = store.write(block, from: BufferHandle(2), isHashed: false)
    _ = PieceStoreScript.succeed(&store)
    let isHeeded = store.judge(examination, isRight: true, now: .zero)
    #expect(!isHeeded)
    #expect(store.verified(block) == nil)
  }

  /// Found by a fuzzer: a store that closes while its disk is slow looks at no file any more, and
  /// wants no time-out for it.
  @Test func closingStoreHasNoDeadlineForLooks() throws {
    var store = PieceStore(inPlace: try PieceStoreScript.layout())
    store.open(now: .zero)
    while let operation = store.nextOperation() {
      let value: DiskCompletion.Value =
        if case .loadMap = operation.action { .map(nil) } else { .evidence([nil]) }
      store.handle(DiskCompletion(id: operation.id, result: .success(value)), now: .zero)
    }
    PieceStoreScript.expectNotice(&store, .opened)
    store.watchMissing()
    let deadline = store.deadline
    let due = try #require(deadline)
    store.handleTimeout(now: due)
    let look = try PieceStoreScript.next(&store)
    store.close(now: due)
    PieceStoreScript.expectIdle(&store)
    #expect(store.deadline == nil)
    store.handle(DiskCompletion(id: look.id, result: .success(.evidence([nil]))), now: due)
    PieceStoreScript.expectIdle(&store)
    PieceStoreScript.expectNotice(&store, .closed)
  }

  @Test func nothingIsWrittenInPlace() throws {
    var store = PieceStore(inPlace: try PieceStoreScript.layout())
    store.open(now: .zero)
    store.createEmptyEntries()
    let block = PieceStoreScript.block(0, store)
    PieceStoreScript.expectWrite(&store, block, BufferHandle(0), .refused)
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
    PieceStoreScript.expectNotice(&store, .opened)
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
    let blocks = store.layout.geometry.blocks(of: store.layout.geometry.files[0])
    PieceStoreScript.expectNotice(
      &store, .changed(store.layout.geometry.files[0], lost: [blocks.part(0..<1)]))
    PieceStoreScript.expectNotice(&store, .unread(block, BufferHandle(4)))
    let isReadingAgain = store.read(proof, into: BufferHandle(4))
    #expect(!isReadingAgain && store.state(of: block) == .missing)
    store.close(now: .zero)
    run(&store)
    PieceStoreScript.expectNotice(&store, .closed)
    for action in actions {
      switch action {
      case .create, .createSymlink, .write: Issue.record("in place: \(action)")
      default: break
      }
    }
  }
}
