import CUV

/// Tells when a socket can be read from or written to, as long as that is so.
final class SocketPoll {
  /// What a socket is ready for.
  struct Events: OptionSet {
    let rawValue: Int32
    static let readable = Events(rawValue: Int32(UV_READABLE.rawValue))
    static let writable = Events(rawValue: Int32(UV_WRITABLE.rawValue))
    /// The other side sends no more, and may be gone.
    static let hungUp = Events(rawValue: Int32(UV_DISCONNECT.rawValue))
  }

  private let handle: UnsafeMutablePointer<uv_poll_t>
  private let action: (Events?) -> Void
  private var watched: Events = []
  private var isClosed = false

  /// Makes the socket non-blocking, and watches it for nothing yet. nil when libuv refuses it.
  /// `action` gets nil when the socket is in error: nothing is watched any more then.
  init?(on loop: EventLoop, socket: Int32, action: @escaping (Events?) -> Void) {
    self.action = action
    handle = .allocate(capacity: 1)
    guard uv_poll_init(loop.raw, handle, socket) == 0 else {
      handle.deallocate()
      return nil
    }
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
  }

  /// From now on watches for these.
  func watch(_ events: Events) {
    guard !isClosed, events != watched else { return }
    watched = events
    if events.isEmpty {
      uv_poll_stop(handle)
      return
    }
    let status = uv_poll_start(handle, events.rawValue) { handle, status, events in
      let poll = Unmanaged<SocketPoll>.fromOpaque(handle!.pointee.data).takeUnretainedValue()
      if status < 0 {
        poll.watched = []
        poll.action(nil)
      } else {
        poll.action(Events(rawValue: events))
      }
    }
    precondition(status == 0, "libuv refuses to watch: \(String(cString: uv_strerror(status)))")
  }

  /// Ends it for good; the socket may be closed at once after it.
  func close() {
    guard !isClosed else { return }
    isClosed = true
    uv_close(uvHandle(handle)) { handle in
      let poll = Unmanaged<SocketPoll>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      poll.handle.deallocate()
    }
  }
}
