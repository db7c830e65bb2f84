import Metainfo
import Wire

/// The peers known of a torrent, and whom to connect to next.
///
/// Invariants: at most `PolicyLimits.knownPeers` endpoints, each once; an endpoint is never given out
/// while an attempt to reach it is under way or a connection to it is there. All that is chosen
/// follows from the order of calls, never from hashing.
struct PeerList: Sendable {
  /// Where an endpoint was learned.
  enum Source: UInt8, Sendable {
    /// The user named it: tried first, often, and never given up.
    case user
    /// It connected to us and said where it listens.
    case incoming
    /// Another peer told. BEP 11.
    case exchange
    /// A host's name that somebody gave.
    case resolver
    /// The DHT. BEP 5.
    case dht
    /// The local network. BEP 14, mDNS.
    case local

    init(_ origin: PeerOrigin) {
      switch origin {
      case .user: self = .user
      case .met: self = .exchange
      case .dht: self = .dht
      case .local: self = .local
      }
    }
  }

  /// False when we download nothing: then peers known to be seeds are of no use.
  var wantsSeeds = true

  private var entries: [Entry] = []
  private var places: [PeerEndpoint: Int] = [:]
  private var perAddress: [IPAddress: Int] = [:]
  private var perTeller: [IPAddress: Int] = [:]
  private var bannedAddresses = RecentSet<IPAddress>(limit: PolicyLimits.bans)
  private var bannedEndpoints = RecentSet<PeerEndpoint>(limit: PolicyLimits.bans)
  private var own = RecentSet<PeerEndpoint>(limit: PolicyLimits.ownEndpoints)
  private var us: [IPAddress] = []
  private var port: UInt16 = 0
  private var added: UInt64 = 0
  private var named = 0

  /// No peer is known.
  init() {}

  /// How many are known, connected or not, given up or not.
  var count: Int { entries.count }

  /// How many of them took the last connection and ended it, or said nothing, before a handshake: whoever does
  /// that does not share the torrent.
  var refusing: Int { entries.count { $0.hasRefused } }

  // MARK: Learning

  /// Learns of an endpoint; false if it is known, is no place of a peer, is banned, or is not worth the
  /// room. `teller` is who told, in peer exchange: nobody on the internet sends us to machines of our
  /// own network, and nobody alone fills the list.
  @discardableResult
  mutating func add(
    _ endpoint: PeerEndpoint, source: Source, flags: PeerExchange.Flags = [],
    from teller: IPAddress? = nil, now: Duration
  ) -> Bool {
    let endpoint = endpoint.unmapped
    let teller = source == .exchange ? teller?.unmapped : nil
    guard endpoint.port > 0, endpoint.address.isUnicast, !own.contains(endpoint),
      source == .user ? !bannedEndpoints.contains(endpoint) : !isBanned(endpoint)
    else { return false }
    let isNamed = source == .user && named < PolicyLimits.namedPeers
    if let place = places[endpoint] {
      refresh(place, isNamed, source, flags, now)
      return false
    }
    if source != .user && source != .incoming {
      guard isCredible(endpoint.address, from: teller) else { return false }
    }
    let entry = Entry(
      endpoint: endpoint, teller: teller, number: added, isNamed: isNamed, flags: flags,
      notBefore: now, priority: priority(of: endpoint))
    if entries.count >= PolicyLimits.knownPeers {
      guard makeRoom(for: entry, keepsNew: source == .user || source == .incoming) else {
        return false
      }
    }
    insert(entry)
    return true
  }

  /// Never connects to this endpoint: it is ourselves.
  mutating func exclude(_ endpoint: PeerEndpoint) {
    let endpoint = endpoint.unmapped
    own.insert(endpoint)
    dropIfIdle(endpoint)
  }

  // MARK: Connecting

  /// Whom to connect to now: those whom the user named, then by BEP 40. Counts as being attempted until
  /// `connected` or `failed`. `us` and `port` are what others see of us, as far as known.
  mutating func next(now: Duration, us: [IPAddress] = [], port: UInt16 = 0) -> PeerEndpoint? {
    weigh(us: us, port: port)
    var best: Int?
    for place in entries.indices where isCandidate(entries[place]) {
      if entries[place].notBefore > now { continue }
      if let best, !entries[place].goes(before: entries[best]) { continue }
      best = place
    }
    guard let best else { return nil }
    entries[best].isAttempting = true
    return entries[best].endpoint
  }

  /// How many attempts in a row failed.
  func failures(of endpoint: PeerEndpoint) -> Int {
    places[endpoint].map { entries[$0].failures } ?? 0
  }

