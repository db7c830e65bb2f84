import Metainfo
import TestSupport
import Testing

@testable import Store

/// A piece store over a simulated disk, used by a swarm that asks for anything in any order. All
/// from one seed.
struct StoreHarness {
  struct Faults {
    /// One in so many operations fails; 0 for none.
    var errorsOneIn = 0
    /// The operation with this number, counted over all runs, fails.
    var failOperation: Int?
    /// The disk ends, by a power cut or a kill, when this operation is under way.
    var crashOperation: Int?
  }

  let layout: ContentLayout
  let blocks: [BlockIndex]
  let seed: UInt64
  var faults: Faults
  var random: SplitMix64
  var disk = SimulatedDisk()
  var store: PieceStore
  var now = Duration.zero
  var underWay: [DiskOperation] = []
  /// Buffers that the store has.
  var lent: Set<UInt64> = []
  var nextBuffer: UInt64 = 0
  var operations = 0
  var opened = false
  var closed = false
  var failuresTold = 0
  var failuresMade = 0
  var failuresBeforeRun = 0
  /// Blocks verified by this run.
  var proven: Set<BlockIndex> = []
  /// Blocks that no crash may lose.
  var acknowledged: Set<BlockIndex> = []

  init(_ layout: ContentLayout, seed: UInt64, faults: Faults = Faults()) {
    self.layout = layout
    self.seed = seed
    self.faults = faults
    blocks = layout.geometry.pieces.flatMap { Array(layout.geometry.blocks(of: $0)) }
    random = SplitMix64(seed: seed)
    store = PieceStore(owned: layout, policy: Self.policy)
  }

  static let policy = CheckpointPolicy(
    bytes: 3 * 16_384, interval: .seconds(5), retry: .seconds(2))

