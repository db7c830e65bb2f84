import CUV
import Glibc

/// Calls on the loop when the process gets a signal, which then does nothing else. It does not keep
/// the loop running.
public final class SignalWatcher {
  private let handle: UnsafeMutablePointer<uv_signal_t>
  private let action: (CInt) -> Void
  private var isClosed = false

  /// The signals that ask a program to end: from the keyboard, from whoever manages it, from a
  /// terminal that is closed.
  public static let endings: [CInt] = [SIGINT, SIGTERM, SIGHUP]

  /// Whether whoever started the process had it ignore the signal, as nohup does.
  public static func isIgnored(_ number: CInt) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    let handler = action.__sigaction_handler.sa_handler
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  /// Calls `action` with the number of the signal each time it comes, until `close`.
  public init(on loop: EventLoop, signal: CInt, action: @escaping (CInt) -> Void) {
    self.action = action
    handle = .allocate(capacity: 1)
    uv_signal_init(loop.raw, handle)
    handle.pointee.data = Unmanaged.passRetained(self).toOpaque()
    uv_unref(uvHandle(handle))
    let status = uv_signal_start(
      handle,
      { handle, signal in
        Unmanaged<SignalWatcher>.fromOpaque(handle!.pointee.data).takeUnretainedValue()
          .action(signal)
      }, signal)
    precondition(status == 0, "libuv refuses a signal: \(String(cString: uv_strerror(status)))")
  }

  /// The signal does again what it did before. Must be called before the loop ends; the loop must
  /// run once more after it.
  public func close() {
    guard !isClosed else { return }
    isClosed = true
    uv_close(uvHandle(handle)) { handle in
      let watcher = Unmanaged<SignalWatcher>.fromOpaque(handle!.pointee.data).takeRetainedValue()
      watcher.handle.deallocate()
    }
  }

  /// Writing to a pipe or socket whose reader is gone becomes an error (EPIPE) for the whole
  /// process, where it would end it. Sockets of the node do not need it.
  public static func ignoreBrokenPipes() { _ = Glibc.signal(SIGPIPE, SIG_IGN) }
}
