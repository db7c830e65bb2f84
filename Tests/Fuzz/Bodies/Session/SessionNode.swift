import Metainfo
import Store
import Swarm
import Wire

import struct Swarm.HashJob

/// The core, and around it a system in memory that does everything when it is told to. Whatever the
/// core does that it may not stops the process.
final class SessionNode {
  struct Reader {
    let deadline: Duration
    /// Blocks that are still to come.
    var missing: Set<BlockIndex>
    var isEnded = false
  }

  struct Delivery {
    let block: BlockIndex
    let buffer: BufferHandle
  }

  struct Operation {
    let torrent: TorrentID
    let operation: DiskOperation
    /// Of what is to be written.
    let sum: UInt64
  }

  struct Job {
    let torrent: TorrentID
    let job: HashJob
    let sum: UInt64
  }

  enum FrameJob {
    case compress(CompressionJob)
    case decompress(DecompressionJob)
  }

  let truth: SessionTruth
  let configuration: SwarmConfiguration
  let memory: SessionMemory
  var disk: SessionDisk
  var swarm: Swarm
  var now = Duration.seconds(1)
  var torrent: TorrentID?
  var links: [ConnectionID: SessionLink] = [:]
  /// Live connections, in the order of their beginning; the game names them by their places.
  var order: [ConnectionID] = []
  /// Of a connection that is not there any more.
  var staleConnection: ConnectionID?
  var operations: [Operation] = []
  var jobs: [Job] = []
  /// Jobs of compression, each done when the core has said all it wants.
  var frameJobs: [FrameJob] = []
  private var usedOperations: Set<UInt64> = []
  private var usedJobs: Set<HashJobID> = []
  var readers: [ReadID: Reader] = [:]
  var deliveries: [Delivery] = []
  private var isPrepared = false
  private(set) var isRemoving = false
  private var isClosed = false

  init(
    _ truth: SessionTruth, _ configuration: SwarmConfiguration, isReadOnly: Bool, seed: UInt64
  ) {
    (self.truth, self.configuration) = (truth, configuration)
    memory = SessionMemory(poolBuffers: configuration.poolBuffers)
    disk = SessionDisk(truth, isReadOnly: isReadOnly)
    swarm = Swarm(configuration: configuration, seed: seed)
  }

  // MARK: Calls

  /// Carries out what the core wants, and looks at what must always hold.
  func drain() {
    var hands = SessionHands(node: self)
    swarm.drain(into: &hands)
    while !frameJobs.isEmpty {
      carryOut(frameJobs.removeFirst())
      swarm.drain(into: &hands)
    }
    demand(hands.count < 20_000, "no end of effects")
    let most = configuration.payloadBytes + 4 * blockLength * max(1, links.count)
    demand(memory.keptHandles * blockLength <= most, "too much payload is kept")
    demand(links.count <= configuration.connections, "too many connections")
    if isClosed { closed() }
  }

  func add(_ request: TorrentRequest) {
    do throws(SwarmError) {
      let id = try swarm.add(request, now: now)
      demand(torrent == nil)
      (torrent, isPrepared, isRemoving) = (id, false, false)
      (usedOperations, usedJobs) = ([], [])
    } catch {
      demand(error == .alreadyThere && torrent != nil, "\(error)")
    }
    drain()
  }

  func remove() {
    guard let torrent else { return }
    isRemoving = true
    swarm.remove(torrent, now: now)
    drain()
  }

  func accept(_ endpoint: PeerEndpoint) {
    guard let id = swarm.accept(from: endpoint, now: now) else {
      // Half of all places at the least are for those who have said nothing yet.
      demand(links.count >= max(1, configuration.connections / 2))
      return
    }
    demand(links[id] == nil, "a connection's name is used twice")
    links[id] = SessionLink(endpoint: endpoint, isIncoming: true)
    order.append(id)
    drain()
  }

  func connected(_ id: ConnectionID) {
    links[id]?.isConnecting = false
    swarm.connected(id, now: now)
    drain()
  }

  func disconnected(_ id: ConnectionID) {
    forget(id)
    swarm.disconnected(id, reason: "gone", now: now)
    drain()
  }

  private func forget(_ id: ConnectionID) {
    links[id] = nil
    order.removeAll { $0 == id }
    staleConnection = id
  }

  /// The system takes up to so many bytes of what is queued.
  func sent(_ id: ConnectionID, _ most: Int) {
    guard let count = links[id]?.take(most, check), count > 0 else { return }
    swarm.sent(id, byteCount: count, now: now)
    drain()
  }

