import Swarm
import TestSupport
import Wire

/// Who uses a socket. None of these is called from inside a call to the socket.
protocol SocketOwner: AnyObject {
  /// The connection that was asked for is there.
  func socketConnected(_ socket: Socket)
  /// There are bytes to read.
  func socketReadable(_ socket: Socket)
  /// There is room again for bytes to write.
  func socketWritable(_ socket: Socket)
  /// The attempt or connection has ended, other than by `close`. The last call.
  func socketClosed(_ socket: Socket, reason: String)
}

/// One end of a TCP connection.
final class Socket {
  enum State { case connecting, open, closed }

  let number: Int
  unowned let network: Network
  let host: Host
  let local: PeerEndpoint
  let remote: PeerEndpoint
  /// Most bytes that wait here to be sent, and as many to be read.
  let window: Int
  var owner: (any SocketOwner)?
  /// What the connection is sealed for; nil where it is not.
  var group: PrivateGroup?
  var state = State.connecting
  /// The other end, until it is known here that it is gone.
  var twin: Socket?

  private var outgoing = ByteQueue()
  private var incoming = ByteQueue()
  /// Bytes sent and not read yet at the other end.
  private var inFlight = 0
  private var isPumping = false
  /// Closed here, but not all was sent.
  private var isFlushing = false
  /// What cannot get through at the moment; nil for the end of the stream.
  private var stalled: [[UInt8]?] = []
  private var stallCount = 0
  /// When the last byte under way arrives at the earliest.
  private var lastArrival = Duration.zero
  private var atEnd = false
  /// This end does not exist any more, and nobody was told.
  private(set) var hasVanished = false

  init(
    number: Int, network: Network, host: Host, local: PeerEndpoint, remote: PeerEndpoint,
    window: Int
  ) {
    (self.number, self.network, self.host) = (number, network, host)
    (self.local, self.remote, self.window) = (local, remote, window)
  }

  // MARK: For the owner

  /// Takes as many of the bytes as there is room for; how many.
  func write(_ bytes: UnsafeRawBufferPointer) -> Int {
    let count = min(bytes.count, room)
    guard count > 0 else { return 0 }
    outgoing.append(UnsafeRawBufferPointer(rebasing: bytes[..<count]))
    pump()
    return count
  }

  /// How many bytes can be written now.
  var room: Int { state == .open ? max(0, window - outgoing.count) : 0 }

  /// How many bytes can be read now.
  var readable: Int { incoming.count }

  /// Reads as many bytes as `room` has, which are there.
  func read(into room: UnsafeMutableRawBufferPointer) {
    incoming.take(into: room)
    didRead(room.count)
  }

  /// Reads up to `limit` bytes.
  func read(_ limit: Int) -> [UInt8] {
    let bytes = incoming.take(limit)
    didRead(bytes.count)
    return bytes
  }

  /// Ends the connection: what was taken by `write` still arrives. The owner hears no more.
  func close() {
    owner = nil
    guard state != .closed else { return }
    let wasOpen = state == .open
    state = .closed
    incoming.removeAll()
    guard wasOpen else { return end() }
    guard !outgoing.isEmpty || isPumping else { return sendEnd() }
    isFlushing = true
    network.world.after(network.random.duration(Network.patience)) { [self] in
      if isFlushing { end() }
    }
  }

  // MARK: For the network

  /// Gone at once, whatever waits.
  func end() {
    state = .closed
    isFlushing = false
    outgoing.removeAll()
    incoming.removeAll()
    stalled = []
    twin = nil
    network.forget(self)
  }

  /// Gone without a word: the other end finds out by itself.
  func vanish() {
    hasVanished = true
    owner = nil
    end()
  }

  /// The network is there again.
  func releaseStalled() {
    guard let twin, network.canReach(host, twin.host) else { return }
    let waiting = stalled
    stalled = []
    stallCount += 1
    for chunk in waiting { arrive(chunk, after: .zero) }
  }

