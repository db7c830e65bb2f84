import ArgumentParser
import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// One torrent on a node of its own, from the start of the program to its end.
///
/// Belongs to the loop's thread.
final class TransferSession {
  /// A torrent that a session is about: where it is a dataset's, its newest version.
  struct Subject {
    /// The torrent. Asked for again when the metadata came and `folders` threw `NeedsRestart`.
    var request: () -> TorrentRequest
    /// Where its content and block maps are; called when its files are known.
    var folders: (InfoDictionary, PieceLayers) throws -> TorrentFolders
    /// Where people find the content; nil while that is not known.
    var content: () -> [UInt8]?
    /// Keeps piece layers that peers sent.
    var keep: (PieceLayers) -> Void = { _ in }
    /// All that was asked for is here.
    var onFinished: () throws -> Void = {}
    /// Looks, on another thread, whether the content is still what was hashed; says what is wrong.
    var recheck: (@Sendable () -> String?)?
    /// The folder of the user's that it was published from; nil where it was not.
    var published: Published?
  }

  /// A folder of the user's, or a file, from which a version was published.
  struct Published {
    let version: UInt64
    let path: [UInt8]
    /// How it differs from the version.
    let changes: FolderChanges
    /// Looks how it does now. On any thread.
    let look: @Sendable () -> FolderChanges
  }

  /// A dataset that a session follows.
  struct Dataset {
    let key: DatasetKey
    var salt: [UInt8] = []
    /// The newest head that is known.
    var head: Head?
    /// Whether it is published on this machine.
    let isOurs: Bool
    /// What to take part in for a newer head; nil for nothing new.
    let version: (Head) throws -> Subject?
    /// The newest head that the state folder has: another process may have published it.
    let watch: () -> Head?
  }

  /// What a command wants of a session.
  struct Plan {
    /// What to begin with; nil where that has to be found first.
    var subject: Subject?
    /// What is followed.
    var dataset: Dataset?
    /// Where to look for peers.
    var peers: [PeerAddress]
    /// What is shared besides: nothing is told of it.
    var others: [Other] = []
    /// What to do when the content changes, for the end of a sentence; empty for nothing.
    var changeAdvice = ""
    /// Whether nothing is to be fetched.
    var isSeed: Bool
    /// Whether the program ends when all that was asked for is here.
    var endsWhenFinished: Bool
    /// Says what is shared, once the node listens.
    var announce: (StatusDisplay, [PeerEndpoint]) throws -> Void
  }

  /// A torrent that is shared besides.
  struct Other {
    let request: TorrentRequest
    let folders: TorrentFolders
  }

  /// Thrown by `folders`: begin anew, now that the files are known.
  struct NeedsRestart: Error {}

  private enum End {
    case signal(CInt)
    case finished
    case failed(String)
  }

  private let plan: Plan
  private let options: NodeOptions
  private let display: StatusDisplay
  private let loop = EventLoop()
  private let lines = LogLines()
  private var node: Node?
  private var subject: Subject?
  /// Earlier versions that are shared on; held, since what they hold belongs to them.
  private var earlier: [Subject] = []
  /// The newest head that was seen.
  private var head: Head?
  /// One whose version could not be taken part in yet.
  private var pendingHead: Head?
  /// With everything here and no head known: until when one is waited for.
  private var graceEnd: ContinuousClock.Instant?
  private var torrent: TorrentID?
  private var info: InfoDictionary?
  private var timer: EventTimer?
  private var signals: [SignalWatcher] = []
  private var figures = TransferFigures()
  private let surroundings: SessionSurroundings
  private var repeats = Repeats()
  private var isDiskFull = false
  private var isRestarting = false
  private var end: End?
  /// When the first signal came.
  private var interruption: ContinuousClock.Instant?

  /// Nobody presses a key twice in this time.
  private static let echo = Duration.milliseconds(200)
  /// A peer that is connected tells of its head in less.
  private static let grace = Duration.seconds(3)

