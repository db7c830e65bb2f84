import Discovery
import Metainfo
import TestSupport
import Wire

/// What honest hosts look for and store, and what comes of it.
extension DHTSwarm {
  /// On which side a host is; nil while there is only one.
  private func side(_ host: DHTHost) -> Int? { world.isDivided ? host.side : nil }

  private func errand(
    _ kind: DHTErrand.Kind, _ subject: Int, of host: DHTHost, floor: Int64 = 0,
    newest: Int64? = nil, body: (inout DHT, Duration) -> DHTLookupID
  ) {
    let errand = DHTErrand(
      kind: kind, phase: phase, subject: subject, began: world.now, floor: floor, newest: newest)
    // Noted before its effects are taken.
    let id = body(&host.dht, host.time(world.now))
    host.errands[id] = errand
    world.drain(host)
  }

  /// An honest host that is up, and on a side if that matters.
  func someHost(on side: Int? = nil) -> DHTHost? {
    for _ in 0..<100 {
      let host = world.random.pick(world.hosts)
      if host.isUp, host.isHonest, side == nil || host.side == side { return host }
    }
    return nil
  }

  // MARK: Errands

  func publish(_ dataset: DHTDataset) {
    let host = world.hosts[dataset.publisher]
    let item = dataset.publish(random: &world.random)
    host.heads[dataset.number] = item.sequence
    put(item, dataset, host)
  }

  func put(_ item: MutableItem, _ dataset: DHTDataset, _ host: DHTHost) {
    errand(.put, dataset.number, of: host, floor: item.sequence, newest: item.sequence) {
      $0.put(item, cas: nil, now: $1)
    }
  }

  /// A host looks for a head newer than the one that it knows.
  func get(_ dataset: DHTDataset, _ host: DHTHost) {
    let known = host.heads[dataset.number]
    let floor = dataset.newest(for: side(host)) ?? 0
    errand(
      .get, dataset.number, of: host, floor: floor > known ?? 0 ? floor : 0, newest: known
    ) { $0.get(mutable: dataset.key, salt: [], newerThan: known, now: $1) }
  }

  func announce(_ torrent: Int, _ host: DHTHost) {
    let infohash = torrents[torrent].infohash
    errand(.announce, torrent, of: host, floor: 1) {
      $0.findPeers(of: infohash, announcing: 6_881, isSeed: false, now: $1)
    }
  }

  func findPeers(_ torrent: Int, _ host: DHTHost) {
    let infohash = torrents[torrent].infohash
    let isThere = torrents[torrent].isStored(for: side(host), now: world.now)
    errand(.peers, torrent, of: host, floor: isThere ? 1 : 0) {
      $0.findPeers(of: infohash, announcing: nil, isSeed: false, now: $1)
    }
  }

  func putValue(_ host: DHTHost) {
    let size = Int.random(in: 100...990, using: &world.random)
    guard let item = try? ImmutableItem(value: Array("\(size):".utf8) + world.random.bytes(size))
    else { return }
    values.append(DHTThing(infohash: item.target, value: item))
    errand(.putValue, values.count - 1, of: host, floor: 1) { $0.put(item, now: $1) }
  }

  func getValue(_ value: Int, _ host: DHTHost) {
    let target = values[value].infohash
    let isThere = values[value].isStored(for: side(host), now: world.now)
    errand(.value, value, of: host, floor: isThere ? 1 : 0) { $0.get(immutable: target, now: $1) }
  }

  // MARK: What comes of them

  func heard(_ host: DHTHost, _ effect: DHTEffect) {
    guard host.isHonest else { return }
    switch effect {
    case .send: break
    case .externalAddress(let address):
      if address != host.endpoint.address {
        world.fail("host \(host.number) was talked into being at \(address)")
      }
    case .mutable(let id, let item): found(item, id, host)
    case .immutable(let id, let item):
      guard let errand = host.errands[id] else { return }
      if errand.kind != .value || values[errand.subject].value != item {
        world.fail("host \(host.number) was given a value that it did not look for")
      }
      host.errands[id]?.foundAt = errand.foundAt ?? world.now
    case .peers(let id, let peers):
      guard let errand = host.errands[id] else { return }
      let right = torrents[errand.subject].stored
      if errand.foundAt == nil,
        peers.contains(where: { peer in right.contains { $0.place == peer } })
      {
        host.errands[id]?.foundAt = world.now
      }
    case .ended(let id, let outcome): ended(outcome, id, host)
    }
  }

