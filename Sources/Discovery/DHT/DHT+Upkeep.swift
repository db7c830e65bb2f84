import Metainfo
import Wire

/// What the node does without being asked.
extension DHT {
  /// Does what is due. Called whenever time has passed.
  mutating func maintain() {
    if clock >= nextSweep {
      nextSweep = clock + DHTLimits.sweepPeriod
      if !peers.isEmpty { peers.removeExpired(now: clock, quota: &quota) }
      if !items.isEmpty { items.removeExpired(now: clock, quota: &quota) }
      suspects.removeOld(now: clock)
    }
    for network in networks.indices where clock >= networks[network].nextBootstrap {
      bootstrap(network)
    }
    if clock >= nextUpkeep {
      nextUpkeep = clock + DHTLimits.upkeepPeriod
      limiter.startAnew(now: clock)
      for network in networks.indices { keepUp(network) }
    }
    for index in lookups.indices where lookups[index].outcome.answered == 0 {
      if clock >= lookups[index].started + DHTLimits.patience { lookups[index].needsStep = true }
    }
  }

  /// Asks the places where nodes may be, as long as nobody of the table is there, less and less often.
  private mutating func bootstrap(_ network: Int) {
    startSelfLookup(network)
    if networks[network].table.nodes.contains(where: { $0.isGood(at: clock) }) {
      networks[network].bootstrapWait = DHTLimits.firstBootstrapWait
      networks[network].nextBootstrap = clock + DHTLimits.upkeepPeriod
      return
    }
    let wait = networks[network].bootstrapWait
    networks[network].nextBootstrap = clock + wait
    networks[network].bootstrapWait = min(2 * wait, DHTLimits.longestBootstrapWait)
    for endpoint in known where endpoint.family == networks[network].family { probe(endpoint) }
  }

  /// Looks at our own neighbourhood, if that has not been done and somebody can be asked. BEP 5.
  mutating func startSelfLookup(_ network: Int) {
    guard !networks[network].isBootstrapped, networks[network].table.count > 0 else { return }
    refresh(networks[network].table.id, network: network)
  }

  /// Asks one of the places where nodes may be for our neighbours: they are ours as well, unless the
  /// network was in two parts.
  private mutating func rejoin(_ network: Int) {
    networks[network].nextRejoin = clock + DHTLimits.rejoinPeriod
    let family = networks[network].family
    guard let place = known.filter({ $0.family == family }).randomElement(using: &random),
      !transactions.contains(endpoint: place)
    else { return }
    let target = networks[network].table.id
    ask(.findNode(target: target, want: want(network)), of: place, node: nil, for: .probe)
  }

  private mutating func keepUp(_ network: Int) {
    startSelfLookup(network)
    if clock >= networks[network].nextRejoin { rejoin(network) }
    let now = clock
    for contact in networks[network].table.questionable(atMost: DHTLimits.pingsAtOnce, now: now) {
      guard !transactions.contains(endpoint: contact.endpoint) else { continue }
      ask(.ping, of: contact.endpoint, node: contact.id, for: .check)
    }
    if networks[network].table.count > 0,
      let target = networks[network].table.staleTarget(now: now, using: &random)
    {
      refresh(target, network: network)
    }
  }

  /// A lookup for the sake of the nodes on the way; one at a time in each network.
  private mutating func refresh(_ target: NodeID, network: Int) {
    let family = networks[network].family
    guard !lookups.contains(where: { $0.isRefresh && $0.traversals[0].family == family }) else {
      return
    }
    var lookup = Lookup(id: newLookupID(), kind: .refresh, target: target)
    lookup.started = clock
    lookup.traversals = [Traversal(family: family, target: target)]
    lookups.append(lookup)
    seed(lookups.count - 1)
  }
}
