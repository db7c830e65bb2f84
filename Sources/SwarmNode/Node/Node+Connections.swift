import Discovery
import Glibc
import Metainfo
import Store
import Swarm
import Wire

/// Sockets between the core and the system.
extension Node {
  // MARK: Beginning and end

  func connect(_ id: ConnectionID, to peer: PeerEndpoint, _ group: PrivateGroup?) {
    let scope = scopes[peer.address]
    if scope == nil, peer.address.needsInterface {
      failedAttempts.append((id, "it is of a local link, and nobody has said of which (RFC 4007)"))
      return
    }
    switch Sockets.connect(to: peer, scope: scope ?? 0) {
    case .success(let socket): open(id, peer, group, owning: socket, isConnecting: true)
    case .failure(let error): failedAttempts.append((id, error.description))
    }
  }

  /// Of one that we make `group` is what its first message is made for.
  @discardableResult
  func open(
    _ id: ConnectionID, _ peer: PeerEndpoint, _ group: PrivateGroup? = nil,
    owning socket: Int32, isConnecting: Bool
  ) -> Connection? {
    let connection = Connection(
      id, peer, group: group, owning: socket, isConnecting: isConnecting, on: loop)
    guard connection.isOpen else {
      failedAttempts.append((id, "libuv refuses the socket"))
      return nil
    }
    connection.onReady = { [unowned self, unowned connection] in ready(connection, $0) }
    let slot = Int(id.slot)
    while connections.count <= slot { connections.append(nil) }
    precondition(connections[slot] == nil, "the core uses the slot of an open connection")
    connections[slot] = connection
    connection.updatePoll()
    return connection
  }

  func connection(_ id: ConnectionID) -> Connection? {
    let slot = Int(id.slot)
    guard slot < connections.count, let found = connections[slot], found.id == id else {
      return nil
    }
    return found
  }

  func reportFailedAttempts() {
    guard !failedAttempts.isEmpty else { return }
    for (id, reason) in failedAttempts { swarm.disconnected(id, reason: reason, now: now) }
    failedAttempts = []
    needsTurn = true
  }

  func close(_ id: ConnectionID) {
    guard let connection = connection(id) else {
      failedAttempts.removeAll { $0.0 == id }
      return
    }
    connections[Int(id.slot)] = nil
    connection.close()
  }

  /// It has ended by itself.
  func end(_ connection: Connection, _ reason: String) {
    connections[Int(connection.id.slot)] = nil
    connection.close()
    swarm.disconnected(connection.id, reason: reason, now: now)
    needsTurn = true
  }

  private func ready(_ connection: Connection, _ events: SocketPoll.Events?) {
    guard let events else {
      let error = Sockets.error(of: connection.socket)
      // What the peer sent before may be all that was wanted of it.
      if !connection.isConnecting { while receive(connection) {} }
      if connection.isOpen { end(connection, Self.words(error)) }
      return
    }
    if connection.isConnecting {
      let error = Sockets.error(of: connection.socket)
      guard error.rawValue == 0 else { return end(connection, error.description) }
      connection.isConnecting = false
      if let group = connection.group, !dial(connection, group) {
        return end(connection, "there is no first message for it now")
      }
      swarm.connected(connection.id, now: now)
      needsTurn = true
      connection.updatePoll()
      return
    }
    if events.contains(.writable) {
      connection.isBlocked = false
      queueToSend(connection)
      needsTurn = true
      connection.updatePoll()
    }
    if events.contains(.readable) { _ = receive(connection) }
    if unprocessedBytes >= NetLimits.readBatch { turn() }
  }

  private static func words(_ error: ErrorNumber) -> String {
    error.rawValue == 0 ? "the peer closed the connection" : error.description
  }

  // MARK: Receiving

  /// Reads what there is behind a beginning that was read before.
  func readOn(_ connection: Connection) {
    _ = receive(connection)
    if unprocessedBytes >= NetLimits.readBatch { turn() }
  }

