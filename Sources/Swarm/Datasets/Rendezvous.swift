import Metainfo

/// When the DHT is asked and told what, so that those who want the same thing meet: announcements of
/// torrents, questions for newer heads, stores of heads. BEP 5, 44, 46. A schedule and nothing else: who
/// drives it does the lookups and says how they ended.
///
/// Drive it so: after every call carry out `nextEffect()` until nil, and call `handleTimeout` at
/// `deadline`. Time is counted from any fixed start; it may jump forwards by any stretch.
///
/// Invariants: what is private is never in an effect (BEP 27); at most
/// `RendezvousLimits.atOnceWithUrgent` lookups are under way.
public struct Rendezvous {
  /// Something to do again and again.
  enum Errand: Hashable, Sendable {
    /// Who has the torrent; and that we have it.
    case peers(SHA1Digest)
    /// Whether there is a newer head.
    case get(DatasetKey)
    /// That this is the newest head.
    case put(DatasetKey)
  }

  /// How far an errand is.
  struct Progress: Sendable {
    /// The number of its entry in a queue, or of its lookup; others are out of date.
    var number: UInt64
    /// When its lookup began; nil while it waits.
    var since: Duration?
    /// When the last one began.
    var last: Duration?
    /// When the next one is to begin.
    var due = Duration.zero
    /// In a row without what it was for; of lookups of peers all, until those have stayed for long.
    var failures = 0
    /// In a row without an answer from anybody.
    var silences = 0
    /// Whether nodes have kept what they were told the last time.
    var isStored = false
  }

  struct Place: Sendable {
    /// Since when it has had peers without a break; nil while it has none.
    var peersSince: Duration?
    var hasPeers: Bool { peersSince != nil }
    /// Whether somebody waits for a first peer: it is looked up again soon.
    var isUrgent: Bool
    /// Whether it is the swarm of a dataset whose head is known, or a torrent of which all is here: it has
    /// nothing to gain from peers that do not come by themselves.
    var isComplete = false
    /// How many want it looked up: a torrent, and perhaps a dataset.
    var users = 1
  }

  struct Followed: Sendable {
    let salt: [UInt8]
    /// Whether its own swarm is among the places.
    let hasSwarm: Bool
    var head: MutableItem?
    /// Whether the head is not yet stored, and by its publisher's own node: it is stored whoever has it.
    var mustPut = false
    /// When it was found with enough others that one who follows need not store it.
    var wellKept: (sequence: Int64, at: Duration)?
  }

  var random: SwarmRandom
  var now = Duration.zero
  var places: [SHA1Digest: Place] = [:]
  var followed: [DatasetKey: Followed] = [:]
  var progress: [Errand: Progress] = [:]
  var urgent = DueQueue<Errand>()
  var routine = DueQueue<Errand>()
  var running: [UInt64: Errand] = [:]
  /// When the next of the routine may begin.
  var nextStart = Duration.zero
  /// Whether others can connect to this node, as far as that is known.
  var isReachable = false
  /// When the network changed last; and when what that means is done, if it came too soon after another.
  private var lastChange: Duration?
  private var nextChange: Duration?
  var effects = Ring<RendezvousEffect>()
  private var count: UInt64 = 0

  /// TCP port that is announced, as others reach it; nil for none: then peers are only looked for.
  public private(set) var port: UInt16?

  /// A schedule without anything to do; all of its random choices follow from `seed`.
  public init(port: UInt16?, seed: UInt64) {
    self.port = port
    random = SwarmRandom(seed: seed)
  }

  // MARK: What there is

  /// Announces a torrent, and looks for its peers, from now on. `isUrgent` where somebody waits for it,
  /// as opposed to one of many at the start of the node. Nothing happens if it is `isPrivate`.
  public mutating func add(
    _ infohash: SHA1Digest, isPrivate: Bool = false, isUrgent: Bool = false, now: Duration
  ) {
    advance(to: now)
    guard !isPrivate else { return }
    if places[infohash] != nil {
      places[infohash]?.users += 1
    } else {
      places[infohash] = Place(isUrgent: isUrgent)
      schedule(.peers(infohash), at: self.now, isUrgent: isUrgent)
    }
    pump()
  }

  /// Announces it no more: the torrent was removed, or turns out to be private. As often as it was
  /// added.
  public mutating func remove(_ infohash: SHA1Digest, now: Duration) {
    advance(to: now)
    guard let place = places[infohash] else { return }
    if place.users > 1 {
      places[infohash]?.users -= 1
    } else {
      places[infohash] = nil
      drop(.peers(infohash))
    }
    pump()
  }