  /// Bytes may wait at either end since before the connection was known here.
  func wake() {
    pump()
    if !incoming.isEmpty { owner?.socketReadable(self) }
    endIfDrained()
  }

  // MARK: Sending

  private func pump() {
    guard !isPumping, state == .open || isFlushing, !outgoing.isEmpty, let twin else { return }
    let room = twin.window - inFlight
    guard room > 0 else { return }
    let world = network.world
    let size = min(room, outgoing.count, chunkLimit())
    let chunk = outgoing.take(size)
    inFlight += size
    isPumping = true
    let start = max(world.now, host.uplinkFree)
    let end = start + .seconds(Double(size) / host.uploadRate)
    host.uplinkFree = end
    world.at(end) { [self] in
      isPumping = false
      arrive(chunk, after: network.latency(host, twin.host))
      if state == .open { owner?.socketWritable(self) }
      pump()
      if isFlushing, outgoing.isEmpty, !isPumping {
        isFlushing = false
        sendEnd()
      }
    }
  }

  private func chunkLimit() -> Int {
    let random = Double.random(in: 0..<1, using: &network.random)
    // No portion holds the line for long: others share it.
    let share = min(network.largestPortion, max(1_400, Int(host.uploadRate / 16)))
    if random < network.shredChance / 8 { return Int.random(in: 1...16, using: &network.random) }
    if random < network.shredChance { return Int.random(in: 1...2_000, using: &network.random) }
    return Int.random(in: min(share, 1_400)...share, using: &network.random)
  }

  private func sendEnd() {
    guard let twin else { return end() }
    arrive(nil, after: network.latency(host, twin.host))
  }

  /// Brings bytes, or the end of the stream, to the other end.
  private func arrive(_ chunk: [UInt8]?, after latency: Duration) {
    guard let twin else { return }
    guard stalled.isEmpty, network.canReach(host, twin.host), !twin.hasVanished else {
      if stalled.isEmpty { giveUpLater() }
      stalled.append(chunk)
      return
    }
    let world = network.world
    // One after the other at this socket, and one after the other on the line of the other host.
    let earliest = max(world.now + latency, lastArrival)
    let start = max(earliest, twin.host.downlinkFree)
    let time = start + .seconds(Double(chunk?.count ?? 0) / twin.host.downloadRate)
    if chunk != nil { twin.host.downlinkFree = time }
    lastArrival = time
    world.at(time) { [self] in twin.deliver(chunk, from: self) }
    if chunk == nil { end() }
  }

  /// Nothing gets through: after a while the system says so.
  private func giveUpLater() {
    stallCount += 1
    let count = stallCount
    network.world.after(network.random.duration(Network.patience)) { [self] in
      guard stallCount == count, !stalled.isEmpty else { return }
      if state == .open { network.fail(self, "timed out") } else { end() }
    }
  }

  // MARK: Receiving

  private func deliver(_ chunk: [UInt8]?, from other: Socket) {
    guard state != .closed, !hasVanished else {
      guard !hasVanished, chunk != nil else { return }
      // What comes for a closed socket is answered by a reset.
      network.world.after(network.latency(host, other.host)) { [network] in
        network.fail(other, "connection reset")
      }
      return
    }
    if let chunk {
      incoming.append(chunk)
      if state == .open { owner?.socketReadable(self) }
    } else {
      atEnd = true
      endIfDrained()
    }
  }

  private func didRead(_ count: Int) {
    guard count > 0 else { return }
    if let twin {
      network.world.after(network.latency(host, twin.host)) {
        twin.inFlight -= count
        twin.pump()
      }
    }
    if atEnd, incoming.isEmpty {
      network.world.after(.zero) { [self] in endIfDrained() }
    }
  }

  private func endIfDrained() {
    guard atEnd, incoming.isEmpty, state == .open else { return }
    network.fail(self, "closed by the peer")
  }
}
