import CGuard
import Store
import Synchronization

/// Carries a hash queue out on all cores: one job a pool thread, and one more a thread waiting, so
/// that no thread waits for the loop.
final class HashRun {
  private let loop: EventLoop
  private let content: ContentSource
  private let readers: ReaderPool
  private var queue: HashQueue
  private var jobsRunning = 0
  private var isStopped = false
  private let onResult: (HashSegment, SegmentResult) -> Bool
  private let onEnd: () -> Void

  /// Bytes in files that have been hashed.
  var bytesHashed: UInt64 { queue.bytesHashed }

  /// A run that waits for `start`. `onResult` gets the results in the order of the schedule and says whether to
  /// go on; `onEnd` is called once, when nothing is running any more.
  init(
    on loop: EventLoop, schedule: HashSchedule, content: ContentSource, keepsLeaves: Bool = false,
    onResult: @escaping (HashSegment, SegmentResult) -> Bool, onEnd: @escaping () -> Void
  ) {
    self.loop = loop
    self.content = content
    self.onResult = onResult
    self.onEnd = onEnd
    queue = HashQueue(schedule, keepsLeaves: keepsLeaves)
    readers = ReaderPool(
      windowBytes: max(Self.laneBytes, HashLimits.leastSegmentBytes), keepsLeaves: keepsLeaves)
  }

  /// Starts hashing. `onEnd` can be called before this returns.
  func start() {
    precondition(cguard_install(), "the system refuses a SIGBUS handler")
    advance()
  }

  /// Bytes that pieces side by side may take on each thread: all threads together stay within
  /// twice the limit for one.
  static var laneBytes: Int { max(2 * HashLimits.laneBytes / EventLoop.poolThreads, 1) }

  private func advance() {
    deliver()
    while !isStopped, jobsRunning < 2 * EventLoop.poolThreads {
      guard let job = queue.nextJob() else {
        // Holes give results without a job.
        if deliver() { continue }
        break
      }
      start(job)
    }
    if jobsRunning == 0, isStopped || queue.isFinished { onEnd() }
  }

  @discardableResult
  private func deliver() -> Bool {
    var hasDelivered = false
    while !isStopped, let (segment, result) = queue.nextResult() {
      hasDelivered = true
      isStopped = !onResult(segment, result)
    }
    return hasDelivered
  }

  private func start(_ job: SegmentJob) {
    jobsRunning += 1
    loop.perform { [content, readers] in
      readers.use { reader in job.segments.map { reader.hash($0, of: content) } }
    } completion: { [self] results in
      jobsRunning -= 1
      queue.complete(job, with: results)
      advance()
    }
  }
}

/// Readers for pool threads, made when one is needed and none is free: never more than threads.
private final class ReaderPool: Sendable {
  private let windowBytes: Int
  private let keepsLeaves: Bool
  private let free = Mutex<[SegmentReader]>([])

  init(windowBytes: Int, keepsLeaves: Bool) {
    self.windowBytes = windowBytes
    self.keepsLeaves = keepsLeaves
  }

  func use<Result>(_ body: (SegmentReader) -> Result) -> Result {
    let reader = free.withLock { $0.popLast() } 
      ?? SegmentReader(windowBytes: windowBytes, keepsLeaves: keepsLeaves)
    defer { free.withLock { $0.append(reader) } }
    return body(reader)
  }
}
