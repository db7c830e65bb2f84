import CGuard
import Glibc

/// Tells when the machine's interfaces, addresses or routes have changed: one socket for all who want to
/// know. Stays on its loop's thread.
final class NetworkWatch {
  /// Somebody who is told.
  struct Listener: Hashable { fileprivate let number: Int }

  private let descriptor: Int32
  private var poll: SocketPoll?
  private var timer: DeadlineTimer?
  private var isWaiting = false
  private var listeners: [(id: Listener, onChange: () -> Void)] = []
  private var count = 0

  /// nil when the system refuses: then nothing is told.
  init?(on loop: EventLoop) {
    descriptor = cdatagram_watch_network()
    guard descriptor >= 0 else { return nil }
    poll = SocketPoll(on: loop, socket: descriptor) { [unowned self] _ in drain() }
    guard let poll else {
      Glibc.close(descriptor)
      return nil
    }
    timer = DeadlineTimer(on: loop) { [unowned self] in tell() }
    poll.watch(.readable)
  }

  /// Calls `onChange` on the loop soon after each change, several changes together, until `stop`.
  func listen(_ onChange: @escaping () -> Void) -> Listener {
    count += 1
    let id = Listener(number: count)
    listeners.append((id, onChange))
    return id
  }

  /// Tells that one no more. Nobody being left, nothing is watched any more, and the loop must run once
  /// more.
  func stop(_ listener: Listener) {
    listeners.removeAll { $0.id == listener }
    if listeners.isEmpty { close() }
  }

  private func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    timer?.close()
    timer = nil
    Glibc.close(descriptor)
  }

  /// What changed does not matter: all is read again when it has settled. Not put off by further
  /// changes: a network that changes all the time would never be looked at.
  private func drain() {
    cdatagram_drain(descriptor)
    guard !isWaiting else { return }
    isWaiting = true
    timer?.set(milliseconds: NetLimits.networkSettleMilliseconds)
  }

  private func tell() {
    isWaiting = false
    for listener in listeners where listeners.contains(where: { $0.id == listener.id }) {
      listener.onChange()
    }
  }
}
