import Metainfo
import Store
import Swarm
import Wire

import struct Swarm.HashJob

/// Carries out the effects of one node's core.
struct NodeHands: EffectHandler {
  unowned let node: SimulatedNode

  mutating func carryOut(_ effect: consuming Effect) {
    switch consume effect {
    case .connect(let id, let endpoint, let group): node.connect(id, endpoint, group)
    case .send(let id, let outgoing): node.send(id, outgoing)
    case .close(let id): node.close(id)
    case .resumeReading(let id): node.resumeReading(id)
    case .prepare(_, let info, let layers): node.prepare(info, layers)
    case .keep(_, let layers): node.prepared?.1.merge(layers) { old, _ in old }
    case .disk(_, let operation): node.begin(operation)
    case .hash(_, let job): node.begin(job)
    case .compress(let job): node.begin(job)
    case .decompress(let job): node.begin(job)
    case .release(let handle): node.memory.release(handle)
    case .deliver(let id, let block, let buffer): node.deliver(id, block, buffer)
    case .endRead(let id, let failure): node.endRead(id, failure)
    case .notice(let notice): node.take(notice)
    }
  }
}

/// The node's disk and hash jobs.
extension SimulatedNode {
  func prepare(_ info: InfoDictionary, _ layers: PieceLayers) {
    if info.bytes != dataset.info.bytes {
      world.fail("host \(number) believes in metadata that is not the torrent's")
    }
    if isPrepared { world.fail("host \(number) prepares its disk twice") }
    isPrepared = true
    prepared = (info, layers)
  }

  func begin(_ operation: DiskOperation) {
    guard isPrepared else { return world.fail("host \(number) uses its disk unprepared") }
    guard operations.updateValue(operation.action, forKey: operation.id) == nil else {
      return world.fail("host \(number) has two disk operations \(operation.id)")
    }
    var sum: UInt64 = 0
    switch operation.action {
    case .write(let parts, _):
      sum = self.sum(parts)
      checkWrite(parts)
    case .read(let parts, _):
      for part in parts {
        memory.spoil(part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      }
    default: break
    }
    let run = incarnation
    world.after(disk.drawLatency()) { [self] in
      guard run == incarnation, isRunning, let torrent else { return }
      operations[operation.id] = nil
      if case .write(let parts, _) = operation.action, self.sum(parts) != sum {
        return world.fail("host \(number) changed a buffer while it was being written")
      }
      world.note(.disk, number, Int(operation.id))
      let result = disk.perform(operation.action, memory)
      swarm.completed(
        DiskCompletion(id: operation.id, result: result), of: torrent, now: now)
      drain()
    }
  }

  func begin(_ job: HashJob) {
    hashJobs += 1
    let parts =
      switch job.work {
      case .leaves(let parts): parts
      case .piece(let parts, _): parts
      case .pieceRun(_, let parts, _, _): parts
      }
    let sum = self.sum(parts)
    let run = incarnation
    world.after(random.duration(hashTime)) { [self] in
      guard run == incarnation, isRunning, let torrent else { return }
      hashJobs -= 1
      if self.sum(parts) != sum {
        return world.fail("host \(number) changed a buffer while it was being hashed")
      }
      world.note(.hash, number, parts.count)
      swarm.hashed(job.id, of: torrent, result(of: job.work), now: now)
      drain()
    }
  }

  /// Blocks are compressed by libzstd itself, as by a real node, but always at its fastest.
  func begin(_ job: CompressionJob) {
    let sum = self.sum(job.parts)
    after(hashTime, blocks: job.parts.count) { [self] in
      if self.sum(job.parts) != sum {
        return world.fail("host \(number) changed a buffer while it was being compressed")
      }
      guard var compressor = BlockCompressor() else { return world.fail("no memory for libzstd") }
      let frames = job.parts.map { part in
        memory.bytes(part.buffer, count: Int(part.length)).flatMap {
          compressor.frame(of: $0, level: 1)
        }
      }
      swarm.compressed(job.id, frames, now: now)
      drain()
    }
  }

  func begin(_ job: DecompressionJob) {
    for part in job.parts { memory.spoil(part.buffer, from: 0, count: Int(part.length)) }
    after(hashTime, blocks: job.parts.count) { [self] in
      guard var decompressor = BlockDecompressor() else {
        return world.fail("no memory for libzstd")
      }
      let faults = job.parts.map { part -> CompressionError? in
        guard let room = memory.room(part.buffer, count: Int(part.length)) else { return nil }
        let fault = part.frame.withUnsafeBytes { frame -> CompressionError? in
          do throws(CompressionError) {
            try decompressor.decompress(frame, into: room)
            return nil
          } catch {
            return error
          }
        }
        if fault == nil { framesOpened += 1 }
        return fault
      }
      swarm.decompressed(job.id, faults, now: now)
      drain()
    }
  }

  /// Calls `end` after a job's time, unless the node has ended meanwhile.
  private func after(
    _ time: ClosedRange<Duration>, blocks: Int, _ end: @escaping () -> Void
  ) {
    hashJobs += 1
    let run = incarnation
    world.after(random.duration(time)) { [self] in
      guard run == incarnation, isRunning else { return }
      hashJobs -= 1
      world.note(.hash, number, blocks)
      end()
    }
  }

  private func result(of work: HashJob.Work) -> HashResult {
    switch work {
    case .leaves(let parts):
      return .leaves(
        parts.map { part in
          memory.bytes(part.buffer, count: Int(part.length)).map { SHA256Digest(hashing: $0) }
            ?? .zero
        })
    case .piece(let parts, let zeros):
      var bytes: [UInt8] = []
      for part in parts {
        if let more = memory.bytes(part.buffer, count: Int(part.length)) { bytes += more }
      }
      bytes += [UInt8](repeating: 0, count: Int(zeros))
      return .piece(SHA1Digest(hashing: bytes))
    case .pieceRun(let stream, let parts, let zeros, let isLast):
      for part in parts {
        if let more = memory.bytes(part.buffer, count: Int(part.length)) { stream.update(more) }
      }
      stream.update(zeros: Int(zeros))
      return isLast ? .piece(stream.finish()) : .more
    }
  }

  /// In v2 nothing but verified bytes goes to disk.
  private func checkWrite(_ parts: [TransferPart]) {
    guard dataset.kind.hasV2 else { return }
    for part in parts {
      guard let file = part.file,
        let bytes = memory.bytes(
          part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      else { continue }
      let start = Int(part.offset)
      let isRight = dataset.contents[Int(file.rawValue)].withUnsafeBytes { content in
        start + bytes.count <= content.count
          && Dataset.areEqual(
            UnsafeRawBufferPointer(rebasing: content[start..<(start + bytes.count)]), bytes)
      }
      if !isRight {
        world.fail("host \(number) writes wrong bytes to file \(file) at \(start)")
      }
    }
  }

  private func sum(_ parts: [TransferPart]) -> UInt64 {
    parts.reduce(0) { sum, part in
      let bytes = memory.bytes(
        part.buffer, from: Int(part.bufferOffset), count: Int(part.length))
      return sum &* 31 &+ (bytes.map(NodeMemory.sum) ?? 0)
    }
  }

  private func sum(_ parts: [HashPart]) -> UInt64 {
    parts.reduce(0) { sum, part in
      sum &* 31 &+ (memory.bytes(part.buffer, count: Int(part.length)).map(NodeMemory.sum) ?? 0)
    }
  }
}
