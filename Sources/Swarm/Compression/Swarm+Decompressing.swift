import Metainfo
import Store
import Wire

/// Blocks that come as zstd frames. docs/compression.md.
///
/// Invariant: a frame is held (`heldBlocks`) from its coming until its block was given to the content, or dropped; so
/// frames fill the same memory that other blocks do, and reading from peers stops in time.
extension Swarm {
  /// A message of `sw_zstd` is here, whole.
  mutating func takeFrame(_ peer: Peer, _ payload: RawSpan) {
    guard let torrent = peer.torrent else { return }
    let message: CompressedBlock
    do {
      message = try CompressedBlock(payload: payload)
    } catch {
      ban(peer, torrent, "\(error)")
      return
    }
    beginBlock(peer, message.block)
    let gathering = peer.gathering
    peer.gathering = .nothing
    if peer.isClosed { return }
    guard case .inChunk(let block) = gathering else {
      // Worth what it took on the line.
      count(payload.byteCount, from: peer)
      torrent.wastedBytes += UInt64(payload.byteCount)
      return
    }
    let length = Int(message.block.length)
    count(length, from: peer)
    let spared = max(
      0,
      13 + length - PeerMessage.extended(id: 0, byteCount: 0).encodedByteCount - payload.byteCount)
    torrent.savedDownloadBytes += UInt64(spared)
    frames.figures.savedDownloadBytes += UInt64(spared)
    // The limits on rates are of bytes on the line.
    downloadBucket.giveBack(spared)
    torrent.downloadBucket.giveBack(spared)
    guard admit(block, of: peer, torrent) else { return }
    torrent.frameJobs += 1
    frames.arrived.append(
      ArrivedFrame(
        torrent: torrent, peer: peer.id, block: block, length: message.block.length,
        frame: payload.extracting(CompressionLimits.headBytes...).withUnsafeBytes { Array($0) },
        since: now))
  }

  /// Has frames opened for which there are buffers.
  mutating func openFrames() {
    let kept = configuration.poolBuffers / SwarmLimits.poolShareKept
    while !frames.arrived.isEmpty, pool.freeCount > kept {
      var opening: [(frame: ArrivedFrame, buffer: BufferHandle)] = []
      while opening.count < SwarmLimits.framesPerOpening, pool.freeCount > kept,
        !frames.arrived.isEmpty, let buffer = pool.take()
      {
        guard let frame = frames.arrived.popFirst() else {
          pool.give(buffer)
          break
        }
        opening.append((frame, buffer))
      }
      let id = frames.newJob()
      frames.opening[id] = opening
      let parts = opening.map {
        DecompressionJob.Part(frame: $0.frame.frame, buffer: $0.buffer, length: $0.frame.length)
      }
      effects.append(.decompress(DecompressionJob(id: id, parts: parts)))
    }
  }

  /// Frames were opened: for each what is wrong with it, nil where its block is in its buffer.
  public mutating func decompressed(
    _ id: FrameJobID, _ results: [CompressionError?], now: Duration
  ) {
    advance(to: now)
    guard let opening = frames.opening.removeValue(forKey: id) else {
      preconditionFailure("decompression job \(id.rawValue) is not under way")
    }
    precondition(results.count == opening.count)
    for ((frame, buffer), fault) in zip(opening, results) {
      let torrent = frame.torrent
      if fault == nil, torrent.isRunning, let content = torrent.data?.content {
        torrent.frameJobs -= 1
        content.receive(frame.block, in: buffer, from: frame.peer, now: self.now)
        touch(torrent)
        continue
      }
      pool.give(buffer)
      drop(frame)
      if let fault { blame(frame.peer, torrent, "\(fault)") }
    }
    resumePaused()
    settle()
  }

  /// Frames that have waited for long for a buffer are given up: what has the buffers may wait for their blocks.
  mutating func dropLateFrames() {
    while let first = frames.arrived.first, first.since + SwarmLimits.arrivedTime <= now {
      _ = frames.arrived.popFirst()
      drop(first)
    }
  }

  /// Frames of a torrent that is at rest.
  mutating func dropFrames(of torrent: Torrent) {
    var others = Ring<ArrivedFrame>()
    while let frame = frames.arrived.popFirst() {
      if frame.torrent === torrent { drop(frame) } else { others.append(frame) }
    }
    frames.arrived = others
  }

  /// The block has not come after all.
  private mutating func drop(_ frame: ArrivedFrame) {
    let torrent = frame.torrent
    heldBlocks -= 1
    torrent.heldBlocks -= 1
    torrent.frameJobs -= 1
    torrent.wastedBytes += UInt64(frame.length)
    if torrent.isRunning { missing(frame.block, torrent) }
    touch(torrent)
    endFrames(of: torrent)
  }
}
