import Metainfo
import Swarm
import SwarmNode
import Wire

/// One dataset or torrent that a node takes part in: its newest version or the one that was asked for,
/// and what is shared besides.
///
/// Belongs to the loop's thread.
final class Member {
  private(set) var plan: Plan
  let teller: any Teller
  let state: StateFolder
  private(set) unowned var host: any MemberHost
  var subject: Subject?
  /// What is shared besides: earlier versions for the most part.
  var besides: [Shared] = []
  /// The dataset's own swarm, in which heads travel.
  var meeting: TorrentID?
  /// Peers of the dataset that we have connected to: they are tried first for its next version, which
  /// nobody may have announced yet.
  var met: Set<PeerEndpoint> = []
  /// Old versions that somebody wants to read and that can be opened in a moment.
  var opening: Set<UInt64> = []
  /// Old versions that are being removed.
  var removing: Set<UInt64> = []
  /// Old versions that somebody had when they were to be removed: when that is tried again, and how long
  /// it was waited for.
  var heldVersions: [UInt64: (again: ContinuousClock.Instant, pause: Duration)] = [:]
  private let startTime = ContinuousClock.now
  /// When somebody was connected last; its own beginning where nobody was.
  private var lastMet = ContinuousClock.now
  private var hasMet = false
  /// Whether it was looked at whether others can find it.
  private var knowsWhetherFound = false
  /// Which version it is about; nil where no dataset is followed.
  var follower: HeadFollower?
  /// With everything here and no head known: until when one is waited for.
  private var graceEnd: ContinuousClock.Instant?
  /// What it is about, and what that has; nil while that is not known.
  var torrent: TorrentID?
  var info: InfoDictionary?
  var figures = TransferFigures()
  let surroundings: MemberSurroundings
  /// Looks at what was fetched once all of it is here.
  var contentWatch: ContentWatch?
  /// Files that other programs have changed, until that is said.
  var changedFiles = ChangedFiles()
  private var repeats = Repeats()
  /// Whether people are told of every peer that comes and goes.
  var tellsOfPeers = false
  var isDiskFull = false
  var isRestarting = false
  /// Whether it has gone on from one version to another.
  private var hasFollowed = false
  /// Nothing is begun any more.
  private(set) var isOver = false

  /// How many older versions that are whole here are shared on.
  static let mostOlder = 4
  /// A peer that is connected tells of its head in less.
  private static let grace = Duration.seconds(3)

  /// A member that has not begun. The host keeps it, and outlives it.
  init(_ plan: Plan, of host: any MemberHost, state: StateFolder, teller: any Teller) {
    self.plan = plan
    self.host = host
    self.state = state
    self.teller = teller
    subject = plan.subject
    // What holds a version against others is let go with it.
    self.plan.subject = nil
    follower = plan.dataset.map { HeadFollower($0) }
    figures.onlySeeds = plan.isSeed
    surroundings = MemberSurroundings(
      on: host.loop, dataset: plan.dataset?.key, state: state, teller: teller)
  }

  /// Begins to take part.
  func begin() {
    follow()
    for step in [start, search, shareOthers] where !isOver { step() }
    plan.others = []
  }

  /// Begins nothing any more: the node stops, or the member is taken out of it.
  func end() {
    isOver = true
    surroundings.close()
    contentWatch?.end()
    if contentWatch != nil { updateFigures() }
    tellChangedFiles()
  }

  /// Takes part no more: all that it has is closed, which takes a moment.
  func leave() {
    end()
    if let key = plan.dataset?.key { host.node.unfollow(key) }
    plan.search?.versions.leave()
    for torrent in torrents { host.node.remove(torrent) }
  }

  /// Whether nothing of it is open any more.
  var hasLeft: Bool { isOver && torrents.allSatisfy { host.node.status(of: $0) == nil } }

  private var torrents: [TorrentID] {
    [torrent, meeting].compactMap { $0 } + besides.map(\.torrent)
      + (plan.search?.versions.torrents ?? [])
  }

  private func follow() {
    guard let dataset = plan.dataset else { return }
    let head = dataset.head?.item
    // Of what is published here the DHT is told at once.
    host.node.follow(
      dataset.key, salt: dataset.salt, head: dataset.isOurs ? nil : head, readKey: plan.readKey,
      sealedHead: plan.readKey == nil ? nil : state.dataset(dataset.key).sealedHead())
    if dataset.isOurs, let head { offer(head) }
    let request = TorrentRequest(meeting: dataset.key, salt: dataset.salt)
    let meeting = try? add(request) { _, _ in
      preconditionFailure("where heads are exchanged there are no files")
    }
    self.meeting = meeting
    if let meeting { for peer in plan.peers { host.node.resolve(peer, for: meeting) } }
  }

  /// Takes part in a torrent: in one of a private dataset by its read key alone, and in none of a private dataset
  /// that is known here without.
  func add(
    _ request: TorrentRequest,
    folders: @escaping (InfoDictionary, PieceLayers) throws -> TorrentFolders
  ) throws -> TorrentID {
    if plan.readKey == nil { try state.refusePrivate(request) }
    var request = request
    request.readKey = plan.readKey
    return try host.node.add(request, folders: folders)
  }

  /// Tells others of a head that was published here. In the DHT that of a private dataset is signed once
  /// more, by its secret.
  private func offer(_ head: MutableItem) {
    var secret: DatasetSecret?
    if plan.readKey != nil {
      do throws(KeyError) {
        secret = try state.keys.secret(of: head.key)
      } catch { warn("\(error)") }
    }
    host.node.offer(head, isOurs: true, secret: secret)
  }

