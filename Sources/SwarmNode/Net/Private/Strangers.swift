import Glibc
import Metainfo
import Wire

/// Somebody who connected, and of whom it is not known what for.
final class Stranger {
  let endpoint: PeerEndpoint
  /// When it connected.
  let since: Duration
  fileprivate(set) var socket: Int32
  /// The first bytes it sent, at most 104.
  fileprivate(set) var bytes: [UInt8] = []
  /// When it had sent what it was judged by, before that was begun: what it sent is nothing that we know, and it gets
  /// no answer.
  fileprivate var hopelessSince: Duration?
  /// When it is closed, if nothing comes of it.
  fileprivate var end: Duration
  /// It waits for its message to be tried.
  fileprivate var isWaiting = false
  /// Bytes that were read and forgotten.
  fileprivate var forgotten = 0
  fileprivate var poll: SocketPoll?

  fileprivate init(_ socket: Int32, _ endpoint: PeerEndpoint, since: Duration) {
    (self.socket, self.endpoint, self.since) = (socket, endpoint, since)
    end = since + NetLimits.silence
  }
}

/// Those who connected and have not said yet what for. Who says nothing that we know is read from, gets not one
/// byte, and is closed 30 seconds after it came, when it closes itself, or when it was judged that it shall be.
/// docs/private.md, "Which of both".
///
/// Invariant: who was judged is closed no sooner than a fixed time after its bytes came, which is longer than any
/// judgment takes: so how long that took is not seen.
///
/// Where they are too many the one that came first goes, whatever it has sent: so that nobody is kept out by those
/// who say nothing, and when a connection ends tells nothing of what was sent over it.
final class Strangers {
  /// What became of the first bytes.
  enum Verdict {
    /// The stranger is one no more: the socket was taken.
    case taken
    /// It is to be judged again when this time is over: there is too much to do.
    case later(Duration)
    /// It gets nothing, and is closed when so much time has passed since it came, but not before
    /// `NetLimits.refusal` has passed since it said what it was judged by.
    case hopeless(Duration)
  }

  /// Judges one whose first bytes are those of BitTorrent, or who has sent 104 others.
  var judge: (Stranger) -> Verdict = { _ in .hopeless(NetLimits.silence) }
  private let loop: EventLoop
  private let now: () -> Duration
  private var timer: DeadlineTimer?
  /// In the order of their coming.
  private var all: [Stranger] = []
  /// Those whose message has not been tried yet, in the order of their messages; nobody before `nextTry`.
  private var waiting: [Stranger] = []
  private var nextTry = Duration.zero

  init(on loop: EventLoop, now: @escaping () -> Duration) {
    self.loop = loop
    self.now = now
    timer = DeadlineTimer(on: loop) { [unowned self] in timeHasCome() }
  }

  /// How many there are.
  var count: Int { all.count }

  /// Takes over the socket of somebody who came. At most `places` are there at once, and few of one address.
  func admit(_ socket: Int32, _ endpoint: PeerEndpoint, places: Int) {
    guard places > 0, timer != nil else {
      Glibc.close(socket)
      return
    }
    if !endpoint.address.isLoopback {
      let ofAddress = all.filter { $0.endpoint.address == endpoint.address }
      if ofAddress.count >= NetLimits.strangersPerAddress, let first = ofAddress.first {
        drop(first)
      }
    }
    while all.count >= places, let first = all.first { drop(first) }
    let stranger = Stranger(socket, endpoint, since: now())
    let poll = SocketPoll(on: loop, socket: socket) { [unowned self, unowned stranger] in
      ready(stranger, $0)
    }
    guard let poll else {
      Glibc.close(socket)
      return
    }
    stranger.poll = poll
    all.append(stranger)
    poll.watch(.readable)
    if all.count == 1 { setTimer() }
  }

  /// Gives the socket away: it is not a stranger's any more.
  func take(_ stranger: Stranger) -> Int32 {
    let socket = stranger.socket
    stranger.socket = -1
    forget(stranger)
    return socket
  }

