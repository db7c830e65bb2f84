import CUV
import Glibc
import Synchronization

/// Runs one piece of work after the other on a thread of its own: what waits for routers or for name
/// servers would take a thread of libuv's pool, of which there is one a core, from hashing and the disk
/// for seconds, and would keep the loop running as long. So does what itself has jobs for the pool.
///
/// Belongs to the loop's thread, and keeps the loop running until it is closed.
public final class SideThread {
  /// What the thread and the loop share.
  private final class Bell: Sendable {
    /// nil when the loop does not listen any more.
    let handle: Mutex<Handle?>

    struct Handle: @unchecked Sendable { let raw: UnsafeMutablePointer<uv_async_t> }

    init(_ raw: UnsafeMutablePointer<uv_async_t>) { handle = Mutex(Handle(raw: raw)) }

    func ring() { handle.withLock { if let raw = $0?.raw { uv_async_send(raw) } } }
  }

  private let handle: UnsafeMutablePointer<uv_async_t>
  private let bell: Bell
  private var waiting: [any Piece] = []
  private var running: (any Piece)?
  private var isClosed = false

  /// A thread that has nothing to do: there is none yet.
  public init(on loop: EventLoop) {
    handle = .allocate(capacity: 1)
    bell = Bell(handle)
    let status = uv_async_init(loop.raw, handle) { handle in
      Unmanaged<SideThread>.fromOpaque(handle!.pointee.data).takeUnretainedValue().finish()
    }
    precondition(status == 0, "libuv cannot wake its loop: \(String(cString: uv_strerror(status)))")
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  /// Runs `work` on the thread when what was asked for before has ended, and then `completion` with
  /// its result on the loop.
  public func perform<Result: Sendable>(
    _ work: @escaping @Sendable () -> Result, completion: @escaping (Result) -> Void
  ) {
    guard !isClosed else { return }
    waiting.append(Work(work: work, completion: completion))
    startNext()
  }

  /// Ends it: nothing is completed any more. Work that is under way goes on, and is forgotten.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    waiting = []
    running = nil
    bell.handle.withLock { $0 = nil }
    uv_close(uvHandle(handle)) { handle in
      let thread = Unmanaged<SideThread>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      thread.handle.deallocate()
    }
  }

  private func startNext() {
    guard running == nil, !waiting.isEmpty else { return }
    let piece = waiting.removeFirst()
    running = piece
    piece.start(bell: bell.ring)
  }

  private func finish() {
    guard !isClosed, let piece = running, piece.complete() else { return }
    running = nil
    startNext()
  }
}

private protocol Piece: AnyObject {
  func start(bell: @escaping @Sendable () -> Void)
  /// Hands the result over; false when there is none yet.
  func complete() -> Bool
}

private final class Work<Result: Sendable>: Piece {
  /// What the thread fills.
  private final class Outcome: Sendable {
    let value = Mutex<Result?>(nil)
  }

  private let work: @Sendable () -> Result
  private let completion: (Result) -> Void
  private let outcome = Outcome()

  init(work: @escaping @Sendable () -> Result, completion: @escaping (Result) -> Void) {
    self.work = work
    self.completion = completion
  }

  func start(bell: @escaping @Sendable () -> Void) {
    let errand = Errand { [work, outcome] in
      let result = work()
      outcome.value.withLock { $0 = result }
      bell()
    }
    var attributes = pthread_attr_t()
    pthread_attr_init(&attributes)
    defer { pthread_attr_destroy(&attributes) }
    pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
    var thread = pthread_t()
    let context = Unmanaged.passRetained(errand).toOpaque()
    let status = pthread_create(
      &thread, &attributes,
      { context in
        Unmanaged<Errand>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context)
    // No thread: the loop waits itself, which is slow and not wrong.
    if status != 0 { Unmanaged<Errand>.fromOpaque(context).takeRetainedValue().run() }
  }

  func complete() -> Bool {
    guard let result = outcome.value.withLock({ $0.take() }) else { return false }
    completion(result)
    return true
  }
}

/// What a thread is started with.
private final class Errand: Sendable {
  let run: @Sendable () -> Void
  init(_ run: @escaping @Sendable () -> Void) { self.run = run }
}