  /// A check that costs little when it holds: there are millions.
  func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { Issue.record("\(what()): \(place)") }
  }

  var place: String { "seed \(seed), operation \(operations), faults \(faults)" }

  /// Three runs of the node, each ended by whatever comes, then one without faults that must bring
  /// everything to rest.
  mutating func play(steps: Int) {
    for _ in 0..<3 {
      start()
      for _ in 0..<steps {
        act()
        if shouldCrash() { break }
      }
      switch Int.random(in: 0..<4, using: &random) {
      case 0: finish(clean: true)
      case 1: crash(power: false)
      default: crash(power: true)
      }
    }
    faults = Faults()
    start()
    for _ in 0..<steps / 2 { act() }
    finish(clean: true)
    let verified = Set(blocks.filter { store.verified($0) != nil })
    crash(power: true)
    start()
    let again = Set(blocks.filter { store.verified($0) != nil })
    check(again.isSubset(of: verified), "verified by nobody")
    // After a failed sync the clean slot of an earlier run need not be on the medium.
    check(again == verified || failuresMade > 0, "a clean stop lost its claims")
  }

  /// Opens the store and checks what the disk kept.
  mutating func start() {
    store = PieceStore(owned: layout, policy: Self.policy)
    (opened, closed, proven) = (false, false, [])
    let failuresBefore = failuresMade
    defer { failuresBeforeRun = failuresBefore }
    store.open(now: now)
    run(until: \.opened)
    guard opened else { return }
    for block in blocks {
      let isRight = disk.content(of: block, layout.geometry) == .right
      if acknowledged.contains(block) {
        let state = store.state(of: block)
        check(state != .missing && isRight, "lost block \(block), \(state), right: \(isRight)")
      }
      check(isRight || store.verified(block) == nil, "wrong block \(block)")
    }
  }

  /// One thing that a swarm does, or some of the disk's work.
  mutating func act() {
    let block = blocks[Int.random(in: 0..<blocks.count, using: &random)]
    switch Int.random(in: 0..<12, using: &random) {
    case 0, 1, 2: write(block, .right, isHashed: true)
    case 3: write(block, Bool.random(using: &random) ? .right : .wrong, isHashed: false)
    case 4, 5:
      guard let verified = store.verified(block) else { return }
      let buffer = lend(.zero)
      if !store.read(verified, into: buffer) { lent.remove(buffer.rawValue) }
    case 6:
      let buffer = lend(.zero)
      if !store.examine(block, into: buffer) { lent.remove(buffer.rawValue) }
    case 7:
      now += .milliseconds(Int.random(in: 0...3000, using: &random))
      store.handleTimeout(now: now)
    default: work()
    }
  }

  mutating func write(_ block: BlockIndex, _ content: SimulatedDisk.Content, isHashed: Bool) {
    let buffer = lend(content)
    let admission = store.write(block, from: buffer, isHashed: isHashed)
    if admission == .queued {
      acknowledged.remove(block)
    } else {
      lent.remove(buffer.rawValue)
    }
  }

  /// Lets the disk carry out one operation that is under way, any one.
  mutating func work() {
    while let operation = store.nextOperation() { underWay.append(operation) }
    guard !underWay.isEmpty, !shouldCrash() else { return takeNotices() }
    let operation = underWay.remove(at: Int.random(in: 0..<underWay.count, using: &random))
    operations += 1
    let failure = drawFailure()
    let result = disk.perform(operation.action, failing: failure, &random)
    store.handle(DiskCompletion(id: operation.id, result: result), now: now)
    if failure != nil { disk.evict() }
    while let operation = store.nextOperation() { underWay.append(operation) }
    takeNotices()
  }

  mutating func run(until isDone: KeyPath<StoreHarness, Bool>) {
    for _ in 0..<5000 {
      if self[keyPath: isDone] || shouldCrash() { return }
      work()
      if underWay.isEmpty, let deadline = store.deadline {
        now = max(now, deadline)
        store.handleTimeout(now: now)
      }
    }
    check(false, "does not end")
  }

  /// Stops in order.
  mutating func finish(clean: Bool) {
    let crashOperation = faults.crashOperation
    faults.crashOperation = nil
    store.close(now: now)
    run(until: \.closed)
    check(lent.isEmpty && underWay.isEmpty, "buffers or operations left over")
    if failuresMade == failuresBeforeRun {
      let isKept = proven.allSatisfy { store.verified($0) == nil || store.isAcknowledged($0) }
      check(isKept, "verified and not kept by a clean stop")
    }
    faults.crashOperation = crashOperation
    noteAcknowledged()
  }

  /// Ends in the middle of everything: operations under way have happened, or not, or half.
  mutating func crash(power: Bool) {
    noteAcknowledged()
    for operation in underWay {
      switch operation.action {
      case .write, .writeMap:
        let broken = DiskFailure(reason: .other, description: "cut off")
        _ = disk.perform(operation.action, failing: broken, &random)
      default: break
      }
    }
    underWay = []
    lent = []
    if power { disk.cutPower(&random) }
    if let operation = faults.crashOperation, operations >= operation {
      faults.crashOperation = nil
    }
  }

  private func shouldCrash() -> Bool { faults.crashOperation.map { operations >= $0 } ?? false }

  /// What was acknowledged stays so over crashes, until it is overwritten.
  private mutating func noteAcknowledged() {
    for block in blocks where store.isAcknowledged(block) { acknowledged.insert(block) }
  }

  private mutating func drawFailure() -> DiskFailure? {
    let fails =
      faults.failOperation == operations
      || (faults.errorsOneIn > 0 && Int.random(in: 0..<faults.errorsOneIn, using: &random) == 0)
    guard fails else { return nil }
    failuresMade += 1
    let isFull = Int.random(in: 0..<3, using: &random) == 0
    return DiskFailure(reason: isFull ? .noSpace : .other, description: "operation \(operations)")
  }

  private mutating func lend(_ content: SimulatedDisk.Content) -> BufferHandle {
    nextBuffer += 1
    disk.buffers[nextBuffer] = content
    lent.insert(nextBuffer)
    return BufferHandle(nextBuffer)
  }

  private mutating func takeBack(_ buffer: BufferHandle) -> SimulatedDisk.Content? {
    check(lent.remove(buffer.rawValue) != nil, "buffer given back twice")
    return disk.buffers.removeValue(forKey: buffer.rawValue)
  }

  mutating func takeNotices() {
    while let notice = store.nextNotice() {
      switch notice {
      case .opened: opened = true
      case .closed: closed = true
      case .stored(let block, let buffer):
        _ = takeBack(buffer)
        if store.verified(block) != nil { proven.insert(block) }
      case .unread(_, let buffer): _ = takeBack(buffer)
      case .dropped(let block, let buffer):
        // A block that cannot be read to be hashed is lost by the disk, not by the store.
        if failuresMade > 0 { acknowledged.remove(block) }
        _ = takeBack(buffer)
      case .read(let block, let buffer):
        check(takeBack(buffer) == .right, "wrong bytes of block \(block)")
      case .examined(let examination, let buffer):
        let isRight = takeBack(buffer) == .right
        check(isRight || !acknowledged.contains(examination.block), "acknowledged and wrong")
        store.judge(examination, isRight: isRight, now: now)
        if store.verified(examination.block) != nil { proven.insert(examination.block) }
      case .failed, .full: failuresTold += 1
      case .lost, .changed, .claimed: break
      }
    }
  }
}
