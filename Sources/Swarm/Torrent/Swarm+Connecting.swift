import Metainfo
import Store
import Wire

/// Whom to connect to, and whom to unchoke.
extension Swarm {
  /// Our address of its family, as several agree who do not know each other: the DHT's nodes (BEP 42),
  /// or a router. It weighs whom to connect to (BEP 40), and what single peers say counts no more.
  public mutating func learned(ownAddress address: IPAddress, now: Duration) {
    advance(to: now)
    let address = address.unmapped
    guard address.isUnicast else { return }
    knownAddresses.removeAll { $0.isV4 == address.isV4 }
    ownAddresses.removeAll { $0.isV4 == address.isV4 }
    knownAddresses.append(address)
    ownAddresses.append(address)
  }

  /// A place at which others reach us, such as the port that a router maps to ours: nobody is to be met
  /// there.
  public mutating func learned(ownEndpoint endpoint: PeerEndpoint, now: Duration) {
    advance(to: now)
    exclude(endpoint)
  }

  /// It is ourselves, whatever the torrent.
  mutating func exclude(_ endpoint: PeerEndpoint) {
    ownEndpoints.insert(endpoint.unmapped)
    for case let torrent? in torrents { torrent.known.exclude(endpoint) }
  }

  /// Whether the torrent has use for more peers.
  private func wantsPeers(_ torrent: Torrent) -> Bool {
    hasRoom(torrent) && hasRoomForAll
  }

  private func hasRoom(_ torrent: Torrent) -> Bool {
    switch torrent.phase {
    case .closing, .unusable, .opening: return false
    case .fetching, .meeting, .running: break
    }
    return torrent.peers.count + torrent.connecting < connectionLimit(torrent)
      && hasRoomForHeads(torrent)
  }

  private var hasRoomForAll: Bool {
    connectionCount < configuration.connections && halfOpenCount < SwarmLimits.halfOpen
  }

  /// Connects to peers whose turn it is; says when to look again.
  mutating func deadlineForConnecting(_ torrent: Torrent) -> Duration? {
    let deadline = connectsOrWaits(torrent)
    // Where only the bounds of the whole node stand in the way, its turn comes later.
    if deadline == nil, hasRoom(torrent), !hasRoomForAll, torrent.known.connectable(now: now) > 0 {
      return now + SwarmLimits.turn
    }
    return deadline
  }

  private mutating func connectsOrWaits(_ torrent: Torrent) -> Duration? {
    torrent.known.wantsSeeds = torrent.data?.wantsNothing != true
    guard wantsPeers(torrent) else { return nil }
    var begun = 0
    while begun < SwarmLimits.connectsPerTick, wantsPeers(torrent),
      let endpoint = torrent.known.next(
        now: now, us: ownAddresses, port: configuration.listenPort ?? 0)
    {
      connect(to: endpoint, torrent)
      begun += 1
    }
    if begun == SwarmLimits.connectsPerTick { return now + SwarmLimits.tick }
    return torrent.known.nextDeadline(now: now)
  }

  /// Unchokes who comes while hardly anybody else is there, before it says that it wants something:
  /// else its first read costs one way there and back more.
  mutating func unchokeBeforeInterest(_ peer: Peer, _ torrent: Torrent) {
    guard torrent.isRunning, let data = torrent.data, !data.have.isEmpty,
      torrent.peers.count <= configuration.uploadSlots
    else { return }
    unchoke(peer)
  }

  /// Unchokes at once while there are slots: nobody waits for the next round without need.
  mutating func unchokeIfRoom(_ peer: Peer, _ torrent: Torrent) {
    guard peer.amChoking, torrent.isRunning else { return }
    let unchoked = torrent.peers.count { !$0.amChoking && $0.peerInterested }
    if unchoked < configuration.uploadSlots { unchoke(peer) }
  }

  /// The round of choking and unchoking. BEP 3.
  mutating func choke(_ torrent: Torrent) {
    torrent.nextChoke = now + SwarmLimits.chokeTime
    guard torrent.isRunning, let data = torrent.data else { return }
    // Those that choke us are not asked for anything, and so it does not show there.
    for peer in torrent.peers where peer.amInterested && peer.peerChoking {
      updateInterest(peer, torrent)
    }
    let candidates = torrent.peers.filter(\.isActive).map { peer in
      var candidate = Choker.Candidate(
        slot: peer.id.slot, isInterested: peer.peerInterested, isChoked: peer.amChoking)
      candidate.downloadRate = peer.download.rate(now: now)
      candidate.uploadRate = peer.upload.rate(now: now)
      candidate.uploadedSinceUnchoke = peer.upload.total - peer.uploadedAtUnchoke
      candidate.unchokedSince = peer.amChoking ? nil : peer.unchokedSince
      candidate.isSnubbing = peer.isSnubbed
      candidate.lastOptimistic = peer.lastOptimistic
      candidate.isNew = peer.since + .seconds(60) > now
      return candidate
    }
    let choice = torrent.choker.choose(
      candidates, isSeed: data.wantsNothing, slots: configuration.uploadSlots, now: now,
      using: &random)
    if let slot = torrent.choker.optimistic { slots[Int(slot)]?.lastOptimistic = now }
    for slot in choice.choke { if let peer = slots[Int(slot)] { choke(peer) } }
    for slot in choice.unchoke { if let peer = slots[Int(slot)] { unchoke(peer) } }
  }
}
