import Metainfo
import Store
import Swarm
import Wire

/// The node's connections.
extension SimulatedNode {
  // MARK: Effects

  func connect(_ id: ConnectionID, _ endpoint: PeerEndpoint, _ group: PrivateGroup?) {
    guard links[id] == nil else { return world.fail("host \(number) uses \(id) twice") }
    world.note(.connect, number, Int(id.slot), 0, "\(endpoint)")
    let link = NodeLink(node: self, id: id)
    links[id] = link
    link.socket = network.connect(from: host, to: endpoint, group: group, owner: link)
  }

  func send(_ id: ConnectionID, _ outgoing: Outgoing) {
    guard let link = links[id] else {
      return world.fail("host \(number) sends to \(id), which is closed")
    }
    link.append(outgoing)
    let count = link.flush()
    if count > 0 { unreported.append((id, count)) }
  }

  func close(_ id: ConnectionID) {
    guard let link = links.removeValue(forKey: id) else {
      return world.fail("host \(number) closes \(id), which is closed")
    }
    link.socket?.close()
    link.socket = nil
  }

  func resumeReading(_ id: ConnectionID) {
    guard let link = links[id] else {
      return world.fail("host \(number) reads from \(id), which is closed")
    }
    let run = incarnation
    world.after(.zero) { [self] in
      if run == incarnation { read(link) }
    }
  }

  // MARK: Events

  func accept(_ socket: Socket) -> NodeLink? {
    guard isRunning, let id = swarm.accept(from: socket.remote, group: socket.group, now: now)
    else { return nil }
    let link = NodeLink(node: self, id: id)
    link.socket = socket
    guard links.updateValue(link, forKey: id) == nil else {
      world.fail("host \(number) uses \(id) twice")
      return nil
    }
    world.note(.accepted, number, Int(id.slot), 0, "\(socket.remote)")
    drain()
    return links[id] == nil ? nil : link
  }

  func connected(_ link: NodeLink) {
    guard isCurrent(link) else { return }
    world.note(.connected, number, Int(link.id.slot))
    swarm.connected(link.id, now: now)
    drain()
    write(link)
  }

  func disconnected(_ link: NodeLink, _ reason: String) {
    guard isCurrent(link) else { return }
    world.note(.connectionEnded, number, Int(link.id.slot), 0, reason)
    links[link.id] = nil
    link.socket = nil
    swarm.disconnected(link.id, reason: reason, now: now)
    drain()
  }

  func write(_ link: NodeLink) {
    guard isCurrent(link) else { return }
    let count = link.flush()
    guard count > 0 else { return }
    world.note(.sent, number, Int(link.id.slot), count)
    swarm.sent(link.id, byteCount: count, now: now)
    drain()
  }

  /// Reads as a real node does: the rest of a begun block to where it belongs, all else to a slab.
  func read(_ link: NodeLink) {
    while isCurrent(link), let socket = link.socket, socket.readable > 0,
      swarm.wantsInput(link.id), world.failure == nil
    {
      var count = min(socket.readable, 1 << 20)
      if random.oneIn(24) { count = min(count, Int.random(in: 1...4_000, using: &random)) }
      var continued = 0
      if let continuation = swarm.continuation(of: link.id) {
        continued = min(count, continuation.count)
        let room = memory.room(
          continuation.buffer, from: continuation.offset, count: continued)
        guard let room else { return }
        socket.read(into: room)
      }
      receive(link, socket, continued: continued, count: count - continued)
    }
  }

  private func receive(_ link: NodeLink, _ socket: Socket, continued: Int, count: Int) {
    let (room, base) = memory.makeSlab(count)
    if count > 0 { socket.read(into: room) }
    world.note(.received, number, Int(link.id.slot), continued + count)
    receivedBytes += continued + count
    let intake = swarm.receive(
      link.id, continued: continued, chunk: UnsafeRawBufferPointer(room).bytes, at: base, now: now)
    if let (range, buffer) = intake.tail {
      guard range.upperBound == count, range.lowerBound >= 0 else {
        return world.fail("host \(number) names a tail that is none: \(range) of \(count)")
      }
      if let begin = memory.room(buffer, count: range.count) {
        begin.copyMemory(from: UnsafeRawBufferPointer(rebasing: room[range]))
      }
    }
    memory.settle(base, kept: intake.kept)
    drain()
  }

  private func isCurrent(_ link: NodeLink) -> Bool { isRunning && links[link.id] === link }
}
