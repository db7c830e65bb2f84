import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// How a node of the simulation is set up.
struct NodePlan {
  /// What it knows of the torrent at first.
  var source: TorrentRequest.Source
  /// What it has at first.
  var content: TorrentRequest.Content
  /// Whom it is told of.
  var peers: [PeerEndpoint] = []
  /// The files that it wants; nil for all.
  var wanted: Set<Int>?
  /// What it fetches for the sake of reads.
  var reading = ReadingPolicy()
  /// Sizes and limits; the name is replaced in every run.
  var configuration: SwarmConfiguration

  /// Whether the content lies in the user's own folder.
  var isInPlace: Bool {
    if case .owned = content { false } else { true }
  }
}

/// A whole node: its core, and around it a simulated system. Checks whatever the core does.
final class SimulatedNode {
  let world: World
  let network: Network
  let host: Host
  let dataset: Dataset
  let plan: NodePlan
  let disk: VirtualDisk
  var random: SplitMix64

  /// Counts the starts: what was begun before the last one concerns nobody any more.
  private(set) var incarnation = 0
  private(set) var isRunning = false
  var swarm: Swarm
  var memory: NodeMemory
  private(set) var torrent: TorrentID?
  var links: [ConnectionID: NodeLink] = [:]
  /// What the system took and the core was not told of yet.
  var unreported: [(ConnectionID, Int)] = []
  var isDraining = false
  var armed: Duration?
  private var timerCount = 0
  private var timeoutsNow = (time: Duration.zero, count: 0)

  /// How long a hash job takes.
  var hashTime = Duration.microseconds(20) ... .milliseconds(4)
  /// How long a reader keeps what it was given.
  var readerTime = Duration.zero ... .milliseconds(300)
  /// How much later than asked a timer comes.
  var timerDelay = Duration.zero ... .milliseconds(3)
  /// How long its process waits for a processor when something comes, in microseconds, at most; short
  /// times are more likely. 0 for not at all.
  var longestWait = 0
  /// Bytes that came over all connections, in all runs.
  var receivedBytes = 0
  /// Disk operations under way.
  var operations: [UInt64: DiskAction] = [:]
  var hashJobs = 0
  /// Frames of peers that were right, in all runs.
  var framesOpened = 0
  var readers: [ReadID: NodeReader] = [:]
  /// What the last run was told of the torrent's metadata.
  var prepared: (InfoDictionary, PieceLayers)?
  var isPrepared = false
  private(set) var isClosed = false
  /// Was told to stop, and has not yet.
  private(set) var isStopping = false
  var isOpened = false
  /// When all that was wanted was there for the first time in any run.
  var finishedAt: Duration?
  /// The least that was wanted: what is wanted without reads.
  var ownWantedBytes = UInt64.max
  /// Bytes that were here at times, in this run.
  var history: [(time: Duration, done: UInt64)] = []
  /// Bytes that must be there after a crash; nil when nothing is promised.
  var promised: UInt64?
  /// Payload of all runs.
  private(set) var uploadedBefore: UInt64 = 0
  private(set) var downloadedBefore: UInt64 = 0
  /// Hosts that no honest node may ban.
  var honest: Set<IPAddress> = []
  /// Bytes of its content on disk were changed by somebody.
  var isDamaged = false

  static let port: UInt16 = 6_881
  /// How long a connection may be of no torrent.
  private static let handshakeTime = Duration.seconds(20)

  init(network: Network, host: Host, dataset: Dataset, plan: NodePlan) {
    (self.network, self.host, self.dataset, self.plan) = (network, host, dataset, plan)
    world = network.world
    random = world.fork()
    disk = VirtualDisk(world: world, host: host.number, isReadOnly: plan.isInPlace)
    swarm = Swarm(configuration: plan.configuration, seed: 0)
    memory = NodeMemory(world: world, host: host.number, poolBuffers: 0)
    guard plan.isInPlace else { return }
    for (file, bytes) in zip(dataset.geometry.files, dataset.contents) { disk.place(file, bytes) }
  }

  var number: Int { host.number }
  var endpoint: PeerEndpoint { host.endpoint(Self.port) }
  var now: Duration { world.now }

  // MARK: Start and end

  /// Starts with what is on disk.
  func start() {
    guard !isRunning, world.failure == nil else { return }
    incarnation += 1
    (isRunning, isClosed, isPrepared, isOpened) = (true, false, false, false)
    isStopping = false
    (links, unreported, operations, hashJobs, readers) = ([:], [], [:], 0, [:])
    (history, armed) = ([], nil)
    var configuration = plan.configuration
    if let id = PeerID(Array("-SW0001-".utf8) + random.bytes(12)) { configuration.peerID = id }
    configuration.listenPort = Self.port
    memory = NodeMemory(
      world: world, host: number, poolBuffers: configuration.poolBuffers)
    swarm = Swarm(configuration: configuration, seed: random.next())
    host.isUp = true
    world.note(.started, number, incarnation)
    do {
      torrent = try swarm.add(request(), now: now)
    } catch {
      return world.fail("host \(number) cannot add the torrent: \(error)")
    }
    host.listeners[Self.port] = { [weak self] in self?.accept($0) }
    drain()
    pollLater()
  }

