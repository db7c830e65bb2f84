import Metainfo
import Store
import Wire

/// Blocks that somebody waits for: each is asked of the peer that will answer first, with the hashes
/// that prove it in the same send; of a second one when the first is later than its usual worst.
extension Swarm {
  /// Asks for all urgent blocks that nobody was asked for, as far as somebody can be.
  mutating func askUrgent(_ torrent: Torrent) {
    guard let data = torrent.data, data.content.takesBlocks, torrent.isRunning else { return }
    let able = torrent.peers.filter(\.canBeAsked)
    guard !able.isEmpty else { return }
    let crowd = crowd(torrent)
    var left = data.picker.urgent.freeCount
    let entries = data.picker.urgent.entries
    for entry in entries where entry.state == .free {
      askUrgent(entry.block, able, crowd, torrent)
      left -= 1
      if left == 0 { break }
    }
  }

  /// Asks whoever has the block, or will have it. While a crowd reads the same, one of it asks those
  /// that have everything, some ask that one, and the others those.
  private mutating func askUrgent(
    _ block: BlockIndex, _ able: [Peer], _ crowd: [Peer], _ torrent: Torrent,
    isForPeer: Bool = false
  ) {
    guard let data = torrent.data else { return }
    let piece = data.geometry.piece(of: block)
    let holder = quickest(of: able, for: block, torrent)
    var (source, first) = (holder, holder)
    if let holder, holder.pieces?.contains(piece) != true {
      // Soon after it was told all ask for it; later others have it, too.
      let told = holder.promised[block] ?? .zero
      let isNew = told + stepWindow(holder) > now
      source = isForPeer || !isNew ? holder : parent(of: block, below: holder, torrent)
    } else if let holder, !holder.isSeed {
      source = holder
    } else if let root = root(of: crowd) ?? (holder == nil ? crowd.first : nil) {
      if data.awaiting[block] != nil { noteLag(root) }
      (source, first) = (isForPeer ? root : parent(of: block, below: root, torrent), root)
    }
    // What it has just rejected it does not have.
    if let asked = source, asked.hasDeclined(block, now) { (source, first) = (holder, holder) }
    guard let source else { return }
    beginDemand(torrent)
    ask(block, of: source, torrent, isSecondHand: source !== first)
  }

  /// The peer has not asked for what we read before it: once for each read.
  private func noteLag(_ peer: Peer) {
    guard peer.lagNoted != now else { return }
    peer.lagNoted = now
    peer.lag += 1
  }

  /// Asks for an urgent block because a peer asked for it.
  mutating func askUrgent(_ block: BlockIndex, for requester: Peer, _ torrent: Torrent) {
    let able = torrent.peers.filter { $0.canBeAsked && $0 !== requester }
    let crowd = crowd(torrent).filter { $0 !== requester }
    askUrgent(block, able, crowd, torrent, isForPeer: true)
  }

  /// Asks somebody who has the block for it, whoever else was asked. False when there is nobody.
  mutating func askHolder(of block: BlockIndex, _ torrent: Torrent) -> Bool {
    guard let data = torrent.data, torrent.isRunning else { return false }
    let asked = data.picker.requesters(of: block)
    guard asked.count < 2,
      let holder = quickest(of: torrent.peers, for: block, torrent, besides: asked)
    else { return false }
    beginDemand(torrent)
    ask(block, of: holder, torrent)
    return true
  }

  /// Who will answer first of those that have the block; who has everything is spared for what others
  /// do not have.
  private mutating func quickest(
    of peers: [Peer], for block: BlockIndex, _ torrent: Torrent, besides: [UInt32] = []
  ) -> Peer? {
    guard let data = torrent.data else { return nil }
    let piece = data.geometry.piece(of: block)
    let slack = hasReaders(torrent) ? ReadLimits.spared : ReadLimits.leastSlack
    var best: Peer?
    var bestTime = Duration.zero
    for peer in peers where !besides.contains(peer.id.slot) && peer.canBeAsked {
      guard let pieces = peer.pieces else { continue }
      let hasPiece =
        pieces.contains(piece) && (!peer.peerChoking || peer.allowedToUs.contains(piece))
      guard hasPiece || peer.passesOn(block, now) else { continue }
      var time = expectedAnswer(peer)
      if peer.isSeed { time += max(time / 4, slack) }
      guard best == nil || time < bestTime else { continue }
      if peer.trial != nil || data.alone.contains(where: { $0.piece == piece }),
        !hasPiece || !askable(pieces, of: peer, torrent).contains(piece)
      {
        continue
      }
      best = peer
      bestTime = time
    }
    return best
  }

  /// When the answer to one more request may come: after its usual time, and what is queued there at
  /// the peer's rate. Those that are late now come last.
  private func expectedAnswer(_ peer: Peer) -> Duration {
    let usual = peer.answerTime.usual ?? ReadLimits.unknownAnswer
    let late = peer.overdue + (peer.isSnubbed ? 1 : 0) + (peer.isPaused ? 1 : 0)
    return usual + queueTime(peer) + ReadLimits.lateness * late
  }

