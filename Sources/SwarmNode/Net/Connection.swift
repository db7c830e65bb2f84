import Glibc
import Swarm
import Wire

/// One TCP connection of the core's, or on its way to be one.
final class Connection {
  let id: ConnectionID
  let endpoint: PeerEndpoint
  let socket: Int32
  /// What it is for; nil for what is public.
  let group: PrivateGroup?
  /// What stands between the core and the socket; nil where nothing does, and before a connection that we make is
  /// there.
  var sealed: SealedTransport?
  /// What was read before the core knew of the connection, and it has not been given.
  var early: [UInt8] = []
  /// Called when the socket is ready, or with nil when it is in error.
  var onReady: (SocketPoll.Events?) -> Void = { _ in }
  var output = SendQueue(smallPackets: NetLimits.smallPackets)
  /// The system has not yet made it.
  var isConnecting: Bool
  /// The core does not want input.
  var isPaused = false
  /// There is no slab to read into.
  var isStalled = false
  /// The socket takes nothing for now.
  var isBlocked = false
  /// It is in the list of those that have something to send.
  var isQueued = false
  /// The peer takes nothing any more; what it sent is still read.
  var isDeaf = false
  private var poll: SocketPoll?

  /// Takes the socket over. `isOpen` is false when libuv refuses it.
  init(
    _ id: ConnectionID, _ endpoint: PeerEndpoint, group: PrivateGroup?, owning socket: Int32,
    isConnecting: Bool, on loop: EventLoop
  ) {
    self.id = id
    self.endpoint = endpoint
    self.socket = socket
    self.group = group
    self.isConnecting = isConnecting
    poll = SocketPoll(on: loop, socket: socket) { [unowned self] in onReady($0) }
    if poll == nil { Glibc.close(socket) }
  }

  /// Whether there is a socket.
  var isOpen: Bool { poll != nil }

  /// Watches for what can be done.
  func updatePoll() {
    var events: SocketPoll.Events = []
    if isConnecting || isBlocked { events.insert(.writable) }
    if !isConnecting, !isPaused, !isStalled { events.insert(.readable) }
    poll?.watch(events)
  }

  /// Closes the socket. Nothing is called any more.
  func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    Glibc.close(socket)
  }
}