  /// Whether the torrent has peers: while it has none, they are looked for more often, and ever less so
  /// the longer it is in vain. Peers that come and go change nothing about that.
  public mutating func setHasPeers(_ hasPeers: Bool, of infohash: SHA1Digest, now: Duration) {
    advance(to: now)
    guard let place = places[infohash], place.hasPeers != hasPeers else { return }
    let errand = Errand.peers(infohash)
    if let since = place.peersSince {
      // They stayed for long: that they are gone is something new. Once also where somebody waited for the
      // first one, who is there after a while.
      let stayed = self.now - since
      let isServed = place.isUrgent && stayed >= RendezvousLimits.lonelyTime
      if isServed || stayed >= RendezvousLimits.announceTime { progress[errand]?.failures = 0 }
      if isServed { places[infohash]?.isUrgent = false }
      places[infohash]?.peersSince = nil
    } else {
      places[infohash]?.peersSince = self.now
    }
    review(infohash)
    pump()
  }

  /// Whether all of the torrent is here. Such a one is told at the usual intervals and no more, as long as
  /// those who look for it can connect to us (`setIsReachable`).
  public mutating func setIsComplete(_ isComplete: Bool, of infohash: SHA1Digest, now: Duration) {
    advance(to: now)
    guard let place = places[infohash], place.isComplete != isComplete else { return }
    places[infohash]?.isComplete = isComplete
    review(infohash)
    pump()
  }

  /// Whether others can connect to this node, as far as that is known: at first it is not.
  public mutating func setIsReachable(_ isReachable: Bool, now: Duration) {
    advance(to: now)
    guard self.isReachable != isReachable else { return }
    self.isReachable = isReachable
    // In the order of their numbers: that of a dictionary would differ from run to run.
    let all = places.filter { $0.value.isComplete }.keys
    let numbered = all.map { (number: progress[.peers($0)]?.number ?? 0, infohash: $0) }
    for entry in numbered.sorted(by: { $0.number < $1.number }) { review(entry.infohash) }
    pump()
  }

  /// The time between two lookups of a torrent, after so many in a row without peers. `stored`: whether nodes
  /// of the DHT have kept that we are one.
  func interval(of place: Place, failures: Int, stored: Bool) -> Duration {
    if place.hasPeers || place.isComplete && isReachable && stored {
      return RendezvousLimits.announceTime
    }
    return doubled(
      place.isUrgent ? RendezvousLimits.hurriedTime : RendezvousLimits.lonelyTime, failures,
      RendezvousLimits.announceTime)
  }

  /// What the torrent's interval depends on has changed. The next lookup is counted from the last one, so
  /// that changes shall neither put it off nor bring it on.
  private mutating func review(_ infohash: SHA1Digest) {
    let errand = Errand.peers(infohash)
    guard let place = places[infohash], let state = progress[errand], state.since == nil,
      state.silences == 0, let last = state.last
    else { return }
    // The last lookup was counted when it ended.
    let wait = interval(of: place, failures: max(state.failures - 1, 0), stored: state.isStored)
    let due = last + jittered(wait)
    let isUsual = wait == RendezvousLimits.announceTime
    schedule(errand, at: max(now, isUsual ? due : min(due, state.due)))
  }

  /// Follows a dataset: its own swarm is announced, and newer heads than `head` are asked for. A head
  /// from an earlier run is stored again unless many have it.
  ///
  /// - Parameter hasSwarm: false for a dataset without a swarm of its own under the head's target: a private
  ///   one, whose key is a disguise here, and whose peers are sought under another name (docs/private.md).
  public mutating func follow(
    _ key: DatasetKey, salt: [UInt8] = [], head: MutableItem? = nil, isUrgent: Bool = false,
    hasSwarm: Bool = true, now: Duration
  ) {
    advance(to: now)
    guard followed[key] == nil else { return }
    followed[key] = Followed(salt: salt, hasSwarm: hasSwarm)
    schedule(.get(key), at: self.now, isUrgent: isUrgent || head == nil)
    if let head { take(head, mustPut: false) }
    guard hasSwarm else { return pump() }
    let target = MutableItem.target(of: key, salt: salt)
    add(target, isUrgent: isUrgent, now: now)
    if head != nil { setHeadKnown(target) }
  }