  func start() {
    guard let subject else { return }
    surroundings.watch(subject.published)
    do {
      let torrent = try add(subject.request()) { [unowned self] info, layers in
        self.info = info
        do {
          return try subject.folders(info, layers)
        } catch is NeedsRestart {
          isRestarting = true
          if let torrent = self.torrent { host.node.remove(torrent) }
          throw NeedsRestart()
        } catch {
          fail(Self.text(of: error))
          throw error
        }
      }
      self.torrent = torrent
      for peer in plan.peers { host.node.resolve(peer, for: torrent) }
      let known = met.union(plan.search?.versions.peers ?? [])
      if !known.isEmpty { host.node.add(peers: Array(known), from: .met, to: torrent) }
    } catch {
      fail(Self.text(of: error))
    }
  }

  /// There is a newer version: from now on the member is about it. One that is whole is shared on.
  func begin(_ next: Subject) {
    meetPeers()
    if let torrent {
      updateFigures()
      // One that an earlier run had may still be looked at.
      let isWhole = figures.isFinished || subject?.wasWhole() == true
      if let subject, isWhole || host.isOffering(torrent) {
        // One that is not whole is kept for those who read it.
        besides.append(
          Shared(
            torrent: torrent, version: subject.version(), holder: subject,
            idleSince: isWhole ? nil : .now))
        leaveOldest()
      } else {
        host.node.remove(torrent)
      }
    }
    hasFollowed = hasFollowed || subject != nil
    contentWatch?.end()
    contentWatch = nil
    subject = next
    torrent = nil
    info = nil
    graceEnd = nil
    isRestarting = false
    figures = TransferFigures()
    figures.onlySeeds = plan.isSeed
    start()
  }

  func take(_ newer: Head) {
    guard !isOver, let outcome = follower?.take(newer) else { return }
    act(on: outcome)
  }

  private func act(on outcome: HeadFollower.Outcome) {
    switch outcome {
    case .nothing: endAfterGrace()
    case .failed(let reason): warn(reason)
    case .begin(let next):
      let head = follower?.head
      teller.event(
        "version",
        [
          ("number", .number(orNull: head.map { UInt64(clamping: $0.version) })),
          ("infohash_v2", .text(orNull: head?.infohashV2?.hex)),
        ])
      if let head { teller.note("version \(head.version) is published") }
      begin(next)
    }
  }

  /// Whether another process has published, or what could not be taken part in now can be.
  private func look() {
    guard !isOver, let before = follower else { return }
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
      offer(head.item)
    }
  }

  /// All that was asked for is here. A newer version may be about to be told.
  func complete() {
    if plan.dataset == nil { return host.isComplete(self) }
    graceEnd = .now + Self.grace
    endAfterGrace()
  }

  private func endAfterGrace() {
    guard let graceEnd, follower?.head != nil || ContinuousClock.now >= graceEnd else { return }
    self.graceEnd = nil
    host.isComplete(self)
  }

  /// The member can do nothing more; but who followed a dataset from one version to the next waits for
  /// another one.
  func fail(_ reason: String) {
    if isOver { return }
    if hasFollowed, plan.dataset != nil { return warn(reason) }
    host.failed(self, reason)
  }

  /// As many older versions are shared as after a new start: each is a swarm of its own.
  func leaveOldest() {
    let versions = besides.indices.filter {
      besides[$0].version != nil && besides[$0].idleSince == nil && !besides[$0].isClosing
        && !host.isInUse(besides[$0].torrent)
    }
    for index in versions.dropLast(Self.mostOlder) { close(index) }
  }

  static func text(of error: any Error) -> String {
    (error as? Failure)?.message ?? "\(error)"
  }

  // MARK: Status

  /// Time has passed: about once a second.
  func tick() {
    look()
    meetPeers()
    closeIdle()
    removeHeld()
    surroundings.tick()
    contentWatch?.tick()
    tellChangedFiles()
    warnWhereNobodyFindsIt()
    plan.search?.versions.tick()
  }

  /// What is waited for while nothing is known yet; nil once there are figures to show.
  func searchView(isForPeople: Bool) -> SearchView? {
    guard !isOver else { return nil }
    var what: VersionSearch.Waiting?
    if let search = plan.search, subject == nil {
      what = search.versions.waiting
    } else if subject == nil {
      what = .head
    } else if isForPeople, !plan.isSeed, figures.wantedBytes == 0, figures.peers == 0 {
      what = (follower?.head).map { .version(UInt64(clamping: $0.version)) } ?? .head
    }
    guard let what, let key = plan.dataset?.key ?? plan.search?.key else { return nil }
    return SearchView(
      what, of: key, on: host.node, host.network, named: plan.peers.count, since: startTime)
  }

  /// Says once, when it is time, that nobody can find what is shared; not where that is as somebody wants it.
  private func warnWhereNobodyFindsIt() {
    guard plan.isSeed, !knowsWhetherFound, let torrent,
      ContinuousClock.now - startTime >= .seconds(SearchView.patience)
    else { return }
    knowsWhetherFound = true
    guard host.node.peers(of: torrent).isEmpty, !hasMet else { return }
    if let reason = host.node.discoveryStatus?.hiddenReason {
      teller.warn("nobody can find this: \(reason); swarm doctor says what to do")
    }
  }

  /// False while there are none.
  @discardableResult func updateFigures() -> Bool {
    guard let torrent, let status = host.node.status(of: torrent) else { return false }
    figures = TransferFigures(status: status)
    figures.onlySeeds = plan.isSeed
    figures.missingFiles = contentWatch?.missing ?? 0
    if figures.peers > 0 { (lastMet, hasMet) = (.now, true) }
    figures.isLonely = ContinuousClock.now - lastMet >= .seconds(SearchView.patience)
    return true
  }

  /// Says what is not as it should be, once while it lasts.
  func warn(_ text: String) {
    if repeats.isNew(text, now: .now) { teller.warn(text) }
  }
}
