import CHash
import Metainfo
import Store
import Swarm
import Synchronization

import struct Swarm.HashJob

/// Carries out the core's hash jobs, on whichever threads call it: a worker a thread at work, kept
/// for the next job.
final class HashWorkers: Sendable {
  private let free = Mutex<[HashWorker]>([])

  /// The job's result. The memory of its buffers is only read.
  func run(_ job: HashJob, in memory: some DiskBuffers) -> HashResult {
    let worker = free.withLock { $0.popLast() } ?? HashWorker()
    defer { free.withLock { $0.append(worker) } }
    switch job.work {
    case .leaves(let parts): return .leaves(worker.leaves(of: parts, in: memory))
    case .piece(let parts, let zeros):
      return .piece(worker.piece(of: parts, zeros: zeros, in: memory))
    case .pieceRun(let stream, let parts, let zeros, let isLast):
      for part in parts { stream.update(HashWorker.bytes(of: part, in: memory)) }
      stream.update(zeros: Int(zeros))
      return isLast ? .piece(stream.finish()) : .more
    }
  }
}

/// Used by one thread at a time, which is what makes it safe to hand from thread to thread.
private final class HashWorker: @unchecked Sendable {
  private let hasher = BulkHasher()
  private let stream: OpaquePointer

  init() {
    guard let stream = chash_sha1_stream_create() else {
      preconditionFailure("out of memory for a hash stream")
    }
    self.stream = stream
  }

  deinit { chash_sha1_stream_destroy(stream) }

  func leaves(of parts: [HashPart], in memory: some DiskBuffers) -> [SHA256Digest] {
    [SHA256Digest](unsafeUninitializedCapacity: parts.count) { digests, count in
      hasher.sha256(into: .init(rebasing: digests[..<parts.count])) { index in
        Self.bytes(of: parts[index], in: memory)
      }
      count = parts.count
    }
  }

  func piece(of parts: [HashPart], zeros: UInt32, in memory: some DiskBuffers) -> SHA1Digest {
    for part in parts {
      let bytes = Self.bytes(of: part, in: memory)
      chash_sha1_stream_update(stream, bytes.baseAddress, bytes.count)
    }
    chash_sha1_stream_update_zeros(stream, Int(zeros))
    return withUnsafeTemporaryAllocation(byteCount: SHA1Digest.byteCount, alignment: 4) { digest in
      chash_sha1_stream_finish(stream, digest.baseAddress)
      guard let digest = SHA1Digest(digest) else { preconditionFailure("20 bytes are a digest") }
      return digest
    }
  }

  static func bytes(
    of part: HashPart, in memory: some DiskBuffers
  ) -> UnsafeRawBufferPointer {
    UnsafeRawBufferPointer(rebasing: memory.memory(of: part.buffer)[..<Int(part.length)])
  }
}
