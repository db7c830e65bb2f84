import Metainfo
import Store
import Wire

/// Many that read the same at the same time: for each block one of them asks who has the piece, and the
/// others ask that one, which answers as soon as it can (docs/reads.md).
extension Swarm {
  /// Those that read what we read, when we do, and that can be asked.
  func crowd(_ torrent: Torrent) -> [Peer] {
    guard torrent.data?.isSparse == true else { return [] }
    return torrent.peers.filter { isInStep($0) }
  }

  func isInStep(_ peer: Peer) -> Bool {
    guard let until = peer.inStepUntil, until > now else { return false }
    return canPassOn(peer)
  }

  /// Those that read something here, and that can be asked.
  func readers(_ torrent: Torrent) -> [Peer] {
    guard torrent.data?.isSparse == true else { return [] }
    return torrent.peers.filter { isReader($0) }
  }

  /// Whether there are any.
  func hasReaders(_ torrent: Torrent) -> Bool {
    torrent.data?.isSparse == true && torrent.peers.contains { isReader($0) }
  }

  private func isReader(_ peer: Peer) -> Bool {
    peer.readsUntil.map { $0 > now } ?? false && canPassOn(peer)
  }

  private func canPassOn(_ peer: Peer) -> Bool {
    peer.readsID != 0 && !peer.isSeed && !peer.peerChoking && !peer.isSnubbed && peer.canBeAsked
      && !peer.isSlow(now)
  }

  /// A block came through the peer.
  func noteRelayed(_ peer: Peer, _ request: Peer.Request) {
    let time = now - request.since
    peer.relayTime.add(time)
    peer.declines = 0
    if time > request.patience {
      noteSlow(peer)
    } else if peer.slips > 0 {
      peer.timely += 1
      if peer.timely >= ReadLimits.timely { (peer.slips, peer.timely) = (peer.slips - 1, 0) }
    }
    // It reads what we read, still.
    if peer.inStepUntil != nil { peer.inStepUntil = now + ReadLimits.stepTime }
  }

  /// What goes through the peer was late: nothing does for a while.
  func noteSlow(_ peer: Peer) {
    // All that it was asked for is late then: that is no news.
    guard peer.slow.map({ $0.until <= now }) ?? true else { return }
    peer.slow = (now, now + ReadLimits.slowTime * (1 << peer.slips))
    peer.slips = min(peer.slips + 1, ReadLimits.slips - 1)
    peer.timely = 0
  }

  /// The peer does not get us the block, which it was to get.
  func noteDeclined(_ block: BlockIndex, by peer: Peer) {
    peer.declined.insert(block, at: now)
    peer.declines += 1
    if peer.declines > ReadLimits.declines { noteSlow(peer) }
  }

  /// What passes for slow where a block comes through others: it is asked of those who have it then.
  func slowAnswer(_ torrent: Torrent) -> Duration {
    let fastest = torrent.peers.lazy.compactMap(\.answerTime.usual).min()
    return (fastest ?? ReadLimits.unknownAnswer) * 4 + ReadLimits.relaySlack
  }

  /// Whom of a crowd to ask for a block that none of it has asked for yet; nil when it is for us to ask
  /// those who have everything. All agree on it, and it is ahead of them from then on, since what they
  /// read comes through it.
  func root(of crowd: [Peer]) -> Peer? {
    var best: Peer?
    var most = configuration.peerID.crowdKey
    for peer in crowd where peer.lag <= ReadLimits.lag && peer.crowdKey > most {
      (best, most) = (peer, peer.crowdKey)
    }
    return best
  }

  /// Through whom to get a block that `root` will have: itself, if we are one of the few that ask it;
  /// else one of those. So what it sends does not grow with the crowd.
  func parent(of block: BlockIndex, below root: Peer, _ torrent: Torrent) -> Peer {
    let crowd = readers(torrent)
    let children = max(1, crowd.count / ReadLimits.childrenOfEach)
    guard crowd.count > children else { return root }
    let own = Self.weight(configuration.peerID.crowdKey, block)
    let others = crowd.filter { $0 !== root }.map { (Self.weight($0.crowdKey, block), $0) }
      .sorted { $0.0 > $1.0 }
    let rank = others.count { $0.0 > own }
    guard rank >= children else { return root }
    return others[rank % children].1
  }

