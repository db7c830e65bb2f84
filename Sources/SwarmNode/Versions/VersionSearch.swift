import Metainfo
import Swarm
import Wire

/// Finds versions of a dataset on a node: the newest head first, then older versions by what each says of
/// the one before. Of those that the state folder does not have, peers are asked for the metadata
/// alone; it is kept there, so that the next search has it.
///
/// Whoever made it passes on the node's notices (`take`), and calls `tick` about once a second. Belongs
/// to the loop's thread.
public final class VersionSearch {
  /// What is looked for.
  public enum Goal: Hashable, Sendable {
    /// One version.
    case version(UInt64)
    /// So many versions, from the newest down.
    case newest(Int)
  }

  /// What it waits for.
  public enum Waiting: Hashable, Sendable {
    /// Nothing: it has ended, or not begun.
    case nothing
    /// A head: which version is the newest.
    case head
    /// A newer head than the one that is known, of this version.
    case newerHead(UInt64)
    /// The metadata of this version.
    case version(UInt64)
  }

  /// Told once: what was found, newest first, with one version looked for that alone; or why not.
  public var onEnd: (Result<[Found], VersionSearchError>) -> Void = { _ in }
  /// Told in a line what is wrong in the state folder, where it goes on all the same.
  public var warn: (String) -> Void = { _ in }
  /// What it waits for now.
  public private(set) var waiting = Waiting.nothing
  /// Peers that were met: likely to have other versions, too.
  public private(set) var peers: Set<PeerEndpoint> = []
  /// The newest head that is known.
  public private(set) var head: Head?

  /// A version with its torrent.
  public struct Found: Sendable {
    /// Which version it is.
    public let number: UInt64
    /// Its torrent, as far as it is known.
    public let torrent: KnownTorrent
  }

  private let goal: Goal
  private let dataset: KeyedDataset
  private let salt: [UInt8]
  private let readKey: ReadKey?
  private let state: StateFolder
  private let addresses: [PeerAddress]
  private weak var node: Node?
  private var meeting: TorrentID?
  private var fetching: TorrentID?
  /// The last torrent whose metadata came, until the node has closed it: another may be of the same.
  private var closing: TorrentID?
  private var result: Result<[Found], VersionSearchError>?
  private var told: Set<PeerEndpoint> = []
  private var trail: VersionTrail?
  private var found: [Found] = []
  private var steps = 0
  private var isEnded = false
  /// When the newest head was known.
  private var headSince: ContinuousClock.Instant?
  /// Whether it was known before, and nobody has been asked for a newer one yet.
  private var isFromBefore = false

  /// How long a head that came is held against others that may be newer: the answers of a lookup, and of
  /// peers, come within.
  private static let headTime = Duration.seconds(2)
  /// How long others are looked for who may know a newer head than the one from before, while there is nobody.
  private static let askTime = Duration.seconds(5)
  /// How long a version newer than the newest known is waited for, where somebody names it.
  private static let newerTime = Duration.seconds(15)
  /// Versions that are gone through: a publisher who releases one an hour takes a decade for so many.
  private static let mostSteps = 100_000

  /// - Parameters:
  ///   - salt: under which the dataset's head is found; empty for none.
  ///   - readKey: of a private dataset.
  ///   - peers: whom to ask first.
  public init(
    _ goal: Goal, of dataset: KeyedDataset, salt: [UInt8] = [], readKey: ReadKey? = nil,
    state: StateFolder, asking peers: [PeerAddress] = []
  ) {
    self.goal = goal
    self.dataset = dataset
    self.salt = salt
    self.readKey = readKey
    self.state = state
    addresses = peers
  }

  // MARK: Without the network

  /// What can be found in the state folder alone; nil where something is missing.
  public func findHere() throws(VersionSearchError) -> [Found]? {
    head = try knownHead()
    guard try begin() else { return nil }
    return try walk() ? found : nil
  }

  private func knownHead() throws(VersionSearchError) -> Head? {
    try VersionSearchError.wrap { [dataset, warn] () throws(SystemError) in
      try dataset.followedHead(warn)
    }
  }

  // MARK: On a node

  /// Begins on a node; it may end at once.
  public func start(on node: Node) {
    self.node = node
    do throws(VersionSearchError) {
      head = try knownHead()
    } catch { return end(.failure(error)) }
    if head != nil { (headSince, isFromBefore) = (.now, true) }
    // What was found from the head that is here may not be all.
    if case .newest = goal { trail = nil }
    node.follow(
      dataset.key, salt: salt, head: head?.item, readKey: readKey,
      sealedHead: readKey == nil ? nil : dataset.sealedHead())
    var request = TorrentRequest(meeting: dataset.key, salt: salt)
    request.readKey = readKey
    meeting = try? node.add(request) { _, _ in
      preconditionFailure("where heads are exchanged there are no files")
    }
    if let meeting { for address in addresses { node.resolve(address, for: meeting) } }
    goOn()
  }

