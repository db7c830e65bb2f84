import CUV

/// Keeps a loop from sleeping: while it is started, the loop looks for events again and again, and calls
/// each time before. Does not keep the loop running.
final class IdleHook {
  private let handle: UnsafeMutablePointer<uv_idle_t>
  private let action: () -> Void
  private var isStarted = false
  private var isClosed = false

  /// A hook that is not started.
  init(on loop: EventLoop, action: @escaping () -> Void) {
    self.action = action
    handle = .allocate(capacity: 1)
    uv_idle_init(loop.raw, handle)
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    uv_unref(uvHandle(handle))
  }

  /// From now on the loop does not sleep.
  func start() {
    guard !isClosed, !isStarted else { return }
    isStarted = true
    uv_idle_start(handle) { handle in
      Unmanaged<IdleHook>.fromOpaque(handle!.pointee.data).takeUnretainedValue().action()
    }
  }

  /// The loop sleeps again.
  func stop() {
    guard !isClosed, isStarted else { return }
    isStarted = false
    uv_idle_stop(handle)
  }

  /// Ends it for good. Must be called before the loop ends; the loop must run once more after it.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    uv_close(uvHandle(handle)) { handle in
      let hook = Unmanaged<IdleHook>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      hook.handle.deallocate()
    }
  }
}
