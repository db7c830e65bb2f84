import Metainfo
import Wire

/// A node of the Mainline DHT: finds peers and values, and keeps them for others. BEP 5, 32, 33, 42, 43,
/// 44, 51.
///
/// A state machine without I/O: datagrams and times come in, effects come out. After every call the
/// owner takes all effects by `nextEffect()`, and calls `handleTimeout(now:)` when `deadline` has come.
///
/// What it does by itself: upkeep of its tables, its id, tokens, storage and expiry. It announces and
/// puts nothing by itself: that is its owner's, again and again.
public struct DHT: ~Copyable {
  let configuration: DHTConfiguration
  var random: DHTRandom
  /// The latest time that we were told: it never goes back.
  var clock: DHTTime
  /// One for each family that we take part in, IPv4 first.
  var networks: [Network]
  var transactions = Transactions()
  /// Lookups on their way, and those that wait for their turn.
  var lookups: [Lookup] = []
  var waiting: [Lookup] = []
  var newestLookup: UInt64 = 0
  var roundTrips = RoundTrips()
  var suspects = Suspects()
  /// Where nodes may be: the configured ones, and others as they were told, the newest last.
  var known: [PeerEndpoint]
  /// Those that are to be asked who they are.
  var unprobed: [PeerEndpoint] = []
  var mint: TokenMint
  var limiter: SourceLimiter
  var quota: SourceQuota
  var peers: PeerStore
  var items: ItemStore
  /// What we tell those who ask for samples, and since when. BEP 51.
  var samples: (infohashes: [NodeID], since: DHTTime)?
  var nextUpkeep: DHTTime
  var nextSweep: DHTTime
  /// When something last came in.
  var lastReceived: DHTTime?
  var figures = DHTStatus()
  var effects: [DHTEffect] = []
  var firstEffect = 0

  /// One of the two networks of the DHT. BEP 32.
  struct Network {
    let family: NodeFamilies
    var table: RoutingTable
    var votes: AddressVotes
    /// When the id was last changed.
    var idSince: DHTTime?
    /// Our own neighbourhood has been looked at.
    var isBootstrapped = false
    /// When the known places are asked again, and how long to wait after that.
    var nextBootstrap: DHTTime
    var bootstrapWait = DHTLimits.firstBootstrapWait
    /// When one of them is asked although all is well.
    var nextRejoin: DHTTime
  }

  /// A node that begins with what was known in an earlier run. All of its random choices follow from
  /// `seed` and the secret of the configuration; `now` is the time since any fixed start.
  public init(configuration: DHTConfiguration, saved: DHTState?, seed: UInt64, now: Duration) {
    self.configuration = configuration
    clock = now.dhtTime
    random = DHTRandom(secret: configuration.secret, seed: seed)
    mint = TokenMint(
      secret: configuration.secret + [UInt8](random: 16, using: &random), now: clock)
    limiter = SourceLimiter(
      queriesPerSource: configuration.queriesPerSource,
      answerBytes: configuration.answerBytesPerSecond, now: clock)
    quota = SourceQuota(limit: configuration.storage.entriesOfSource)
    peers = PeerStore(limits: configuration.storage)
    items = ItemStore(limits: configuration.storage)
    known = configuration.bootstrapNodes.map(\.plain).filter(\.isReachable)
    nextUpkeep = clock + Int64.random(in: 0..<DHTLimits.upkeepPeriod, using: &random)
    nextSweep = clock + DHTLimits.sweepPeriod
    networks = []
    for family in [NodeFamilies.v4, .v6] where configuration.families.contains(family) {
      let address = configuration.knownAddresses.first {
        PeerEndpoint(address: $0, port: 1).plain.family == family
      }
      var id = (family == .v4 ? saved?.id : saved?.id6) ?? .random(using: &random)
      if configuration.adaptsNodeID, let address, !id.isAllowed(at: address) {
        id = .random(for: address, using: &random)
      }
      var table = RoutingTable(id: id, limitsNetworks: configuration.limitsNetworks, now: clock)
      for node in saved?.nodes ?? [] where node.endpoint.family == family {
        table.restore(node, now: clock)
      }
      networks.append(
        Network(
          family: family, table: table, votes: AddressVotes(known: address),
          nextBootstrap: clock,
          nextRejoin: clock
            + Int64.random(in: 0..<DHTLimits.rejoinPeriod, using: &random)))
    }
    maintain()
  }

  // MARK: Events

  /// A datagram has come in.
  public mutating func receive(_ datagram: [UInt8], from: PeerEndpoint, now: Duration) {
    advanceClock(now)
    figures.packetsIn += 1
    figures.bytesIn += UInt64(datagram.count)
    receive(datagram, from: from.plain)
    flush()
  }

