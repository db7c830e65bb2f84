import Metainfo
import Store

/// A range that somebody wants to read.
final class PendingRead {
  let id: ReadID
  let torrent: TorrentID
  let file: FileIndex
  let bytes: Range<UInt64>
  let since: Duration
  let deadline: Duration
  /// Blocks not yet asked of the content, those that are here first.
  var remaining: [BlockIndex]
  /// Blocks that must come from peers first.
  var awaited: Set<BlockIndex> = []
  /// Blocks being read from disk.
  var reading = 0

  init(
    id: ReadID, torrent: TorrentID, file: FileIndex, bytes: Range<UInt64>, since: Duration,
    deadline: Duration, blocks: [BlockIndex]
  ) {
    self.id = id
    self.torrent = torrent
    self.file = file
    self.bytes = bytes
    self.since = since
    self.deadline = deadline
    remaining = blocks
  }

  /// Whose deadline is earlier, or who came first.
  static func isBefore(_ a: PendingRead, _ b: PendingRead) -> Bool {
    (a.deadline, a.id.rawValue) < (b.deadline, b.id.rawValue)
  }

  var isDone: Bool { remaining.isEmpty && awaited.isEmpty && reading == 0 }
}

/// Reads: what is here is read, what is missing comes before anything else.
extension Swarm {
  /// Reads `bytes` of a file: blocks are delivered as they are verified, missing ones are fetched
  /// before anything else. Ends by `Effect.endRead`, at the latest after `timeout`.
  public mutating func read(
    _ bytes: Range<UInt64>, of file: Int, in id: TorrentID, timeout: Duration, now: Duration
  ) -> ReadID {
    advance(to: now)
    nextRead += 1
    let readID = ReadID(nextRead)
    guard let torrent = torrent(id), let geometry = torrent.data?.geometry,
      let number = UInt32(exactly: file), let index = geometry.file(number),
      let blocks = geometry.blocks(of: index, bytes: bytes)
    else {
      effects.append(.endRead(readID, .outOfRange))
      return readID
    }
    if case .closing = torrent.phase {
      effects.append(.endRead(readID, .closed))
      return readID
    }
    let read = PendingRead(
      id: readID, torrent: id, file: index, bytes: bytes, since: self.now,
      deadline: self.now + timeout, blocks: blocks.reversed())
    reads[readID] = read
    torrent.data?.lastRead = self.now
    if torrent.peers.contains(where: { $0.readsID != 0 }) {
      for block in blocks.prefix(ReadLimits.recentBlocks / 4) { noteRead(block, torrent) }
    }
    readDeadline = earliest(readDeadline, read.deadline)
    pump(read, torrent)
    readAhead(bytes, of: index, torrent)
    settle()
    return readID
  }

  /// The reader is done with a delivered buffer.
  public mutating func finish(_ buffer: BufferHandle) {
    switch loans.isEmpty ? .notLent : loans.finish(buffer) {
    case .notLent:
      readersBuffers -= 1
      pool.give(buffer)
    case .free: give(back: buffer)
    case .inUse: break
    }
    pumpReads()
    settle()
  }

  /// Begins what the window allows.
  private mutating func pump(_ read: PendingRead, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    var isMissing = false
    while read.reading + read.awaited.count < ReadLimits.window, let block = read.remaining.last {
      if data.content.isHere(block) {
        guard begin(block, read, torrent) else { break }
      } else if let buffer = data.inMemory[block] {
        // On its way to disk, or waiting for room there.
        guard loans.mayLend(buffer, limit: ReadLimits.lent) else { break }
        loans.lend(buffer)
        effects.append(.deliver(read.id, block, buffer))
      } else {
        // Nothing can be written and readers keep what they have: what came would be lost.
        if torrent.isDiskFull, loans.count >= ReadLimits.lent { break }
        guard data.awaiting[block] != nil || data.awaiting.count < ReadLimits.awaited else { break }
        expect(block, read, torrent)
        isMissing = true
      }
      read.remaining.removeLast()
    }
    if isMissing {
      wakeForReads(torrent)
      if torrent.peers.isEmpty { lookForPeers(torrent) }
    }
    touch(torrent)
    if read.isDone { end(read, nil) }
  }

  /// The block maps are loaded: what was awaited may be here.
  mutating func readOpened(_ torrent: Torrent) {
    guard let data = torrent.data else { return }
    for read in reads.values.sorted(by: PendingRead.isBefore) where read.torrent == torrent.id {
      for block in read.awaited.sorted() where data.content.isHere(block) {
        read.awaited.remove(block)
        data.awaiting[block] = nil
        removeUrgent(block, torrent)
        read.remaining.append(block)
      }
      pump(read, torrent)
    }
  }

