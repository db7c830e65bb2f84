import Metainfo
import Store
import Wire

/// What the content of a torrent has to tell.
extension Swarm {
  /// An operation of the torrent's disk has ended.
  public mutating func completed(
    _ completion: DiskCompletion, of id: TorrentID, now: Duration
  ) {
    advance(to: now)
    guard let torrent = torrent(id) else { return }
    torrent.data?.content.completed(completion, now: self.now)
    touch(torrent)
    settle()
  }

  /// A hash job has ended.
  public mutating func hashed(
    _ job: HashJobID, of id: TorrentID, _ result: HashResult, now: Duration
  ) {
    advance(to: now)
    guard let torrent = torrent(id) else { return }
    torrent.data?.content.hashed(job, result, now: self.now)
    touch(torrent)
    settle()
  }

  mutating func handle(_ notice: ContentNotice, _ torrent: Torrent) {
    switch notice {
    case .opened: opened(torrent)
    case .verified(let block, let buffer):
      torrent.data?.picker.verified(block)
      guard let data = torrent.data else { return }
      if data.keepsAll || data.lastRead != nil { data.inMemory.insert(block, buffer) }
      if !data.awaiting.isEmpty { feedReads(block, from: buffer, torrent) }
      if !data.parked.isEmpty { feedParked(block, from: buffer, torrent) }
      stopRelaying(block, torrent)
      if data.passedOn.remove(block) != nil { tell(block, askedOf: nil, torrent) }
    case .stored(let block):
      feedReads(block, torrent)
      feedParked(block, torrent)
      if loans.count >= ReadLimits.lent { pumpReads() }
    case .have(let piece): gained(piece, torrent)
    case .failed(let block, let culprit):
      torrent.wastedBytes += UInt64(blockLength)
      missing(block, torrent)
      if let culprit { blame(culprit, torrent, "a block that it sent is not the torrent's") }
    case .suspected(let piece, let suspects):
      if let data = torrent.data {
        for block in data.geometry.blocks(of: piece) where !data.content.isHere(block) {
          data.picker.failed(block)
        }
      }
      suspect(piece, suspects, torrent)
      wantMore(torrent)
    case .culpritFound(let id): blame(id, torrent, "a block that it sent is not the torrent's")
    case .acquitted(let id): acquit(id, torrent)
    case .missing(let block): missing(block, torrent)
    case .wantsHashes(let piece): wantsHashes(piece, torrent)
    case .lost(let runs): lost(runs, torrent)
    case .read(let tag, let block, let buffer): takeRead(tag, block, buffer, true, torrent)
    case .unread(let tag, let block, let buffer): takeRead(tag, block, buffer, false, torrent)
    case .answer(let tag, let request, let response): takeAnswer(tag, request, response)
    case .release(let buffer):
      heldBlocks -= 1
      torrent.heldBlocks -= 1
      torrent.data?.inMemory.release(buffer)
      if loans.isEmpty || !loans.release(buffer) { give(back: buffer) }
      resumePaused()
    case .changed(let file): effects.append(.notice(.changed(torrent.id, file)))
    case .full(let failure):
      if !torrent.isDiskFull { effects.append(.notice(.diskFull(torrent.id, failure))) }
      torrent.isDiskFull = true
    case .hasRoom:
      if torrent.isDiskFull { effects.append(.notice(.diskHasRoom(torrent.id))) }
      torrent.isDiskFull = false
      touchDownloaders(torrent)
    case .contradiction(let file): effects.append(.notice(.contradiction(torrent.id, file)))
    case .diskFailed(let failure): effects.append(.notice(.diskFailed(torrent.id, failure)))
    case .closed:
      // Threads may have buffers still: who comes last ends it.
      dropFrames(of: torrent)
      torrent.isClosed = true
      endFrames(of: torrent)
    }
  }

  // MARK: What is here