  init(_ plan: Plan, options: NodeOptions, display: StatusDisplay) {
    self.plan = plan
    subject = plan.subject
    head = plan.dataset?.head
    self.options = options
    self.display = display
    figures.isSeed = plan.isSeed
    surroundings = SessionSurroundings(
      on: loop, dataset: plan.dataset?.key, state: try? options.stateFolder(), display: display)
  }

  /// Runs until it is stopped. Throws what keeps it from its work, and the exit status of a signal
  /// that came before the work was done.
  func run() throws {
    let node = try options.node(on: loop, log: lines.log(isVerbose: options.isVerbose))
    self.node = node
    node.onNotice = { [unowned self] in take($0) }
    node.onPieceLayers = { [unowned self] in if $0 == torrent { subject?.keep($1) } }
    watchSignals()
    follow(node)
    start()
    for other in plan.others { _ = try? node.add(other.request) { _, _ in other.folders } }
    if end == nil {
      do { try plan.announce(display, node.endpoints) } catch { fail(Self.text(of: error)) }
    }
    let interval: UInt64 = display.isInteractive ? 500 : 1_000
    timer = EventTimer(on: loop, everyMilliseconds: interval) { [unowned self] in tick() }
    loop.run()
    self.node = nil
    showLines()
    display.clear()
    try conclude()
  }

  private func follow(_ node: Node) {
    guard let dataset = plan.dataset else { return }
    let head = dataset.head?.item
    // Of what is published here the DHT is told at once.
    node.follow(dataset.key, salt: dataset.salt, head: dataset.isOurs ? nil : head)
    if dataset.isOurs, let head { node.offer(head, isOurs: true) }
    let meeting = try? node.add(TorrentRequest(meeting: dataset.key, salt: dataset.salt)) { _, _ in
      preconditionFailure("where heads are exchanged there are no files")
    }
    if let meeting { for peer in plan.peers { node.resolve(peer, for: meeting) } }
  }

  private func start() {
    guard let node, let subject else { return }
    surroundings.watch(subject.published)
    do {
      let torrent = try node.add(subject.request()) { [unowned self] info, layers in
        self.info = info
        do {
          return try subject.folders(info, layers)
        } catch is NeedsRestart {
          isRestarting = true
          if let torrent = self.torrent { node.remove(torrent) }
          throw NeedsRestart()
        } catch {
          fail(Self.text(of: error))
          throw error
        }
      }
      self.torrent = torrent
      for peer in plan.peers { node.resolve(peer, for: torrent) }
    } catch {
      fail(Self.text(of: error))
    }
  }

  /// There is a newer version: from now on the session is about it. One that is whole is shared on.
  private func begin(_ next: Subject) {
    if let torrent {
      if figures.isFinished, let subject { earlier.append(subject) } else { node?.remove(torrent) }
    }
    subject = next
    torrent = nil
    info = nil
    graceEnd = nil
    isRestarting = false
    figures = TransferFigures()
    figures.isSeed = plan.isSeed
    start()
  }

  private func take(_ newer: Head) {
    guard end == nil, let dataset = plan.dataset else { return }
    if let head, head.version > newer.version { return }
    head = newer
    do {
      pendingHead = nil
      guard let next = try dataset.version(newer) else {
        endAfterGrace()
        return
      }
      display.event(
        "version",
        [
          ("number", .number(UInt64(clamping: newer.version))),
          ("infohash_v2", .text(orNull: newer.infohashV2?.hex)),
        ])
      display.note("version \(newer.version) is published")
      begin(next)
    } catch {
      // What publishes it may still hold it.
      pendingHead = newer
      warn(Self.text(of: error))
    }
  }

  private func look() {
    guard end == nil, let dataset = plan.dataset else { return }
    if let pendingHead { take(pendingHead) }
    if dataset.isOurs, let found = dataset.watch(), found.version > head?.version ?? 0 {
      node?.offer(found.item, isOurs: true)
    }
    endAfterGrace()
  }

