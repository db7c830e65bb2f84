import Metainfo
import Store
import Wire

/// Connections: how they begin and end.
extension Swarm {
  func peer(_ id: ConnectionID) -> Peer? {
    guard Int(id.slot) < slots.count, let peer = slots[Int(id.slot)], peer.id == id else {
      return nil
    }
    return peer
  }

  /// Somebody connected to us, who is of this private group, as was proven, or of none: only torrents of the
  /// same are there for it. nil: close it, there are too many.
  public mutating func accept(
    from endpoint: PeerEndpoint, group: PrivateGroup? = nil, now: Duration
  ) -> ConnectionID? {
    advance(to: now)
    guard hasPlace(for: endpoint.address) else { return nil }
    let peer = makePeer(endpoint, isIncoming: true, group: group, phase: .handshaking)
    settle()
    return peer.id
  }

  /// A connection that was asked for is there.
  public mutating func connected(_ connection: ConnectionID, now: Duration) {
    advance(to: now)
    guard let peer = peer(connection), case .connecting = peer.phase else { return }
    halfOpenCount -= 1
    peer.torrent?.connecting -= 1
    // TCP went there and back.
    peer.answerTime.guess(self.now - peer.since)
    peer.phase = .handshaking
    peer.since = self.now
    if let torrent = peer.torrent { sendHandshake(peer, torrent) }
    touch(peer)
    settle()
  }

  /// The connection, or the attempt, has ended by itself: `reason` in the system's words.
  public mutating func disconnected(
    _ connection: ConnectionID, reason: String, now: Duration
  ) {
    advance(to: now)
    guard let peer = peer(connection) else { return }
    forget(peer, .connection(reason))
    settle()
  }

  /// The system took this many bytes of what was to be sent, in order.
  public mutating func sent(_ connection: ConnectionID, byteCount: Int, now: Duration) {
    advance(to: now)
    guard let peer = peer(connection) else { return }
    let lent = loans.count
    var rest = min(byteCount, peer.unsentBytes)
    peer.unsentBytes -= rest
    while rest > 0, !peer.sending.isEmpty {
      var first = peer.sending[0]
      let count = min(rest, first.bytes)
      first.bytes -= count
      rest -= count
      if first.bytes > 0 {
        peer.sending[0] = first
      } else {
        _ = peer.sending.popFirst()
        peer.unsentBlockBytes -= first.blockBytes
        if let buffer = first.buffer { giveSent(buffer) }
      }
    }
    peer.line.sent(byteCount, now: self.now)
    if peer.unsentBytes == 0 { peer.line.waits(false, now: self.now) }
    judgeLine(peer)
    // The system takes all there is: give it more at a time.
    if peer.unsentBytes == 0, byteCount >= peer.sendWindow / 4 {
      peer.sendWindow = min(peer.sendWindow * 2, SwarmLimits.sendWindow)
    }
    // Readers may wait for one to be given back.
    if loans.count < lent { pumpReads() }
    touch(peer)
    settle()
  }

  /// A block was sent, or will not be: its buffer is free, unless others have it too.
  mutating func giveSent(_ buffer: BufferHandle) {
    switch loans.isEmpty ? .notLent : loans.finish(buffer) {
    case .notLent: pool.give(buffer)
    case .free: give(back: buffer)
    case .inUse: break
    }
  }

  /// How many may be connected of whom it is not known yet what they want, besides those that were accepted.
  public var strangerPlaces: Int {
    let limit = configuration.connections
    return max(
      0,
      min(
        max(1, limit / SwarmLimits.silentShare),
        limit - limit / SwarmLimits.outgoingShare - connectionCount))
  }

  /// Whether there is a place for one more who comes: some are kept for those that we connect to, and
  /// who says nothing cannot take them all.
  private func hasPlace(for address: IPAddress) -> Bool {
    let limit = configuration.connections
    guard connectionCount < limit - limit / SwarmLimits.outgoingShare else { return false }
    var silent = 0
    var ofAddress = 0
    for case let peer? in slots where peer.isIncoming {
      guard case .handshaking = peer.phase else { continue }
      silent += 1
      if peer.endpoint.address == address { ofAddress += 1 }
    }
    return silent < max(1, limit / SwarmLimits.silentShare)
      && (address.isLoopback || ofAddress < SwarmLimits.silentPerAddress)
  }

  // MARK: Beginning

  private mutating func makePeer(
    _ endpoint: PeerEndpoint, isIncoming: Bool, group: PrivateGroup?, phase: Peer.Phase
  ) -> Peer {
    let slot: UInt32
    if let free = freeSlots.popLast() {
      slot = free
    } else {
      slot = UInt32(slots.count)
      slots.append(nil)
      generations.append(0)
    }
    let id = ConnectionID(slot: slot, generation: generations[Int(slot)])
    let peer = Peer(
      id: id, endpoint: endpoint, isIncoming: isIncoming, group: group, phase: phase, since: now)
    slots[Int(slot)] = peer
    connectionCount += 1
    return peer
  }

