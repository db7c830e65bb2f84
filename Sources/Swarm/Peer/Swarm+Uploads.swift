import Metainfo
import Store
import Wire

/// What peers ask of us.
extension Swarm {
  mutating func takeRequest(_ peer: Peer, _ torrent: Torrent, _ request: BlockRequest) {
    guard let data = torrent.data, let piece = data.geometry.piece(request.piece) else {
      close(peer, .misconduct("there is no piece \(request.piece) to ask for (BEP 3)"))
      return
    }
    guard request.length > 0, request.length <= UInt32(blockLength),
      UInt64(request.begin) + UInt64(request.length)
        <= UInt64(data.geometry.paddedLength(of: piece))
    else {
      close(
        peer,
        .misconduct(
          "it asks for \(request.length) bytes at \(request.begin) of piece \(request.piece)"
            + " (BEP 3)"))
      return
    }
    let blocks = data.geometry.blocks(of: piece)
    let position = Int(request.begin) / blockLength
    // Blocks as everybody asks for them. BEP 3 allows others, which nobody uses.
    guard request.begin.isMultiple(of: UInt32(blockLength)),
      torrent.isRunning,
      !peer.amChoking || peer.allowedToPeer.contains(request.piece),
      peer.uploads.count < SwarmLimits.uploadQueue
    else {
      if peer.isFast { peer.put(.reject(request)) }
      if torrent.isRunning, !data.content.hasPiece(piece) { countVain(peer) }
      return
    }
    // rtorrent asks for the padding of hybrids as well. BEP 47.
    let block = position < blocks.count ? blocks[position] : nil
    if data.content.hasPiece(piece) || block.map(data.content.isHere) == true {
      peer.uploads.append(Peer.Upload(request: request, block: block))
    } else if let block, !peer.amChoking, park(request, for: block, of: peer, torrent) {
      // It is answered when the block is here.
    } else {
      if peer.isFast { peer.put(.reject(request)) }
      countVain(peer)
    }
  }

  /// What was lost is told, but not everybody understands that; and to reject it costs as little as
  /// to ask for it again.
  private mutating func countVain(_ peer: Peer) {
    peer.vainRequests += 1
    if peer.vainRequests > SwarmLimits.vainRequests { close(peer, .useless) }
  }

  mutating func takeCancel(_ peer: Peer, _ request: BlockRequest) {
    for position in 0..<peer.uploads.count where peer.uploads[position].request == request {
      _ = peer.uploads.remove(at: position)
      if peer.isFast { peer.put(.reject(request)) }
      return
    }
    if dropPacking(of: peer, { $0 == request }) { return }
    if let torrent = peer.torrent, takeParked(request, of: peer, torrent) {
      peer.put(.reject(request))
    }
  }

  /// Begins to read what the peer asked for, as much as can be on its way to it.
  mutating func serve(_ peer: Peer, _ torrent: Torrent) {
    guard !peer.uploads.isEmpty, let data = torrent.data,
      !isOutOfTurn(uploadBucket, torrent.uploadBucket)
    else { return }
    let window = sendWindow(peer)
    // In runs: one read of many blocks is as cheap as one of a few.
    guard peer.bytesUnderWay <= window / 2 else { return }
    while peer.bytesUnderWay < window, let next = peer.uploads.first {
      guard downloadsLeave(room: pool.freeCount),
        uploadBucket.take(0, now: now), torrent.uploadBucket.take(0, now: now)
      else {
        waitForLimits(uploadBucket, torrent.uploadBucket)
        return
      }
      _ = peer.uploads.popFirst()
      if let block = next.block, sendKept(next.request, block, to: peer, torrent) { continue }
      guard let buffer = pool.take() else { return }
      guard let block = next.block else {
        send(next.request, from: buffer, count: 0, to: peer, torrent)
        continue
      }
      let tag = purposes.keep(.upload(peer.id, next.request))
      guard data.content.read(block, into: buffer, tag: tag) else {
        _ = purposes.take(tag)
        pool.give(buffer)
        if peer.isFast { peer.put(.reject(next.request)) }
        continue
      }
      _ = uploadBucket.take(blockLength, now: now)
      _ = torrent.uploadBucket.take(blockLength, now: now)
      peer.readingBytes += blockLength
      touch(torrent)
    }
  }

  /// Bytes of blocks that may be on their way to the peer: its window, within its share of the pool.
  private func sendWindow(_ peer: Peer) -> Int {
    let share = configuration.poolBuffers * blockLength * 3 / 4 / max(1, uploadingPeers)
    return max(2 * blockLength, min(share, peer.sendWindow))
  }

