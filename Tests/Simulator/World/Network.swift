import Metainfo
import Swarm
import TestSupport
import Wire

/// Hosts and what is between them. Bytes of a connection come in order or not at all; all else is
/// uncertain: when, in which portions, and whether the connection lasts.
final class Network {
  let world: World
  private(set) var hosts: [Host] = []
  private var byAddress: [IPAddress: Host] = [:]
  var random: SplitMix64
  /// Both ends of every connection that is open, in the order of their making.
  private(set) var sockets: [Socket] = []
  private var nextSocket = 0

  /// How likely a connection attempt comes to nothing, and never says so.
  var hangChance = 0.0
  /// How likely a connection attempt is refused although somebody listens.
  var refusalChance = 0.0
  /// How much a socket holds, as powers of two of bytes.
  var windowBits = 14...20
  /// Bytes that arrive together, at most: of a portion all wait for its last one.
  var largestPortion = 1 << 20
  /// How likely a portion of bytes is cut small.
  var shredChance = 0.02

  /// How long a system tries before it gives up: for connections, and for bytes without an answer.
  static let patience = Duration.seconds(45)...Duration.seconds(130)

  init(world: World) {
    self.world = world
    random = world.fork()
  }

  func addHost(uploadRate: Double, downloadRate: Double, latency: Duration) -> Host {
    let host = Host(
      number: hosts.count, uploadRate: uploadRate, downloadRate: downloadRate, latency: latency)
    hosts.append(host)
    byAddress[host.address] = host
    return host
  }

  /// Begins to connect. The owner is told how it ends, unless it closes the socket before. What the other side
  /// finds out of `group` in a handshake is known to it at once.
  func connect(
    from host: Host, to endpoint: PeerEndpoint, group: PrivateGroup? = nil,
    owner: any SocketOwner
  ) -> Socket {
    let local = host.endpoint(host.takePort())
    let socket = makeSocket(host, local: local, remote: endpoint)
    socket.owner = owner
    let target = byAddress[endpoint.address]
    let delay = target.map { latency(host, $0) } ?? .milliseconds(50)
    world.after(delay) { [self] in
      guard socket.state == .connecting else { return }
      guard let target, target.isUp, target.part == host.part,
        Double.random(in: 0..<1, using: &random) >= hangChance
      else {
        world.after(random.duration(Self.patience)) { [self] in fail(socket, "timed out") }
        return
      }
      let isRefused = Double.random(in: 0..<1, using: &random) < refusalChance
      guard let listener = target.listeners[endpoint.port], !isRefused else {
        world.after(delay) { [self] in fail(socket, "connection refused") }
        return
      }
      let other = makeSocket(target, local: endpoint, remote: local)
      (socket.twin, other.twin) = (other, socket)
      (socket.group, other.group) = (group, group)
      other.state = .open
      other.owner = listener(other)
      if other.owner == nil { other.close() }
      world.after(delay) {
        guard socket.state == .connecting else { return }
        socket.state = .open
        socket.owner?.socketConnected(socket)
        socket.wake()
      }
    }
    return socket
  }

  /// The time a byte is under way between two hosts.
  func latency(_ a: Host, _ b: Host) -> Duration {
    a === b ? .microseconds(20) : a.latency + b.latency
  }

  func canReach(_ a: Host, _ b: Host) -> Bool { a.isUp && b.isUp && a.part == b.part }

  /// Ends an attempt or connection at one end, whose owner is told.
  func fail(_ socket: Socket, _ reason: String) {
    guard socket.state != .closed else { return }
    socket.end()
    socket.owner?.socketClosed(socket, reason: reason)
    socket.owner = nil
  }

  func forget(_ socket: Socket) {
    if let index = sockets.firstIndex(where: { $0 === socket }) { sockets.remove(at: index) }
  }

  // MARK: Faults

  /// A connection breaks, any one; both ends are told.
  func breakConnection() {
    let open = sockets.filter { $0.state == .open }
    guard !open.isEmpty else { return }
    let socket = random.pick(open)
    world.note(.lost, socket.host.number, socket.number)
    let twin = socket.twin
    fail(socket, "connection reset")
    if let twin { fail(twin, "connection reset") }
  }

  /// The network falls into two parts.
  func split() {
    for host in hosts { host.part = Bool.random(using: &random) ? 1 : 0 }
    world.note(.partition, 0)
  }

  /// The network is whole again; what waited arrives.
  func heal() {
    for host in hosts { host.part = 0 }
    world.note(.healed, 0)
    for socket in sockets { socket.releaseStalled() }
  }

  /// A host stops: with `isSilent` as by a power cut, so that nobody hears of it; else its system
  /// closes its connections.
  func stop(_ host: Host, isSilent: Bool) {
    host.listeners = [:]
    for socket in sockets where socket.host === host {
      if isSilent { socket.vanish() } else { socket.close() }
    }
  }

  private func makeSocket(_ host: Host, local: PeerEndpoint, remote: PeerEndpoint) -> Socket {
    nextSocket += 1
    let window = 1 << Int.random(in: windowBits, using: &random)
    let socket = Socket(
      number: nextSocket, network: self, host: host, local: local, remote: remote, window: window)
    sockets.append(socket)
    return socket
  }

  func tearDown() {
    for socket in sockets { socket.end() }
    for host in hosts { host.listeners = [:] }
  }
}
