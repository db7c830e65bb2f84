import CUV
import Discovery
import Metainfo
import Swarm
import Wire

/// Finds peers and heads for a node, by the DHT and on the local network, and sees to it that others
/// find the node. Stays on its loop's thread.
final class DiscoveryDriver {
  /// Somebody who takes part in a swarm was found; perhaps again and again.
  var onPeers: (SHA1Digest, [PeerEndpoint], PeerOrigin) -> Void = { _, _, _ in }
  /// A head was found.
  var onHead: (MutableItem) -> Void = { _ in }
  /// How it stands with ports in routers has changed.
  var onMappings: ([Mapping]) -> Void = { _ in }

  private let log: Log
  private var rendezvous: Rendezvous
  private var dht: DHTDriver?
  private var local: LocalNetworkDriver?
  private var mapping: PortMappingDriver?
  private var timer: DeadlineTimer?
  private var jobs: [DHTLookupID: (job: RendezvousJob, infohash: SHA1Digest?)] = [:]
  private var lookups: [RendezvousJob: DHTLookupID] = [:]
  private let listenPort: UInt16
  /// Swarms by infohash, and how many users each has. Private ones are not among them.
  private var swarms: [SHA1Digest: Int] = [:]
  private var hasNewSwarms = false
  private var isDraining = false
  private var isStopping = false

  /// Begins at once. Where others listen for the node is `places`, at least one.
  init(
    on loop: EventLoop, places: [PeerEndpoint], peerID: PeerID,
    configuration: DiscoveryConfiguration, seed: UInt64, log: Log
  ) {
    self.log = log
    listenPort = places[0].port
    rendezvous = Rendezvous(port: listenPort, seed: seed ^ 0x51)
    timer = DeadlineTimer(on: loop) { [unowned self] in
      rendezvous.handleTimeout(now: Self.now)
      drain()
    }
    // Who listens for this machine alone is not to be found by others.
    let isLocal = places.allSatisfy(\.isLoopback)
    let bootstrap = configuration.bootstrapNodes.filter { node in
      if isLocal, case .name = node.host { false } else { true }
    }
    if configuration.usesDHT {
      dht = DHTDriver(
        on: loop, places: places, configuration: configuration.dht,
        bootstrap: bootstrap, file: configuration.dhtFile, seed: seed, log: log)
      dht?.onEffect = { [unowned self] in take($0) }
    }
    if configuration.usesLocalNetwork {
      var own = LocalNetworkConfiguration(peerID: peerID, port: listenPort)
      if !places.contains(where: \.isEverywhere) { own.addresses = Set(places.map(\.address)) }
      local = LocalNetworkDriver(on: loop, configuration: own, seed: seed ^ 0x26, log: log) {
        [unowned self] in
        found($0, [$1], .local)
        // Others of our kind have their node of the DHT at the same port.
        let endpoint = $1
        dht?.with { $0.addNodes([endpoint], now: $1) }
      }
    }
    if configuration.mapsPorts, !isLocal {
      var wanted = [PortWanted(.tcp, listenPort)]
      if dht != nil { wanted.append(PortWanted(.udp, listenPort)) }
      mapping = PortMappingDriver(on: loop, wanted: wanted, log: log, seed: seed ^ 0x6887) {
        [unowned self] in take($0)
      }
    }
  }

  /// UDP port of the node of the DHT; nil where there is none.
  var dhtPort: UInt16? { dht?.port }

  /// How it is doing.
  var status: DiscoveryStatus {
    DiscoveryStatus(dht: dht?.status, mappings: mapping?.mappings ?? [])
  }

  // MARK: What is looked for

  /// The node takes part in a swarm: as often as it is removed.
  func add(_ infohash: SHA1Digest, isUrgent: Bool) {
    guard !isStopping else { return }
    swarms[infohash, default: 0] += 1
    hasNewSwarms = true
    rendezvous.add(infohash, isUrgent: isUrgent, now: Self.now)
    drain()
  }

  /// It does no more, or the swarm turns out to be private.
  func remove(_ infohash: SHA1Digest) {
    guard let count = swarms[infohash] else { return }
    swarms[infohash] = count > 1 ? count - 1 : nil
    hasNewSwarms = true
    rendezvous.remove(infohash, now: Self.now)
    drain()
  }

  /// Whether the swarm has peers that are connected.
  func setHasPeers(_ hasPeers: Bool, of infohash: SHA1Digest) {
    rendezvous.setHasPeers(hasPeers, of: infohash, now: Self.now)
    drain()
  }

  /// Follows a dataset.
  func follow(_ key: DatasetKey, salt: [UInt8], head: MutableItem?) {
    rendezvous.follow(key, salt: salt, head: head, isUrgent: true, now: Self.now)
    drain()
  }

