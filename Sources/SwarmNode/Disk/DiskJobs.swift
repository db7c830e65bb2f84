import Store

/// Disk operations on threads of the pool, which hashing needs too. They never have all of its threads: a
/// disk that is slow, or hangs, keeps those that it has, and who waits for a block from a peer does not wait
/// for the disk. The pool takes what it is given in order, so it is given no more than may run.
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
  private var running = 0

  /// - Parameter threads: how many of the pool's it may take.
  init(on loop: EventLoop, threads: Int = EventLoop.diskThreads) {
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
    while running < threads, !waiting.isEmpty {
      let job = waiting.removeFirst()
      running += 1
      loop.perform(job.work) { [self] result in
        running -= 1
        // The thread has work while this is dealt with.
        advance()
        job.completion(result)
      }
    }
  }
}