  /// Whether a torrent of the node is this search's.
  public func owns(_ torrent: TorrentID) -> Bool {
    torrent == fetching || torrent == closing || torrent == meeting
  }

  /// The node says something.
  public func take(_ notice: Notice) {
    if case .closed(let torrent) = notice, torrent == closing {
      closing = nil
      tellEnd()
    }
    guard !isEnded else { return }
    switch notice {
    case .head(let key, let item):
      guard key == dataset.key, let newer = try? Head(item), newer.version > head?.version ?? 0
      else { return }
      head = newer
      (headSince, isFromBefore) = (.now, false)
      do throws(SystemError) { _ = try dataset.keep(head: newer) } catch {
        return end(.failure(.system(error)))
      }
      // What was found from an older head on is not all of the newest.
      if case .newest = goal { leaveFetch() }
      goOn()
    case .metadata(let torrent): if torrent == fetching { goOn() }
    case .unusable(let torrent, let reason):
      if torrent == fetching { end(.failure(.unusable(trail?.nextNumber ?? 0, reason))) }
    case .peerConnected(let torrent, _, _):
      if owns(torrent) { meet(torrent) }
    default: break
    }
  }

  /// Time passed.
  public func tick() {
    guard !isEnded else { return }
    for torrent in [meeting, fetching].compactMap({ $0 }) { meet(torrent) }
    if fetching == nil { goOn() }
  }

  /// Gives up: what was found until now is told.
  public func stop() { end(.success(found)) }

  /// Gives up, and takes part in nothing any more.
  public func leave() {
    stop()
    guard let node else { return }
    if let meeting { node.remove(meeting) }
    node.unfollow(dataset.key)
  }

  /// Torrents of the node that are this search's.
  public var torrents: [TorrentID] { [fetching, closing, meeting].compactMap { $0 } }

  // MARK: What is inside

  /// Sets out where the goal can be reached from; false where that is not known yet.
  private func begin() throws(VersionSearchError) -> Bool {
    guard let head else {
      waiting = .head
      return false
    }
    let newest = UInt64(head.version)
    var start = head.infohashV2.map { VersionTrail.Stop(number: newest, infohash: $0) }
    if case .version(let number) = goal {
      if number > newest {
        waiting = .newerHead(number)
        return false
      }
      // What an earlier walk, or a head of its time, has vouched for.
      let known = try VersionSearchError.wrap { [dataset] () throws(SystemError) in
        try dataset.versions()
      }
      if let nearest = known.first(where: { $0 >= number && $0 < newest }),
        let infohash = dataset.version(nearest)
      {
        start = VersionTrail.Stop(number: nearest, infohash: infohash)
      }
    }
    guard let start else { throw .noHistory(newest) }
    trail = VersionTrail(from: start)
    found = []
    return true
  }

  /// Goes on as far as torrents are here; true at the end.
  private func walk() throws(VersionSearchError) -> Bool {
    while var trail = self.trail, let infohash = trail.next {
      guard let kept = state.keptVersion(infohash) else {
        waiting = .version(trail.nextNumber)
        return false
      }
      let stop: VersionTrail.Stop
      do throws(VersionTrailError) { stop = try trail.arrive(at: kept.torrent.info) } catch {
        throw .trail(error)
      }
      self.trail = trail
      try VersionSearchError.wrap { [dataset] () throws(SystemError) in
        try dataset.keep(version: stop.number, infohash: infohash)
      }
      steps += 1
      let version = Found(number: stop.number, torrent: kept.torrent)
      switch goal {
      case .newest(let count):
        found.append(version)
        if found.count >= count { return true }
      case .version(let number):
        if stop.number == number {
          found = [version]
          return true
        }
        if stop.number < number { throw .gap(number, before: stop.number) }
        if trail.next == nil { throw .endsAt(stop.number, wanted: number) }
      }
      if steps >= Self.mostSteps { throw .tooMany(steps) }
    }
    return true
  }

  private func goOn() {
    guard !isEnded, let node, !node.isStopping else { return }
    do throws(VersionSearchError) {
      guard try isHeadSettled() else { return }
      if trail == nil { guard try begin() else { return } }
      guard try walk() else { return fetch(node) }
      waiting = .nothing
      end(.success(found))
    } catch {
      end(.failure(error))
    }
  }