  /// How long the peer needs for what is asked of it already.
  private func queueTime(_ peer: Peer) -> Duration {
    guard !peer.outstanding.isEmpty else { return .zero }
    let rate = max(peer.bestRate, peer.download.rate(now: now), ReadLimits.unknownRate)
    let bytes = UInt64(peer.outstanding.count * blockLength)
    return .microseconds(Int64(clamping: bytes * 1_000_000 / rate))
  }

  /// Asks for the block, behind the request for its hashes. `isSecondHand`: the peer asks another one that
  /// must get it, too.
  private mutating func ask(
    _ block: BlockIndex, of peer: Peer, _ torrent: Torrent, isSecondHand: Bool = false
  ) {
    guard let data = torrent.data else { return }
    let request = data.geometry.request(for: block)
    let piece = data.geometry.piece(of: block)
    let isRelayed = peer.pieces?.contains(piece) != true
    let slow = slowAnswer(torrent)
    // Who asks another one finds out first that this one is late, and has it then of who has the piece.
    // Else all would find out at once, and all ask there.
    let patience = isSecondHand ? slow * 2 : slow
    if isRelayed {
      setDue(block, after: min(relayWorst(peer) + (isSecondHand ? slow : .zero), patience), torrent)
    } else {
      // Others that read are as busy as we are; a second one to be asked is mostly a seed.
      let slack = !peer.isSeed && hasReaders(torrent) ? ReadLimits.relaySlack : .zero
      setDue(block, after: peer.answerTime.usualWorst + slack + queueTime(peer), torrent)
    }
    if !isRelayed {
      if let time = peer.readingTime {
        peer.put(.request(request))
        setDue(block, after: time, torrent)
      } else {
        askForHashes(peer, torrent, piece, around: request)
      }
      tell(block, askedOf: peer, torrent)
    } else {
      data.passedOn.insert(block)
      // It has no hashes yet, perhaps.
      askHolderForHashes(of: piece, torrent)
      peer.put(.request(request))
    }
    if peer.outstanding.isEmpty { peer.lastData = now }
    peer.outstanding.append(
      Peer.Request(
        block: block, since: now, isUrgent: true, isRelayed: isRelayed, patience: patience))
    peer.urgentOutstanding += 1
    data.picker.requested(block, of: peer.id.slot)
    // What the user allows is used up; but nobody who reads waits for it.
    _ = downloadBucket.take(blockLength, now: now)
    _ = torrent.downloadBucket.take(blockLength, now: now)
    touch(peer)
  }

  /// How long who must get the block first may take: it answers after asking others.
  private func relayWorst(_ peer: Peer) -> Duration {
    peer.relayTime.usual == nil ? peer.answerTime.usualWorst * 2 : peer.relayTime.usualWorst * 2
  }

  /// Asks somebody who has the piece for its hashes: in a crowd who is asked for a block has them no
  /// sooner than we.
  mutating func askHolderForHashes(of piece: PieceIndex, _ torrent: Torrent) {
    var best: Peer?
    for peer in torrent.peers
    where peer.isActive && peer.isV2 && peer.pieces?.contains(piece) == true
      && peer.hashRequests < SwarmLimits.hashRequests
    {
      if best.map({ expectedAnswer(peer) < expectedAnswer($0) }) ?? true { best = peer }
    }
    guard let best else { return }
    askForHashes(best, torrent, piece)
    touch(best)
  }

  /// A block that is asked of a peer already is urgent now, or was asked by the picker.
  mutating func becameUrgent(_ block: BlockIndex, askedOf peer: Peer, _ torrent: Torrent) {
    setDue(block, after: peer.answerTime.usualWorst + queueTime(peer), torrent)
  }

  private mutating func setDue(_ block: BlockIndex, after time: Duration, _ torrent: Torrent) {
    let due = now + time
    torrent.data?.urgentDue[block] = due
    hedgeDeadline = earliest(hedgeDeadline, due)
  }

  /// Nobody waits for the block any more.
  func removeUrgent(_ block: BlockIndex, _ torrent: Torrent) {
    torrent.data?.picker.removeUrgent(block)
    torrent.data?.urgentDue[block] = nil
    torrent.data?.relayed.remove(block)
  }

  // MARK: Late answers

  /// Asks others where answers are later than they ever were.
  mutating func hedge() {
    hedgeDeadline = nil
    for case let torrent? in torrents {
      guard let data = torrent.data, !data.urgentDue.isEmpty else { continue }
      for block in data.urgentDue.filter({ $0.value <= now }).map(\.key).sorted() {
        data.urgentDue[block] = nil
        if data.picker.urgent.contains(block) { hedge(block, torrent) }
      }
      hedgeDeadline = earliest(hedgeDeadline, data.urgentDue.values.min())
    }
  }

