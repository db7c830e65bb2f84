import CGuard
import Glibc
import Metainfo
import Store

/// A Unix socket at a path, mode 0600, and of those who connect only the user we run as, or root.
final class LocalListener {
  private let path: [UInt8]
  private let socket: Int32
  /// What was made at the path; nothing else is removed from there.
  private let identity: (device: UInt64, inode: UInt64)?
  private var poll: SocketPoll?
  private var pauseTimer: EventTimer?
  private let loop: EventLoop
  private let log: Log
  private let onAccept: (Int32) -> Void

  private static let pauseMilliseconds: UInt64 = 500

  /// Listens. What a process that is no more left at the path is replaced; where somebody listens, it
  /// is an error (EADDRINUSE). The caller of `onAccept` gives each new socket away.
  init(
    at path: [UInt8], on loop: EventLoop, log: Log, onAccept: @escaping (Int32) -> Void
  ) throws(SystemError) {
    self.path = path
    self.log = log
    self.loop = loop
    self.onAccept = onAccept
    socket = try Self.listen(path)
    identity = Self.identity(of: path)
    poll = SocketPoll(on: loop, socket: socket) { [unowned self] _ in accept() }
    precondition(poll != nil, "libuv refuses a listening socket")
    poll?.watch(.readable)
  }

  /// Listens no more, and takes the socket away from its path.
  func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    pauseTimer?.cancel()
    pauseTimer = nil
    Glibc.close(socket)
    if let identity, let now = Self.identity(of: path), now == identity {
      _ = path.withCPath { unlink($0) }
    }
  }

  private static func listen(_ path: [UInt8]) throws(SystemError) -> Int32 {
    let backlog = NetLimits.backlog
    let made = path.withCPath { clocal_listen($0, backlog) }
    if made >= 0 { return made }
    let error = SystemError("listen at", path)
    guard error.number == EADDRINUSE, isSocket(path), path.withCPath({ clocal_is_served($0) }) == 0
    else {
      throw error
    }
    _ = path.withCPath { unlink($0) }
    let second = path.withCPath { clocal_listen($0, backlog) }
    guard second >= 0 else { throw SystemError("listen at", path) }
    return second
  }

  private static func isSocket(_ path: [UInt8]) -> Bool {
    var status = stat()
    return path.withCPath { lstat($0, &status) } == 0 && status.st_mode & S_IFMT == S_IFSOCK
  }

  private static func identity(of path: [UInt8]) -> (device: UInt64, inode: UInt64)? {
    var status = stat()
    guard path.withCPath({ lstat($0, &status) }) == 0 else { return nil }
    return (UInt64(status.st_dev), UInt64(status.st_ino))
  }

  /// Accepts nothing for a moment.
  private func pause() {
    guard let poll, pauseTimer == nil else { return }
    poll.watch([])
    log(.warning, "too many files are open: who connects to \(printable(path)) waits")
    pauseTimer = EventTimer(on: loop, everyMilliseconds: Self.pauseMilliseconds) { [unowned self] in
      pauseTimer?.cancel()
      pauseTimer = nil
      self.poll?.watch(.readable)
    }
  }

  private func accept() {
    for _ in 0..<NetLimits.acceptsInARow {
      var user: uid_t = 0
      let accepted = clocal_accept(socket, &user)
      if accepted < 0 {
        // Without descriptors the connection stays, and would be told of for ever.
        if errno == EMFILE || errno == ENFILE { pause() }
        return
      }
      guard user == geteuid() || user == 0 else {
        log(.warning, "user \(user) may not use \(printable(path)): connection refused")
        Glibc.close(accepted)
        continue
      }
      onAccept(accepted)
      if poll == nil { return }
    }
  }
}