  /// Does what the time asks for.
  public mutating func handleTimeout(now: Duration) {
    advanceClock(now)
    advanceTransactions()
    maintain()
    flush()
  }

  /// Nodes that may be alive: configured, from PORT messages, from the local network. They are asked
  /// before they are used.
  public mutating func addNodes(_ nodes: [PeerEndpoint], now: Duration) {
    advanceClock(now)
    for node in nodes.lazy.map(\.plain) where node.isReachable && network(of: node) != nil {
      if !known.contains(node) {
        known.append(node)
        let configured = configuration.bootstrapNodes.count
        if known.count > configured + DHTLimits.knownNodes { known.remove(at: configured) }
      }
      probe(node)
    }
    flush()
  }

  // MARK: Lookups

  /// Looks for peers of a torrent; with a port it then tells the nearest nodes that we are one, as a
  /// seed or not. BEP 5, BEP 33.
  public mutating func findPeers(
    of infohash: SHA1Digest, announcing port: UInt16?, isSeed: Bool, now: Duration
  ) -> DHTLookupID {
    start(.peers(port: port, isSeed: isSeed), at: NodeID(infohash), now: now)
  }

  /// Looks for the value of a key, for one with a higher number than `newerThan` if that is given: each
  /// that is newer than those before is told at once. BEP 44.
  public mutating func get(
    mutable key: DatasetKey, salt: [UInt8], newerThan: Int64?, now: Duration
  ) -> DHTLookupID {
    start(
      .mutable(key: key, salt: salt, newerThan: newerThan),
      at: NodeID(MutableItem.target(of: key, salt: salt)), now: now)
  }

  /// Looks for a value by its hash. BEP 44.
  public mutating func get(immutable target: SHA1Digest, now: Duration) -> DHTLookupID {
    start(.immutable, at: NodeID(target), now: now)
  }

  /// Puts a value to the nearest nodes, ours or another's: with `cas` only where the value there has
  /// that number. If a newer one is found it is told, and nothing is put. BEP 44.
  public mutating func put(_ item: MutableItem, cas: Int64?, now: Duration) -> DHTLookupID {
    start(.putMutable(item, cas: cas), at: NodeID(item.target), now: now)
  }

  /// Puts a value to the nearest nodes. BEP 44.
  public mutating func put(_ item: ImmutableItem, now: Duration) -> DHTLookupID {
    start(.putImmutable(item), at: NodeID(item.target), now: now)
  }

  /// Forgets a lookup: nothing more is told of it.
  public mutating func cancel(_ lookup: DHTLookupID) {
    lookups.removeAll { $0.id == lookup }
    waiting.removeAll { $0.id == lookup }
    startWaiting()
    flush()
  }

  // MARK: What comes out

  /// The next thing to do; nil when there is nothing left.
  public mutating func nextEffect() -> DHTEffect? {
    guard firstEffect < effects.count else { return nil }
    let effect = effects[firstEffect]
    firstEffect += 1
    if firstEffect == effects.count {
      effects = []
      firstEffect = 0
    }
    return effect
  }

  /// When `handleTimeout` is to be called at the latest.
  public var deadline: Duration? {
    var next = nextUpkeep
    if let earliest = transactions.earliest { next = min(next, earliest) }
    for network in networks where network.table.count == 0 && !known.isEmpty {
      next = min(next, network.nextBootstrap)
    }
    for lookup in lookups where lookup.outcome.answered == 0 {
      // Past that time it waits for its last questions, whose times are those above.
      let end = lookup.started + DHTLimits.patience
      if end > clock { next = min(next, end) }
    }
    return .microseconds(next)
  }

  // MARK: Small things

  mutating func advanceClock(_ now: Duration) { clock = max(clock, now.dhtTime) }

  /// The number of the network that an endpoint is in; nil if we take no part in it.
  func network(of endpoint: PeerEndpoint) -> Int? {
    networks.firstIndex { $0.family == endpoint.family }
  }

  /// Whether a node may be kept and stored on. BEP 42, "Enforcement".
  func isEligible(_ contact: NodeContact) -> Bool {
    !configuration.enforcesNodeIDs || contact.id.isAllowed(at: contact.endpoint.address)
  }

  mutating func send(_ message: KRPCMessage, to endpoint: PeerEndpoint) {
    let datagram = message.encoded
    figures.packetsOut += 1
    figures.bytesOut += UInt64(datagram.count)
    effects.append(.send(datagram, to: endpoint))
  }
}

extension [UInt8] {
  /// Random bytes.
  init(random count: Int, using random: inout DHTRandom) {
    self = (0..<count).map { _ in UInt8.random(in: 0...255, using: &random) }
  }
}