  /// The block maps are loaded: what is here is known, and peers are welcome.
  private mutating func opened(_ torrent: Torrent) {
    guard case .opening = torrent.phase, let data = torrent.data else { return }
    torrent.phase = .running
    for piece in data.geometry.pieces {
      if data.content.hasPiece(piece) {
        torrent.data?.picker.have(piece)
        torrent.data?.have.insert(piece)
      }
    }
    // Of pieces that are here in part. Numbers in the runs need not be blocks.
    data.content.forEachRunHere { run in
      for number in run.lowerBound..<run.upperBound {
        if let block = data.geometry.block(number),
          !data.have.contains(data.geometry.piece(of: block))
        {
          data.picker.verified(block)
        }
      }
    }
    // What is said to be here is examined, and fetched only if it is not.
    data.content.forEachRunClaimed { run in
      for number in run.lowerBound..<run.upperBound {
        if let block = data.geometry.block(number) { data.picker.received(block) }
      }
    }
    countDone(torrent)
    effects.append(.notice(.opened(torrent.id)))
    readOpened(torrent)
    lookForPeers(torrent)
    checkFinished(torrent)
    for peer in torrent.peers where peer.isActive {
      announceAll(peer, torrent)
      updateInterest(peer, torrent)
    }
    for case let peer? in slots where peer.torrent === torrent {
      guard case .parked = peer.phase else { continue }
      guard torrent.peers.count < configuration.connectionsPerTorrent else {
        close(peer, .tooMany)
        continue
      }
      guard keepsOver(peer, torrent) else {
        close(peer, .duplicate)
        continue
      }
      activate(peer, torrent)
      readEarly(peer)
    }
  }

  private func countDone(_ torrent: Torrent) {
    guard let data = torrent.data else { return }
    var done: UInt64 = 0
    for piece in data.geometry.pieces
    where data.have.contains(piece) && data.picker.priority(of: piece) != .skip {
      done += UInt64(data.geometry.dataLength(of: piece))
    }
    torrent.data?.doneBytes = done
  }

  /// Other pieces are wanted than before.
  mutating func prioritiesChanged(_ torrent: Torrent) {
    guard let data = torrent.data else { return }
    data.wantedBytes = data.geometry.pieces.reduce(0) {
      data.picker.priority(of: $1) == .skip ? $0 : $0 + UInt64(data.geometry.dataLength(of: $1))
    }
    countDone(torrent)
    guard torrent.isRunning else { return }
    if data.isFinished, !data.isComplete {
      data.isFinished = false
      tellUploadOnly(torrent)
    }
    checkFinished(torrent)
    lookForPeers(torrent)
    for peer in torrent.peers where peer.isActive {
      updateInterest(peer, torrent)
      touch(peer)
    }
  }

  /// What is here, to a peer that was told nothing before: metadata came after the handshakes.
  private func announceAll(_ peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    for piece in data.geometry.pieces where data.have.contains(piece) {
      peer.put(.have(piece: piece.rawValue))
    }
  }

  /// A piece is here, and on disk.
  private mutating func gained(_ piece: PieceIndex, _ torrent: Torrent) {
    guard torrent.data?.have.insert(piece) == true else { return }
    torrent.data?.picker.have(piece)
    torrent.data?.hashAskings[piece] = nil
    torrent.data?.alone.removeAll { $0.piece == piece }
    endTrials(by: piece, torrent)
    if torrent.data?.lastHashPiece == piece { torrent.data?.lastHashPiece = nil }
    if let data = torrent.data, data.picker.priority(of: piece) != .skip {
      torrent.data?.doneBytes += UInt64(data.geometry.dataLength(of: piece))
    }
    guard torrent.isRunning else { return }
    for peer in torrent.peers where peer.isActive {
      // To those who have it too: a seed advises by what its peers have.
      peer.put(.have(piece: piece.rawValue))
      touch(peer)
    }
    checkFinished(torrent)
  }

  private mutating func checkFinished(_ torrent: Torrent) {
    guard torrent.isRunning, let data = torrent.data, !data.isFinished, data.isComplete
    else { return }
    torrent.data?.isFinished = true
    keepLayers(torrent)
    lookForPeers(torrent)
    effects.append(.notice(.finished(torrent.id)))
    tellUploadOnly(torrent)
    for peer in torrent.peers where peer.isActive {
      updateInterest(peer, torrent)
      closeIfUseless(peer, torrent)
    }
  }

