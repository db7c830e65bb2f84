import CUV
import Discovery
import Glibc
import Metainfo
import Store
import Swarm
import Wire

/// A node: the core, and around it sockets, disk and threads. Make it on a loop, add torrents, run the
/// loop; `stop` ends it. Belongs to the loop's thread, and so do all functions that it calls; they
/// may call the node again. It lives, and keeps the loop running, until it is stopped.
public final class Node {
  /// Where it listens, with real ports.
  public let endpoints: [PeerEndpoint]
  /// Told what the operator may want to know.
  public var onNotice: (Notice) -> Void = { _ in }

  /// Told how it stands with ports in routers, whenever that changes.
  public var onMappings: ([Mapping]) -> Void = { _ in }

  /// Told of whole piece layers that peers sent and that were not known: to be kept with the torrent.
  public var onPieceLayers: (TorrentID, PieceLayers) -> Void = { _, _ in }

  /// Called when readers were told all there was to tell at once.
  var onTurnEnd: () -> Void = {}

  /// Told when the DHT was given a head to keep: how many of its nodes took it. BEP 44.
  public var onHeadStored: (MutableItem, _ nodes: Int) -> Void = { _, _ in }

  /// Told of the item of the DHT that a head of a private dataset came in, as often as it comes: to be kept, and
  /// given to `follow` the next time.
  public var onSealedHead: (DatasetKey, MutableItem) -> Void = { _, _ in }

  let loop: EventLoop
  let log: Log
  var swarm: Swarm
  let memory: PayloadMemory
  var receiver: Receiver
  let hashers = HashWorkers()
  let compressors = FrameWorkers()
  var torrents: [TorrentID: TorrentState] = [:]
  var reads: [ReadID: ReadState] = [:]
  /// Who was found of the private datasets that are taken part in, by their discovery ids.
  var groupPeers: [SHA1Digest: [PeerOrigin: Set<PeerEndpoint>]] = [:]

  /// By the slot of their ids.
  var connections: [Connection?] = []
  /// Those with something to send. Invariant: `isQueued` is set in these and no others.
  var sendList: [Connection] = []
  /// Those for which there was no slab to read into.
  var stalled: [Connection] = []
  /// Attempts that failed at once, of which the core is not told yet.
  var failedAttempts: [(ConnectionID, String)] = []
  /// Bytes received since the core's effects were carried out.
  var unprocessedBytes = 0

  /// Those who connected and are not the core's yet.
  private(set) lazy var strangers = Strangers(on: loop) { [unowned self] in now }
  /// The read keys of private torrents, by which those are told apart.
  var privateGroups = PrivateRegistry()
  /// First messages that were answered, or are our own.
  var hellos = HelloMemory(now: UnixClock.now)
  /// How much may be spent on messages of which it is not known whether they are any.
  var keyTries = WorkBudget(
    perSecond: NetLimits.triesPerSecond, atOnce: NetLimits.triesAtOnce)
  var dialedPlaces = DialedPlaces()
  /// Where a router lets others in to us.
  var mappedPlaces: Set<PeerEndpoint> = []

  /// Jobs of disk and hash that threads are at.
  var jobsRunning = 0
  private(set) lazy var diskJobs = DiskJobs(on: loop)
  /// Whether something happened since the core's effects were carried out.
  var needsTurn = true
  private var isInTurn = false
  private var listeners: [Listener] = []
  private var hook: TurnHook?
  private var timer: DeadlineTimer?
  /// When the timer will call, in the core's time; nil when it is not set.
  private var timerDeadline: Duration?
  /// Where link-local peers are.
  var scopes = LinkScopes()
  let lookups: NameLookups
  /// Until names are asked for again.
  var nameRetries: [ObjectIdentifier: DeadlineTimer] = [:]
  /// Finds peers and heads; nil where nobody is looked for.
  var discovery: DiscoveryDriver?
  private let start = uv_hrtime()
  private var onStopped: (() -> Void)?
  /// Whether it is being stopped, or was.
  public private(set) var isStopping = false

  /// Binds and listens at once. Raises the process's bound on open files as far as it may.
  public init(on loop: EventLoop, configuration: NodeConfiguration) throws(NodeError) {
    Self.raiseDescriptorLimit()
    let poolBuffers = configuration.swarm.poolBuffers
    guard
      let memory = PayloadMemory(
        poolBuffers: poolBuffers, slabCount: NetLimits.scatteredSlabs,
        slabBytes: NetLimits.slabBytes)
    else {
      let slabs = NetLimits.scatteredSlabs * NetLimits.slabBytes
      throw .noMemory(byteCount: poolBuffers * blockLength + slabs)
    }
    let sockets = try ListenSockets.open(configuration.listen, log: configuration.log)
    var core = configuration.swarm
    core.listenPort = sockets.first?.endpoint.port
    let places = sockets.map(\.endpoint)
    if let found = configuration.discovery, !places.isEmpty {
      discovery = DiscoveryDriver(
        on: loop, places: places, peerID: core.peerID, configuration: found,
        seed: configuration.seed, log: configuration.log)
      core.dhtPort = discovery?.dhtPort
    }
    self.loop = loop
    lookups = NameLookups(on: loop)
    self.log = configuration.log
    self.memory = memory
    receiver = Receiver(
      memory: memory, slabs: ReceiveSlabs(memory, densely: NetLimits.slabs))
    swarm = Swarm(configuration: core, seed: configuration.seed)
    endpoints = sockets.map(\.endpoint)
    listeners = sockets.map { socket in
      Listener(on: loop, owning: socket.descriptor, log: configuration.log) { [unowned self] in
        accepted($0, from: $1)
      }
    }
    // Holds the node, which so lives until it is stopped.
    hook = TurnHook(on: loop) { [self] in if needsTurn { turn() } }
    timer = DeadlineTimer(on: loop) { [unowned self] in timeHasCome() }
    strangers.judge = { [unowned self] in judge($0) }
    listenToDiscovery()
  }

