import CUV

/// A repeating timer of a loop. It does not keep the loop running by itself.
public final class EventTimer {
  private let handle: UnsafeMutablePointer<uv_timer_t>
  private let action: () -> Void
  private var isClosed = false

  /// Calls `action` every `milliseconds` on `loop`, until `cancel`.
  public init(
    on loop: EventLoop, everyMilliseconds milliseconds: UInt64, action: @escaping () -> Void
  ) {
    self.action = action
    handle = .allocate(capacity: 1)
    uv_timer_init(loop.raw, handle)
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    uv_unref(asHandle)
    uv_timer_start(
      handle,
      { handle in
        Unmanaged<EventTimer>.fromOpaque(handle!.pointee.data).takeUnretainedValue().action()
      }, milliseconds, milliseconds)
  }

  /// Stops it for good. Must be called before the loop ends; the loop must run once more after it.
  public func cancel() {
    guard !isClosed else { return }
    isClosed = true
    uv_close(asHandle) { handle in
      let timer = Unmanaged<EventTimer>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      timer.handle.deallocate()
    }
  }

  private var asHandle: UnsafeMutablePointer<uv_handle_t> {
    UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
  }
}
