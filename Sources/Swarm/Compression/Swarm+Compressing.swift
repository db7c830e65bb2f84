import Metainfo
import Store
import Wire

/// Blocks that go out as zstd frames. docs/compression.md.
extension Swarm {
  /// Blocks have been compressed: for each the frame, nil where it is not worth sending.
  public mutating func compressed(
    _ id: FrameJobID, _ results: [[UInt8]?], now: Duration
  ) {
    advance(to: now)
    guard let job = frames.packed.removeValue(forKey: id) else {
      preconditionFailure("compression job \(id.rawValue) is not under way")
    }
    precondition(results.count == job.parts.count)
    let torrent = job.torrent
    frames.packingBlocks -= job.parts.count
    for (part, frame) in zip(job.parts, results) {
      let (request, block) = (part[0].request, part[0].block)
      frames.places[FrameKey(torrent: torrent.id, block: block)] = nil
      let payload = frame.map {
        CompressedBlock(block: request, frameByteCount: $0.count).encoded + $0
      }
      if torrent.isRunning { keep(payload, frame?.count, request, block, torrent) }
      for packing in part { finish(packing, payload, torrent) }
    }
    torrent.frameJobs -= 1
    endFrames(of: torrent)
    settle()
  }

  /// Remembers what came of a block.
  private mutating func keep(
    _ payload: [UInt8]?, _ frameByteCount: Int?, _ request: BlockRequest, _ block: BlockIndex,
    _ torrent: Torrent
  ) {
    if let file = file(of: block, torrent) {
      frames.policy.learn(
        file, blockByteCount: Int(request.length), frameByteCount: frameByteCount)
    }
    frames.cache.insert(
      payload.map { .frame($0) } ?? .plain, byteCount: payload?.count ?? 0,
      for: FrameKey(torrent: torrent.id, block: block))
  }

  /// The block goes out in the form that it has got, if the peer still gets it.
  private mutating func finish(_ packing: Packing, _ payload: [UInt8]?, _ torrent: Torrent) {
    guard !packing.isDropped, let peer = peer(packing.peer) else {
      pool.give(packing.buffer)
      return
    }
    peer.packing.removeAll { $0 === packing }
    touch(peer)
    // It may have said meanwhile that it takes none any more. BEP 10.
    if let payload, peer.zstdID != 0 {
      pool.give(packing.buffer)
      giveBack(payload, packing.request, torrent)
      send(payload, packing.request, to: peer, torrent)
    } else {
      send(
        packing.request, from: packing.buffer, count: packing.request.length, to: peer, torrent)
    }
  }

  /// The limits on rates are of bytes on the line: what a frame has spared may go out besides.
  private mutating func giveBack(_ payload: [UInt8], _ request: BlockRequest, _ torrent: Torrent) {
    let spared = blockLength - payload.count
    uploadBucket.giveBack(spared)
    torrent.uploadBucket.giveBack(spared)
  }

  // MARK: Choice

  /// Whether a block that was read for a peer is to be compressed before it goes out.
  mutating func isToPack(
    _ request: BlockRequest, _ block: BlockIndex, for peer: Peer, _ torrent: Torrent
  ) -> Bool {
    guard peer.zstdID != 0, peer.line.level != nil,
      frames.packingBlocks < SwarmLimits.packingBlocks,
      torrent.data?.geometry.requestLength(of: block) == request.length,
      let file = file(of: block, torrent)
    else { return false }
    let key = FrameKey(torrent: torrent.id, block: block)
    switch frames.cache.entry(of: key) {
    case .plain: return false
    case .frame: return true
    case nil: return frames.places[key] != nil || frames.policy.shouldTry(file)
    }
  }

  /// The file of a block; in v1, where a block may have parts of several, the first one's.
  private func file(of block: BlockIndex, _ torrent: Torrent) -> FrameFile? {
    guard let geometry = torrent.data?.geometry else { return nil }
    let file =
      geometry.leaf(of: block)?.file ?? geometry.spans(of: block).lazy.compactMap(\.file).first
    return FrameFile(torrent: torrent.id, file: file?.rawValue ?? 0)
  }

  /// Sends a block whose frame is kept, without a look at the disk. False where there is none, or the line is too
  /// fast for frames.
  mutating func sendKept(
    _ request: BlockRequest, _ block: BlockIndex, to peer: Peer, _ torrent: Torrent
  ) -> Bool {
    guard peer.zstdID != 0, peer.line.level != nil,
      torrent.data?.geometry.requestLength(of: block) == request.length,
      case .frame(let payload)? = frames.cache.entry(
        of: FrameKey(torrent: torrent.id, block: block))
    else { return false }
    _ = uploadBucket.take(payload.count, now: now)
    _ = torrent.uploadBucket.take(payload.count, now: now)
    send(payload, request, to: peer, torrent)
    return true
  }

  // MARK: Jobs

