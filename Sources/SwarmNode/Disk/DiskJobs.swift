import CUV
import Store

/// Disk operations on threads of the pool, which hashing needs too. As long as a disk answers, all
/// threads may work for it; one that is slow, or hangs, leaves one thread to the others, so that who waits
/// for a block from a peer does not wait for the disk.
///
/// Belongs to the loop's thread.
final class DiskJobs {
  private struct Job {
    let work: @Sendable () -> DiskCompletion
    let completion: (DiskCompletion) -> Void
  }

  private let loop: EventLoop
  private let threads: Int
  private var waiting: [Job] = []
  /// When those that run were begun, in nanoseconds, by their numbers.
  private var running: [Int: UInt64] = [:]
  private var begun = 0
  /// Until when the disk counts as slow.
  private var slowUntil: UInt64 = 0

  /// - Parameter threads: how many the pool has.
  init(on loop: EventLoop, threads: Int = EventLoop.poolThreads) {
    self.loop = loop
    self.threads = threads
  }

  /// Runs `work`, behind what was asked for before where there is no thread for it.
  func perform(
    _ work: @escaping @Sendable () -> DiskCompletion,
    completion: @escaping (DiskCompletion) -> Void
  ) {
    waiting.append(Job(work: work, completion: completion))
    advance()
  }

  private func advance() {
    while !waiting.isEmpty, running.count < max(threads - 1, 1) || !isSlow {
      start(waiting.removeFirst())
    }
  }

  private var isSlow: Bool {
    let now = uv_hrtime()
    if running.values.contains(where: { now - $0 > DiskLimits.slowOperation }) {
      slowUntil = now + DiskLimits.slowTime
    }
    return now < slowUntil
  }

  private func start(_ job: Job) {
    begun += 1
    let number = begun
    running[number] = uv_hrtime()
    loop.perform(job.work) { [self] result in
      let now = uv_hrtime()
      if let since = running.removeValue(forKey: number), now - since > DiskLimits.slowOperation {
        slowUntil = now + DiskLimits.slowTime
      }
      job.completion(result)
      advance()
    }
  }
}