  /// Connects to a peer of the torrent.
  mutating func connect(to endpoint: PeerEndpoint, _ torrent: Torrent) {
    let peer = makePeer(endpoint, isIncoming: false, group: torrent.group, phase: .connecting)
    peer.torrent = torrent
    torrent.connecting += 1
    halfOpenCount += 1
    effects.append(.connect(peer.id, endpoint, torrent.group))
  }

  // MARK: Ending

  /// Ends a connection for a reason of ours.
  mutating func close(_ peer: Peer, _ reason: Notice.PeerEnd) {
    guard !peer.isClosed else { return }
    effects.append(.close(peer.id))
    forget(peer, reason, freesSlot: false)
  }

  /// A peer that is proven to have lied is not talked to any more, on any connection.
  mutating func ban(_ peer: Peer, _ torrent: Torrent, _ what: String) {
    guard !peer.isClosed else { return }
    torrent.known.ban(peer.endpoint)
    if let listening = peer.listening { torrent.known.ban(listening) }
    effects.append(.notice(.banned(torrent.id, peer.endpoint, what)))
    close(peer, .corrupt(what))
  }

  /// Takes a connection that has ended out of everything.
  private mutating func forget(
    _ peer: Peer, _ reason: Notice.PeerEnd, freesSlot: Bool = true
  ) {
    guard !peer.isClosed else { return }
    let wasActive = peer.isActive
    let wasConnecting = if case .connecting = peer.phase { true } else { false }
    peer.phase = .closed
    slots[Int(peer.id.slot)] = nil
    generations[Int(peer.id.slot)] &+= 1
    if freesSlot { freeSlots.append(peer.id.slot) }
    connectionCount -= 1
    if wasConnecting { halfOpenCount -= 1 }
    while let part = peer.sending.popFirst() {
      if let buffer = part.buffer { giveSent(buffer) }
    }
    dropPacking(of: peer) { _ in true }
    if let torrent = peer.torrent {
      dropParked(of: peer, torrent)
      if wasConnecting { torrent.connecting -= 1 }
      abandonRequests(peer, torrent)
      abandonHashes(peer, torrent)
      torrent.metadata?.peerLeft(peer.id.slot)
      if wasActive, let pieces = peer.pieces { torrent.data?.picker.remove(pieces) }
      torrent.data?.picker.left(peer.id.slot)
      torrent.data?.unsuggested?.append(contentsOf: peer.suggestedToPeer)
      torrent.peers.removeAll { $0 === peer }
      remember(peer, torrent, reason, wasActive: wasActive, wasConnecting: wasConnecting)
      for other in torrent.peers { touch(other) }
      lookForPeers(torrent)
    }
    effects.append(.notice(.peerGone(peer.torrent?.id, peer.id, peer.endpoint, reason)))
  }

  /// Tells the list of known peers how it went.
  private mutating func remember(
    _ peer: Peer, _ torrent: Torrent, _ reason: Notice.PeerEnd, wasActive: Bool,
    wasConnecting: Bool
  ) {
    guard let endpoint = peer.listening else { return }
    if wasActive {
      let isCompanion = peer.headID != 0 && peer.since + SwarmLimits.companionTime <= now
      torrent.known.closed(
        endpoint,
        wasUseful: peer.download.total > 0 || peer.upload.total > 0 || isCompanion, now: now)
    } else if !peer.isIncoming {
      let isRefusal =
        switch reason {
        case .connection, .silent: !wasConnecting
        default: false
        }
      torrent.known.failed(endpoint, isRefusal: isRefusal, now: now)
    }
    if reason == .isSelf { exclude(endpoint) }
  }

  // MARK: As time passes

  mutating func tick(_ peer: Peer) {
    switch peer.phase {
    case .connecting:
      if peer.since + SwarmLimits.connectTime <= now { close(peer, .silent) }
    case .handshaking, .parked:
      if peer.since + SwarmLimits.handshakeTime <= now { close(peer, .silent) }
    case .active:
      if peer.lastReceived + SwarmLimits.silenceTime <= now {
        close(peer, .silent)
        return
      }
      if peer.lastSent + SwarmLimits.keepAliveTime <= now { peer.put(.keepAlive) }
      review(peer)
      if peer.isClosed { return }
      adaptSendWindow(peer)
      judgeLine(peer)
      touch(peer)
    case .closed: break
    }
  }
}
