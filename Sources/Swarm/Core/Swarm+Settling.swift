import Metainfo
import Store

/// What is done at the end of each event, and as time passes.
extension Swarm {
  /// When `handleTimeout` is to be called; nil for never.
  public var deadline: Duration? {
    let ofReads = earliest(readDeadline, hedgeDeadline)
    return earliest(earliest(nextTick, limitDeadline), earliest(torrentDeadline, ofReads))
  }

  /// Time passed.
  public mutating func handleTimeout(now: Duration) {
    advance(to: now)
    if let due = torrentDeadline, due <= self.now {
      torrentDeadline = nil
      for torrent in torrents.compactMap({ $0 }) {
        if let due = torrent.deadline, due <= self.now {
          torrent.data?.content.handleTimeout(now: self.now)
          lookForPeers(torrent)
          if let end = torrent.endDeadline, end <= self.now {
            torrent.endDeadline = nil
            touchDownloaders(torrent)
          }
        } else {
          torrentDeadline = earliest(torrentDeadline, torrent.deadline)
        }
      }
    }
    if let due = limitDeadline, due <= self.now {
      limitDeadline = nil
      // Each time another peer is the first.
      limitTurn += 1
      for index in slots.indices {
        if let peer = slots[(index + limitTurn) % slots.count] { touch(peer) }
      }
    }
    if let due = readDeadline, due <= self.now { endLateReads() }
    if let due = hedgeDeadline, due <= self.now { hedge() }
    if let due = nextTick, due <= self.now { tick() }
    settle()
  }

  mutating func advance(to now: Duration) { self.now = max(self.now, now) }

  mutating func touch(_ peer: Peer) {
    guard !peer.isDirty else { return }
    peer.isDirty = true
    dirtyPeers.append(peer)
  }

  /// The torrent may have use for peers that it had not before, or know new ones.
  mutating func lookForPeers(_ torrent: Torrent) {
    torrent.looksForPeers = true
    touch(torrent)
  }

  mutating func touch(_ torrent: Torrent) {
    guard !torrent.isDirty else { return }
    torrent.isDirty = true
    dirtyTorrents.append(torrent)
  }

  /// Brings everything that was touched to where nothing more can be done now.
  mutating func settle() {
    while true {
      if let torrent = dirtyTorrents.popLast() {
        torrent.isDirty = false
        settle(torrent)
      } else if let peer = dirtyPeers.popLast() {
        peer.isDirty = false
        settle(peer)
      } else {
        break
      }
    }
    openFrames()
    if nextTick == nil, needsTick { nextTick = now + SwarmLimits.tick }
  }

  /// Passes on what the torrent's content says and wants.
  private mutating func settle(_ torrent: Torrent) {
    if let content = torrent.data?.content {
      content.flush()
      // One may bring forth another: until there is none of any kind.
      while true {
        if let notice = content.nextNotice() {
          handle(notice, torrent)
        } else if let job = content.nextHashJob() {
          effects.append(.hash(torrent.id, job))
        } else if let operation = content.nextOperation() {
          effects.append(.disk(torrent.id, operation))
        } else if let notice = content.nextNotice() {
          // That there is nothing to do can be news, too.
          handle(notice, torrent)
        } else {
          break
        }
      }
    }
    if torrent.looksForPeers {
      torrent.looksForPeers = false
      torrent.connectDeadline = deadlineForConnecting(torrent)
    }
    let ofPeers = earliest(torrent.connectDeadline, torrent.endDeadline)
    torrent.deadline = earliest(torrent.data?.content.deadline, ofPeers)
    torrentDeadline = earliest(torrentDeadline, torrent.deadline)
  }

  /// Asks, answers and sends what can be.
  private mutating func settle(_ peer: Peer) {
    guard !peer.isClosed else { return }
    if peer.isActive, let torrent = peer.torrent {
      askForMetadata(peer, torrent)
      askForBlocks(peer, torrent)
      serve(peer, torrent)
      pack(peer, torrent)
      sendReads(peer, torrent)
    }
    flush(peer)
  }

  /// Hands the outbox over.
  mutating func flush(_ peer: Peer) {
    guard !peer.outbox.isEmpty else { return }
    if peer.owedBytes > SwarmLimits.unreadMessages, !peer.isClosed {
      close(peer, .misconduct("it does not read what it makes us say"))
      return
    }
    let bytes = peer.outbox
    peer.outbox = []
    peer.unsentBytes += bytes.count
    peer.sending.append((bytes.count, nil, 0))
    peer.line.waits(true, now: now)
    peer.lastSent = now
    effects.append(.send(peer.id, .bytes(bytes)))
  }

  // MARK: Time

  /// Whether anything has to be looked at from time to time.
  private var needsTick: Bool { connectionCount > 0 || !reads.isEmpty }

  private mutating func tick() {
    nextTick = nil
    uploadingPeers = max(1, slots.count { $0.map { !$0.uploads.isEmpty } ?? false })
    for case let peer? in slots { tick(peer) }
    for case let torrent? in torrents where !torrent.peers.isEmpty || torrent.connecting > 0 {
      if torrent.nextChoke <= now { choke(torrent) }
      exchangePeers(torrent)
      torrent.metadata?.handleTimeout(now: now)
      retryHashes(torrent)
      dropLateParked(torrent)
      lookForPeers(torrent)
    }
    pumpReads()
    dropLateFrames()
    resumePaused()
    if needsTick { nextTick = now + SwarmLimits.tick }
  }

  /// Whether others wait for what the limits let through: all have their turn when it comes.
  func isOutOfTurn(_ first: TokenBucket, _ second: TokenBucket) -> Bool {
    limitDeadline != nil && (first.isLimited || second.isLimited)
  }

  /// Whether payload on its way to disk fills its share of memory: what waits for more blocks or
  /// hashes, or for room on a full disk, does not keep others from going on.
  var isMemoryFull: Bool {
    if frames.arrived.count >= SwarmLimits.arrivedFrames { return true }
    let limit = configuration.payloadBytes / blockLength
    guard heldBlocks >= limit else { return false }
    var held = heldBlocks - budget.waitingBytes / blockLength
    for case let torrent? in torrents where torrent.isDiskFull { held -= torrent.heldBlocks }
    return held >= limit
  }

  /// Comes back when both buckets have something again.
  mutating func waitForLimits(_ first: TokenBucket, _ second: TokenBucket) {
    let due = max(first.nextFill(now: now) ?? now, second.nextFill(now: now) ?? now)
    limitDeadline = earliest(limitDeadline, max(due, now + .milliseconds(10)))
  }

  func earliest(_ a: Duration?, _ b: Duration?) -> Duration? {
    guard let a else { return b }
    guard let b else { return a }
    return min(a, b)
  }
}