  private func found(_ item: MutableItem, _ id: DHTLookupID, _ host: DHTHost) {
    guard let errand = host.errands[id] else { return }
    let dataset = datasets[errand.subject]
    guard item == dataset.item(item.sequence) else {
      return world.fail("host \(host.number) reports a head that nobody has published: \(item)")
    }
    if let newest = errand.newest, item.sequence <= newest {
      return world.fail(
        "host \(host.number) reports head \(item.sequence), and knew \(newest)")
    }
    host.errands[id]?.newest = item.sequence
    if errand.foundAt == nil, item.sequence >= errand.floor {
      host.errands[id]?.foundAt = world.now
    }
    host.heads[dataset.number] = max(host.heads[dataset.number] ?? 0, item.sequence)
  }

  private func ended(_ outcome: DHTOutcome, _ id: DHTLookupID, _ host: DHTHost) {
    guard let errand = host.errands.removeValue(forKey: id) else { return }
    let took = world.now - errand.began
    if took > Self.lookupTime {
      world.fail("host \(host.number) took \(took / 1_000) ms for \(errand.kind)")
    }
    if outcome.asked > 96 { world.fail("host \(host.number) asked \(outcome.asked) nodes") }
    var hasSucceeded = errand.foundAt != nil
    switch errand.kind {
    case .put:
      // Somebody may have published meanwhile; then it has nothing to store.
      hasSucceeded = outcome.stored > 0 || (errand.newest ?? 0) > errand.floor
      if outcome.stored > 0 {
        datasets[errand.subject].keep(errand.floor, side: side(host))
      }
    case .announce:
      hasSucceeded = outcome.stored > 0
      let place = PeerEndpoint(address: host.endpoint.address, port: 6_881)
      if hasSucceeded { torrents[errand.subject].stored.append((place, side(host), world.now)) }
    case .putValue:
      hasSucceeded = outcome.stored > 0
      if hasSucceeded {
        values[errand.subject].stored.append((host.endpoint, side(host), world.now))
      }
    case .get:
      // Found by somebody else of the same host is found as well.
      hasSucceeded = host.heads[errand.subject] ?? 0 >= errand.floor
    case .peers, .value: break
    }
    let isAlarming = errand.floor > 0 && !hasSucceeded
    world.note(
      "host \(host.number) \(errand.phase) \(errand.kind) \(errand.subject) number \(errand.floor): "
        + (isAlarming ? "FAILED, " : "")
        + "\(took / 1_000) ms, asked \(outcome.asked), answered \(outcome.answered), stored "
        + "\(outcome.stored), copies \(outcome.copies), hops \(outcome.hops)")
    guard errand.floor > 0 else { return }
    count(errand, outcome, hasSucceeded: hasSucceeded, took: took)
    if errand.kind == .get, hasSucceeded, world.random.chance(of: 100),
      let item = datasets[errand.subject].item(host.heads[errand.subject] ?? 0)
    {
      put(item, datasets[errand.subject], host)
    }
  }

  private func count(
    _ errand: DHTErrand, _ outcome: DHTOutcome, hasSucceeded: Bool, took: Int64
  ) {
    func add(_ figures: inout DHTFigures) {
      figures.tried += 1
      figures.succeeded += hasSucceeded ? 1 : 0
      figures.ended.append(Double(took) / 1_000_000)
      if let found = errand.foundAt {
        figures.found.append(Double(found - errand.began) / 1_000_000)
      }
      figures.hops.append(outcome.hops)
      figures.asked.append(outcome.asked)
    }
    add(&figures["\(errand.phase) \(errand.kind)", default: DHTFigures()])
    if errand.kind == .get, datasets[errand.subject].isBesieged { add(&besieged) }
  }
}
