import Metainfo
import Store
import TestSupport
import Testing

import struct Swarm.HashJob

@testable import Swarm

/// Content over a disk in memory, fed by peers of which some lie, in any order. All from one seed.
final class ContentHarness {
  /// What can go wrong.
  struct Trouble {
    /// One in so many blocks of a liar is wrong; 0 for no liars.
    var liesOneIn = 0
    /// One in so many operations of the disk fails; 0 for none.
    var errorsOneIn = 0
    /// One in so many operations finds the disk full; 0 for none.
    var fullOneIn = 0
    /// Of how many questions for hashes one is answered: 1 for each, 0 for none.
    var answersOneIn = 1
    /// Of how many answers one is forged; 0 for none.
    var forgesOneIn = 0
  }

  enum Standing { case missing, received, stored }

  let fixture: ContentFixture
  let pool: BlockPool
  let seed: UInt64
  var trouble: Trouble
  var limits = ContentLimits()
  var layers: PieceLayers
  var random: SplitMix64
  var disk = ContentDisk()
  var content: Content
  var now = Duration.zero
  var jobs: [HashJob] = []
  var operations: [DiskOperation] = []
  var responses: [HashResponse] = []
  var standing: [BlockIndex: Standing] = [:]
  /// Blocks in buffers that `receive` brought and that were not released.
  var held: [UInt64: (block: BlockIndex, isRight: Bool)] = [:]
  /// Pieces whose hashes are wanted.
  var wanted: Set<PieceIndex> = []
  var reads: [UInt64: BlockIndex] = [:]
  var answered: [UInt64: HashResponse?] = [:]
  var liesTold: [UInt32: Set<BlockIndex>] = [:]
  var banned: Set<UInt32> = []
  var opened = false
  var closed = false
  var contradictions = 0
  var hadRoom = 0
  var wasFull = 0
  private var nextHandle: UInt64 = 1 << 63
  private var nextJob: UInt64 = 0

  init(
    _ fixture: ContentFixture, seed: UInt64, trouble: Trouble = Trouble(), poolCount: Int = 64,
    limits: ContentLimits = ContentLimits(), layers: PieceLayers? = nil,
    mode: TorrentRequest.Content = .owned
  ) throws {
    self.fixture = fixture
    self.seed = seed
    self.trouble = trouble
    self.limits = limits
    self.layers = layers ?? fixture.layers
    random = SplitMix64(seed: seed)
    pool = BlockPool(count: poolCount)
    let names = JobNames()
    content = try Content(
      info: fixture.info, pieceLayers: self.layers, mode: mode, pool: pool, limits: limits,
      takeJobID: names.take)
    for block in fixture.blocks { standing[block] = .missing }
  }

  final class JobNames {
    private var next: UInt64 = 0
    func take() -> HashJobID {
      next += 1
      return HashJobID(next)
    }
  }

  func check(_ holds: Bool, _ what: @autoclosure () -> String) {
    if !holds { Issue.record("\(what()): seed \(seed), \(fixture.geometry.kind), \(trouble)") }
  }

  // MARK: A run

  /// Opens, and learns what is here.
  func open() {
    content.open(now: now)
    settle { self.opened }
  }

  /// Another run of the node over the same disk, which ended in any state.
  func restart(mode: TorrentRequest.Content = .owned, isClean: Bool) throws {
    if !isClean {
      for operation in operations where random.oneIn(2) {
        let torn = DiskFailure(reason: .other, description: "cut off")
        _ = disk.perform(operation.action, failing: random.oneIn(2) ? torn : nil)
      }
      giveAll()
    }
    (jobs, operations, responses, held, reads) = ([], [], [], [:], [:])
    (wanted, opened, closed) = ([], false, false)
    content = try Content(
      info: fixture.info, pieceLayers: layers, mode: mode, pool: pool, limits: limits,
      takeJobID: JobNames().take)
    for block in fixture.blocks { standing[block] = .missing }
    open()
  }

  /// Takes buffers back that a content which is no more had taken.
  private func giveAll() {
    while pool.take() != nil {}
    for handle in 0..<UInt64(pool.count) { pool.give(BufferHandle(handle)) }
  }

  /// Downloads until all is here.
  func download(steps: Int = 200_000) {
    for _ in 0..<steps {
      // A sync that fails at the very end takes back what was there.
      if isDone { settle { self.isIdle } }
      if isDone { break }
      step()
    }
    check(isDone, "does not end: \(standing.values.count { $0 != .stored }) blocks left")
  }

  var isDone: Bool { standing.values.allSatisfy { $0 == .stored } }
  var isIdle: Bool { jobs.isEmpty && operations.isEmpty }

  func step() {
    switch Int.random(in: 0..<10, using: &random) {
    case 0, 1, 2: deliver(Int.random(in: 1...6, using: &random))
    case 3, 4: hash()
    case 5, 6, 7: work()
    case 8: answerQuestions()
    default: tick()
    }
    takeAll()
  }

  /// Lets all that is under way end.
  func settle(until isDone: () -> Bool) {
    for _ in 0..<100_000 {
      takeAll()
      if isDone() { return }
      if isIdle { tick() }
      hash()
      work()
    }
    check(false, "does not settle")
  }

  func close() {
    content.close(now: now)
    settle { self.closed }
    check(held.isEmpty, "\(held.count) buffers were not released")
    check(content.heldBytes == 0 && content.waitingBytes == 0, "counts bytes that are not held")
    check(pool.freeCount == pool.count, "buffers of the pool were not given back")
    check(isIdle, "work after the end")
  }