  private func request() -> TorrentRequest {
    var source = plan.source
    // A program that keeps metadata may have it at the next start.
    if let prepared, Bool.random(using: &random) { source = .torrent(prepared.0, prepared.1) }
    var content = plan.content
    if incarnation > 1, plan.isInPlace { content = .inPlace(claimsAll: true) }
    var request = TorrentRequest(source: source, content: content)
    request.peers = plan.peers
    request.reading = plan.reading
    if let wanted = plan.wanted { request.wanted = { index, _ in wanted.contains(index) } }
    return request
  }

  /// Begins to stop in order; `isRunning` tells when that is done.
  func stop() {
    guard isRunning, !isStopping, let torrent else { return }
    isStopping = true
    world.note(.stopped, number)
    host.listeners = [:]
    swarm.remove(torrent, now: now)
    drain()
  }

  /// The torrent is at rest: nothing may be left over.
  func closed() {
    isClosed = true
    promise(after: nil)
    let run = incarnation
    // Readers have their last buffers for a moment.
    world.after(.seconds(2)) { [self] in
      guard run == incarnation, isRunning else { return }
      for id in readers.keys where readers[id]?.isEnded != true {
        world.fail("host \(number) stopped without an end to a read")
      }
      if memory.keptHandles != 0 || memory.slabCount != 0 {
        world.fail("host \(number) stopped with \(memory.keptHandles) kept blocks")
      }
      if !operations.isEmpty { world.fail("host \(number) stopped before its disk was done") }
      if hashJobs != 0 { world.fail("host \(number) stopped with \(hashJobs) hash jobs") }
      // Who has not said yet which torrent he wants is not of this one.
      let left = links.values.count { $0.since < now - Self.handshakeTime }
      if left > 0 { world.fail("host \(number) stopped with \(left) connections") }
      end()
      network.stop(host, isSilent: false)
      world.note(.removed, number)
    }
  }

  /// Ends at once. `isPowerCut`: with the whole machine; else only the process, whose system lives on.
  func crash(isPowerCut: Bool) {
    guard isRunning else { return }
    world.note(.crashed, number, isPowerCut ? 1 : 0)
    if !isClosed { promise(after: .seconds(25)) }
    end()
    for id in operations.keys.sorted() {
      guard let action = operations[id] else { continue }
      switch action {
      case .write, .writeMap: disk.abandon(action, memory)
      default: break
      }
    }
    operations = [:]
    if isPowerCut { disk.cutPower() }
    network.stop(host, isSilent: isPowerCut)
  }

  private func end() {
    if let torrent, let status = swarm.status(of: torrent) {
      uploadedBefore += status.uploadedBytes
      downloadedBefore += status.downloadedBytes
    }
    isRunning = false
    isStopping = false
    incarnation += 1
  }

  /// What is to be there at the next start: what was there so long ago; all of it, after a stop in
  /// order. Nothing when the disk failed.
  private func promise(after delay: Duration?) {
    guard disk.failures == 0, !disk.wasFull, !isDamaged else { return promised = nil }
    guard isOpened else { return }
    let limit = delay.map { now - $0 } ?? now
    guard let last = history.last(where: { $0.time <= limit }) else { return }
    promised = max(promised ?? 0, last.done)
  }

  /// Payload bytes that were sent in all runs.
  var uploadedBytes: UInt64 { uploadedBefore + (status?.uploadedBytes ?? 0) }
  /// Payload bytes that were received in all runs.
  var downloadedBytes: UInt64 { downloadedBefore + (status?.downloadedBytes ?? 0) }

  var status: TorrentStatus? {
    guard isRunning, let torrent else { return nil }
    return swarm.status(of: torrent)
  }

  var isFinished: Bool { status?.isFinished ?? false }

  // MARK: The loop

  /// Does it when the process has a processor.
  func whenScheduled(_ action: @escaping () -> Void) {
    guard longestWait > 0 else { return action() }
    let wait = Duration.microseconds(random.logarithmic(10...longestWait))
    world.after(wait) { [self] in if isRunning { action() } }
  }

  /// Carries out what the core wants, tells it what became of it at once, and sets the clock.
  func drain() {
    guard !isDraining else { return world.fail("the core was called from inside a call") }
    isDraining = true
    var hands = NodeHands(node: self)
    swarm.drain(into: &hands)
    while !unreported.isEmpty {
      let reports = unreported
      unreported = []
      for (id, count) in reports where links[id] != nil {
        swarm.sent(id, byteCount: count, now: now)
      }
      swarm.drain(into: &hands)
    }
    isDraining = false
    checkBounds()
    arm()
  }

  private func arm() {
    guard isRunning, let deadline = swarm.deadline else {
      armed = nil
      return
    }
    guard armed != deadline else { return }
    armed = deadline
    timerCount += 1
    let count = timerCount
    let late = random.duration(timerDelay)
    world.at(max(deadline, now) + late) { [self] in
      guard isRunning, count == timerCount, armed != nil else { return }
      armed = nil
      noteTimeout()
      swarm.handleTimeout(now: now)
      drain()
    }
  }

  /// A deadline that stays in the past would keep a real node busy for ever.
  private func noteTimeout() {
    if now - timeoutsNow.time > .seconds(1) { timeoutsNow = (now, 0) }
    timeoutsNow.count += 1
    if timeoutsNow.count > 5_000 { world.fail("host \(number) has 5,000 timeouts a second") }
  }

  private func pollLater() {
    let run = incarnation
    world.after(.seconds(1)) { [self] in
      guard run == incarnation, isRunning else { return }
      poll()
      pollLater()
    }
  }
}
