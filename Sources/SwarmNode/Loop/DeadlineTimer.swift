import CUV

/// A timer that calls once when its time has come, and can be set again. It keeps the loop running
/// while it is set.
public final class DeadlineTimer {
  private let handle: UnsafeMutablePointer<uv_timer_t>
  private let action: () -> Void
  private var isClosed = false

  /// A timer of `loop` that is not set.
  public init(on loop: EventLoop, action: @escaping () -> Void) {
    self.action = action
    handle = .allocate(capacity: 1)
    uv_timer_init(loop.raw, handle)
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  /// Calls in so many milliseconds from now, at the earliest; what was set before is forgotten.
  public func set(milliseconds: UInt64) {
    guard !isClosed else { return }
    // The loop's own idea of now is that of the last time it woke.
    uv_update_time(handle.pointee.loop)
    uv_timer_start(
      handle,
      { handle in
        Unmanaged<DeadlineTimer>.fromOpaque(handle!.pointee.data).takeUnretainedValue().action()
      }, milliseconds, 0)
  }

  /// Whether it is to call.
  var isSet: Bool { !isClosed && uv_is_active(uvHandle(handle)) != 0 }

  /// Does not call any more until it is set again.
  public func clear() {
    guard !isClosed else { return }
    uv_timer_stop(handle)
  }

  /// Ends it for good. Must be called before the loop ends; the loop must run once more after it.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    uv_close(uvHandle(handle)) { handle in
      let timer = Unmanaged<DeadlineTimer>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      timer.handle.deallocate()
    }
  }
}

/// The handle as what all kinds of handles are.
func uvHandle<Handle>(_ handle: UnsafeMutablePointer<Handle>) -> UnsafeMutablePointer<uv_handle_t> {
  UnsafeMutableRawPointer(handle).assumingMemoryBound(to: uv_handle_t.self)
}
