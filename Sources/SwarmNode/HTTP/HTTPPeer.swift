import CMicroHTTPD
import CUV
import Glibc

/// One client of the socket, as long as it is connected.
///
/// The library does not look at a connection that it has put aside, so that it would not see a client go
/// for which something is fetched: this does.
final class HTTPPeer {
  private let socket: Int32
  private var poll: SocketPoll?
  private let onGone: (HTTPPeer) -> Void
  /// What it waits for.
  weak var exchange: HTTPExchange?

  /// nil where libuv refuses the socket, which stays the caller's.
  init?(watching socket: Int32, on loop: EventLoop, onGone: @escaping (HTTPPeer) -> Void) {
    self.socket = socket
    self.onGone = onGone
    poll = SocketPoll(on: loop, socket: socket) { [unowned self] _ in look() }
    if poll == nil { return nil }
  }

  /// Looks whether the client goes, from now on or no more.
  func watch(_ isWatching: Bool) { poll?.watch(isWatching ? .hungUp : []) }

  /// Must be called before the socket is closed.
  func close() {
    poll?.close()
    poll = nil
  }

  private func look() {
    watch(false)
    var descriptor = pollfd(fd: socket, events: 0, revents: 0)
    // Who has only ended its own side still wants the answer.
    guard Glibc.poll(&descriptor, 1, 0) > 0,
      descriptor.revents & Int16(POLLHUP | POLLERR | POLLNVAL) != 0
    else { return }
    onGone(self)
  }
}