  /// There is a connection: the attempt succeeded, or the peer came to us.
  mutating func connected(_ endpoint: PeerEndpoint, isIncoming: Bool = false) {
    change(endpoint) { entry in
      if !isIncoming { entry.isAttempting = false }
      entry.hasRefused = false
      entry.connections += 1
    }
  }

  /// The attempt failed; `isRefusal` says that there was a connection, and no handshake on it.
  mutating func failed(_ endpoint: PeerEndpoint, isRefusal: Bool = false, now: Duration) {
    change(endpoint) { entry in
      guard entry.isAttempting else { return }
      entry.isAttempting = false
      entry.hasRefused = isRefusal
      entry.fail(now)
    }
  }

  /// A connection has ended. What was of no use (no handshake, nothing to give or take) counts as a
  /// failure: else it would be tried every five seconds for ever.
  mutating func closed(_ endpoint: PeerEndpoint, wasUseful: Bool, now: Duration) {
    change(endpoint) { entry in
      guard entry.connections > 0 else { return }
      entry.connections -= 1
      if wasUseful {
        entry.failures = 0
        entry.wasUseful = true
        entry.notBefore = now + PolicyLimits.firstRetry
      } else {
        entry.fail(now)
      }
    }
  }

  /// When `next` may have somebody whom it has not now; `now` if it has somebody; nil if only new
  /// peers could help.
  func nextDeadline(now: Duration) -> Duration? {
    entries.lazy.filter { isCandidate($0) }.map { max($0.notBefore, now) }.min()
  }

  /// How many `next` could give out now.
  func connectable(now: Duration) -> Int {
    entries.reduce(0) { $0 + (isCandidate($1) && $1.notBefore <= now ? 1 : 0) }
  }

  // MARK: Liars

  /// Deals no more with whoever is there.
  ///
  /// That is the address: a port costs nothing. But not where an address stands for many who have
  /// nothing to do with each other: on loopback each port is another node (and tunnels end there),
  /// and where the user named a peer, the user knows better than we who lives at that address. There
  /// it is the endpoint alone. IPv6 is banned by the whole address and not by network, since all
  /// machines of a laboratory are in one.
  mutating func ban(_ endpoint: PeerEndpoint) {
    let endpoint = endpoint.unmapped
    let isShared = entries.contains { $0.isNamed && $0.endpoint.address == endpoint.address }
    if endpoint.address.isLoopback || isShared {
      bannedEndpoints.insert(endpoint)
      dropIfIdle(endpoint)
    } else {
      ban(endpoint.address)
    }
  }

  /// Deals no more with this address, but for endpoints there that the user named. Loopback is never
  /// banned as a whole.
  mutating func ban(_ address: IPAddress) {
    let address = address.unmapped
    if address.isLoopback { return }
    bannedAddresses.insert(address)
    for entry in entries where entry.endpoint.address == address && !entry.isNamed {
      dropIfIdle(entry.endpoint)
    }
  }

  /// Whether the whole address is banned.
  func isBanned(_ address: IPAddress) -> Bool { bannedAddresses.contains(address.unmapped) }

  /// Whether this endpoint is banned, alone or with its address.
  func isBanned(_ endpoint: PeerEndpoint) -> Bool {
    let endpoint = endpoint.unmapped
    if bannedEndpoints.contains(endpoint) { return true }
    if places[endpoint].map({ entries[$0].isNamed }) == true { return false }
    return bannedAddresses.contains(endpoint.address)
  }
}

// MARK: - Entries

extension PeerList {
  private struct Entry: Sendable {
    let endpoint: PeerEndpoint
    let teller: IPAddress?
    let number: UInt64
    var isNamed: Bool
    var flags: PeerExchange.Flags
    var notBefore: Duration
    var priority: UInt32
    var isAttempting = false
    var connections = 0
    /// In a row.
    var failures = 0
    var wasUseful = false
    var hasRefused = false

    var isIdle: Bool { !isAttempting && connections == 0 }
    var isGivenUp: Bool { failures >= PolicyLimits.tries && !isNamed }

    mutating func fail(_ now: Duration) {
      let usual = min(
        PolicyLimits.firstRetry * (1 << min(failures, 10)), PolicyLimits.longestRetry)
      failures += 1
      notBefore = now + (isNamed ? NamedRetry.wait(after: failures) : usual)
    }

    func goes(before other: Entry) -> Bool {
      if isNamed != other.isNamed { return isNamed }
      if isNamed { return (failures, number) < (other.failures, other.number) }
      return priority != other.priority ? priority > other.priority : number < other.number
    }