  /// There is a newer head.
  func setHead(_ head: MutableItem, isOurs: Bool) {
    rendezvous.setHead(head, isOurs: isOurs, now: Self.now)
    drain()
  }

  /// A peer has told where its node of the DHT is. BEP 5, "port".
  func add(dhtNode: PeerEndpoint) { dht?.with { $0.addNodes([dhtNode], now: $1) } }

  /// Once all was told that happened at once.
  func flush() {
    guard hasNewSwarms, !isStopping else { return }
    hasNewSwarms = false
    local?.setTorrents(swarms.keys.sorted { $0.bytes.lexicographicallyPrecedes($1.bytes) })
  }

  /// Says goodbye, and takes back what routers have mapped; `completion` is called on the loop within
  /// two seconds, or at once.
  func stop(completion: @escaping () -> Void) {
    guard !isStopping else { return }
    isStopping = true
    timer?.close()
    timer = nil
    dht?.close()
    var waiting = 1
    func ended() {
      waiting -= 1
      if waiting == 0 { completion() }
    }
    if let local {
      waiting += 1
      local.shutDown(completion: ended)
    }
    if let mapping {
      waiting += 1
      mapping.stop(completion: ended)
    }
    ended()
  }

  // MARK: What is found

  private func found(_ infohash: SHA1Digest, _ peers: [PeerEndpoint], _ origin: PeerOrigin) {
    guard !isStopping, swarms[infohash] != nil else { return }
    onPeers(infohash, peers, origin)
  }

  private func take(_ effect: DHTEffect) {
    switch effect {
    case .send: break
    case .peers(let lookup, let peers):
      if let infohash = jobs[lookup]?.infohash { found(infohash, peers, .dht) }
    case .mutable(_, let item):
      rendezvous.setHead(item, isOurs: false, now: Self.now)
      onHead(item)
      drain()
    case .immutable: break
    case .ended(let lookup, let outcome):
      guard let job = jobs.removeValue(forKey: lookup)?.job else { return }
      lookups[job] = nil
      var result = RendezvousOutcome()
      result.answers = outcome.answered
      result.stored = outcome.stored
      result.copies = outcome.copies
      result.isAtAllClosest = outcome.isAtAllClosest
      rendezvous.ended(job, result, now: Self.now)
      drain()
    case .externalAddress(let address): log(.debug, "the DHT sees us at \(address)")
    }
  }

  private func take(_ mappings: [Mapping]) {
    guard !isStopping else { return }
    for mapping in mappings {
      guard mapping.wanted.transport == .tcp, case .mapped(let port) = mapping.state else {
        continue
      }
      rendezvous.setPort(port.externalPort, now: Self.now)
      drain()
      break
    }
    onMappings(mappings)
  }

  private func drain() {
    guard !isDraining, !isStopping else { return }
    isDraining = true
    while let effect = rendezvous.nextEffect() {
      guard let dht else { continue }
      switch effect {
      case .lookup(let job, let infohash, let port):
        keep(
          dht.begin { $0.findPeers(of: infohash, announcing: port, isSeed: false, now: $1) }, job,
          infohash)
      case .getHead(let job, let key, let salt, let newerThan):
        keep(
          dht.begin { $0.get(mutable: key, salt: salt, newerThan: newerThan, now: $1) }, job, nil)
      case .putHead(let job, let item):
        keep(dht.begin { $0.put(item, cas: nil, now: $1) }, job, nil)
      case .cancel(let job):
        guard let lookup = lookups.removeValue(forKey: job) else { continue }
        jobs[lookup] = nil
        dht.with { dht, _ in dht.cancel(lookup) }
      }
    }
    isDraining = false
    dht?.drain()
    setTimer()
  }

  private func keep(_ lookup: DHTLookupID, _ job: RendezvousJob, _ infohash: SHA1Digest?) {
    jobs[lookup] = (job, infohash)
    lookups[job] = lookup
  }

  private func setTimer() {
    guard dht != nil, let timer else { return }
    guard let deadline = rendezvous.deadline else { return timer.clear() }
    let (seconds, attoseconds) = max(deadline - Self.now, .zero).components
    timer.set(
      milliseconds: UInt64(seconds) * 1_000 + UInt64(attoseconds / 1_000_000_000_000_000) + 1)
  }

  private static var now: Duration { .nanoseconds(Int64(clamping: uv_hrtime())) }
}

extension PeerEndpoint {
  /// Whether it stands for all addresses of its family.
  fileprivate var isEverywhere: Bool { address.compact.allSatisfy { $0 == 0 } }

  /// Whether only this machine reaches it.
  fileprivate var isLoopback: Bool {
    switch address {
    case .v4(let address): address.rawValue >> 24 == 127
    case .v6(let address): address.high == 0 && address.low == 1
    }
  }
}
