import Metainfo
import Store
import Wire

/// What we ask of peers: blocks, and the hashes that prove them.
extension Swarm {
  /// Fills the peer's pipeline.
  mutating func askForBlocks(_ peer: Peer, _ torrent: Torrent) {
    guard torrent.isRunning, let data = torrent.data else { return }
    // What is read is fetched although it cannot be written.
    if data.picker.urgent.freeCount > 0 { askUrgent(torrent) }
    guard !torrent.isDiskFull, peer.amInterested, let pieces = peer.pieces,
      !peer.peerChoking || !peer.allowedToUs.isEmpty, !peer.isPaused
    else { return }
    let target = min(peer.pipeline, peer.requestQueue, SwarmLimits.pipeline)
    var room = target - peer.outstanding.count
    if peer.urgentOutstanding > 0 {
      // Reads without end do not stop all else.
      room = max(room, ReadLimits.leastBulk - peer.outstanding.count + peer.urgentOutstanding)
    }
    // In runs, so that neither side is woken for each block.
    guard room > 0, room >= target / 8 || peer.outstanding.isEmpty || torrent.isInDemand(now) else {
      return
    }
    guard !isMemoryFull else { return }
    if isOutOfTurn(downloadBucket, torrent.downloadBucket) { return }
    var rest = room
    while rest > 0 {
      guard downloadBucket.take(0, now: now), torrent.downloadBucket.take(0, now: now) else {
        waitForLimits(downloadBucket, torrent.downloadBucket)
        return
      }
      let isLimited = downloadBucket.isLimited || torrent.downloadBucket.isLimited
      let count = request(isLimited ? min(rest, 4) : rest, of: peer, torrent, pieces)
      if count == 0 { return }
      rest -= count
    }
  }

  /// Asks for up to so many blocks; says how many there were to ask for.
  private mutating func request(
    _ count: Int, of peer: Peer, _ torrent: Torrent, _ pieces: PieceSet
  ) -> Int {
    picked.removeAll(keepingCapacity: true)
    let pieces = askable(pieces, of: peer, torrent)
    var options = PiecePicker.PickOptions()
    // Of a sparse torrent all that is wanted is asked at any time: that is no end.
    if !peer.isSnubbed, !torrent.reading.isSparse, torrent.data?.picker.isAtEnd == true {
      options.late = latePeers(torrent, besides: peer)
    }
    if peer.peerChoking { options.allowedOnly = peer.allowedToUs }
    options.isFast = peer.pipeline >= 64
    if let data = torrent.data, !data.ahead.isEmpty || !data.prefetch.isEmpty {
      pickAhead(count, of: peer, torrent, pieces)
    }
    let led = ledPieces(of: peer, torrent)
    if let led {
      // A crowd reads the same: each fetches a part of the rest of it.
      options.allowedOnly = options.allowedOnly.map { $0.filter(led.contains) } ?? led
    } else if peer.isSeed {
      options.avoidsCommon = true
      options.refusesCommon = canSpare(peer, torrent)
      pickSuggested(count, of: peer, torrent, pieces, options)
    }
    // What it does not suggest, it suggested to others: they will have it soon.
    if picked.count >= count {
      // Reads are ahead of all that.
    } else if !peer.isSeed || !isAdvising(peer) || !hasOtherSources(torrent)
      || torrent.lastBlock + SwarmLimits.patience <= now
    {
      torrent.data?.picker.pick(
        count - picked.count, from: pieces, for: peer.id.slot, options: options, using: &random,
        into: &picked)
    }
    if picked.isEmpty {
      if peer.outstanding.isEmpty { updateInterest(peer, torrent) }
      return 0
    }
    if peer.outstanding.isEmpty { peer.lastData = now }
    _ = downloadBucket.take(picked.count * blockLength, now: now)
    _ = torrent.downloadBucket.take(picked.count * blockLength, now: now)
    guard let geometry = torrent.data?.geometry else { return 0 }
    let isReadFrom = torrent.data?.picker.urgent.isEmpty == false
    for block in picked {
      let piece = geometry.piece(of: block)
      if pieces.contains(piece) {
        askForHashes(peer, torrent, piece)
      } else {
        askHolderForHashes(of: piece, torrent)
      }
      peer.put(.request(geometry.request(for: block)))
      var request = Peer.Request(block: block, since: now)
      if isReadFrom, torrent.data?.picker.urgent.contains(block) == true {
        request.isUrgent = true
        peer.urgentOutstanding += 1
        becameUrgent(block, askedOf: peer, torrent)
      }
      peer.outstanding.append(request)
    }
    return picked.count
  }