  /// The block must come from peers first, soon.
  private mutating func expect(_ block: BlockIndex, _ read: PendingRead, _ torrent: Torrent) {
    guard read.awaited.insert(block).inserted, let data = torrent.data else { return }
    data.awaiting[block, default: []].append(read.id)
    data.picker.addUrgent(block, deadline: read.deadline)
    completePiece(of: block, torrent)
    // It may have been asked for before anybody waited for it.
    if data.urgentDue[block] == nil, let slot = data.picker.requesters(of: block).first,
      let peer = slots[Int(slot)]
    {
      becameUrgent(block, askedOf: peer, torrent)
    }
  }

  /// Reads a block that is here. False when there is no buffer for it now.
  private mutating func begin(
    _ block: BlockIndex, _ read: PendingRead, _ torrent: Torrent
  ) -> Bool {
    // Readers that keep what they were given do not take what peers need.
    guard readersBuffers < configuration.poolBuffers / 2, let buffer = pool.take() else {
      return false
    }
    readersBuffers += 1
    let tag = purposes.keep(.read(read.id))
    guard torrent.data?.content.read(block, into: buffer, tag: tag) == true else {
      _ = purposes.take(tag)
      readersBuffers -= 1
      pool.give(buffer)
      expect(block, read, torrent)
      return true
    }
    read.reading += 1
    return true
  }

  /// A block is here now: those who wait for it get it.
  mutating func feedReads(_ block: BlockIndex, _ torrent: Torrent) {
    guard let waiting = torrent.data?.awaiting.removeValue(forKey: block) else { return }
    removeUrgent(block, torrent)
    for read in waiting.compactMap({ reads[$0] }).sorted(by: PendingRead.isBefore) {
      read.awaited.remove(block)
      if !begin(block, read, torrent) { read.remaining.append(block) }
    }
  }

  /// A block is right, and on its way to disk: those who wait for it get it from memory.
  mutating func feedReads(
    _ block: BlockIndex, from buffer: BufferHandle, _ torrent: Torrent
  ) {
    guard let waiting = torrent.data?.awaiting.removeValue(forKey: block) else { return }
    removeUrgent(block, torrent)
    for read in waiting.compactMap({ reads[$0] }).sorted(by: PendingRead.isBefore) {
      read.awaited.remove(block)
      if loans.mayLend(buffer, limit: ReadLimits.lent) {
        loans.lend(buffer)
        effects.append(.deliver(read.id, block, buffer))
      } else {
        // From disk, or from here as soon as readers have finished with others.
        read.remaining.append(block)
      }
      pump(read, torrent)
    }
  }

  /// A block that was read for a reader is here.
  mutating func takeBlock(
    _ id: ReadID, _ block: BlockIndex, _ buffer: BufferHandle, isRead: Bool, _ torrent: Torrent
  ) {
    guard let read = reads[id] else {
      readersBuffers -= 1
      pool.give(buffer)
      return
    }
    read.reading -= 1
    if isRead {
      effects.append(.deliver(id, block, buffer))
    } else {
      readersBuffers -= 1
      pool.give(buffer)
      read.remaining.append(block)
    }
    pump(read, torrent)
  }

  mutating func end(_ read: PendingRead, _ failure: ReadFailure?) {
    reads[read.id] = nil
    readDeadline = reads.values.lazy.map(\.deadline).min()
    if let torrent = torrent(read.torrent) {
      for block in read.awaited {
        torrent.data?.awaiting[block]?.removeAll { $0 == read.id }
        guard torrent.data?.awaiting[block]?.isEmpty == true else { continue }
        torrent.data?.awaiting[block] = nil
        if torrent.data?.parked[block] == nil {
          removeUrgent(block, torrent)
          torrent.data?.passedOn.remove(block)
        } else {
          // Others wait for it yet.
          torrent.data?.relayed.insert(block)
        }
      }
    }
    effects.append(.endRead(read.id, failure))
  }

  mutating func endLateReads() {
    for read in reads.values.filter({ $0.deadline <= now }).sorted(by: PendingRead.isBefore) {
      end(read, .timeout(torrent(read.torrent).map { reason(read, $0) } ?? .checking))
    }
  }

  /// What could not be begun may be possible now.
  mutating func pumpReads() {
    for read in reads.values.filter({ !$0.remaining.isEmpty }).sorted(by: PendingRead.isBefore) {
      if let torrent = torrent(read.torrent) { pump(read, torrent) }
    }
  }

  mutating func endReads(of torrent: TorrentID) {
    for read in reads.values.filter({ $0.torrent == torrent }).sorted(by: {
      $0.id.rawValue < $1.id.rawValue
    }) {
      end(read, .closed)
    }
  }
}
