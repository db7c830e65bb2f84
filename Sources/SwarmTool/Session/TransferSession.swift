import Metainfo
import Swarm
import SwarmNode
import Wire

/// One torrent on a node of its own, from the start of the program to its end.
///
/// Belongs to the loop's thread.
final class TransferSession {
  /// Why it ends.
  enum End {
    case signal(CInt)
    case finished
    case failed(String)
  }

  let plan: Plan
  let options: NodeOptions
  let display: StatusDisplay
  let loop = EventLoop()
  let lines = LogLines()
  var node: Node?
  var subject: Subject?
  /// What is shared besides: earlier versions for the most part.
  var besides: [Shared] = []
  /// The dataset's own swarm, in which heads travel.
  var meeting: TorrentID?
  /// Peers of the dataset that we have connected to: they are tried first for its next version, which
  /// nobody may have announced yet.
  var met: Set<PeerEndpoint> = []
  /// Old versions that are being removed.
  var removing: Set<UInt64> = []
  private let startTime = ContinuousClock.now
  /// Which version it is about; nil where no dataset is followed.
  var follower: HeadFollower?
  /// With everything here and no head known: until when one is waited for.
  private var graceEnd: ContinuousClock.Instant?
  var torrent: TorrentID?
  var info: InfoDictionary?
  var timer: EventTimer?
  var signals: [SignalWatcher] = []
  var figures = TransferFigures()
  let surroundings: SessionSurroundings
  var server: NBDServer?
  private var repeats = Repeats()
  var isDiskFull = false
  var isRestarting = false
  var end: End?
  /// When the first signal came.
  var interruption: ContinuousClock.Instant?

  /// A peer that is connected tells of its head in less.
  private static let grace = Duration.seconds(3)

  init(_ plan: Plan, options: NodeOptions, display: StatusDisplay) {
    self.plan = plan
    subject = plan.subject
    follower = plan.dataset.map { HeadFollower($0) }
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
    plan.machine?.watch(on: loop)
    follow(node)
    start()
    search(on: node)
    shareOthers(on: node)
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
    self.meeting = meeting
    if let meeting { for peer in plan.peers { node.resolve(peer, for: meeting) } }
  }

  func start() {
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
      let known = met.union(plan.search?.versions.peers ?? [])
      if !known.isEmpty { node.add(peers: Array(known), to: torrent) }
    } catch {
      fail(Self.text(of: error))
    }
  }

  /// There is a newer version: from now on the session is about it. One that is whole is shared on.
  func begin(_ next: Subject) {
    meetPeers()
    if let torrent {
      updateFigures()
      // One that an earlier run had may still be looked at.
      if let subject, figures.isFinished || subject.wasWhole() || server != nil {
        besides.append(Shared(torrent: torrent, version: subject.version(), holder: subject))
      } else {
        node?.remove(torrent)
      }
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

  func take(_ newer: Head) {
    guard end == nil, let outcome = follower?.take(newer) else { return }
    act(on: outcome)
  }

  private func act(on outcome: HeadFollower.Outcome) {
    switch outcome {
    case .nothing: endAfterGrace()
    case .failed(let reason): warn(reason)
    case .begin(let next):
      let head = follower?.head
      display.event(
        "version",
        [
          ("number", .number(orNull: head.map { UInt64(clamping: $0.version) })),
          ("infohash_v2", .text(orNull: head?.infohashV2?.hex)),
        ])
      if let head { display.note("version \(head.version) is published") }
      begin(next)
    }
  }

  private func look() {
    guard end == nil, let before = follower else { return }
    var outcome = HeadFollower.Outcome.nothing
    if let found = before.published() {
      outcome = follower?.take(found) ?? .nothing
    } else {
      outcome = follower?.retry() ?? .nothing
    }
    act(on: outcome)
    // Others are told once they can fetch it.
    let isNew = follower?.head?.version != before.head?.version || before.pending != nil
    if plan.dataset?.isOurs == true, isNew, follower?.pending == nil, let head = follower?.head {
      node?.offer(head.item, isOurs: true)
    }
  }

  /// All that was asked for is here: with `--once` that is the end, unless a newer version may be
  /// about to be told.
  func endWhenFinished() {
    guard plan.endsWhenFinished else { return }
    if plan.dataset == nil { return stop(.finished) }
    graceEnd = .now + Self.grace
    endAfterGrace()
  }

  /// With `--once`: everything is here, and no newer version is known of.
  private func endAfterGrace() {
    guard let graceEnd, follower?.head != nil || ContinuousClock.now >= graceEnd else { return }
    stop(.finished)
  }

  static func text(of error: any Error) -> String {
    (error as? Failure)?.message ?? "\(error)"
  }

  // MARK: Status

  private func tick() {
    showLines()
    look()
    meetPeers()
    surroundings.tick()
    plan.search?.versions.tick()
    let isKnown = updateFigures()
    plan.machine?.tick(in: self)
    if let view = searchView { return display.show(view) }
    guard isKnown, end == nil || !plan.isSeed && plan.machine == nil else { return }
    display.show(figures, surroundings.current(of: node))
  }

  /// What is waited for while nothing is known yet; nil once there are figures to show.
  private var searchView: SearchView? {
    guard end == nil, let node else { return nil }
    var what: VersionSearch.Waiting?
    if let search = plan.search, subject == nil {
      what = search.versions.waiting
    } else if subject == nil {
      what = .head
    } else if !options.isJSON, !plan.isSeed, figures.wanted == 0, figures.peers == 0 {
      what = (follower?.head).map { .version(UInt64(clamping: $0.version)) } ?? .head
    }
    guard let what, let key = plan.dataset?.key ?? plan.search?.key else { return nil }
    return SearchView(what, of: key, on: node, options.network, since: startTime)
  }

  @discardableResult
  func updateFigures() -> Bool {
    guard let torrent, let status = node?.status(of: torrent) else { return false }
    figures = TransferFigures(status)
    figures.isSeed = plan.isSeed
    figures.reads = server?.figures
    return true
  }

  func showLines() {
    for line in lines.take() where repeats.isNew(line, now: .now) { display.log(line) }
  }

  /// Says what is not as it should be, once while it lasts.
  func warn(_ text: String) {
    if repeats.isNew(text, now: .now) { display.warn(text) }
  }
}