  private func read(_ connection: Connection) -> (byteCount: Int, end: ReadEnd) {
    let budget = NetLimits.readTurn
    guard let sealed = connection.sealed else {
      if !connection.early.isEmpty {
        guard receiver.give(connection.early, of: connection.id, to: &swarm, now: now) else {
          return (0, .noRoom)
        }
        connection.early = []
      }
      return receiver.read(
        from: connection.socket, of: connection.id, budget: budget, into: &swarm, now: now)
    }
    let wasOpen = sealed.isOpen
    let result = receiver.read(
      sealed: sealed, from: connection.socket, of: connection.id, budget: budget, into: &swarm,
      now: now)
    // What the core has said waits.
    if !wasOpen, sealed.isOpen { queueToSend(connection) }
    return result
  }

  /// Reads a turn's worth. Whether there may be more that can be read at once.
  private func receive(_ connection: Connection) -> Bool {
    let (byteCount, reason) = read(connection)
    unprocessedBytes += byteCount
    needsTurn = true
    switch reason {
    case .budget: return true
    case .drained: return false
    case .unwanted:
      connection.isPaused = true
      connection.updatePoll()
    case .noRoom:
      connection.isStalled = true
      stalled.append(connection)
      connection.updatePoll()
    case .ended: end(connection, "the peer closed the connection")
    case .failed(let number): end(connection, ErrorNumber(rawValue: number).description)
    case .unsealed(let error): end(connection, "\(error)")
    }
    return false
  }

  func resumeReading(_ id: ConnectionID) {
    guard let connection = connection(id) else { return }
    connection.isPaused = false
    connection.updatePoll()
  }

  func resumeStalled() {
    let waiting = stalled
    stalled = []
    for connection in waiting {
      connection.isStalled = false
      connection.updatePoll()
      // Of what was read before the socket tells nothing.
      if connection.isOpen, !connection.early.isEmpty { _ = receive(connection) }
    }
  }

  // MARK: Sending

  func enqueue(_ outgoing: Outgoing, on id: ConnectionID) {
    guard let connection = connection(id), !connection.isDeaf else { return }
    switch outgoing {
    case .bytes(let bytes): bytes.withUnsafeBytes { connection.output.append($0) }
    case .block(let request, let buffer, let zeros):
      let block = memory.memory(of: buffer)[..<Int(request.length - zeros)]
      connection.output.append(
        request, UnsafeRawBufferPointer(rebasing: block), zeros: Int(zeros))
    }
    queueToSend(connection)
  }

  func queueToSend(_ connection: Connection) {
    guard !connection.isQueued else { return }
    connection.isQueued = true
    sendList.append(connection)
  }

  /// One send for each connection with all that the core gave for it.
  func sendAll() {
    guard !sendList.isEmpty else { return }
    let list = sendList
    sendList.removeAll(keepingCapacity: true)
    for connection in list {
      connection.isQueued = false
      if connection.isOpen, !connection.isConnecting, !connection.isBlocked,
        self.connection(connection.id) === connection
      {
        send(connection)
      }
    }
  }

  private func send(_ connection: Connection) {
    let (byteCount, reason) =
      connection.sealed?.send(
        &connection.output, on: connection.socket, budget: NetLimits.sendTurn)
      ?? connection.output.send(on: connection.socket, budget: NetLimits.sendTurn)
    if byteCount > 0 {
      swarm.sent(connection.id, byteCount: byteCount, now: now)
      needsTurn = true
    }
    switch reason {
    case .empty: break
    case .blocked, .budget:
      connection.isBlocked = true
      connection.updatePoll()
    case .failed(let number):
      connection.output.removeAll()
      connection.isDeaf = true
      // Else reading will come upon the end, after what the peer sent before.
      if connection.isPaused || connection.isStalled {
        end(connection, ErrorNumber(rawValue: number).description)
      }
    }
  }
}
