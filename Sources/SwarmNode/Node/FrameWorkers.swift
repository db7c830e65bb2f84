import Store
import Swarm
import Synchronization
import Wire

/// Carries out the core's jobs of compression, on whichever threads call it: libzstd's contexts, a pair a thread at
/// work, are kept for the next job.
final class FrameWorkers: Sendable {
  private let free = Mutex<[FrameWorker]>([])

  /// The frames of the job's blocks; nil for those that go as they are. The memory of its buffers is only read.
  func run(_ job: CompressionJob, in memory: some DiskBuffers) -> [[UInt8]?] {
    with { worker in
      job.parts.map { part in
        let block = memory.memory(of: part.buffer)[..<Int(part.length)]
        return worker.frame(of: UnsafeRawBufferPointer(rebasing: block), level: job.level)
      }
    }
  }

  /// Fills the job's buffers; what is wrong with each frame, nil for nothing.
  func run(_ job: DecompressionJob, in memory: some DiskBuffers) -> [CompressionError?] {
    with { worker in
      job.parts.map { part in
        let block = memory.memory(of: part.buffer)[..<Int(part.length)]
        return worker.open(part.frame, into: UnsafeMutableRawBufferPointer(rebasing: block))
      }
    }
  }

  private func with<Result>(_ work: (FrameWorker) -> Result) -> Result {
    let worker = free.withLock { $0.popLast() } ?? FrameWorker()
    defer { free.withLock { $0.append(worker) } }
    return work(worker)
  }
}

/// Used by one thread at a time, which is what makes it safe to hand from thread to thread. Its contexts take memory
/// when they are first used.
private final class FrameWorker: @unchecked Sendable {
  private var compressor: BlockCompressor
  private var decompressor: BlockDecompressor

  init() {
    guard let compressor = BlockCompressor(), let decompressor = BlockDecompressor() else {
      preconditionFailure("out of memory for contexts of libzstd")
    }
    self.compressor = compressor
    self.decompressor = decompressor
  }

  func frame(of block: UnsafeRawBufferPointer, level: Int32) -> [UInt8]? {
    compressor.frame(of: block, level: level)
  }

  func open(_ frame: [UInt8], into block: UnsafeMutableRawBufferPointer) -> CompressionError? {
    frame.withUnsafeBytes { frame in
      do throws(CompressionError) {
        try decompressor.decompress(frame, into: block)
        return nil
      } catch {
        return error
      }
    }
  }
}
