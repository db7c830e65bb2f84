import Metainfo
import Store
import Swarm
import Wire

import struct Swarm.HashJob

/// Whether bytes are what they should be.
extension SessionNode {
  /// A block that leaves, or is about to, has the torrent's bytes.
  func check(_ request: BlockRequest, _ buffer: BufferHandle, _ zeros: UInt32) {
    let count = Int(request.length - zeros)
    let bytes = memory.room(buffer, count: count)
    let right = truth.bytes(
      piece: request.piece, begin: request.begin, count: Int(request.length))
    demand(bytes.elementsEqual(right[..<count]), "wrong bytes of \(request) leave")
    demand(right[count...].allSatisfy { $0 == 0 }, "\(request) does not end in zeros")
  }

  func carryOut(_ job: FrameJob) {
    switch job {
    case .compress(let job):
      guard var compressor = BlockCompressor() else { fatalError("no memory") }
      let frames = job.parts.map { part in
        compressor.frame(
          of: UnsafeRawBufferPointer(memory.room(part.buffer, count: Int(part.length))), level: 1)
      }
      swarm.compressed(job.id, frames, now: now)
    case .decompress(let job):
      guard var decompressor = BlockDecompressor() else { fatalError("no memory") }
      let faults = job.parts.map { part -> CompressionError? in
        let room = memory.room(part.buffer, count: Int(part.length))
        return part.frame.withUnsafeBytes { frame in
          do throws(CompressionError) {
            try decompressor.decompress(frame, into: room)
            return nil
          } catch {
            return error
          }
        }
      }
      swarm.decompressed(job.id, faults, now: now)
    }
  }

  /// A frame that leaves opens to the torrent's bytes.
  func check(frame payload: [UInt8]) {
    guard let message = try? CompressedBlock(payload: payload.span.bytes),
      var decompressor = BlockDecompressor()
    else { fatalError("a frame that cannot be read leaves") }
    let block = message.block
    let right = truth.bytes(piece: block.piece, begin: block.begin, count: Int(block.length))
    var found = [UInt8](repeating: 0, count: right.count)
    let frame = Array(payload.dropFirst(CompressionLimits.headBytes))
    let isOpen = found.withUnsafeMutableBytes { found in
      frame.withUnsafeBytes { (try? decompressor.decompress($0, into: found)) != nil }
    }
    demand(isOpen && found == right, "a wrong frame leaves")
  }

  func checkDelivered(_ delivery: Delivery) {
    let geometry = truth.geometry
    let count = Int(geometry.dataLength(of: delivery.block))
    let right = truth.bytes(
      piece: geometry.piece(of: delivery.block).rawValue,
      begin: geometry.begin(of: delivery.block), count: count)
    demand(
      memory.room(delivery.buffer, count: count).elementsEqual(right), "wrong bytes are delivered")
  }

  /// In v2 nothing but verified bytes goes to disk, unless there is so little memory that blocks which
  /// wait for hashes are written as claims.
  func checkWrite(_ parts: [TransferPart]) {
    for part in parts {
      let bytes = memory.room(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      guard truth.info.kind == .v2, configuration.payloadBytes > 1 << 20, let file = part.file
      else { continue }
      let start = Int(part.offset)
      let right = truth.files[Int(file.rawValue)][start..<(start + bytes.count)]
      demand(bytes.elementsEqual(right), "wrong bytes are written")
    }
  }

  /// What the core says to a peer.
  func checkMessage(_ message: PeerMessage, _ body: [UInt8]) {
    let pieces = truth.geometry.pieces
    switch message {
    case .have(let piece): checkHas(piece)
    case .extended(SessionWire.zstd, _): check(frame: body)
    case .haveAll: for piece in pieces { checkHas(piece.rawValue) }
    case .bitfield:
      demand(body.count == (pieces.count + 7) / 8)
      for piece in pieces {
        let place = Int(piece.rawValue)
        if body[place / 8] & 0x80 >> UInt8(place % 8) != 0 { checkHas(piece.rawValue) }
      }
    case .request(let request), .cancel(let request):
      let block = truth.geometry.block(
        piece: request.piece, begin: request.begin, length: request.length)
      demand(block != nil, "\(request) is no block")
    case .hash(.hashes(let response)):
      guard let tree = truth.trees[response.request.piecesRoot],
        case .hashes(let right) = tree.response(to: response.request)
      else { fatalError("hashes of nothing: \(response.request)") }
      demand(right == response, "wrong hashes")
    case .unknown(let id, _): fatalError("an unknown message, \(id)")
    default: break
    }
  }

  /// The piece is on disk, unless somebody else has changed it there.
  private func checkHas(_ number: UInt32) {
    guard let piece = truth.geometry.piece(number) else { fatalError("no piece") }
    guard !disk.isDamaged else { return }
    for span in truth.geometry.spans(of: piece) {
      guard let file = span.file else { continue }
      let range = Int(span.offset)..<(Int(span.offset) + Int(span.length))
      demand(
        disk.files[file]?[range] == truth.files[Int(file.rawValue)][range],
        "piece \(number) is not there")
    }
  }

  // MARK: Work

  func result(_ work: HashJob.Work) -> HashResult {
    switch work {
    case .leaves(let parts):
      return .leaves(parts.map { SHA256Digest(hashing: UnsafeRawBufferPointer(bytes($0))) })
    case .piece(let parts, let zeros):
      var whole: [UInt8] = []
      for part in parts { whole += bytes(part) }
      whole += [UInt8](repeating: 0, count: Int(zeros))
      return .piece(SHA1Digest(hashing: whole))
    case .pieceRun(let stream, let parts, let zeros, let isLast):
      for part in parts { stream.update(UnsafeRawBufferPointer(bytes(part))) }
      stream.update(zeros: Int(zeros))
      return isLast ? .piece(stream.finish()) : .more
    }
  }

  private func bytes(_ part: HashPart) -> UnsafeMutableRawBufferPointer {
    memory.room(part.buffer, count: Int(part.length))
  }

  func sum(_ job: HashJob) -> UInt64 {
    let parts =
      switch job.work {
      case .leaves(let parts), .piece(let parts, _), .pieceRun(_, let parts, _, _): parts
      }
    return parts.reduce(0) { sum, part in
      sum &* 31 &+ memory.sum(part.buffer, count: Int(part.length))
    }
  }

  func sum(_ parts: [TransferPart]) -> UInt64 {
    parts.reduce(0) { sum, part in
      sum &* 31
        &+ memory.sum(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
    }
  }
}
