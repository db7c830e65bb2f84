import CUV

/// Calls each time before the loop waits: when all that had happened was told. Keeps the loop
/// running until it is closed.
final class TurnHook {
  private let handle: UnsafeMutablePointer<uv_prepare_t>
  private let action: () -> Void
  private var onClosed: (() -> Void)?
  private var isClosed = false

  init(on loop: EventLoop, action: @escaping () -> Void) {
    self.action = action
    handle = .allocate(capacity: 1)
    uv_prepare_init(loop.raw, handle)
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    uv_prepare_start(handle) { handle in
      Unmanaged<TurnHook>.fromOpaque(handle!.pointee.data).takeUnretainedValue().action()
    }
  }

  /// Ends it for good; `completion` is called by the loop.
  func close(completion: @escaping () -> Void) {
    guard !isClosed else { return }
    isClosed = true
    onClosed = completion
    uv_close(uvHandle(handle)) { handle in
      let hook = Unmanaged<TurnHook>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      hook.handle.deallocate()
      hook.onClosed?()
    }
  }
}
