import Glibc

/// A connection that the core has closed, while its last messages go out: they are sent, the peer is
/// told that no more comes, and its own end is waited for, since closing with bytes of it unread
/// would destroy ours that are under way. All of that for at most some seconds.
final class Farewell {
  private let connection: Connection
  private let timer: DeadlineTimer
  private let milliseconds: UInt64
  private let onEnd: (Farewell) -> Void

  /// Takes the connection over, whose queued blocks may be gone after this. `begin` starts it.
  init(
    _ connection: Connection, on loop: EventLoop,
    milliseconds: UInt64 = NetLimits.lingerMilliseconds, onEnd: @escaping (Farewell) -> Void
  ) {
    self.connection = connection
    self.milliseconds = milliseconds
    self.onEnd = onEnd
    connection.output.detach()
    let end = WeakCall<Farewell> { $0.end() }
    timer = DeadlineTimer(on: loop) { end() }
    end.target = self
  }

  /// Whether there is anything for which a connection needs a farewell.
  static func isWorthIt(_ connection: Connection) -> Bool {
    connection.isOpen && !connection.isConnecting && !connection.isDeaf
      && !connection.output.isEmpty && connection.output.byteCount <= NetLimits.lingerBytes
  }

  /// Sends, and ends as soon as it can.
  func begin() {
    timer.set(milliseconds: milliseconds)
    connection.isPaused = false
    connection.isStalled = false
    connection.onReady = { [unowned self] events in
      if events == nil { end() } else { advance() }
    }
    advance()
  }

  /// Ends at once.
  func end() {
    guard connection.isOpen else { return }
    connection.close()
    timer.close()
    onEnd(self)
  }

  private func advance() {
    guard discardInput() else { return end() }
    if !connection.output.isEmpty {
      let (_, reason) = connection.output.send(
        on: connection.socket, budget: NetLimits.lingerBytes)
      switch reason {
      case .failed: return end()
      case .empty: shutdown(connection.socket, Int32(SHUT_WR))
      case .blocked, .budget: break
      }
    }
    connection.isBlocked = !connection.output.isEmpty
    connection.updatePoll()
  }

  /// False when the peer will send no more.
  private func discardInput() -> Bool {
    withUnsafeTemporaryAllocation(byteCount: 16_384, alignment: 16) { waste in
      for _ in 0..<NetLimits.acceptsInARow {
        let count = recv(connection.socket, waste.baseAddress, waste.count, 0)
        if count == 0 { return false }
        if count < 0 { return errno == EAGAIN || errno == EINTR }
      }
      return true
    }
  }
}

/// A call on an object that is made only as long as it is there.
private final class WeakCall<Target: AnyObject> {
  weak var target: Target?
  private let action: (Target) -> Void
  init(_ action: @escaping (Target) -> Void) { self.action = action }
  func callAsFunction() { if let target { action(target) } }
}