  /// With `--once`: everything is here, and no newer version is known of.
  private func endAfterGrace() {
    guard let graceEnd, head != nil || ContinuousClock.now >= graceEnd else { return }
    stop(.finished)
  }

  private static func text(of error: any Error) -> String {
    (error as? Failure)?.message ?? "\(error)"
  }

  // MARK: The end

  private func watchSignals() {
    for number in SignalWatcher.endings where !Self.isIgnored(number) {
      signals.append(
        SignalWatcher(on: loop, signal: number) { [unowned self] number in interrupted(by: number) }
      )
    }
  }

  /// As nohup wants it.
  private static func isIgnored(_ number: CInt) -> Bool {
    var action = sigaction()
    guard sigaction(number, nil, &action) == 0 else { return false }
    let handler = action.__sigaction_handler.sa_handler
    return unsafeBitCast(handler, to: Int.self) == unsafeBitCast(SIG_IGN, to: Int.self)
  }

  private func interrupted(by number: CInt) {
    if let interruption {
      // timeout(1) and the like send it to the process and to its group: that is one.
      if ContinuousClock.now - interruption < Self.echo { return }
      display.clear()
      Console.note("swarm: left at once; what was not on disk yet will be fetched again")
      _exit(128 + number)
    }
    interruption = .now
    stop(.signal(number))
    display.note("stopping: what came is put on disk; once more leaves at once")
  }

  private func fail(_ message: String) { stop(.failed(message)) }

  private func stop(_ end: End) {
    guard self.end == nil else { return }
    updateFigures()
    self.end = end
    node?.stop { [unowned self] in
      timer?.cancel()
      timer = nil
      surroundings.close()
      for watcher in signals { watcher.close() }
      signals = []
    }
  }

  /// Says what is kept, and how the program ends.
  private func conclude() throws {
    let place = (subject?.content()).flatMap { $0 }.map { printable($0) }
    let reason =
      switch end {
      case .signal(let number): "signal \(number)"
      case .finished, nil: "finished"
      case .failed(let message): message
      }
    display.event(
      "stopped",
      [
        ("reason", .text(reason)), ("finished", .bool(figures.isFinished)),
        ("done", .number(figures.done)), ("wanted", .number(figures.wanted)),
        ("downloaded", .number(figures.downloaded)), ("uploaded", .number(figures.uploaded)),
        ("path", .text(orNull: place)),
      ])
    if case .failed(let message) = end { throw Failure(message) }
    display.note(figures.summary(place: place))
    if case .signal(let number) = end, !plan.isSeed, !figures.isFinished {
      throw ExitCode(128 + number)
    }
  }

  // MARK: Status

  private func tick() {
    showLines()
    look()
    surroundings.tick()
    guard updateFigures(), end == nil || !plan.isSeed else { return }
    display.show(figures, surroundings.current(of: node))
  }

  @discardableResult
  private func updateFigures() -> Bool {
    guard let torrent, let status = node?.status(of: torrent) else { return false }
    figures = TransferFigures(status)
    figures.isSeed = plan.isSeed
    return true
  }

  private func showLines() {
    for line in lines.take() where repeats.isNew(line, now: .now) { display.log(line) }
  }

  // MARK: Notices