  /// Hands what the peer has sent to the core, as a system does: in chunks of at most `chunk` bytes,
  /// `most` in all.
  func receive(_ id: ConnectionID, chunk: Int, most: Int) {
    var rest = most
    while rest > 0, let inbox = links[id]?.inbox, !inbox.isEmpty, links[id]?.isConnecting == false,
      swarm.wantsInput(id)
    {
      let count = min(rest, chunk, inbox.count)
      rest -= count
      links[id]?.inbox = inbox.dropFirst(count)
      var continued = 0
      if let continuation = swarm.continuation(of: id) {
        demand(continuation.count > 0)
        continued = min(count, continuation.count)
        memory.room(continuation.buffer, from: continuation.offset, count: continued)
          .copyBytes(from: inbox.prefix(continued))
      }
      let bytes = inbox.prefix(count).dropFirst(continued)
      let (room, base) = memory.makeSlab(bytes)
      let intake = swarm.receive(
        id, continued: continued, chunk: UnsafeRawBufferPointer(room).bytes, at: base, now: now)
      if let (range, buffer) = intake.tail {
        demand(range.upperBound == bytes.count && range.lowerBound >= 0)
        memory.room(buffer, count: range.count)
          .copyMemory(from: UnsafeRawBufferPointer(rebasing: room[range]))
      }
      memory.settle(base, kept: intake.kept)
      drain()
    }
  }

  func complete(_ position: Int, failing failure: DiskFailure?) {
    let done = operations.remove(at: position)
    if case .write(let parts, _) = done.operation.action {
      demand(sum(parts) == done.sum, "a buffer changed while it was being written")
    }
    let result = disk.perform(done.operation.action, memory, failing: failure)
    swarm.completed(
      DiskCompletion(id: done.operation.id, result: result), of: done.torrent, now: now)
    drain()
  }

  func hash(_ position: Int) {
    let done = jobs.remove(at: position)
    demand(sum(done.job) == done.sum, "a buffer changed while it was being hashed")
    swarm.hashed(done.job.id, of: done.torrent, result(done.job.work), now: now)
    drain()
  }

  func read(_ bytes: Range<UInt64>, of file: Int, timeout: Duration) {
    let id = swarm.read(
      bytes, of: file, in: torrent ?? SessionNode.noTorrent, timeout: timeout, now: now)
    var blocks: [BlockIndex] = []
    if let number = UInt32(exactly: file), let index = truth.geometry.file(number) {
      blocks = truth.geometry.blocks(of: index, bytes: bytes).map(Array.init) ?? []
    }
    demand(readers[id] == nil)
    readers[id] = Reader(deadline: now + timeout, missing: Set(blocks))
    drain()
  }

  /// The id of a torrent that was removed.
  private static let noTorrent: TorrentID = {
    var other = Swarm(configuration: SwarmConfiguration(peerID: SessionGame.ownID), seed: 0)
    let source = TorrentRequest.Source.infohash(v1: SHA1Digest(hashing: []), v2: nil)
    guard let id = try? other.add(TorrentRequest(source: source, content: .owned), now: .zero)
    else { fatalError("a torrent cannot be added") }
    return id
  }()

  func finish(_ position: Int) {
    let delivery = deliveries.remove(at: position)
    checkDelivered(delivery)
    swarm.finish(delivery.buffer)
    drain()
  }

  // MARK: Time

  /// Time passes, with a timer that is on time. A deadline that time cannot pass is a node that is
  /// busy for ever.
  func passTime(to end: Duration) {
    var stuck = 0
    while let deadline = swarm.deadline, deadline <= end {
      now = max(now, deadline)
      swarm.handleTimeout(now: now)
      drain()
      stuck = (swarm.deadline ?? .seconds(1 << 32)) <= now ? stuck + 1 : 0
      demand(stuck < 8, "the deadline does not move: \(state)")
    }
    now = max(now, end)
    checkReadDeadlines()
  }

  /// The machine sleeps, and wakes up late.
  func sleep(to end: Duration) {
    now = max(now, end)
    passTime(to: now)
  }

  /// For those who have to find out why.
  var state: String {
    let actions = operations.map { "\($0.operation.action)".prefix(160) }
    let deadline = swarm.deadline.map { "\($0)" } ?? "never"
    return "now \(now), deadline \(deadline), \(jobs.count) hash jobs, disk \(actions), "
      + "\(order.count) connections, \(deliveries.count) deliveries, idle \(swarm.idle)"
  }

  private func checkReadDeadlines() {
    for reader in readers.values where !reader.isEnded {
      demand(reader.deadline > now, "a read has not ended by its deadline")
    }
    readers = readers.filter { !$0.value.isEnded }
  }

  // MARK: Effects

  func open(_ id: ConnectionID, _ endpoint: PeerEndpoint) {
    demand(links[id] == nil, "a connection's name is used twice")
    demand(!isRemoving, "a connection for a torrent that was removed")
    links[id] = SessionLink(endpoint: endpoint, isIncoming: false)
    order.append(id)
  }

