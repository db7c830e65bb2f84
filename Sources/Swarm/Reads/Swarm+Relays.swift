import Metainfo
import Store
import Wire

/// Requests of peers for blocks that are on their way to us: they wait, and are answered from memory as
/// soon as the block is proven.
extension Swarm {
  /// A peer asks for a block of a piece that is not here. False when it will not be here soon.
  mutating func park(
    _ request: BlockRequest, for block: BlockIndex, of peer: Peer, _ torrent: Torrent
  ) -> Bool {
    guard let data = torrent.data, peer.readsID != 0, peer.isFast, data.content.takesBlocks,
      data.parkedRequests < ReadLimits.parked, peer.parkedRequests < ReadLimits.parkedOfPeer
    else { return false }
    peer.readsUntil = now + ReadLimits.stepTime
    noteStep(peer, block, data, at: now)
    if let buffer = data.inMemory[block], give(request, buffer, to: peer, torrent) { return true }
    switch data.picker.state(of: block) {
    case .here: return false
    case .received: break
    case .asked:
      // Who we asked waits for us.
      if data.picker.requesters(of: block) == [peer.id.slot], !askHolder(of: block, torrent) {
        return false
      }
    case .free:
      guard mayRelay(block, torrent) else { return false }
      if data.awaiting[block] == nil {
        data.relayed.insert(block)
        data.picker.addUrgent(block, deadline: now + ReadLimits.behindReads)
      }
      askUrgent(block, for: peer, torrent)
      if data.picker.state(of: block) != .asked {
        stopRelaying(block, torrent)
        return false
      }
    }
    data.parked[block, default: []].append(
      ParkedRequest(peer: peer.id, request: request, since: now))
    data.parkedRequests += 1
    peer.parkedRequests += 1
    return true
  }

  /// Whether to fetch a block for others: while we read ourselves, and so will need it, too.
  private func mayRelay(_ block: BlockIndex, _ torrent: Torrent) -> Bool {
    guard let data = torrent.data, data.isSparse, torrent.isRunning else { return false }
    return data.awaiting[block] != nil
      || torrent.isReading(now) && data.relayed.count < ReadLimits.relayed
  }

  /// The block is proven, and in memory: who asked for it gets it, as far as that may be.
  mutating func feedParked(
    _ block: BlockIndex, from buffer: BufferHandle, _ torrent: Torrent
  ) {
    guard let data = torrent.data, let waiting = data.parked[block] else { return }
    var left: [ParkedRequest] = []
    for parked in waiting {
      guard let peer = peer(parked.peer) else { continue }
      if give(parked.request, buffer, to: peer, torrent) {
        peer.parkedRequests -= 1
        data.parkedRequests -= 1
      } else {
        left.append(parked)
      }
    }
    data.parked[block] = left.isEmpty ? nil : left
  }

  /// The block is on disk: who still waits for it gets it as all others do.
  mutating func feedParked(_ block: BlockIndex, _ torrent: Torrent) {
    guard let data = torrent.data, let waiting = data.parked.removeValue(forKey: block) else {
      return
    }
    data.parkedRequests -= waiting.count
    for parked in waiting {
      guard let peer = peer(parked.peer) else { continue }
      peer.parkedRequests -= 1
      peer.uploads.append(Peer.Upload(request: parked.request, block: block))
      touch(peer)
    }
  }

  /// Sends a block from where it lies in memory. False when that cannot be now.
  private mutating func give(
    _ request: BlockRequest, _ buffer: BufferHandle, to peer: Peer, _ torrent: Torrent
  ) -> Bool {
    guard peer.isActive, peer.uploads.isEmpty, loans.mayLend(buffer, limit: ReadLimits.lentToPeers),
      peer.unsentBlockBytes < peer.sendWindow,
      !uploadBucket.isLimited, !torrent.uploadBucket.isLimited,
      let block = torrent.data?.geometry.block(
        piece: request.piece, begin: request.begin, length: request.length),
      let length = torrent.data?.geometry.requestLength(of: block)
    else { return false }
    loans.lend(buffer)
    send(request, from: buffer, count: length, to: peer, torrent)
    return true
  }

  // MARK: Ends

  /// The peer does not want the block any more. Whether it had asked for it in vain so far.
  mutating func takeParked(_ request: BlockRequest, of peer: Peer, _ torrent: Torrent) -> Bool {
    guard peer.parkedRequests > 0, let data = torrent.data,
      let block = data.geometry.block(
        piece: request.piece, begin: request.begin, length: request.length),
      let place = data.parked[block]?.firstIndex(where: { $0.peer == peer.id })
    else { return false }
    data.parked[block]?.remove(at: place)
    data.parkedRequests -= 1
    peer.parkedRequests -= 1
    if data.parked[block]?.isEmpty == true { unpark(block, torrent) }
    return true
  }

  /// What the peer waits for is not given to it: it is choked, or gone.
  mutating func dropParked(of peer: Peer, _ torrent: Torrent) {
    guard peer.parkedRequests > 0 else { return }
    dropParked(torrent) { $0.peer == peer.id }
    peer.parkedRequests = 0
  }

  /// Requests that have waited for long are rejected: who asked has asked others by now.
  mutating func dropLateParked(_ torrent: Torrent) {
    guard torrent.data?.parked.isEmpty == false else { return }
    let now = now
    dropParked(torrent) { $0.since + ReadLimits.parkedTime <= now }
  }

  private mutating func dropParked(_ torrent: Torrent, _ isDropped: (ParkedRequest) -> Bool) {
    guard let data = torrent.data else { return }
    for block in data.parked.keys.sorted() {
      guard let waiting = data.parked[block], waiting.contains(where: isDropped) else { continue }
      for parked in waiting where isDropped(parked) {
        data.parkedRequests -= 1
        guard let peer = peer(parked.peer) else { continue }
        peer.parkedRequests -= 1
        peer.put(.reject(parked.request))
        touch(peer)
      }
      data.parked[block] = waiting.filter { !isDropped($0) }
      if data.parked[block]?.isEmpty == true { unpark(block, torrent) }
    }
  }

  /// Nobody has asked for the block who has not been answered.
  private mutating func unpark(_ block: BlockIndex, _ torrent: Torrent) {
    torrent.data?.parked[block] = nil
    stopRelaying(block, torrent)
  }

  /// The block need not be fetched for others any more.
  mutating func stopRelaying(_ block: BlockIndex, _ torrent: Torrent) {
    guard let data = torrent.data, data.relayed.remove(block) != nil else { return }
    if data.awaiting[block] == nil { removeUrgent(block, torrent) }
  }
}

extension Peer {
  /// Whether we asked it for the block although it must get it first.
  func isRelayed(_ block: BlockIndex) -> Bool {
    for position in 0..<outstanding.count where outstanding[position].block == block {
      return outstanding[position].isRelayed
    }
    return false
  }
}