  /// Tells whether we want nothing any more. BEP 21.
  private mutating func tellUploadOnly(_ torrent: Torrent) {
    guard let data = torrent.data else { return }
    for peer in torrent.peers where peer.isActive && peer.uploadOnlyID != 0 {
      peer.put(
        extension: peer.uploadOnlyID,
        UploadOnlyMessage(isUploadOnly: data.wantsNothing).encoded)
      touch(peer)
    }
  }

  mutating func missing(_ block: BlockIndex, _ torrent: Torrent) {
    torrent.data?.picker.failed(block)
    wantMore(torrent)
  }

  /// Something that was here, or on its way, is missing.
  private mutating func wantMore(_ torrent: Torrent) {
    torrent.data?.lastHashPiece = nil
    guard torrent.isRunning else { return }
    if let data = torrent.data, data.isFinished, !data.picker.isFinished {
      data.isFinished = false
      tellUploadOnly(torrent)
    }
    for peer in torrent.peers where peer.isActive && !peer.amInterested {
      updateInterest(peer, torrent)
    }
    touchDownloaders(torrent)
  }

  private mutating func lost(_ runs: [BlockRange], _ torrent: Torrent) {
    guard let geometry = torrent.data?.geometry else { return }
    frames.cache.forget { key in
      key.torrent == torrent.id && runs.contains { $0.contains(key.block) }
    }
    effects.append(.notice(.lost(torrent.id, blocks: runs.reduce(0) { $0 + $1.count })))
    for block in runs.joined() {
      let piece = geometry.piece(of: block)
      if torrent.data?.have.remove(piece) == true {
        if torrent.data?.picker.priority(of: piece) != .skip {
          torrent.data?.doneBytes -= UInt64(geometry.dataLength(of: piece))
        }
        torrent.data?.picker.lost(piece)
        for other in geometry.blocks(of: piece) {
          if torrent.data?.content.isHere(other) == true {
            torrent.data?.picker.verified(other)
          } else if torrent.data?.content.isClaimed(other) == true {
            torrent.data?.picker.received(other)
          }
        }
        for peer in torrent.peers where peer.isActive && peer.dontHaveID != 0 {
          peer.put(
            extension: peer.dontHaveID, DontHaveMessage(piece: piece.rawValue).encoded)
          touch(peer)
        }
      }
      if torrent.data?.content.isHere(block) == false,
        torrent.data?.content.isClaimed(block) == false
      {
        torrent.data?.picker.failed(block)
      }
    }
    wantMore(torrent)
  }

  // MARK: Hashes

  private mutating func wantsHashes(_ piece: PieceIndex, _ torrent: Torrent) {
    guard let data = torrent.data, data.hashAskings[piece]?.peer == nil else { return }
    if data.content.isWhollyClaimed(piece), askForLayer(piece, torrent) { return }
    askAnother(piece, torrent)
  }

  // MARK: Reads that have ended

  private mutating func takeRead(
    _ tag: UInt64, _ block: BlockIndex, _ buffer: BufferHandle, _ isRead: Bool,
    _ torrent: Torrent
  ) {
    switch purposes.take(tag) {
    case .upload(let id, let request):
      takeUpload(id, request, block, buffer, isRead: isRead, torrent)
    case .read(let id): takeBlock(id, block, buffer, isRead: isRead, torrent)
    case .hashes, nil: pool.give(buffer)
    }
  }

  private mutating func takeAnswer(
    _ tag: UInt64, _ request: HashRequest, _ response: HashResponse?
  ) {
    guard case .hashes(let id) = purposes.take(tag), let peer = peer(id) else { return }
    peer.hashAnswers -= 1
    peer.put(.hash(response.map(HashMessage.hashes) ?? .reject(request)))
    touch(peer)
  }
}