  /// A seed that serves many tells each what to ask for, so that all of it is out there soon.
  private mutating func pickSuggested(
    _ count: Int, of peer: Peer, _ torrent: Torrent, _ pieces: PieceSet,
    _ options: PiecePicker.PickOptions
  ) {
    guard !peer.suggestedToUs.isEmpty, !peer.peerChoking, let data = torrent.data,
      picked.count < count
    else { return }
    peer.suggestedToUs.removeAll { !data.picker.isWanted($0) }
    var options = options
    options.allowedOnly = peer.suggestedToUs
    options.refusesCommon = false
    options.late = []
    data.picker.pick(
      count - picked.count, from: pieces, for: peer.id.slot, options: options, using: &random,
      into: &picked)
  }

  /// At the end, those of the others that will not have sent soon what they were asked for: a block
  /// that is asked of two comes twice as often as not.
  private mutating func latePeers(_ torrent: Torrent, besides peer: Peer) -> [UInt32] {
    var late: [UInt32] = []
    for other in torrent.peers where other !== peer {
      guard let oldest = other.outstanding.first else { continue }
      var due = oldest.since + SwarmLimits.endTime
      if due <= now {
        let rate = other.download.rate(now: now)
        let bytes = UInt64(other.outstanding.count * blockLength)
        due =
          bytes > rate / 1000 * SwarmLimits.endMilliseconds
          ? now : other.lastData + SwarmLimits.endTime
      }
      if due <= now {
        late.append(other.id.slot)
      } else if torrent.endDeadline.map({ due < $0 }) ?? true {
        torrent.endDeadline = due
        touch(torrent)
      }
    }
    return late
  }

  /// Whether the seed tells whom to ask for what.
  private func isAdvising(_ seed: Peer) -> Bool {
    seed.lastSuggestion.map { $0 + SwarmLimits.adviceTime > now } ?? false
  }

  /// Whether the seed need not be asked for what others have too: they bring as much as it could, or
  /// nearly. Its line is for what nobody else has.
  private func canSpare(_ seed: Peer, _ torrent: Torrent) -> Bool {
    guard hasOtherSources(torrent) else { return false }
    var rate: UInt64 = 0
    for other in torrent.peers where !other.isSeed { rate += other.download.rate(now: now) }
    return rate >= seed.bestRate / 2
  }

  /// Whether somebody who has not everything lets us request something that we want.
  private func hasOtherSources(_ torrent: Torrent) -> Bool {
    torrent.peers.contains {
      !$0.isSeed && $0.amInterested && !$0.peerChoking && !$0.isSnubbed
    }
  }

  /// All that was asked of the peer is missing again.
  mutating func abandonRequests(_ peer: Peer, _ torrent: Torrent) {
    if case .inChunk(let block) = peer.gathering {
      torrent.data?.picker.abandoned(block, by: peer.id.slot)
      peer.gathering = .skipping
    } else if case .inPool(let block, let buffer, _) = peer.gathering, peer.isClosed {
      torrent.data?.picker.abandoned(block, by: peer.id.slot)
      pool.give(buffer)
      peer.gathering = .skipping
    }
    guard !peer.outstanding.isEmpty else { return }
    peer.urgentOutstanding = 0
    while let request = peer.outstanding.popFirst() {
      torrent.data?.picker.abandoned(request.block, by: peer.id.slot)
      peer.forgiven += 1
    }
    touchDownloaders(torrent)
  }

  /// Blocks are free again: others may ask for them.
  mutating func touchDownloaders(_ torrent: Torrent) {
    for peer in torrent.peers where peer.amInterested { touch(peer) }
  }

