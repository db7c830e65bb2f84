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
  /// A peer with a link-local address is on that interface. Before `onPeers` tells of the peer.
  var onLinkLocal: (IPAddress, UInt32) -> Void = { _, _ in }
  /// Several who do not know each other say that this is our address.
  var onOwnAddress: (IPAddress) -> Void = { _ in }
  /// Others reach us here.
  var onOwnEndpoint: (PeerEndpoint) -> Void = { _ in }
  /// A head was found.
  var onHead: (MutableItem) -> Void = { _ in }
  /// The DHT was given a head to keep; so many of its nodes took it.
  var onStored: (MutableItem, Int) -> Void = { _, _ in }
  /// Told of the item of the DHT that a head of a private dataset came in.
  var onSealedHead: (DatasetKey, MutableItem) -> Void = { _, _ in }
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
  /// What is being stored.
  private var stores: [DHTLookupID: MutableItem] = [:]
  private let listenPort: UInt16
  /// How heads of private datasets that are followed are kept in the DHT.
  private var boxes = SealedHeads()
  /// Swarms by infohash, and how many users each has: those of BEP 27 are not among them, and what stands
  /// for a private dataset is its discovery id.
  private var swarms: [SHA1Digest: Int] = [:]
  private var hasNewSwarms = false
  /// Those of which we have all there is. BEP 33.
  private var seeds: Set<SHA1Digest> = []
  /// Our addresses as the DHT's nodes see them.
  private var voted: [IPAddress] = []
  /// Those of the machine's interfaces.
  private var interfaceAddresses = DiscoveryDriver.addressesOfInterfaces
  /// How it stands with ports in routers, as it was last told.
  private var mapped: [Mapping] = []
  private let network: NetworkWatch?
  private var listener: NetworkWatch.Listener?
  private let reachesLoopback: Bool
  /// Why there is no node of the DHT; nil where there is one, or none is wanted.
  private var dhtFault: String?
  /// Why there is no port in routers to be asked for; nil where there is.
  private let unmapped: String?
  private var isDraining = false
  private var isStopping = false

  /// Begins at once. Where others listen for the node is `places`, at least one.
  init(
    on loop: EventLoop, places: [PeerEndpoint], peerID: PeerID,
    configuration: DiscoveryConfiguration, seed: UInt64, log: Log
  ) {
    self.log = log
    listenPort = places[0].port
    // Who listens for this machine alone is not to be found by others.
    let isLocal = places.allSatisfy(\.address.isLoopback)
    reachesLoopback = isLocal || !configuration.dht.enforcesNodeIDs
    unmapped = isLocal && configuration.mapsPorts ? "it listens for this machine alone" : nil
    // One for all.
    network =
      configuration.usesDHT || configuration.usesLocalNetwork || configuration.mapsPorts && !isLocal
      ? NetworkWatch(on: loop) : nil
    rendezvous = Rendezvous(port: listenPort, seed: seed ^ 0x51)
    timer = DeadlineTimer(on: loop) { [unowned self] in
      rendezvous.handleTimeout(now: Self.now)
      drain()
    }
    let bootstrap = configuration.bootstrapNodes.filter { node in
      if isLocal, case .name = node.host { false } else { true }
    }
    if configuration.usesDHT {
      let driver = DHTDriver(
        on: loop, places: places, configuration: configuration.dht,
        bootstrap: bootstrap, file: configuration.dhtFile, seed: seed, log: log)
      driver.onEffect = { [unowned self] in take($0) }
      if driver.port != nil { dht = driver } else { dhtFault = driver.fault }
    }
    listener = network?.listen { [unowned self] in lookAtInterfaces() }
    if configuration.usesLocalNetwork {
      var own = LocalNetworkConfiguration(peerID: peerID, port: listenPort)
      if !places.contains(where: \.address.isEverywhere) {
        own.addresses = Set(places.map(\.address))
      }
      local = LocalNetworkDriver(
        on: loop, network: network, configuration: own, seed: seed ^ 0x26, log: log
      ) { [unowned self] in foundNearby($0, $1, on: $2) }
    }
    if configuration.mapsPorts, !isLocal {
      var wanted = [PortWanted(.tcp, listenPort)]
      if dht != nil { wanted.append(PortWanted(.udp, listenPort)) }
      mapping = PortMappingDriver(
        on: loop, network: network, wanted: wanted, log: log, seed: seed ^ 0x6887
      ) { [unowned self] in take($0) }
    }
  }

  /// UDP port of the node of the DHT; nil where there is none.
  var dhtPort: UInt16? { dht?.port }

  /// How it is doing.
  var status: DiscoveryStatus {
    var status = DiscoveryStatus()
    if let dht { status.dht = .used(dht.status) }
    if let dhtFault { status.dht = .impossible(dhtFault) }
    if let local { status.localNetwork = .used(local.status) }
    if let mapping {
      status.mappings = .used(mapping.mappings)
    } else if let unmapped {
      status.mappings = .impossible(unmapped)
    }
    return status
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
    if count == 1 { seeds.remove(infohash) }
    hasNewSwarms = true
    rendezvous.remove(infohash, now: Self.now)
    drain()
  }

  /// Whether the swarm has peers that are connected.
  func setHasPeers(_ hasPeers: Bool, of infohash: SHA1Digest) {
    rendezvous.setHasPeers(hasPeers, of: infohash, now: Self.now)
    drain()
  }

  /// Whether we have all there is of the swarm's content: others are told so when it is announced, unless
  /// the swarm is a private dataset's.
  func setIsSeed(_ isSeed: Bool, of infohash: SHA1Digest, isTold: Bool = true) {
    if isSeed, isTold, swarms[infohash] != nil {
      seeds.insert(infohash)
    } else {
      seeds.remove(infohash)
    }
    rendezvous.setIsComplete(isSeed, of: infohash, now: Self.now)
    drain()
  }

  /// Follows a dataset. With a read key nothing of it is asked for or told but what follows from that.
  /// `sealedHead` is from an earlier run, if it is anything.
  func follow(
    _ key: DatasetKey, salt: [UInt8], head: MutableItem?, readKey: ReadKey?,
    sealedHead: MutableItem? = nil
  ) {
    if let readKey {
      // Of a key that nobody can sign by there is no head to be found, and nothing is asked in the open.
      guard let box = boxes.add(key, salt: salt, readKey) else { return }
      // What does not open is nothing that is to be stored.
      let item = sealedHead.flatMap { (try? box.open($0)) == nil ? nil : $0 }
      rendezvous.follow(
        box.key, salt: box.salt, head: item, isUrgent: true, hasSwarm: false, now: Self.now)
    } else {
      rendezvous.follow(key, salt: salt, head: head, isUrgent: true, now: Self.now)
    }
    drain()
  }

  /// Follows it no more.
  func unfollow(_ key: DatasetKey) {
    rendezvous.unfollow(boxes.remove(key)?.key ?? key, now: Self.now)
    drain()
  }

  /// There is a newer head. That of a private dataset can be put into the DHT by who has the dataset's
  /// `secret`, and else by who has found it there.
  func setHead(_ head: MutableItem, isOurs: Bool, secret: DatasetSecret? = nil) {
    if boxes.isPrivate(head.key) {
      guard isOurs, let secret else { return }
      do throws(SealedHeadError) {
        guard let sealed = try boxes.seal(head, with: secret) else { return }
        rendezvous.setHead(sealed, isOurs: true, now: Self.now)
      } catch { return log(.warning, "the DHT is not told of the new version: \(error)") }
    } else {
      rendezvous.setHead(head, isOurs: isOurs, now: Self.now)
    }
    drain()
  }

  /// A peer has told where its node of the DHT is. BEP 5, "port".
  func add(dhtNode: PeerEndpoint) {
    if dhtNode.address.needsInterface { return }
    dht?.with { $0.addNodes([dhtNode], now: $1) }
  }

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
    if let listener { network?.stop(listener) }
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

  private func foundNearby(_ infohash: SHA1Digest, _ peer: PeerEndpoint, on interface: UInt32) {
    guard !isStopping else { return }
    if peer.address.needsInterface { onLinkLocal(peer.address, interface) }
    found(infohash, [peer], .local)
    // Others of our kind have their node of the DHT at the same port. Nodes of the DHT are told to others,
    // to whom a link-local address means nothing.
    if !peer.address.needsInterface { dht?.with { $0.addNodes([peer], now: $1) } }
  }

  private func take(_ effect: DHTEffect) {
    switch effect {
    case .send: break
    case .peers(let lookup, let peers):
      // Anybody can announce anything in the DHT: nobody there sends us to this machine's own programs.
      let others = reachesLoopback ? peers : peers.filter { !$0.address.isLoopback }
      if let infohash = jobs[lookup]?.infohash { found(infohash, others, .dht) }
    case .mutable(_, let item):
      // What is in a private dataset's place and does not open is not stored again either.
      guard let head = boxes.opened(item) else { return }
      if boxes.isPrivate(head.key) { onSealedHead(head.key, item) }
      rendezvous.setHead(item, isOurs: false, now: Self.now)
      onHead(head)
      drain()
    case .immutable: break
    case .ended(let lookup, let outcome):
      guard let job = jobs.removeValue(forKey: lookup)?.job else { return }
      lookups[job] = nil
      if let item = stores.removeValue(forKey: lookup), let head = boxes.opened(item) {
        onStored(head, outcome.stored)
      }
      var result = RendezvousOutcome()
      result.answers = outcome.answered
      result.stored = outcome.stored
      result.copies = outcome.copies
      result.isAtAllClosest = outcome.isAtAllClosest
      rendezvous.ended(job, result, now: Self.now)
      drain()
    case .externalAddress(let address):
      log(.debug, "the DHT sees us at \(address)")
      voted.removeAll { $0.ipFamily == address.ipFamily }
      voted.append(address)
      onOwnAddress(address)
      weighReach()
    }
  }

  // MARK: The network

  /// An interface, an address or a route has changed. Of other addresses than before everybody is told:
  /// what was announced leads to where we are no more.
  private func lookAtInterfaces() {
    let now = Self.addressesOfInterfaces
    guard !isStopping, now != interfaceAddresses else { return }
    interfaceAddresses = now
    log(.debug, "the machine's addresses have changed: all is announced again")
    dht?.networkChanged()
    rendezvous.networkChanged(now: Self.now)
    weighReach()
    drain()
  }

  /// Whether others reach us, as far as can be told from here: they see us at an address that is the
  /// machine's own, or a router lets them in, in each family in which we are seen.
  private func weighReach() {
    let seen = Set(voted + (dht?.externalAddresses ?? []))
    let isReachable =
      !seen.isEmpty
      && seen.allSatisfy { address in
        interfaceAddresses.contains(address)
          || mapped.contains { mapping in
            guard case .mapped(let port) = mapping.state, mapping.wanted.transport == .tcp,
              mapping.gateway?.ipFamily == address.ipFamily
            else { return false }
            return !port.isBehindAnotherNAT
          }
      }
    rendezvous.setIsReachable(isReachable, now: Self.now)
    drain()
  }

  /// Those that others may know us by: not link-local ones, which come with every interface.
  private static var addressesOfInterfaces: Set<IPAddress> {
    NetworkInterfaces.addresses().filter { !$0.needsInterface }
  }

  private func take(_ mappings: [Mapping]) {
    guard !isStopping else { return }
    mapped = mappings
    weighReach()
    let isMapped = mappings.contains {
      if $0.wanted.transport == .tcp, case .mapped = $0.state { true } else { false }
    }
    if !isMapped {
      rendezvous.setPort(listenPort, now: Self.now)
      drain()
    }
    for mapping in mappings {
      guard mapping.wanted.transport == .tcp, case .mapped(let port) = mapping.state else {
        continue
      }
      // With the router's address, or else the one of its family that the DHT sees.
      let isV4 = mapping.gateway.map { $0.ipFamily == .v4 } ?? true
      if let address = port.externalAddress ?? voted.first(where: { ($0.ipFamily == .v4) == isV4 })
      {
        onOwnEndpoint(PeerEndpoint(address: address, port: port.externalPort))
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
          dht.begin { [seeds] in
            $0.findPeers(
              of: infohash, announcing: port, isSeed: seeds.contains(infohash), now: $1)
          }, job, infohash)
      case .getHead(let job, let key, let salt, let newerThan):
        keep(
          dht.begin { $0.get(mutable: key, salt: salt, newerThan: newerThan, now: $1) }, job, nil)
      case .putHead(let job, let item):
        let lookup = dht.begin { $0.put(item, cas: nil, now: $1) }
        stores[lookup] = item
        keep(lookup, job, nil)
      case .cancel(let job):
        guard let lookup = lookups.removeValue(forKey: job) else { continue }
        jobs[lookup] = nil
        stores[lookup] = nil
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