  /// Closes all, for good.
  func close() {
    for stranger in all { drop(stranger) }
    timer?.close()
    timer = nil
  }

  private func drop(_ stranger: Stranger) {
    let socket = take(stranger)
    if socket >= 0 { Glibc.close(socket) }
  }

  private func forget(_ stranger: Stranger) {
    // It may be in the middle of a call of its own.
    withExtendedLifetime(stranger) {
      stranger.poll?.close()
      stranger.poll = nil
      all.removeAll { $0 === stranger }
      if stranger.isWaiting { waiting.removeAll { $0 === stranger } }
      stranger.isWaiting = false
    }
  }

  // MARK: What they send

  private func ready(_ stranger: Stranger, _ events: SocketPoll.Events?) {
    guard events != nil else { return drop(stranger) }
    if stranger.hopelessSince != nil || stranger.isWaiting { return swallow(stranger) }
    var room = [UInt8](repeating: 0, count: PrivateLimits.helloBytes - stranger.bytes.count)
    let count = recv(stranger.socket, &room, room.count, 0)
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else { return drop(stranger) }
    stranger.bytes += room.prefix(count)
    switch FirstBytes(stranger.bytes) {
    case .undecided: break
    case .bitTorrent: decide(stranger)
    case .other: if stranger.bytes.count == PrivateLimits.helloBytes { decide(stranger) }
    }
  }

  private func decide(_ stranger: Stranger) {
    // In turn: those that wait were there before.
    guard waiting.isEmpty || FirstBytes(stranger.bytes) == .bitTorrent else {
      return wait(stranger)
    }
    let start = now()
    switch judge(stranger) {
    case .taken: break
    case .hopeless(let time): giveUp(stranger, time, since: start)
    case .later(let time):
      nextTry = now() + time
      wait(stranger)
    }
  }

  private func giveUp(_ stranger: Stranger, _ time: Duration, since start: Duration) {
    stranger.hopelessSince = start
    stranger.end = max(stranger.since + time, start + NetLimits.refusal)
    setTimer()
  }

  /// It will say no more.
  private func ended(_ stranger: Stranger) {
    guard let start = stranger.hopelessSince, start + NetLimits.refusal > now() else {
      return drop(stranger)
    }
    stranger.poll?.watch([])
    stranger.end = start + NetLimits.refusal
    setTimer()
  }

  /// What it sends meanwhile stays in the system's buffers: it may be what it says to who knows it.
  private func wait(_ stranger: Stranger) {
    stranger.isWaiting = true
    stranger.poll?.watch([])
    waiting.append(stranger)
    setTimer()
  }

  /// Reads what it sends and forgets it; beyond a bound the rest stays in the system's buffers.
  private func swallow(_ stranger: Stranger) {
    let count = withUnsafeTemporaryAllocation(
      byteCount: NetLimits.swallowedAtOnce, alignment: 16
    ) { recv(stranger.socket, $0.baseAddress, $0.count, 0) }
    if count < 0, errno == EAGAIN || errno == EINTR { return }
    guard count > 0 else { return ended(stranger) }
    stranger.forgotten += count
    if stranger.forgotten >= NetLimits.swallowed { stranger.poll?.watch([]) }
  }

  // MARK: Time

  private func timeHasCome() {
    let time = now()
    for stranger in all where stranger.end <= time { drop(stranger) }
    while nextTry <= time, let first = waiting.first {
      let start = now()
      switch judge(first) {
      case .taken: break
      case .hopeless(let most):
        first.isWaiting = false
        waiting.removeFirst()
        first.poll?.watch(.readable)
        giveUp(first, most, since: start)
      case .later(let more): nextTry = time + more
      }
    }
    setTimer()
  }

  private func setTimer() {
    guard var due = all.lazy.map(\.end).min() else { return }
    if !waiting.isEmpty { due = min(due, nextTry) }
    let (seconds, attoseconds) = max(due - now(), .zero).components
    timer?.set(
      milliseconds: UInt64(seconds) * 1_000 + UInt64(attoseconds / 1_000_000_000_000_000) + 1)
  }
}
