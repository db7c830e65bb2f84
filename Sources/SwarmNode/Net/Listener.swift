import CUV
import Glibc
import Wire

/// A socket at which peers connect to us.
final class Listener {
  private let socket: Int32
  /// Held back for when there are no descriptors left: without one, a connection could not even be
  /// taken and closed, and the loop would be told of it for ever.
  private var spare: Int32
  private var poll: SocketPoll?
  private var lastReport: UInt64?
  private let log: Log
  private let onAccept: (Int32, PeerEndpoint) -> Void

  /// Takes over a listening socket; the caller of `onAccept` gives each new socket away.
  init(
    on loop: EventLoop, owning socket: Int32, log: Log,
    onAccept: @escaping (Int32, PeerEndpoint) -> Void
  ) {
    self.socket = socket
    self.log = log
    self.onAccept = onAccept
    spare = Self.openSpare()
    poll = SocketPoll(on: loop, socket: socket) { [unowned self] _ in accept() }
    precondition(poll != nil, "libuv refuses a listening socket")
    poll?.watch(.readable)
  }

  /// Listens no more.
  func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    Glibc.close(socket)
    if spare >= 0 { Glibc.close(spare) }
  }

  private func accept() {
    for _ in 0..<NetLimits.acceptsInARow {
      switch Sockets.accept(at: socket) {
      case .success((let accepted, let peer?)):
        onAccept(accepted, peer)
        if poll == nil { return }
      case .success((let accepted, nil)): Glibc.close(accepted)
      case .failure(let error):
        switch error.rawValue {
        case EAGAIN: return
        case EMFILE, ENFILE:
          refuseOne(error)
          return
        // The peer was gone before we looked, or the system wants us to try again.
        default: continue
        }
      }
    }
  }

  private func refuseOne(_ error: ErrorNumber) {
    if spare >= 0 {
      Glibc.close(spare)
      if case .success((let accepted, _)) = Sockets.accept(at: socket) { Glibc.close(accepted) }
    }
    spare = Self.openSpare()
    let now = uv_hrtime()
    if let lastReport, now - lastReport < NetLimits.fullReportInterval { return }
    lastReport = now
    log(.warning, "peers cannot connect: \(error); they are refused until there is room")
  }

  private static func openSpare() -> Int32 { open("/dev/null", O_RDONLY | O_CLOEXEC) }
}
