import Metainfo
import Store
import Wire

/// What peers send, from bytes to messages and blocks.
extension Swarm {
  /// Whether to read from the connection. When false, `Effect.resumeReading` tells when to go on.
  public borrowing func wantsInput(_ connection: ConnectionID) -> Bool {
    guard let peer = peer(connection) else { return false }
    if case .parked = peer.phase {
      peer.isPaused = true
      return false
    }
    if peer.isPaused { return false }
    return true
  }

  /// Where the next bytes from the connection are to go before anything else; nil for nowhere
  /// special.
  public borrowing func continuation(of connection: ConnectionID) -> BlockContinuation? {
    guard let peer = peer(connection), case .inPool(_, let buffer, let filled) = peer.gathering,
      case .block(let remaining) = peer.framer.demand
    else { return nil }
    return BlockContinuation(buffer: buffer, offset: filled, count: remaining)
  }

  /// Bytes came: first `continued` bytes, which are where `continuation` said, then those of
  /// `chunk`, which are at `base`. Bytes in `chunk` come only after the continuation is full.
  public mutating func receive(
    _ connection: ConnectionID, continued: Int, chunk: RawSpan, at base: BufferHandle,
    now: Duration
  ) -> Intake {
    advance(to: now)
    var intake = Intake()
    guard let peer = peer(connection) else { return intake }
    peer.lastReceived = self.now
    if continued > 0 { takeContinuation(peer, continued) }
    var offset = 0
    if case .handshaking = peer.phase {
      do throws(HandshakeError) {
        offset = try peer.reader.append(chunk)
        readHandshake(peer)
      } catch {
        close(peer, .notBitTorrent(error))
      }
    }
    if peer.isActive { readMessages(peer, chunk, at: base, from: offset, &intake) }
    if !peer.isClosed, case .parked = peer.phase, offset < chunk.byteCount {
      // Only who sends more than a handshake before ours came, to a torrent that is not open yet.
      peer.early += chunk.extracting(offset...).withUnsafeBytes { Array($0) }
      if peer.early.count > SwarmLimits.unreadMessages { close(peer, .misconduct("too early")) }
    }
    touch(peer)
    if let torrent = peer.torrent { touch(torrent) }
    if isMemoryFull { pause(peer) }
    settle()
    return intake
  }

  /// Stops reading from a peer until blocks have gone to disk.
  private mutating func pause(_ peer: Peer) {
    guard !peer.isPaused, !peer.isClosed else { return }
    peer.isPaused = true
    pausedPeers.append(peer)
  }

  mutating func resumePaused() {
    guard !pausedPeers.isEmpty, !isMemoryFull else { return }
    for peer in pausedPeers where peer.isPaused && !peer.isClosed {
      peer.isPaused = false
      peer.lastData = now
      peer.lastReceived = now
      effects.append(.resumeReading(peer.id))
      touch(peer)
    }
    pausedPeers = []
  }

  /// Messages that came while the peer was parked.
  mutating func readEarly(_ peer: Peer) {
    guard !peer.early.isEmpty else { return }
    let bytes = peer.early
    peer.early = []
    var intake = Intake()
    // No block is awaited yet, so no handle into these bytes is kept.
    readMessages(peer, bytes.span.bytes, at: BufferHandle(0), from: 0, &intake)
  }

  private mutating func readMessages(
    _ peer: Peer, _ chunk: RawSpan, at base: BufferHandle, from start: Int, _ intake: inout Intake
  ) {
    var offset = start
    do throws(PeerProtocolError) {
      while let element = try peer.framer.next(in: chunk, at: &offset) {
        switch element {
        case .block(let range, let remaining):
          takeData(peer, range, remaining, at: base, &intake)
        case .message(.piece(let block)): beginBlock(peer, block)
        case .message(.bitfield):
          let body = peer.framer.withBody(in: chunk) { $0.withUnsafeBytes { Array($0) } }
          takeBitfield(peer, body)
        case .message(.extended(OurExtension.zstd, _)) where configuration.compresses:
          peer.framer.withBody(in: chunk) { takeFrame(peer, $0) }
        case .message(.extended(let id, _)):
          let body = peer.framer.withBody(in: chunk) { $0.withUnsafeBytes { Array($0) } }
          take(peer, extension: id, body)
        case .message(let message): take(peer, message)
        }
        if peer.isClosed { return }
        if peer.isTiresome {
          close(peer, .misconduct("it sends messages without content and without end"))
          return
        }
      }
    } catch {
      close(peer, .protocolError(error))
    }
  }

  // MARK: Blocks

