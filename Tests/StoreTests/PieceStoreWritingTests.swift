import Metainfo
import Testing

@testable import Store

/// What the store asks of the disk, operation by operation: writes, checkpoints and errors.
@Suite struct PieceStoreWritingTests {
  @Test func neighboursAreWrittenTogether() throws {
    var store = try PieceStoreScript.opened()
    // 3 in the middle first, then what lies around it, out of order, and one far away.
    for number in [30, 31, 29, 80, 32, 28] {
      let buffer = BufferHandle(UInt64(number))
      PieceStoreScript.expectWrite(&store, PieceStoreScript.block(number, store), buffer, .queued)
      PieceStoreScript.expectWrite(
        &store, PieceStoreScript.block(number, store), buffer, .alreadyThere)
    }
    let create = try PieceStoreScript.next(&store)
    let file = store.layout.geometry.files[0]
    guard case .create(file, 100 * 16_384, true, _) = create.action else {
      Issue.record("\(create)")
      return
    }
    PieceStoreScript.expectIdle(&store)
    store.handle(DiskCompletion(id: create.id, result: .success(.done)), now: .zero)
    let runs = PieceStoreScript.succeed(&store).map { action -> [UInt64] in
      if case .write(let parts, _) = action { parts.map(\.buffer.rawValue) } else { [] }
    }
    #expect(runs == [[28, 29, 30, 31, 32], [80]])
  }

  @Test func runsAreBounded() throws {
    var store = try PieceStoreScript.opened()
    for number in 0..<100 {
      _ = store.write(PieceStoreScript.block(number, store), from: BufferHandle(0), isHashed: true)
    }
    let sizes = PieceStoreScript.succeed(&store).compactMap { action -> Int? in
      if case .write(let parts, _) = action { parts.count } else { nil }
    }
    #expect(sizes == [64, 36])
  }

  @Test func fewOperationsAtOnce() throws {
    var store = try PieceStoreScript.opened()
    _ = store.write(PieceStoreScript.block(0, store), from: BufferHandle(0), isHashed: true)
    _ = PieceStoreScript.succeed(&store)
    let proof = try #require(store.verified(PieceStoreScript.block(0, store)))
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
    let policy = CheckpointPolicy(
      bytes: 1 << 40, interval: PieceStoreScript.second, retry: PieceStoreScript.second)
    var store = try PieceStoreScript.opened(policy: policy)
    let block = PieceStoreScript.block(7, store)
    _ = store.write(block, from: BufferHandle(0), isHashed: true)
    #expect(store.deadline == nil)
    _ = PieceStoreScript.succeed(&store, now: .milliseconds(100))
    #expect(store.verified(block) != nil && !store.isAcknowledged(block))
    #expect(store.deadline == .milliseconds(1100))
    store.handleTimeout(now: .milliseconds(1099))
    PieceStoreScript.expectIdle(&store)
    store.handleTimeout(now: .milliseconds(1100))
    for expected in ["sync", "writeMap", "syncMap"] {
      let operation = try PieceStoreScript.next(&store)
      #expect("\(operation.action)".hasPrefix(expected + "("))
      PieceStoreScript.expectIdle(&store)
      #expect(!store.isAcknowledged(block))
      store.handle(
        DiskCompletion(id: operation.id, result: .success(.done)), now: PieceStoreScript.second)
    }
    #expect(store.isAcknowledged(block))
    #expect(store.deadline == nil)
  }