  /// Makes jobs of the blocks that wait to be compressed for the peer.
  mutating func pack(_ peer: Peer, _ torrent: Torrent) {
    guard peer.unpacked > 0 else { return }
    let fresh = Array(peer.packing.suffix(peer.unpacked))
    peer.unpacked = 0
    var parts: [[Packing]] = []
    for packing in fresh {
      let key = FrameKey(torrent: torrent.id, block: packing.block)
      if case .frame(let payload)? = frames.cache.entry(of: key) {
        finish(packing, payload, torrent)
      } else if let place = frames.places[key] {
        // Somebody else asked for it just before.
        frames.packed[place.job]?.parts[place.part].append(packing)
      } else {
        parts.append([packing])
        if parts.count == SwarmLimits.blocksPerPacking {
          begin(parts, for: peer, torrent)
          parts = []
        }
      }
    }
    if !parts.isEmpty { begin(parts, for: peer, torrent) }
  }

  private mutating func begin(_ parts: [[Packing]], for peer: Peer, _ torrent: Torrent) {
    let id = frames.newJob()
    for (number, part) in parts.enumerated() {
      frames.places[FrameKey(torrent: torrent.id, block: part[0].block)] = (id, number)
    }
    frames.packed[id] = FrameDesk.Packed(torrent: torrent, parts: parts)
    frames.packingBlocks += parts.count
    torrent.frameJobs += 1
    effects.append(
      .compress(
        CompressionJob(
          id: id,
          parts: parts.map { HashPart(buffer: $0[0].buffer, length: $0[0].request.length) },
          level: peer.line.level ?? 1)))
  }

  /// Sends a message of `sw_zstd`.
  private mutating func send(
    _ payload: [UInt8], _ request: BlockRequest, to peer: Peer, _ torrent: Torrent
  ) {
    flush(peer)
    let message = PeerMessage.extended(id: peer.zstdID, byteCount: payload.count)
    let head = message.encodedByteCount
    let bytes = [UInt8](unsafeUninitializedCapacity: head + payload.count) { room, count in
      message.encode(into: UnsafeMutableRawBufferPointer(room))
      payload.withUnsafeBytes { payload in
        UnsafeMutableRawBufferPointer(rebasing: UnsafeMutableRawBufferPointer(room)[head...])
          .copyMemory(from: payload)
      }
      count = head + payload.count
    }
    peer.unsentBytes += bytes.count
    peer.unsentBlockBytes += bytes.count
    peer.sending.append((bytes.count, nil, bytes.count))
    peer.line.waits(true, now: now)
    peer.lastSent = now
    peer.vainRequests = 0
    peer.upload.add(Int(request.length), now: now)
    torrent.upload.add(Int(request.length), now: now)
    let spared = UInt64(max(0, 13 + Int(request.length) - bytes.count))
    torrent.savedUploadBytes += spared
    frames.figures.savedUploadBytes += spared
    effects.append(.send(peer.id, .bytes(bytes)))
  }

  // MARK: Ends

  /// Blocks that are being compressed for the peer and that it does not get: they are rejected, if it understands
  /// that. Whether there were such.
  @discardableResult
  mutating func dropPacking(of peer: Peer, _ isDropped: (BlockRequest) -> Bool) -> Bool {
    guard !peer.packing.isEmpty else { return false }
    let firstUnpacked = peer.packing.count - peer.unpacked
    var kept: [Packing] = []
    for (place, packing) in peer.packing.enumerated() {
      guard isDropped(packing.request) else {
        kept.append(packing)
        continue
      }
      packing.isDropped = true
      if place >= firstUnpacked {
        // No thread has it.
        peer.unpacked -= 1
        pool.give(packing.buffer)
      }
      if peer.isFast, !peer.isClosed { peer.put(.reject(packing.request)) }
    }
    let hasDropped = kept.count < peer.packing.count
    peer.packing = kept
    if hasDropped { touch(peer) }
    return hasDropped
  }

  /// What is known of frames of the torrent is of no use any more, and the last of its jobs may be what its end
  /// waited for.
  mutating func endFrames(of torrent: Torrent) {
    guard torrent.isClosed, torrent.frameJobs == 0 else { return }
    frames.forget(torrent.id)
    removed(torrent)
  }

  /// Chooses the peer's level anew, when it is time to.
  mutating func judgeLine(_ peer: Peer) {
    guard peer.zstdID != 0, let torrent = peer.torrent else { return }
    let isHeldBack =
      !peer.uploads.isEmpty && (uploadBucket.isLimited || torrent.uploadBucket.isLimited)
    peer.line.judge(isHeldBack: isHeldBack, now: now)
  }
}

extension Peer {
  /// Bytes of blocks on their way to it: what is read, compressed, and not taken by the system.
  var bytesUnderWay: Int { readingBytes + packing.count * blockLength + unsentBlockBytes }
}
