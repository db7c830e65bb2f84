import CUV
import Glibc

/// A libuv loop: the one thread that owns all state. Everything it calls runs on that thread,
/// except the work that it is asked to run on libuv's thread pool.
///
/// Not `Sendable`: it stays on the thread that made it.
public final class EventLoop {
  let raw: UnsafeMutablePointer<uv_loop_t>

  /// How many threads work at once on what keeps a core busy, such as hashing: one a core.
  public static let poolThreads = max(1, Int(uv_available_parallelism()))
  /// How many may wait for a disk: more hold each other up when files grow.
  static let diskThreads = poolThreads

  /// A loop with its own libuv state.
  public init() {
    // Read by libuv when the pool is first used; a value that the user has set stays. One more than
    // wait for disks, so that there is one to hash with while a disk does not answer.
    setenv("UV_THREADPOOL_SIZE", String(Self.diskThreads + 1), 0)
    raw = .allocate(capacity: 1)
    let status = uv_loop_init(raw)
    precondition(status == 0, "libuv cannot make a loop: \(String(cString: uv_strerror(status)))")
  }

  deinit {
    precondition(uv_loop_close(raw) == 0, "a loop must be run to its end before it is dropped")
    raw.deallocate()
  }

  /// Runs callbacks until nothing is left that could call one.
  public func run() {
    uv_run(raw, UV_RUN_DEFAULT)
  }

  /// Runs `work` on a thread of the pool, and then `completion` with its result on this loop.
  ///
  /// `work` must touch nothing that the loop touches meanwhile.
  public func perform<Result: Sendable>(
    _ work: @escaping @Sendable () -> Result, completion: @escaping (Result) -> Void
  ) {
    let request = PoolRequest(work: work, completion: completion)
    let handle = UnsafeMutablePointer<uv_work_t>.allocate(capacity: 1)
    handle.pointee.data = Unmanaged.passRetained(request as AnyPoolRequest).toOpaque()
    let status = uv_queue_work(
      raw, handle,
      { handle in
        Unmanaged<AnyPoolRequest>.fromOpaque(handle!.pointee.data).takeUnretainedValue().run()
      },
      { handle, _ in
        let request = Unmanaged<AnyPoolRequest>.fromOpaque(handle!.pointee.data).takeRetainedValue()
        handle!.deallocate()
        request.finish()
      })
    precondition(status == 0, "libuv refused work: \(String(cString: uv_strerror(status)))")
  }
}

/// A job of the pool, whatever its result.
private class AnyPoolRequest {
  func run() {}
  func finish() {}
}

/// Its `result` is written on a pool thread before libuv calls `finish` on the loop, never at once.
private final class PoolRequest<Result>: AnyPoolRequest {
  private let work: () -> Result
  private let completion: (Result) -> Void
  private var result: Result?

  init(work: @escaping () -> Result, completion: @escaping (Result) -> Void) {
    self.work = work
    self.completion = completion
  }

  override func run() { result = work() }

  override func finish() {
    if let result { completion(result) }
  }
}