  private func take(_ notice: Notice) {
    if let torrent, let about = notice.torrent, about != torrent { return }
    switch notice {
    case .metadata: tellMetadata()
    case .unusable(_, let reason): fail("the torrent cannot be used: \(reason)")
    case .opened: opened()
    case .finished: finished()
    case .peerConnected(_, _, let endpoint): tellPeer("connected", endpoint, nil)
    case .peerGone(_, _, let endpoint, let end): tellPeer("gone", endpoint, end.text)
    case .banned(_, let endpoint, let reason):
      tellPeer("banned", endpoint, reason)
      if !options.isJSON { display.warn("the peer \(endpoint) lied and is banned: \(reason)") }
    case .lost(_, let blocks):
      warn(
        "\(Quantity.count(blocks, "block")) on disk are not what they were, and are no longer used")
    case .changed(_, let file):
      surroundings.folderChanged()
      warn(
        "\(path(of: file)) was changed by another program; it is checked before it is shared"
          + plan.changeAdvice)
    case .contradiction(_, let file):
      warn("\(path(of: file)): the torrent's v1 and v2 descriptions contradict each other")
    case .diskFull(_, let failure):
      if !isDiskFull { display.warn("\(failure); waiting for room") }
      isDiskFull = true
    case .diskHasRoom:
      if isDiskFull { display.note("swarm: there is room on the disk again") }
      isDiskFull = false
    case .diskFailed(_, let failure):
      if end == nil, !isRestarting { warn("\(failure)") }
    case .head(_, let item): if let newer = try? Head(item) { take(newer) }
    case .keyUsedTwice(let key, let number):
      display.event(
        "key_used_twice", [("dataset_key", .text(key.hex)), ("number", .number(UInt64(number)))])
      warn(
        "there are two versions \(number) of \(key), both signed by it: its key is used twice; the one "
          + "that came first is followed")
    case .dhtNode: break
    case .closed(let torrent):
      if isRestarting, torrent == self.torrent, end == nil {
        isRestarting = false
        start()
      }
    }
  }

  private func warn(_ text: String) {
    if repeats.isNew(text, now: .now) { display.warn(text) }
  }

  private func path(of file: FileIndex) -> String {
    guard let info, Int(file.rawValue) < info.files.count else { return "a file" }
    return info.files[Int(file.rawValue)].path.description
  }

  private func tellMetadata() {
    guard let info, options.isJSON else { return }
    display.event(
      "metadata",
      InfoSummary(info).json + [
        ("path", .text(orNull: (subject?.content()).flatMap { $0 }.map { printable($0) }))
      ])
  }

  private func tellPeer(_ what: String, _ endpoint: PeerEndpoint, _ reason: String?) {
    display.event(
      "peer",
      [
        ("state", .text(what)), ("address", .text("\(endpoint)")),
        ("reason", .text(orNull: reason)),
      ])
    if options.isVerbose, what != "banned" {
      display.note("peer \(endpoint) \(what)" + (reason.map { ": \($0)" } ?? ""))
    }
  }

  private func opened() {
    guard let recheck = subject?.recheck else { return }
    loop.perform(recheck) { [unowned self] fault in if let fault { fail(fault) } }
  }

  private func finished() {
    guard end == nil, !plan.isSeed else { return }
    updateFigures()
    let place = (subject?.content()).flatMap { $0 }.map { printable($0) }
    display.event("finished", [("path", .text(orNull: place)), ("done", .number(figures.done))])
    do {
      try display.result("complete: \(place ?? "") (\(Quantity.bytes(figures.done)))")
    } catch {
      fail(error.message)
    }
    do { try subject?.onFinished() } catch { warn(Self.text(of: error)) }
    guard plan.endsWhenFinished else { return }
    if plan.dataset == nil { return stop(.finished) }
    graceEnd = .now + Self.grace
    endAfterGrace()
  }
}

extension Notice {
  /// The torrent that it is about; nil where it is about none.
  fileprivate var torrent: TorrentID? {
    switch self {
    case .metadata(let torrent), .unusable(let torrent, _), .opened(let torrent),
      .finished(let torrent), .peerConnected(let torrent, _, _), .banned(let torrent, _, _),
      .lost(let torrent, _), .changed(let torrent, _), .contradiction(let torrent, _),
      .diskFull(let torrent, _), .diskHasRoom(let torrent), .diskFailed(let torrent, _),
      .closed(let torrent):
      torrent
    case .peerGone(let torrent, _, _, _): torrent
    case .head, .keyUsedTwice, .dhtNode: nil
    }
  }
}