  /// A peer that does not take what it is given gets a quarter of a second of its rate at once.
  func adaptSendWindow(_ peer: Peer) {
    guard peer.unsentBlockBytes > 0 else { return }
    let quarter = Int(clamping: peer.upload.rate(now: now) / 4)
    peer.sendWindow = min(SwarmLimits.sendWindow, max(SwarmLimits.smallSendWindow, quarter))
  }

  /// Receiving must always find a buffer.
  private func downloadsLeave(room: Int) -> Bool { room > configuration.poolBuffers / 8 }

  /// A block that was read for a peer is here.
  mutating func takeUpload(
    _ id: ConnectionID, _ request: BlockRequest, _ block: BlockIndex, _ buffer: BufferHandle,
    isRead: Bool, _ torrent: Torrent
  ) {
    guard let peer = peer(id) else {
      pool.give(buffer)
      return
    }
    peer.readingBytes -= blockLength
    touch(peer)
    guard isRead, let geometry = torrent.data?.geometry else {
      pool.give(buffer)
      if peer.isFast { peer.put(.reject(request)) }
      return
    }
    if isToPack(request, block, for: peer, torrent) {
      let packing = Packing(peer: peer.id, request: request, block: block, buffer: buffer)
      peer.packing.append(packing)
      peer.unpacked += 1
      return
    }
    send(request, from: buffer, count: geometry.requestLength(of: block), to: peer, torrent)
  }

  /// Sends a block of which `count` bytes are in the buffer; the rest are zeros.
  mutating func send(
    _ request: BlockRequest, from buffer: BufferHandle, count: UInt32, to peer: Peer,
    _ torrent: Torrent
  ) {
    let outgoing = Outgoing.block(
      request, buffer, zeros: request.length > count ? request.length - count : 0)
    flush(peer)
    peer.unsentBytes += outgoing.byteCount
    peer.unsentBlockBytes += blockLength
    peer.sending.append((outgoing.byteCount, buffer, blockLength))
    peer.line.waits(true, now: now)
    peer.lastSent = now
    peer.vainRequests = 0
    peer.upload.add(Int(request.length), now: now)
    torrent.upload.add(Int(request.length), now: now)
    effects.append(.send(peer.id, outgoing))
  }

  // MARK: Choking

  /// Chokes a peer: what it asked for is not answered any more. BEP 3, BEP 6.
  mutating func choke(_ peer: Peer) {
    guard !peer.amChoking else { return }
    peer.amChoking = true
    peer.put(.choke)
    var kept = Ring<Peer.Upload>()
    while let upload = peer.uploads.popFirst() {
      if peer.allowedToPeer.contains(upload.request.piece) {
        kept.append(upload)
      } else if peer.isFast {
        peer.put(.reject(upload.request))
      }
    }
    peer.uploads = kept
    dropPacking(of: peer) { !peer.allowedToPeer.contains($0.piece) }
    if let torrent = peer.torrent { dropParked(of: peer, torrent) }
    // What it was advised to get, others are to get now.
    peer.torrent?.data?.unsuggested?.append(contentsOf: peer.suggestedToPeer)
    peer.suggestedToPeer = []
    touch(peer)
  }

  mutating func unchoke(_ peer: Peer) {
    guard peer.amChoking else { return }
    peer.amChoking = false
    peer.unchokedSince = now
    peer.uploadedAtUnchoke = peer.upload.total
    peer.put(.unchoke)
    touch(peer)
    if let torrent = peer.torrent { suggest(to: peer, torrent) }
  }

  // MARK: Suggestions

  /// As a seed: tells the peer what nobody was told to ask for before. So a crowd does not ask for
  /// the same, until all is out there once. BEP 6, "suggest piece".
  mutating func suggest(to peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data, data.have.isFull, peer.isFast, !peer.amChoking,
      let pieces = peer.pieces, !pieces.isFull, torrent.peers.count > 1
    else { return }
    let window = max(2 * peer.sendWindow, Int(clamping: peer.upload.rate(now: now)))
    let count = min(SwarmLimits.suggestions, max(2, window / Int(data.geometry.pieceLength)))
    if data.unsuggested == nil { data.unsuggested = data.geometry.pieces.shuffled(using: &random) }
    peer.suggestedToPeer.removeAll { pieces.contains($0) }
    while peer.suggestedToPeer.count < count,
      let piece = data.unsuggested?.popLast()
    {
      guard !pieces.contains(piece), data.picker.availability(of: piece) == 0 else { continue }
      peer.suggestedToPeer.append(piece)
      peer.put(.suggest(piece: piece.rawValue))
    }
  }
}
