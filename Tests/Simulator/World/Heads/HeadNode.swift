import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// A node that follows one dataset by its key and has no content: its core, and a simulated network
/// around it. What it says of the dataset is checked after every step.
final class HeadNode {
  /// Where it meets others.
  struct Plan {
    /// In the dataset's own swarm.
    var meets = true
    /// In the torrent of a version, of which it never gets the metadata.
    var torrent: SHA256Digest?
    var peers: [PeerEndpoint] = []
  }

  let network: Network
  let host: Host
  let truth: HeadTruth
  let plan: Plan
  var random: SplitMix64

  private(set) var swarm: Swarm
  private(set) var isRunning = false
  private(set) var incarnation = 0
  private var links: [ConnectionID: HeadLink] = [:]
  private var unreported: [(ConnectionID, Int)] = []
  private var isDraining = false
  private var armed: Duration?
  private var timerCount = 0
  private var torrents: [TorrentID] = []

  /// The newest head of all runs: what a real node has on disk.
  private(set) var stored: MutableItem?
  /// Numbers of which it was told that the key was used twice.
  private(set) var toldTwice: Set<Int64> = []
  /// Heads that it took as newer.
  private(set) var taken = 0

  static let port: UInt16 = 6_881

  init(network: Network, host: Host, truth: HeadTruth, plan: Plan) {
    (self.network, self.host, self.truth, self.plan) = (network, host, truth, plan)
    random = network.world.fork()
    swarm = Swarm(configuration: SwarmConfiguration(peerID: Self.name(&random)), seed: 0)
  }

  var world: World { network.world }
  var endpoint: PeerEndpoint { host.endpoint(Self.port) }
  var version: Int64 { stored?.sequence ?? 0 }
  private var now: Duration { world.now }

  private static func name(_ random: inout SplitMix64) -> PeerID {
    guard let id = PeerID(Array("-SW0001-".utf8) + random.bytes(12)) else {
      preconditionFailure("20 bytes are a name")
    }
    return id
  }

  // MARK: Start and end

  func start() {
    guard !isRunning, world.failure == nil else { return }
    incarnation += 1
    isRunning = true
    (links, unreported, torrents, armed) = ([:], [], [], nil)
    var configuration = SwarmConfiguration(peerID: Self.name(&random))
    configuration.listenPort = Self.port
    swarm = Swarm(configuration: configuration, seed: random.next())
    host.isUp = true
    world.note(.started, host.number, incarnation)
    swarm.follow(truth.key, head: stored, now: now)
    do {
      if plan.meets {
        var request = TorrentRequest(meeting: truth.key)
        request.peers = plan.peers
        torrents.append(try swarm.add(request, now: now))
      }
      if let infohash = plan.torrent {
        var request = TorrentRequest(source: .infohash(v1: nil, v2: infohash), content: .owned)
        request.dataset = truth.key
        request.peers = plan.peers
        torrents.append(try swarm.add(request, now: now))
      }
    } catch {
      return world.fail("host \(host.number) cannot add a torrent: \(error)")
    }
    host.listeners[Self.port] = { [weak self] in self?.accept($0) }
    drain()
  }

  /// Ends at once; what it had stored stays.
  func crash(isPowerCut: Bool) {
    guard isRunning else { return }
    world.note(.crashed, host.number, isPowerCut ? 1 : 0)
    isRunning = false
    incarnation += 1
    network.stop(host, isSilent: isPowerCut)
  }

  /// What this node's own user publishes.
  func publish(_ head: MutableItem) {
    guard isRunning else { return }
    world.note(.changed, host.number, Int(head.sequence))
    swarm.offer(head, now: now)
    drain()
  }

  // MARK: The loop

  private func drain() {
    guard !isDraining else { return world.fail("the core was called from inside a call") }
    isDraining = true
    repeat {
      while let effect = swarm.nextEffect() { carryOut(effect) }
      let reports = unreported
      unreported = []
      for (id, count) in reports where links[id] != nil {
        swarm.sent(id, byteCount: count, now: now)
      }
      while let effect = swarm.nextEffect() { carryOut(effect) }
    } while !unreported.isEmpty
    isDraining = false
    check()
    arm()
  }

  private func carryOut(_ effect: consuming Effect) {
    switch consume effect {
    case .connect(let id, let endpoint, let group):
      let link = HeadLink(node: self, id: id)
      links[id] = link
      link.socket = network.connect(from: host, to: endpoint, group: group, owner: link)
    case .send(let id, .bytes(let bytes)):
      guard let link = links[id] else {
        return world.fail("host \(host.number) sends to \(id), which is closed")
      }
      link.append(bytes)
      let count = link.flush()
      if count > 0 { unreported.append((id, count)) }
      if link.queuedBytes > HeadTruth.mostQueuedBytes {
        world.fail("host \(host.number) has \(link.queuedBytes) bytes waiting for one peer")
      }
    case .close(let id):
      guard let link = links.removeValue(forKey: id) else {
        return world.fail("host \(host.number) closes \(id), which is closed")
      }
      link.socket?.close()
      link.socket = nil
    case .resumeReading(let id):
      guard let link = links[id] else { return }
      let run = incarnation
      world.after(.zero) { [self] in
        if run == incarnation { read(link) }
      }
    case .notice(let notice): take(notice)
    case .send, .prepare, .keep, .disk, .hash, .compress, .decompress, .release, .deliver, .endRead:
      world.fail("host \(host.number) has no content, and wants something done with it")
    }
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
    let late = random.duration(.zero ... .milliseconds(3))
    world.at(max(deadline, now) + late) { [self] in
      guard isRunning, count == timerCount, armed != nil else { return }
      armed = nil
      swarm.handleTimeout(now: now)
      drain()
    }
  }