  /// Follows a dataset no more; also where its torrents turn out to be private.
  public mutating func unfollow(_ key: DatasetKey, now: Duration) {
    advance(to: now)
    guard let dataset = followed.removeValue(forKey: key) else { return }
    drop(.get(key))
    drop(.put(key))
    if dataset.hasSwarm {
      remove(MutableItem.target(of: key, salt: dataset.salt), now: now)
    } else {
      pump()
    }
  }

  /// There is a newer head: `isOurs` if this node publishes it, which stores it at once, however many
  /// have it. Older ones, and those of other keys, change nothing.
  public mutating func setHead(_ head: MutableItem, isOurs: Bool, now: Duration) {
    advance(to: now)
    take(head, mustPut: isOurs)
    pump()
  }

  /// Another port is announced from now on, at once. nil for none.
  public mutating func setPort(_ port: UInt16?, now: Duration) {
    advance(to: now)
    guard port != self.port else { return }
    self.port = port
    if port != nil { restart(where: { if case .peers = $0 { true } else { false } }) }
    pump()
  }

  /// The network is another one, or the DHT has nodes again: everything is due. Of changes that follow
  /// each other soon, the first counts at once and the others together, later.
  public mutating func networkChanged(now: Duration) {
    advance(to: now)
    if let lastChange, lastChange + RendezvousLimits.changeTime > self.now {
      nextChange = lastChange + RendezvousLimits.changeTime
    } else {
      changeNetwork()
    }
    pump()
  }

  private mutating func changeNetwork() {
    (lastChange, nextChange) = (now, nil)
    restart(where: { _ in true })
  }

  private mutating func setHeadKnown(_ target: SHA1Digest) {
    places[target]?.isUrgent = false
    places[target]?.isComplete = true
  }

  private mutating func take(_ head: MutableItem, mustPut: Bool) {
    guard let dataset = followed[head.key], dataset.salt == head.salt,
      head.sequence > dataset.head?.sequence ?? -1
    else { return }
    followed[head.key]?.head = head
    followed[head.key]?.mustPut = mustPut
    drop(.put(head.key))
    let wait = mustPut ? .zero : RendezvousLimits.putSpread * unit()
    schedule(.put(head.key), at: now + wait, isUrgent: mustPut)
    // Its swarm has told what somebody waited for.
    setHeadKnown(MutableItem.target(of: head.key, salt: head.salt))
    // It was asked for ever more seldom while none was known.
    if dataset.head == nil, progress[.get(head.key)]?.since == nil {
      progress[.get(head.key)]?.failures = 0
    }
  }

  private mutating func restart(where isMeant: (Errand) -> Bool) {
    // In the order of their numbers: that of a dictionary would differ from run to run.
    let waiting = progress.filter { isMeant($0.key) && $0.value.since == nil }
    for (errand, state) in waiting.sorted(by: { $0.value.number < $1.value.number }) {
      progress[errand]?.silences = 0
      progress[errand]?.failures = state.silences > 0 ? 0 : state.failures
      schedule(errand, at: now)
    }
  }

  // MARK: Time

  /// When `handleTimeout` is to be called; nil for never.
  public var deadline: Duration? {
    var due: Duration?
    func consider(_ time: Duration?) {
      if let time { due = min(due ?? time, time) }
    }
    if running.count < RendezvousLimits.atOnceWithUrgent { consider(urgent.first?.due) }
    if running.count < RendezvousLimits.atOnce {
      consider(routine.first.map { max($0.due, nextStart) })
    }
    consider(nextChange)
    for errand in running.values {
      consider(progress[errand]?.since.map { $0 + RendezvousLimits.lookupTime })
    }
    return due
  }

  /// Time passed.
  public mutating func handleTimeout(now: Duration) {
    advance(to: now)
    let late = running.filter { _, errand in
      progress[errand]?.since.map { $0 + RendezvousLimits.lookupTime <= self.now } ?? true
    }
    for number in late.keys.sorted() {
      effects.append(.cancel(RendezvousJob(number)))
      end(number, RendezvousOutcome())
    }
    if let nextChange, nextChange <= self.now { changeNetwork() }
    pump()
  }

  /// The next thing to do; nil when there is none until something happens.
  public mutating func nextEffect() -> RendezvousEffect? { effects.popFirst() }

  mutating func advance(to now: Duration) { self.now = max(self.now, now) }

  mutating func takeNumber() -> UInt64 {
    count += 1
    return count
  }
}