  /// Everything is here, and right.
  func checkAllIsHere() {
    for piece in fixture.geometry.pieces {
      check(content.hasPiece(piece), "piece \(piece) is not here")
    }
    for (file, bytes) in zip(fixture.geometry.files, fixture.files) where !bytes.isEmpty {
      check(disk.files[file] == bytes, "file \(file) is wrong")
    }
    check(held.isEmpty && content.heldBytes == 0, "\(held.count) buffers were not released")
    check(pool.freeCount == pool.count, "buffers of the pool were not given back")
  }

  // MARK: Events

  func peer(_ number: UInt32) -> ConnectionID { ConnectionID(slot: number, generation: 0) }

  /// Blocks come: peers 0 and 1 are honest, 2 and 3 lie now and then.
  func deliver(_ count: Int) {
    for _ in 0..<count {
      guard let block = fixture.blocks.randomElement(using: &random) else { break }
      // Now and then a block comes twice, as at the end of a download.
      guard standing[block] == .missing || random.oneIn(20) else { continue }
      let sender = UInt32.random(in: 0..<4, using: &random)
      guard !banned.contains(sender) else { continue }
      let lies = sender >= 2 && trouble.liesOneIn > 0 && random.oneIn(trouble.liesOneIn)
      give(block, from: sender, lies: lies)
    }
    if random.oneIn(3) { content.flush() }
  }

  func give(_ block: BlockIndex, from sender: UInt32, lies: Bool) {
    var bytes = fixture.bytes(of: block)
    if lies {
      let data = Int(fixture.geometry.dataLength(of: block))
      bytes[Int.random(in: 0..<data, using: &random)] ^= 0x40
      liesTold[sender, default: []].insert(block)
    }
    nextHandle += 16_384
    disk.buffers[nextHandle] = bytes
    held[nextHandle] = (block, !lies)
    if standing[block] == .missing { standing[block] = .received }
    content.receive(block, in: BufferHandle(nextHandle), from: peer(sender), now: now)
  }

  func hash() {
    guard !jobs.isEmpty else { return content.flush() }
    let job = jobs.remove(at: Int.random(in: 0..<jobs.count, using: &random))
    content.hashed(job.id, result(of: job.work), now: now)
  }

  private func result(of work: HashJob.Work) -> HashResult {
    func bytes(_ part: HashPart) -> ArraySlice<UInt8> {
      guard let buffer = disk.buffers[part.buffer.rawValue] else {
        check(false, "a job's buffer was given back")
        return []
      }
      return buffer.prefix(Int(part.length))
    }
    switch work {
    case .leaves(let parts): return .leaves(parts.map { SHA256Digest(hashing: bytes($0)) })
    case .piece(let parts, let zeros):
      let padding = [UInt8](repeating: 0, count: Int(zeros))
      return .piece(SHA1Digest(hashing: parts.flatMap(bytes) + padding))
    case .pieceRun(let stream, let parts, let zeros, let isLast):
      for part in parts { Array(bytes(part)).withUnsafeBytes { stream.update($0) } }
      stream.update(zeros: Int(zeros))
      return isLast ? .piece(stream.finish()) : .more
    }
  }

  func work() {
    guard !operations.isEmpty else { return }
    let operation = operations.remove(at: Int.random(in: 0..<operations.count, using: &random))
    var failure: DiskFailure?
    if trouble.errorsOneIn > 0, random.oneIn(trouble.errorsOneIn) {
      failure = DiskFailure(reason: .other, description: "broken")
    } else if trouble.fullOneIn > 0, random.oneIn(trouble.fullOneIn) {
      switch operation.action {
      case .write, .create: failure = DiskFailure(reason: .noSpace, description: "full")
      default: break
      }
    }
    let result = disk.perform(operation.action, failing: failure)
    content.completed(DiskCompletion(id: operation.id, result: result), now: now)
  }

  func tick() {
    content.flush()
    now += .milliseconds(Int.random(in: 0...6000, using: &random))
    if let deadline = content.deadline, deadline <= now || isIdle {
      now = max(now, deadline)
      content.handleTimeout(now: now)
    }
  }

  /// Peers answer what was asked, forge it, or say nothing, and then pieces are judged as a whole.
  func answerQuestions() {
    if let response = responses.popLast() {
      _ = content.add(response, from: peer(0), now: now)
      return
    }
    guard let piece = wanted.sorted().randomElement(using: &random) else { return }
    guard trouble.answersOneIn > 0, random.oneIn(trouble.answersOneIn) else {
      wanted.remove(piece)
      return content.judgeWhole(piece)
    }
    let requests = content.hashRequests(for: piece)
    if requests.isEmpty { wanted.remove(piece) }
    for request in requests {
      guard let tree = fixture.trees[request.piecesRoot],
        case .hashes(var response) = tree.response(to: request)
      else {
        check(false, "asks for what nobody has")
        continue
      }
      if trouble.forgesOneIn > 0, random.oneIn(trouble.forgesOneIn) {
        let number = Int.random(in: 0..<response.hashes.count, using: &random)
        response.hashes[number] = SHA256Digest(hashing: random.bytes(4))
        let verdict = content.add(response, from: peer(2), now: now)
        check(verdict != .accepted, "a forged answer was taken")
      } else {
        responses.append(response)
      }
    }
  }
}