  // MARK: Connections

  private func accept(_ socket: Socket) -> HeadLink? {
    guard isRunning, let id = swarm.accept(from: socket.remote, group: socket.group, now: now)
    else { return nil }
    let link = HeadLink(node: self, id: id)
    link.socket = socket
    links[id] = link
    drain()
    return links[id] == nil ? nil : link
  }

  func connected(_ link: HeadLink) {
    guard isCurrent(link) else { return }
    swarm.connected(link.id, now: now)
    drain()
    write(link)
  }

  func disconnected(_ link: HeadLink, _ reason: String) {
    guard isCurrent(link) else { return }
    links[link.id] = nil
    link.socket = nil
    swarm.disconnected(link.id, reason: reason, now: now)
    drain()
  }

  func write(_ link: HeadLink) {
    guard isCurrent(link) else { return }
    let count = link.flush()
    guard count > 0 else { return }
    swarm.sent(link.id, byteCount: count, now: now)
    drain()
  }

  func read(_ link: HeadLink) {
    while isCurrent(link), let socket = link.socket, socket.readable > 0,
      swarm.wantsInput(link.id), world.failure == nil
    {
      let bytes = socket.read(random.oneIn(8) ? 100 : 1 << 16)
      let intake = swarm.receive(
        link.id, continued: 0, chunk: bytes.span.bytes, at: BufferHandle(1 << 63), now: now)
      if intake.kept > 0 || intake.tail != nil {
        world.fail("host \(host.number) keeps payload without content")
      }
      drain()
    }
  }

  private func isCurrent(_ link: HeadLink) -> Bool { isRunning && links[link.id] === link }

  // MARK: Checks

  private func take(_ notice: Notice) {
    switch notice {
    case .head(let key, let item):
      world.note(.notice, host.number, Int(item.sequence), 0, "head")
      if key != truth.key { world.fail("host \(host.number) tells of a key it does not follow") }
      if item.sequence <= version {
        world.fail("host \(host.number) takes head \(item.sequence) after \(version)")
      }
      if !truth.isGenuine(item) {
        world.fail("host \(host.number) takes a head that nobody published")
      }
      stored = item
      taken += 1
    case .keyUsedTwice(_, let number):
      world.note(.notice, host.number, Int(number), 0, "twice")
      if !truth.isTwice(number) {
        world.fail("host \(host.number) says that \(number) was published twice")
      }
      if !toldTwice.insert(number).inserted, incarnation == 1 {
        world.fail("host \(host.number) says again that \(number) was published twice")
      }
    case .banned(_, let endpoint, let why):
      world.note(.banned, host.number, 0, 0, "\(endpoint) \(why)")
      if !truth.liars.contains(endpoint.address) {
        world.fail("host \(host.number) banned the honest \(endpoint): \(why)")
      }
    case .peerGone(_, let id, let endpoint, let end):
      world.note(.peerGone, host.number, Int(id.slot), 0, "\(endpoint) \(end)")
      guard !truth.liars.contains(endpoint.address) else { return }
      switch end {
      case .notBitTorrent, .protocolError, .extensionError, .misconduct, .corrupt:
        world.fail("host \(host.number) accuses the honest \(endpoint): \(end)")
      default: break
      }
    default: break
    }
  }

  /// After every step: the head is the newest that was ever seen, and connections are bounded.
  private func check() {
    let head = swarm.head(of: truth.key)
    if head?.item != stored {
      world.fail(
        "host \(host.number) went from head \(version) to \(head?.version ?? 0), or to another of"
          + " that number")
    }
    guard random.oneIn(16) else { return }
    for torrent in torrents {
      guard let status = swarm.status(of: torrent), status.isForHeads else { continue }
      if status.peers > HeadTruth.mostPeers {
        world.fail("host \(host.number) has \(status.peers) peers where only heads travel")
      }
    }
  }

  /// What it waits for: for a failure.
  var summary: String {
    let peers = torrents.compactMap { swarm.status(of: $0) }.map {
      "\($0.isForHeads ? "meeting" : "torrent") \($0.peers)+\($0.connecting) of \($0.knownPeers)"
    }
    return "host \(host.number) has \(version), \(peers.joined(separator: ", "))"
  }
}

/// A connection of such a node.
final class HeadLink: SocketOwner {
  unowned let node: HeadNode
  let id: ConnectionID
  var socket: Socket?
  private var outgoing = ByteQueue()

  init(node: HeadNode, id: ConnectionID) { (self.node, self.id) = (node, id) }

  var queuedBytes: Int { outgoing.count }

  func append(_ bytes: [UInt8]) { outgoing.append(bytes) }

  /// Gives the system what it takes; how many bytes.
  func flush() -> Int {
    guard let socket, socket.state == .open, socket.room > 0, !outgoing.isEmpty else { return 0 }
    let bytes = outgoing.take(socket.room)
    return bytes.withUnsafeBytes { socket.write($0) }
  }

  func socketConnected(_ socket: Socket) { node.connected(self) }
  func socketReadable(_ socket: Socket) { node.read(self) }
  func socketWritable(_ socket: Socket) { node.write(self) }
  func socketClosed(_ socket: Socket, reason: String) { node.disconnected(self, reason) }
}