  /// Somebody reads the block here: whoever told of it before is ahead of us.
  func noteRead(_ block: BlockIndex, _ torrent: Torrent) {
    // Reads that go on within a block say nothing new.
    guard let data = torrent.data, data.readLately.insert(block, at: now) else { return }
    for peer in torrent.peers {
      guard let told = peer.promised[block], told + ReadLimits.stepTime > now else { continue }
      peer.foresight = min(peer.foresight + ReadLimits.foreseen, ReadLimits.foresight)
      peer.lag = 0
      noteStep(peer, block, data, at: told)
    }
  }

  /// A peer reads what we may read soon: it is asked for at once, if that has been of use before.
  private mutating func foresee(_ block: BlockIndex, _ peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data, data.isSparse, peer.foresight > 0, torrent.isReading(now),
      data.relayed.count < ReadLimits.relayed, data.picker.state(of: block) == .free,
      data.awaiting[block] == nil, torrent.reading.readsAhead
    else { return }
    peer.foresight -= 1
    data.relayed.insert(block)
    data.picker.addUrgent(block, deadline: now + ReadLimits.behindReads)
  }

  /// Who of the crowd asks for the block behind reads; nil when it is us. All come to the same answer
  /// who know of the same peers, and each is to ask for as many as the others.
  func leader(of block: BlockIndex, in crowd: [Peer]) -> Peer? {
    Self.leader(of: block, in: crowd, besides: configuration.peerID.crowdKey)
  }

  static func leader(of block: BlockIndex, in crowd: [Peer], besides key: UInt64) -> Peer? {
    var best: Peer?
    var most = weight(key, block)
    for peer in crowd {
      let weight = weight(peer.crowdKey, block)
      if weight > most { (best, most) = (peer, weight) }
    }
    return best
  }

  /// The same for a whole piece: what is fetched of it behind reads.
  private func leader(of piece: PieceIndex, in crowd: [Peer], _ data: Torrent.Data) -> Peer? {
    guard !crowd.isEmpty, let first = data.geometry.blocks(of: piece).first else { return nil }
    return leader(of: first, in: crowd)
  }

  /// A number for a peer and a block, by which the highest is chosen (rendezvous hashing).
  private static func weight(_ key: UInt64, _ block: BlockIndex) -> UInt64 {
    var mixed = key ^ (UInt64(block.rawValue) &+ 1) &* 0x9e37_79b9_7f4a_7c15
    mixed = (mixed ^ (mixed >> 30)) &* 0xbf58_476d_1ce4_e5b9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94d0_49bb_1331_11eb
    return mixed ^ (mixed >> 31)
  }

  // MARK: Behind reads

  /// Of the pieces that are wanted, those that we are to ask of peers that do not read; nil for all.
  func ledPieces(of peer: Peer, _ torrent: Torrent) -> [PieceIndex]? {
    guard let data = torrent.data, !isReader(peer),
      data.picker.missingWanted <= ReadLimits.ledPieces
    else { return nil }
    let others = readers(torrent)
    guard !others.isEmpty else { return nil }
    let crowd = others.filter { isInStep($0) }
    var led: [PieceIndex] = []
    data.picker.wanted.forEach { number in
      let piece = data.geometry.pieces[number]
      // What a block that came is proven by is not left to others.
      if peer.trial?.piece == piece || data.content.isJudgedWhole(piece)
        || !isLeft(piece, to: others, crowd, data)
      {
        led.append(piece)
      }
    }
    return led
  }

  /// Whether others fetch the rest of the piece: one of those in step, or who read in it before us.
  private func isLeft(
    _ piece: PieceIndex, to others: [Peer], _ crowd: [Peer], _ data: Torrent.Data
  ) -> Bool {
    if leader(of: piece, in: crowd, data) != nil { return true }
    guard let first = data.geometry.blocks(of: piece).first else { return false }
    let since = data.completing[first] ?? now
    return others.contains { other in
      guard !isInStep(other), let told = other.touched[first] else { return false }
      return told < since
    }
  }