  /// Whether the head that is known may be gone by. Throws where the goal is beyond it.
  private func isHeadSettled() throws(VersionSearchError) -> Bool {
    guard let head, let headSince else {
      waiting = .head
      return false
    }
    let age = ContinuousClock.now - headSince
    switch goal {
    case .newest:
      if trail == nil { waiting = .head }
      if trail != nil { return true }
      let someone = node?.status(of: dataset.key)?.peers ?? 0 > 0
      return age >= (isFromBefore && !someone ? Self.askTime : Self.headTime)
    case .version(let number):
      if number <= UInt64(head.version) { return true }
      waiting = .newerHead(number)
      if age >= Self.newerTime { throw .newerThanHead(number, newest: UInt64(head.version)) }
      return false
    }
  }

  private func fetch(_ node: Node) {
    guard let infohash = trail?.next else { return }
    if let fetching {
      if node.status(of: fetching)?.infohashV2 == infohash { return }
      leaveFetch(keepingTrail: true)
    }
    var request = TorrentRequest(source: .infohash(v1: nil, v2: infohash), content: .owned)
    request.dataset = dataset.key
    request.readKey = readKey
    request.wanted = { _, _ in false }
    let state = state
    fetching = try? node.add(request) { info, layers in
      try state.keep(KnownTorrent(info: info, pieceLayers: layers))
      throw MetadataAlone()
    }
    guard let fetching else {
      return end(.failure(.unusable(trail?.nextNumber ?? 0, "it is here")))
    }
    for address in addresses { node.resolve(address, for: fetching) }
    told = []
    tell(fetching)
  }

  private func leaveFetch(keepingTrail: Bool = false) {
    if let fetching {
      closing = fetching
      node?.remove(fetching)
    }
    fetching = nil
    if !keepingTrail { trail = nil }
  }

  /// Remembers the peers of a torrent that can be connected to.
  private func meet(_ torrent: TorrentID) {
    guard let node else { return }
    for peer in node.peers(of: torrent) where !peer.isIncoming { peers.insert(peer.endpoint) }
    if let fetching { tell(fetching) }
  }

  private func tell(_ torrent: TorrentID) {
    let new = peers.subtracting(told)
    if new.isEmpty { return }
    told.formUnion(new)
    node?.add(peers: new.sorted { "\($0)" < "\($1)" }, from: .met, to: torrent)
  }

  private func end(_ result: Result<[Found], VersionSearchError>) {
    guard !isEnded else { return }
    isEnded = true
    waiting = .nothing
    self.result = result
    leaveFetch(keepingTrail: true)
    if closing == nil || node?.isStopping ?? true { tellEnd() }
  }

  private func tellEnd() {
    guard isEnded, let result else { return }
    self.result = nil
    onEnd(result)
  }

  /// Nothing of the content is wanted.
  private struct MetadataAlone: Error {}
}

/// Why versions were not found.
public enum VersionSearchError: Error, Hashable, Sendable, CustomStringConvertible {
  /// There is no such version: the newest has this number.
  case newerThanHead(UInt64, newest: UInt64)
  /// There is no version of this number: the one before the next is an earlier one.
  case gap(UInt64, before: UInt64)
  /// This version does not say which one was before it.
  case endsAt(UInt64, wanted: UInt64)
  /// The head names no v2 torrent, in which a history could be.
  case noHistory(UInt64)
  /// The versions contradict each other.
  case trail(VersionTrailError)
  /// The version's torrent is none that can be used: in words.
  case unusable(UInt64, String)
  /// So many were gone through.
  case tooMany(Int)
  /// A system call failed.
  case system(SystemError)

  /// What is wrong.
  public var description: String {
    switch self {
    case .newerThanHead(let number, let newest):
      "there is no version \(number): the newest known is \(newest)"
    case .gap(let number, let before):
      "there is no version \(number): the one before the next is version \(before)"
    case .endsAt(let last, let wanted):
      "version \(last) does not say which one was before it, so that version \(wanted) cannot be found"
    case .noHistory(let newest):
      "the head of version \(newest) names no v2 torrent, which could say what was before it"
    case .trail(let error): "\(error)"
    case .unusable(let number, let reason): "version \(number) cannot be used: \(reason)"
    case .tooMany(let count): "\(count) versions were gone through, and there are more"
    case .system(let error): error.description
    }
  }

  static func wrap<Result>(
    _ body: () throws(SystemError) -> Result
  ) throws(VersionSearchError) -> Result {
    do throws(SystemError) { return try body() } catch { throw .system(error) }
  }
}