  // MARK: Torrents

  /// Takes part in a torrent. `folders` is called when its files are known, at once or when they came
  /// from peers, and says where its content lies; what it throws becomes a notice that the disk
  /// failed.
  public func add(
    _ request: TorrentRequest,
    folders: @escaping (InfoDictionary, PieceLayers) throws -> TorrentFolders
  ) throws(SwarmError) -> TorrentID {
    let torrent = try swarm.add(request, now: now)
    var isOwned = false
    if case .owned = request.content { isOwned = true }
    torrents[torrent] = TorrentState(
      isOwned: isOwned, isAnnounced: request.isAnnounced,
      group: request.readKey.map { privateGroups.add($0) }, folders: folders)
    discover(torrent, request)
    if isStopping { swarm.remove(torrent, now: now) }
    needsTurn = true
    return torrent
  }

  /// Tells of peers of a torrent.
  public func add(
    peers: [PeerEndpoint], from origin: PeerOrigin = .user, to torrent: TorrentID
  ) {
    guard torrents[torrent] != nil else { return }
    swarm.add(peers: peers, from: origin, to: torrent, now: now)
    needsTurn = true
  }

  /// Tells of a peer by its address: a name is asked for of the system first, and again while it is not
  /// known there, since a host may have to start first.
  public func resolve(_ address: PeerAddress, for torrent: TorrentID) {
    switch address.host {
    case .ipv4(let host):
      add(peers: [PeerEndpoint(address: .v4(host), port: address.port)], to: torrent)
    case .ipv6(let host):
      add(peers: [PeerEndpoint(address: .v6(host), port: address.port)], to: torrent)
    case .name(let name):
      lookUp(name, address.port, for: torrent, failures: 0)
    }
  }

  /// Stops to take part. `Notice.closed` comes when all that was to be kept is on disk.
  public func remove(_ torrent: TorrentID) {
    guard torrents[torrent] != nil else { return }
    swarm.remove(torrent, now: now)
    needsTurn = true
  }

  /// How a torrent is doing; nil when it was removed.
  public func status(of torrent: TorrentID) -> TorrentStatus? { swarm.status(of: torrent) }

  /// What compression did in this run.
  public var compression: CompressionFigures { swarm.compression }

  /// Asks for the piece layers of these files, by their place in the torrent, though nothing else of it
  /// may be wanted: they come to `onPieceLayers`.
  public func fetchPieceLayers(ofFiles files: [Int], in torrent: TorrentID) {
    swarm.fetchPieceLayers(ofFiles: files, in: torrent, now: now)
    needsTurn = true
  }

  /// How a torrent's peers are doing.
  public func peers(of torrent: TorrentID) -> [PeerStatus] { swarm.peers(of: torrent) }

  // MARK: The end

  /// Removes all torrents, waits until they are closed, and closes everything. `completion` is called
  /// by the loop, which the node then does not keep running any more.
  public func stop(completion: @escaping () -> Void) {
    guard !isStopping else { return }
    isStopping = true
    onStopped = completion
    for listener in listeners { listener.close() }
    strangers.close()
    lookups.close()
    for timer in nameRetries.values { timer.close() }
    nameRetries = [:]
    for torrent in torrents.keys { swarm.remove(torrent, now: now) }
    discovery?.stop { [unowned self] in
      discovery = nil
      needsTurn = true
    }
    needsTurn = true
  }

  private func closeIfStopped() {
    guard isStopping, torrents.isEmpty, jobsRunning == 0, discovery == nil, let hook else {
      return
    }
    for connection in connections { connection?.close() }
    connections = []
    timer?.close()
    self.hook = nil
    hook.close { [self] in
      let completion = onStopped
      onStopped = nil
      completion?()
    }
  }

  // MARK: Turns

  /// The core's time.
  var now: Duration { .nanoseconds(Int64(uv_hrtime() - start)) }

  /// Carries out what the core wants, sends, and sets the timer: after all that happened at once, and
  /// never from within itself.
  ///
  /// `Swarm.drain` is not used, since it would hold the core while an effect calls the user, who may
  /// call the node.
  func turn() {
    guard !isInTurn else { return }
    isInTurn = true
    repeat {
      needsTurn = false
      unprocessedBytes = 0
      while let effect = swarm.nextEffect() { carryOut(effect) }
      reportFailedAttempts()
      discovery?.flush()
      sendAll()
      onTurnEnd()
    } while needsTurn
    isInTurn = false
    setTimer()
    closeIfStopped()
  }

  private func timeHasCome() {
    timerDeadline = nil
    needsTurn = true
    if let deadline = swarm.deadline, deadline <= now { swarm.handleTimeout(now: now) }
  }

  /// Invariant after it: the timer calls no later than the core's deadline. It may call earlier, and
  /// is then set anew.
  private func setTimer() {
    guard !isStopping || hook != nil, let deadline = swarm.deadline else { return }
    if let timerDeadline, timerDeadline <= deadline { return }
    timerDeadline = deadline
    let (seconds, attoseconds) = max(deadline - now, .zero).components
    let milliseconds = UInt64(seconds) * 1_000 + UInt64(attoseconds / 1_000_000_000_000_000)
    // Rounded up: a call too early would be for nothing.
    timer?.set(milliseconds: milliseconds + 1)
  }

  private static func raiseDescriptorLimit() {
    var limit = rlimit()
    guard getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0 else { return }
    limit.rlim_cur = limit.rlim_max
    _ = setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
  }
}