  @Test func manyBytesDoNotWait() throws {
    let policy = CheckpointPolicy(bytes: 16_384 * 2, interval: PieceStoreScript.second * 100)
    var store = try PieceStoreScript.opened(policy: policy)
    for number in 0..<2 {
      _ = store.write(PieceStoreScript.block(number, store), from: BufferHandle(0), isHashed: true)
    }
    _ = PieceStoreScript.succeed(&store)
    #expect(
      store.isAcknowledged(PieceStoreScript.block(0, store))
        && store.isAcknowledged(PieceStoreScript.block(1, store)))
  }

  @Test func fullDiskMakesWritesWait() throws {
    let policy = CheckpointPolicy(
      interval: PieceStoreScript.second * 100, retry: PieceStoreScript.second * 3)
    var store = try PieceStoreScript.opened(policy: policy)
    let block = PieceStoreScript.block(0, store)
    _ = store.write(block, from: BufferHandle(9), isHashed: true)
    let create = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: create.id, result: .success(.done)), now: .zero)
    let full = DiskFailure(reason: .noSpace, description: "full")
    for attempt in 0..<2 {
      let write = try PieceStoreScript.next(&store)
      store.handle(DiskCompletion(id: write.id, result: .failure(full)), now: store.now)
      PieceStoreScript.expectNotice(&store, (attempt == 0 ? .full(full) : nil))
      #expect(store.isFull)
      PieceStoreScript.expectIdle(&store)
      #expect(store.deadline == store.now + PieceStoreScript.second * 3)
      store.handleTimeout(now: store.now + PieceStoreScript.second * 3)
    }
    let actions = PieceStoreScript.succeed(&store)
    #expect(actions.count == 1)
    PieceStoreScript.expectNotice(&store, .stored(block, BufferHandle(9)))
    #expect(!store.isFull && store.verified(block) != nil)
  }

  @Test func fullDiskGivesBuffersBackAtTheEnd() throws {
    var store = try PieceStoreScript.opened()
    _ = store.write(PieceStoreScript.block(0, store), from: BufferHandle(9), isHashed: true)
    let create = try PieceStoreScript.next(&store)
    let full = DiskFailure(reason: .noSpace, description: "full")
    store.handle(DiskCompletion(id: create.id, result: .failure(full)), now: .zero)
    store.close(now: .zero)
    PieceStoreScript.expectIdle(&store)
    PieceStoreScript.expectNotice(&store, .full(full))
    PieceStoreScript.expectNotice(
      &store, .dropped(PieceStoreScript.block(0, store), BufferHandle(9)))
    PieceStoreScript.expectNotice(&store, .closed)
  }

  @Test func mapThatCannotBeReadIsTriedAgain() throws {
    var store = PieceStore(owned: try PieceStoreScript.layout())
    store.open(now: .zero)
    let broken = DiskFailure(reason: .other, description: "cannot read the map")
    for number in 0..<2 {
      let load = try PieceStoreScript.next(&store)
      store.handle(DiskCompletion(id: load.id, result: .failure(broken)), now: store.now)
      if number == 0 { PieceStoreScript.expectNotice(&store, .failed(broken)) }
      PieceStoreScript.expectNotice(&store, nil)
      PieceStoreScript.expectIdle(&store)
      #expect(!store.isOpen)
      let due = try #require(store.deadline)
      #expect(due == store.now + store.policy.retry * (1 << number))
      store.handleTimeout(now: due)
    }
    let load = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: load.id, result: .success(.map(nil))), now: store.now)
    PieceStoreScript.expectNotice(&store, .opened)
    #expect(store.isOpen && store.deadline == nil)
    PieceStoreScript.expectWrite(
      &store, PieceStoreScript.block(0, store), BufferHandle(1), .queued)
  }

  @Test func mapThatCannotBeReadDoesNotKeepTheStoreFromClosing() throws {
    var store = PieceStore(owned: try PieceStoreScript.layout())
    store.open(now: .zero)
    let broken = DiskFailure(reason: .other, description: "cannot read the map")
    let load = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: load.id, result: .failure(broken)), now: .zero)
    store.close(now: .zero)
    PieceStoreScript.expectIdle(&store)
    PieceStoreScript.expectNotice(&store, .failed(broken))
    PieceStoreScript.expectNotice(&store, .closed)
    #expect(store.deadline == nil)
  }

  @Test func failedWriteIsToldOnceAndNotVerified() throws {
    var store = try PieceStoreScript.opened()
    for number in 0..<2 {
      _ = store.write(
        PieceStoreScript.block(number, store), from: BufferHandle(UInt64(number)), isHashed: true)
    }
    let create = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: create.id, result: .success(.done)), now: .zero)
    let write = try PieceStoreScript.next(&store)
    let broken = DiskFailure(reason: .other, description: "cannot write a/image")
    store.handle(DiskCompletion(id: write.id, result: .failure(broken)), now: .zero)
    PieceStoreScript.expectNotice(&store, .failed(broken))
    for number in 0..<2 {
      let block = PieceStoreScript.block(number, store)
      PieceStoreScript.expectNotice(&store, .dropped(block, BufferHandle(UInt64(number))))
      #expect(store.state(of: block) == .missing)
    }
    PieceStoreScript.expectNotice(&store, nil)
  }

  @Test func failedSyncTakesBackWhatIsNotDurable() throws {
    let policy = CheckpointPolicy(bytes: 16_384)
    var store = try PieceStoreScript.opened(policy: policy)
    _ = store.write(PieceStoreScript.block(5, store), from: BufferHandle(0), isHashed: true)
    _ = PieceStoreScript.succeed(&store)
    _ = store.write(PieceStoreScript.block(6, store), from: BufferHandle(0), isHashed: true)
    let write = try PieceStoreScript.next(&store)
    store.handle(DiskCompletion(id: write.id, result: .success(.done)), now: .zero)
    let sync = try PieceStoreScript.next(&store)
    // Another write is under way while the sync fails: it may have lost pages too.
    _ = store.write(PieceStoreScript.block(7, store), from: BufferHandle(7), isHashed: true)
    let late = try PieceStoreScript.next(&store)
    while store.nextNotice() != nil {}
    let broken = DiskFailure(reason: .other, description: "cannot sync a/image")
    store.handle(DiskCompletion(id: sync.id, result: .failure(broken)), now: .zero)
    store.handle(DiskCompletion(id: late.id, result: .success(.done)), now: .zero)
    PieceStoreScript.expectNotice(&store, .failed(broken))
    guard case .lost(let lost) = store.nextNotice() else {
      Issue.record("nothing lost")
      return
    }
    #expect(lost.flatMap { Array($0) } == [PieceStoreScript.block(6, store)])
    PieceStoreScript.expectNotice(
      &store, .dropped(PieceStoreScript.block(7, store), BufferHandle(7)))
    #expect(store.isAcknowledged(PieceStoreScript.block(5, store)))
    #expect(store.state(of: PieceStoreScript.block(6, store)) == .missing)
    #expect(store.state(of: PieceStoreScript.block(7, store)) == .missing)
  }
}