  /// A block came: whoever else was asked for it need not send it.
  mutating func cancelElsewhere(_ block: BlockIndex, _ torrent: Torrent, but peer: Peer) {
    guard let data = torrent.data else { return }
    for slot in data.picker.requesters(of: block) where slot != peer.id.slot {
      guard let other = slots[Int(slot)], other.takeRequest(block) != nil else { continue }
      torrent.data?.picker.abandoned(block, by: slot)
      other.forgiven += 1
      other.put(.cancel(data.geometry.request(for: block)))
      touch(other)
    }
  }

  /// Sizes the pipeline to what the line holds, its rate times the way there and back: while answers
  /// come sooner than the time for which requests are to wait at the peer, it has too few of them. So
  /// it doubles with each round trip at first, and a slow line never holds more than it can bring.
  func adaptPipeline(_ peer: Peer, latency: Duration) {
    peer.latency = min(peer.latency ?? latency, latency)
    let least = peer.latency ?? .zero
    let goal =
      peer.torrent?.isInDemand(now) == true
      ? least * ReadLimits.queueShare / 100 + ReadLimits.leastSlack
      : max(SwarmLimits.queueTime, least * SwarmLimits.queueLatencies)
    if latency < goal {
      peer.pipeline = min(peer.pipeline + 1, SwarmLimits.pipeline)
    } else if latency > goal * 2 {
      peer.pipeline = max(peer.pipeline - 1, SwarmLimits.leastPipeline)
    }
  }

  /// What time has to say about the peer's requests and use.
  mutating func review(_ peer: Peer) {
    giveBackRefused(peer)
    peer.bestRate = max(peer.bestRate, peer.download.rate(now: now))
    if peer.isTiresome {
      close(peer, .misconduct("it sends messages without content and without end"))
      return
    }
    if let torrent = peer.torrent {
      // It, or others, do not bring the piece.
      if let trial = peer.trial, trial.since + SwarmLimits.snubTime <= now {
        endTrial(peer, torrent)
      }
      reviewHeads(peer, torrent)
      if !peer.isClosed { reviewUse(peer, torrent) }
      if peer.isClosed { return }
    }
    if isDead(peer) {
      close(peer, .silent)
      return
    }
    if !peer.outstanding.isEmpty, !peer.isPaused, peer.lastData + SwarmLimits.snubTime <= now,
      let torrent = peer.torrent
    {
      peer.isSnubbed = true
      peer.pipeline = SwarmLimits.leastPipeline
      abandonRequests(peer, torrent)
      torrent.data?.picker.left(peer.id.slot)
    }
  }
}

extension Swarm {
  /// Whether it has said nothing for long, while somebody waits for its answer.
  private func isDead(_ peer: Peer) -> Bool {
    guard peer.urgentOutstanding > 0, !peer.isPaused, let torrent = peer.torrent else {
      return false
    }
    let isAlone = !torrent.peers.contains { $0 !== peer && $0.canBeAsked && !$0.isSnubbed }
    let time = isAlone ? ReadLimits.deadTimeAlone : ReadLimits.deadTime
    return peer.lastReceived + time <= now
      && peer.outstanding.first.map { $0.since + time <= now } ?? false
  }

  /// Ends the connection when it has been of no use to either side for a while.
  private mutating func reviewUse(_ peer: Peer, _ torrent: Torrent) {
    if torrent.isForHeads, peer.isUselessSince == nil, uselessForHeads(peer, torrent) != nil {
      peer.isUselessSince = now
    }
    guard let since = peer.isUselessSince else { return }
    let reason: Notice.PeerEnd?
    if torrent.isForHeads {
      reason = uselessForHeads(peer, torrent)
    } else {
      let isUseless =
        !peer.amInterested && (peer.isSeed || peer.isUploadOnly)
        && torrent.data?.wantsNothing == true && !peer.peerInterested
      reason = isUseless ? .useless : nil
    }
    guard let reason else {
      peer.isUselessSince = nil
      return
    }
    guard since + SwarmLimits.uselessTime <= now else { return }
    if !torrent.isForHeads, isKeptForHeads(peer, torrent) {
      // Looked at again after as long.
      peer.isUselessSince = now
    } else {
      close(peer, reason)
    }
  }
}

extension PieceGeometry {
  /// The request for a block. BEP 3.
  func request(for block: BlockIndex) -> BlockRequest {
    BlockRequest(
      piece: piece(of: block).rawValue, begin: begin(of: block), length: requestLength(of: block))
  }
}