  // MARK: Telling

  /// The block was asked of somebody because of a reader: others may have it of us.
  func tell(_ block: BlockIndex, askedOf source: Peer?, _ torrent: Torrent) {
    for peer in torrent.peers
    where peer.readsID != 0 && peer !== source && peer.isActive && !peer.isSeed {
      peer.untold.append(block)
      // The event's end sends it.
      if peer.untold.count >= ReadLimits.untold { sendReads(peer, torrent) }
    }
  }

  /// Tells the peer what we read.
  func sendReads(_ peer: Peer, _ torrent: Torrent) {
    guard !peer.untold.isEmpty, let geometry = torrent.data?.geometry else { return }
    var runs: [BlockRequest] = []
    for block in peer.untold.sorted() {
      let piece = geometry.piece(of: block).rawValue
      let begin = geometry.begin(of: block)
      let length = geometry.requestLength(of: block)
      if let last = runs.last, last.piece == piece, last.begin + last.length == begin {
        runs[runs.count - 1].length += length
      } else {
        runs.append(BlockRequest(piece: piece, begin: begin, length: length))
      }
    }
    peer.untold.removeAll(keepingCapacity: true)
    if !peer.isBehind {
      peer.put(extension: peer.readsID, ReadingMessage(runs: runs).encoded)
    }
  }

  /// A peer tells what it reads.
  mutating func takeReads(_ peer: Peer, _ torrent: Torrent, _ message: ReadingMessage) {
    guard let data = torrent.data, peer.isV2 else { return }
    countEmpty(peer)
    var isNews = false
    defer {
      if isNews { peer.emptyMessages = 0 }
      if data.picker.urgent.freeCount > 0 { touch(peer) }
    }
    peer.readsUntil = now + ReadLimits.stepTime
    for run in message.runs {
      guard let piece = data.geometry.piece(run.piece), run.length > 0,
        run.begin.isMultiple(of: UInt32(blockLength)),
        UInt64(run.begin) + UInt64(run.length) <= UInt64(data.geometry.paddedLength(of: piece))
      else {
        close(
          peer,
          .misconduct(
            "it reads \(run.length) bytes at \(run.begin) of piece \(run.piece), which are no blocks"
              + " (sw_reads)"))
        return
      }
      let blocks = data.geometry.blocks(of: piece)
      if let first = blocks.first { peer.touched.insert(first, at: now) }
      let first = Int(run.begin) / blockLength
      let end = (Int(run.begin) + Int(run.length) + blockLength - 1) / blockLength
      for place in first..<min(end, blocks.count) {
        guard peer.readsTaken.take(1, now: now) else { return }
        if peer.promised.insert(blocks[place], at: now) { isNews = true }
        noteStep(peer, blocks[place], data, at: now)
        foresee(blocks[place], peer, torrent)
      }
    }
  }

  /// The peer wants, or asked for, a block: if we did just now, it reads what we read.
  func noteStep(_ peer: Peer, _ block: BlockIndex, _ data: Torrent.Data, at told: Duration) {
    guard let read = data.readLately[block] else { return }
    let apart = read < told ? told - read : read - told
    if apart <= stepWindow(peer) { peer.inStepUntil = now + ReadLimits.stepTime }
  }

  /// How far apart those may be that read the same at the same time.
  func stepWindow(_ peer: Peer) -> Duration {
    max((peer.answerTime.usual ?? .zero) * 2, ReadLimits.leastStep)
  }
}

extension PeerID {
  /// A number that stands for the peer where one of a crowd is chosen: who has the highest is ahead.
  package var crowdKey: UInt64 {
    // FNV-1a.
    withUnsafeBytes { bytes in
      bytes.reduce(0xcbf2_9ce4_8422_2325) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 }
    }
  }
}