  func send(_ id: ConnectionID, _ outgoing: Outgoing) {
    guard links[id]?.isConnecting == false else {
      fatalError("something is sent to \(id), which is not there")
    }
    if case .block(let request, let buffer, let zeros) = outgoing {
      check(request, buffer, zeros)
    }
    links[id]?.append(outgoing, checkMessage)
    demand(
      (links[id]?.queuedMessageBytes ?? 0) <= 5 << 20, "too much waits for one peer")
  }

  func close(_ id: ConnectionID) {
    demand(links[id] != nil, "\(id) is closed, and is not there")
    forget(id)
  }

  func prepare(_ info: InfoDictionary) {
    demand(info.bytes == truth.info.bytes, "metadata that is not the torrent's")
    demand(!isPrepared, "the disk is prepared twice")
    isPrepared = true
  }

  func keep(_ layers: PieceLayers) {
    for (root, layer) in layers {
      demand(truth.layers[root] == layer, "a piece layer that is not the torrent's")
    }
  }

  func begin(_ id: TorrentID, _ operation: DiskOperation) {
    demand(isPrepared && id == torrent && !isClosed, "the disk is not there")
    demand(usedOperations.insert(operation.id).inserted, "one name for two operations")
    var sum: UInt64 = 0
    switch operation.action {
    case .write(let parts, _):
      sum = self.sum(parts)
      checkWrite(parts)
    case .read(let parts, _):
      for part in parts {
        memory.room(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
          .initializeMemory(as: UInt8.self, repeating: 0xdb)
      }
    default: break
    }
    operations.append(Operation(torrent: id, operation: operation, sum: sum))
  }

  func begin(_ id: TorrentID, _ job: HashJob) {
    demand(id == torrent && !isClosed)
    demand(usedJobs.insert(job.id).inserted, "one name for two hash jobs")
    jobs.append(Job(torrent: id, job: job, sum: sum(job)))
  }

  func deliver(_ id: ReadID, _ block: BlockIndex, _ buffer: BufferHandle) {
    demand(readers[id]?.isEnded == false, "a block is delivered to nobody")
    demand(readers[id]?.missing.remove(block) != nil, "a block that was not asked for")
    deliveries.append(Delivery(block: block, buffer: buffer))
    checkDelivered(Delivery(block: block, buffer: buffer))
  }

  func endRead(_ id: ReadID, _ failure: ReadFailure?) {
    demand(readers[id]?.isEnded == false, "a read ends twice")
    demand(failure != nil || readers[id]?.missing.isEmpty == true, "blocks are missing")
    readers[id]?.isEnded = true
  }

  func take(_ notice: Notice) {
    if case .closed(let id) = notice {
      demand(id == torrent && isRemoving, "a torrent closes by itself")
      isClosed = true
    }
  }

  private func closed() {
    isClosed = false
    (torrent, isRemoving) = (nil, false)
    demand(operations.isEmpty && jobs.isEmpty, "closed with work under way")
    demand(memory.keptHandles == 0, "closed with kept blocks")
    for reader in readers.values { demand(reader.isEnded, "closed with a read") }
    for link in links.values { demand(link.isIncoming, "closed with a connection") }
    let idle = swarm.idle
    demand(idle.buffers + deliveries.count == configuration.poolBuffers, "lost buffers")
    demand(idle.purposes == 0 && idle.heldBlocks == 0, "something is left over")
  }
}

/// Carries out effects.
private struct SessionHands: EffectHandler {
  unowned let node: SessionNode
  var count = 0

  init(node: SessionNode) { self.node = node }

  mutating func carryOut(_ effect: consuming Effect) {
    count += 1
    switch consume effect {
    case .connect(let id, let endpoint, _): node.open(id, endpoint)
    case .send(let id, let outgoing): node.send(id, outgoing)
    case .close(let id): node.close(id)
    case .resumeReading(let id):
      demand(node.links[id] != nil, "\(id) is to be read, and is not there")
    case .prepare(_, let info, _): node.prepare(info)
    case .keep(_, let layers): node.keep(layers)
    case .disk(let id, let operation): node.begin(id, operation)
    case .hash(let id, let job): node.begin(id, job)
    case .compress(let job): node.frameJobs.append(.compress(job))
    case .decompress(let job): node.frameJobs.append(.decompress(job))
    case .release(let handle): node.memory.release(handle)
    case .deliver(let id, let block, let buffer): node.deliver(id, block, buffer)
    case .endRead(let id, let failure): node.endRead(id, failure)
    case .notice(let notice): node.take(notice)
    }
  }
}