    /// Whether this is the better one to do without.
    func isWorth(lessThan other: Entry) -> Bool {
      if isGivenUp != other.isGivenUp { return isGivenUp }
      if failures != other.failures { return failures > other.failures }
      if wasUseful != other.wasUseful { return other.wasUseful }
      return priority != other.priority ? priority < other.priority : number > other.number
    }
  }

  private func isCandidate(_ entry: Entry) -> Bool {
    entry.isIdle && !entry.isGivenUp && (wantsSeeds || !entry.flags.contains(.uploadOnly))
  }

  /// An endpoint that is known was told again.
  private mutating func refresh(
    _ place: Int, _ isNamed: Bool, _ source: Source, _ flags: PeerExchange.Flags, _ now: Duration
  ) {
    if !flags.isEmpty { entries[place].flags = flags }
    if isNamed, !entries[place].isNamed {
      entries[place].isNamed = true
      entries[place].failures = 0
      entries[place].notBefore = now
      named += 1
    }
    guard entries[place].isGivenUp else { return }
    if now >= entries[place].notBefore + PolicyLimits.forgiveness {
      entries[place].failures = 0
      entries[place].notBefore = now
    } else if source == .local, now >= entries[place].notBefore {
      // Who speaks on the local network is there now. One attempt each time that it does, and no
      // sooner than the last wait was over: who only says so costs little.
      entries[place].failures = PolicyLimits.tries - 1
      entries[place].notBefore = now
    }
  }

  private func isCredible(_ address: IPAddress, from teller: IPAddress?) -> Bool {
    if !address.isLoopback, perAddress[address, default: 0] >= PolicyLimits.endpointsPerAddress {
      return false
    }
    guard let teller else { return true }
    if address.isLoopback, !teller.isLoopback { return false }
    if address.isLocal, !teller.isLocal { return false }
    return perTeller[teller, default: 0] < PolicyLimits.peersPerTeller
  }

  /// Drops the endpoint of least worth; false if it would be the new one, or none can go.
  private mutating func makeRoom(for new: Entry, keepsNew: Bool) -> Bool {
    let idle = entries.indices.filter { entries[$0].isIdle && !entries[$0].isNamed }
    let worst = idle.min { entries[$0].isWorth(lessThan: entries[$1]) }
    guard let worst else { return false }
    guard keepsNew || entries[worst].isWorth(lessThan: new) else { return false }
    remove(at: worst)
    return true
  }

  private mutating func insert(_ entry: Entry) {
    places[entry.endpoint] = entries.count
    entries.append(entry)
    added += 1
    perAddress[entry.endpoint.address, default: 0] += 1
    if let teller = entry.teller { perTeller[teller, default: 0] += 1 }
    if entry.isNamed { named += 1 }
  }

  private mutating func remove(at place: Int) {
    let entry = entries[place]
    entries.swapAt(place, entries.count - 1)
    entries.removeLast()
    places[entry.endpoint] = nil
    if place < entries.count { places[entries[place].endpoint] = place }
    Self.decrement(&perAddress, entry.endpoint.address)
    if let teller = entry.teller { Self.decrement(&perTeller, teller) }
    if entry.isNamed { named -= 1 }
  }

  private static func decrement(_ counts: inout [IPAddress: Int], _ address: IPAddress) {
    guard let count = counts[address] else { return }
    counts[address] = count > 1 ? count - 1 : nil
  }

  private mutating func change(_ endpoint: PeerEndpoint, _ body: (inout Entry) -> Void) {
    let endpoint = endpoint.unmapped
    guard let place = places[endpoint] else { return }
    body(&entries[place])
    // What became unwanted while it was in use was kept until now.
    if bannedEndpoints.contains(endpoint) || own.contains(endpoint) || isBanned(endpoint) {
      dropIfIdle(endpoint)
    }
  }

  private mutating func dropIfIdle(_ endpoint: PeerEndpoint) {
    guard let place = places[endpoint], entries[place].isIdle else { return }
    remove(at: place)
  }

  private mutating func weigh(us: [IPAddress], port: UInt16) {
    if us == self.us, port == self.port { return }
    self.us = us
    self.port = port
    for place in entries.indices {
      entries[place].priority = priority(of: entries[place].endpoint)
    }
  }

  /// While we do not know how others see us, as if we were the address of zeros: still random to
  /// others.
  private func priority(of endpoint: PeerEndpoint) -> UInt32 {
    let isV4 = endpoint.address.isV4
    let zero = isV4 ? IPAddress.v4(IPv4Address(rawValue: 0)) : .v6(IPv6Address(high: 0, low: 0))
    let own = us.lazy.map(\.unmapped).first { $0.isV4 == isV4 } ?? zero
    return PeerPriority.priority(PeerEndpoint(address: own, port: port), endpoint)
  }
}