  private mutating func hedge(_ block: BlockIndex, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    let piece = data.geometry.piece(of: block)
    switch data.picker.state(of: block) {
    case .here, .free: break
    case .received: hedgeHashes(of: piece, for: block, torrent)
    case .asked:
      let asked = data.picker.requesters(of: block)
      if let slot = asked.last, let peer = slots[Int(slot)], peer.readingTime != nil,
        let since = peer.asked(for: block), since + peer.answerTime.usualWorst > now
      {
        // It is not late: by now it has read the piece.
        askHashesLater(of: piece, peer, torrent)
        let due = since + peer.answerTime.usualWorst + queueTime(peer)
        return setDue(block, after: due - now, torrent)
      }
      for slot in asked {
        guard let late = slots[Int(slot)] else { continue }
        if late.isRelayed(block) {
          noteSlow(late)
        } else {
          late.overdue += 1
        }
        late.promised.remove(block)
      }
      let second = quickest(of: torrent.peers, for: block, torrent, besides: asked)
      guard let second else {
        // There is nobody else. Somebody may come.
        return setDue(block, after: ReadLimits.lateness, torrent)
      }
      if asked.count > 1, let first = asked.first { takeBack(block, from: first, torrent) }
      if data.hashAskings[piece] != nil { askAgain(second, torrent, piece) }
      ask(block, of: second, torrent)
    }
  }

  /// The block is here, but what proves it is late.
  private mutating func hedgeHashes(
    of piece: PieceIndex, for block: BlockIndex, _ torrent: Torrent
  ) {
    setDue(block, after: ReadLimits.lateness, torrent)
    guard let data = torrent.data, let asking = data.hashAskings[piece], let first = asking.peer
    else { return }
    let others = torrent.peers.filter {
      $0.isV2 && $0.hashRequests < SwarmLimits.hashRequests && !asking.refused.contains($0.id)
    }
    if let second = quickest(of: others, for: block, torrent, besides: [first.slot]) {
      askAgain(second, torrent, piece)
      touch(second)
    }
  }

  /// The peer need not send the block: another one is asked.
  private mutating func takeBack(_ block: BlockIndex, from slot: UInt32, _ torrent: Torrent) {
    guard let data = torrent.data, let peer = slots[Int(slot)], peer.takeRequest(block) != nil
    else { return }
    data.picker.abandoned(block, by: slot)
    peer.forgiven += 1
    peer.put(.cancel(data.geometry.request(for: block)))
    touch(peer)
  }

  // MARK: Beside bulk

  /// The first read from peers after a while: what is queued beyond what lines hold is taken back, so
  /// that the answer does not wait behind it.
  private mutating func beginDemand(_ torrent: Torrent) {
    defer { torrent.lastDemand = now }
    guard !torrent.isInDemand(now) else { return }
    for peer in torrent.peers where peer.outstanding.count > ReadLimits.leastBulk {
      let latency = peer.latency ?? peer.answerTime.usual ?? ReadLimits.unknownAnswer
      let rate = max(peer.bestRate, peer.download.rate(now: now), ReadLimits.unknownRate)
      let line = Double(rate) * (latency / .seconds(1)) / Double(blockLength)
      let blocks = Int(min(line * Double(ReadLimits.queueShare) / 100, 1e6)) + ReadLimits.leastBulk
      peer.pipeline = min(peer.pipeline, blocks)
      while peer.outstanding.count > blocks {
        let last = peer.outstanding[peer.outstanding.count - 1]
        if last.isUrgent { break }
        takeBack(last.block, from: peer.id.slot, torrent)
      }
    }
  }
}

extension Peer {
  /// Whether it told that it will have the block, and was not late of late.
  func passesOn(_ block: BlockIndex, _ now: Duration) -> Bool {
    promised.contains(block) && !peerChoking && !isSlow(now) && !hasDeclined(block, now)
  }

  /// Whether it was late of late, or has said nothing at all since.
  func isSlow(_ now: Duration) -> Bool {
    slow.map { $0.until > now || lastReceived <= $0.since } ?? false
  }

  /// Whether it rejected the block just now, which it was to get for us.
  func hasDeclined(_ block: BlockIndex, _ now: Duration) -> Bool {
    declined[block].map { $0 + ReadLimits.parkedTime > now } ?? false
  }

  /// When it was asked for the block; nil if it was not.
  func asked(for block: BlockIndex) -> Duration? {
    for position in 0..<outstanding.count where outstanding[position].block == block {
      return outstanding[position].since
    }
    return nil
  }

  /// Whether it can be asked for a block at all.
  var canBeAsked: Bool {
    isActive && amInterested && (!peerChoking || !allowedToUs.isEmpty)
      && outstanding.count < min(requestQueue, SwarmLimits.pipeline)
  }
}

extension Torrent {
  /// Whether somebody has read just now, and may again.
  func isReading(_ now: Duration) -> Bool {
    data?.lastRead.map { $0 + ReadLimits.demandTime > now } ?? false
  }

  /// Whether somebody has waited for peers just now, and may again: queues are kept short.
  func isInDemand(_ now: Duration) -> Bool {
    lastDemand.map { $0 + ReadLimits.demandTime > now } ?? false
  }
}