  /// A block was announced; its data follow.
  mutating func beginBlock(_ peer: Peer, _ announced: BlockRequest) {
    peer.emptyMessages = 0
    peer.gathering = .skipping
    guard let torrent = peer.torrent, let geometry = torrent.data?.geometry else {
      close(peer, .misconduct("a block came before the metadata (BEP 9)"))
      return
    }
    guard
      let block = geometry.block(
        piece: announced.piece, begin: announced.begin, length: announced.length)
    else {
      close(
        peer,
        .misconduct(
          "block \(announced.piece)+\(announced.begin) of \(announced.length) bytes is none that"
            + " was asked for (BEP 3)"))
      return
    }
    if let request = peer.takeRequest(block) {
      if request.isRelayed {
        noteRelayed(peer, request)
      } else if !isAnswerToCancelled(peer, after: now - request.since) {
        adaptPipeline(peer, latency: now - request.since)
        if request.isUrgent { peer.answerTime.add(now - request.since) }
      }
      peer.overdue = 0
      peer.unasked = max(0, peer.unasked - 1)
      peer.gathering = .inChunk(block)
    } else if peer.forgiven > 0 {
      peer.forgiven -= 1
      if torrent.data?.wants(block) == true { peer.gathering = .inChunk(block) }
    } else {
      peer.unasked += 1
      if peer.unasked > SwarmLimits.unaskedBlocks {
        close(peer, .misconduct("it sends blocks that nobody asked for"))
      }
    }
  }

  /// Whether a block came so soon that it must have been sent for a request that was cancelled, and asked for
  /// again: then its time says nothing of the line, and a wrong least would keep the pipeline short for ever.
  private func isAnswerToCancelled(_ peer: Peer, after time: Duration) -> Bool {
    guard peer.forgiven > 0 else { return false }
    // Who does not know rejects leaves the count as it is.
    return peer.latency.map { time < $0 } ?? peer.isFast
  }

  private mutating func takeData(
    _ peer: Peer, _ range: Range<Int>, _ remaining: Int, at base: BufferHandle,
    _ intake: inout Intake
  ) {
    count(range.count, from: peer)
    switch peer.gathering {
    case .nothing, .inPool: break
    case .skipping:
      peer.torrent?.wastedBytes += UInt64(range.count)
      if remaining == 0 { peer.gathering = .nothing }
    case .inChunk(let block):
      if remaining == 0 {
        peer.gathering = .nothing
        intake.kept += 1
        takeBlock(peer, block, BufferHandle(base.rawValue + UInt64(range.lowerBound)))
      } else if let buffer = pool.take() {
        intake.tail = (range, buffer)
        peer.gathering = .inPool(block, buffer, filled: range.count)
      } else {
        peer.gathering = .skipping
        peer.torrent?.data?.picker.abandoned(block, by: peer.id.slot)
      }
    }
  }

  private mutating func takeContinuation(_ peer: Peer, _ count: Int) {
    guard case .inPool(let block, let buffer, let filled) = peer.gathering else { return }
    self.count(count, from: peer)
    let remaining = peer.framer.advanceBlock(by: count)
    if remaining > 0 {
      peer.gathering = .inPool(block, buffer, filled: filled + count)
    } else {
      peer.gathering = .nothing
      takeBlock(peer, block, buffer)
    }
  }

  mutating func count(_ bytes: Int, from peer: Peer) {
    peer.lastData = now
    peer.isSnubbed = false
    peer.download.add(bytes, now: now)
    peer.torrent?.download.add(bytes, now: now)
  }

  /// A whole block is here: it is to be judged.
  private mutating func takeBlock(_ peer: Peer, _ block: BlockIndex, _ buffer: BufferHandle) {
    guard let torrent = peer.torrent, admit(block, of: peer, torrent) else {
      give(back: buffer)
      return
    }
    torrent.data?.content.receive(block, in: buffer, from: peer.id, now: now)
  }

  /// Whether a block that is here, in whatever form, is of use; then it is held from now on, and asked of nobody.
  mutating func admit(_ block: BlockIndex, of peer: Peer, _ torrent: Torrent) -> Bool {
    guard torrent.isRunning, torrent.data != nil else { return false }
    guard torrent.data?.wants(block) == true,
      !torrent.isDiskFull || torrent.data?.picker.urgent.contains(block) == true
    else {
      torrent.wastedBytes += UInt64(blockLength)
      torrent.data?.picker.abandoned(block, by: peer.id.slot)
      return false
    }
    peer.rejections = 0
    torrent.lastBlock = now
    cancelElsewhere(block, torrent, but: peer)
    askHashesBehind(block, of: peer, torrent)
    torrent.data?.picker.received(block)
    heldBlocks += 1
    torrent.heldBlocks += 1
    return true
  }

  /// A buffer that is not needed goes back to where it is from.
  mutating func give(back buffer: BufferHandle) {
    if buffer.isPooled { pool.give(buffer) } else { effects.append(.release(buffer)) }
  }
}

extension BufferHandle {
  /// Whether it is one of the core's own.
  var isPooled: Bool { rawValue < 1 << 63 }
}
