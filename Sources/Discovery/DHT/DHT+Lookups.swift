import Metainfo
import Wire

/// Lookups from their start to their end.
extension DHT {
  mutating func newLookupID() -> DHTLookupID {
    newestLookup += 1
    return DHTLookupID(rawValue: newestLookup)
  }

  mutating func start(_ kind: Lookup.Kind, at target: NodeID, now: Duration) -> DHTLookupID {
    advanceClock(now)
    let lookup = Lookup(id: newLookupID(), kind: kind, target: target)
    if waiting.count >= DHTLimits.waiting {
      effects.append(.ended(lookup.id, lookup.outcome))
    } else {
      waiting.append(lookup)
      flush()
    }
    return lookup.id
  }

  /// Begins lookups that wait, as far as there is room.
  mutating func startWaiting() {
    while !waiting.isEmpty, lookups.count < DHTLimits.running {
      var lookup = waiting.removeFirst()
      lookup.started = clock
      let target = lookup.target
      lookup.traversals = networks.map { Traversal(family: $0.family, target: target) }
      lookups.append(lookup)
      seed(lookups.count - 1)
      lookAtHome(lookups.count - 1)
    }
  }

  /// Gives a lookup the nodes of our tables to begin with.
  mutating func seed(_ index: Int) {
    for traversal in lookups[index].traversals.indices {
      let family = lookups[index].traversals[traversal].family
      guard let network = networks.firstIndex(where: { $0.family == family }) else { continue }
      let target = lookups[index].target
      let seeds = networks[network].table.seeds(for: target, count: 2 * DHTLimits.bucketSize)
      for contact in seeds { suggest(contact, hops: 0, index, traversal) }
    }
  }

  /// What we keep for others may be what is looked for.
  private mutating func lookAtHome(_ index: Int) {
    let target = lookups[index].target
    switch lookups[index].kind {
    case .peers:
      var found: [PeerEndpoint] = []
      for network in networks {
        found += peers.peers(
          of: target, family: network.family, atMost: configuration.storage.peersOfTorrent,
          noSeeds: false, using: &random, now: clock)
      }
      tell(found, index)
    case .mutable, .putMutable:
      if case .mutable(let item)? = items.content(of: target, now: clock) { found(item, index) }
    case .immutable:
      if case .immutable(let item)? = items.content(of: target, now: clock) {
        effects.append(.immutable(lookups[index].id, item))
        for traversal in lookups[index].traversals.indices {
          lookups[index].traversals[traversal].stage = .done
        }
      }
    case .putImmutable, .refresh: return
    }
  }

  /// Lets every lookup in which something has changed go on, until nothing is left to do.
  mutating func flush() {
    repeat {
      startWaiting()
      var index = 0
      while index < lookups.count {
        if lookups[index].needsStep { step(index) }
        if lookups[index].isDone { end(index) } else { index += 1 }
      }
    } while !waiting.isEmpty && lookups.count < DHTLimits.running
  }

  private mutating func step(_ index: Int) {
    lookups[index].needsStep = false
    let suspects = suspects
    for place in lookups[index].traversals.indices
    where lookups[index].traversals[place].stage == .searching {
      while let next = lookups[index].traversals[place].next(suspects, now: clock) {
        let purpose = Transaction.Purpose.visit(lookups[index].id, traversal: place)
        let method = question(lookups[index], network(of: next.contact.endpoint) ?? 0)
        if ask(
          method, of: next.contact.endpoint, node: next.contact.id, for: purpose,
          isSuspect: next.isSuspect)
        {
          lookups[index].outcome.asked += 1
        } else {
          lookups[index].traversals[place].failed(next.contact.id)
        }
      }
    }
    let hasSettled = lookups[index].hasSettled
    let isOverdue = clock >= lookups[index].started + DHTLimits.patience
    for place in lookups[index].traversals.indices
    where lookups[index].traversals[place].stage == .searching
      && lookups[index].traversals[place].isSettled
    {
      // As long as nobody has answered at all, somebody may yet: we may have only just begun.
      if lookups[index].traversals[place].answered > 0 || hasSettled || isOverdue {
        store(index, place)
      }
    }
  }

  /// What the nodes on the way are asked.
  private func question(_ lookup: Lookup, _ network: Int) -> KRPCMethod {
    switch lookup.kind {
    case .refresh: .findNode(target: lookup.target, want: want(network))
    case .peers(_, let isSeed): .getPeers(.init(infohash: lookup.target, noSeeds: isSeed))
    case .mutable(_, _, let newerThan):
      .get(target: lookup.target, newerThan: newerThan, want: [])
    case .putMutable(let item, _):
      .get(target: lookup.target, newerThan: item.sequence, want: [])
    case .immutable, .putImmutable: .get(target: lookup.target, newerThan: nil, want: [])
    }
  }

  // MARK: Answers on the way

  mutating func visited(
    _ index: Int, _ traversal: Int, _ response: KRPCResponse, _ contact: NodeContact
  ) {
    lookups[index].needsStep = true
    guard take(response, index) else {
      return lookups[index].traversals[traversal].failed(contact.id)
    }
    // Whoever was stored on before this answer came stays it.
    guard lookups[index].traversals[traversal].stage == .searching,
      let hops = lookups[index].traversals[traversal].answered(
        contact.id, token: response.token, sequence: response.sequence)
    else { return }
    lookups[index].outcome.answered += 1
    lookups[index].outcome.hops = max(lookups[index].outcome.hops, hops + 1)
    guard let network = network(of: contact.endpoint) else { return }
    for node in nodes(of: response, network) {
      guard node.endpoint.family == networks[network].family else { continue }
      suggest(node, hops: hops + 1, index, traversal)
    }
  }

  /// Takes what was looked for. Returns false for a lie.
  private mutating func take(_ response: KRPCResponse, _ index: Int) -> Bool {
    switch lookups[index].kind {
    case .refresh: return true
    case .peers:
      tell(response.peers ?? [], index)
      return true
    case .mutable(let key, let salt, _): return take(response, key, salt, index)
    case .putMutable(let item, _): return take(response, item.key, item.salt, index)
    case .immutable, .putImmutable:
      guard let value = response.value else { return true }
      guard let item = try? ImmutableItem(value: value),
        NodeID(item.target) == lookups[index].target
      else { return false }
      if case .immutable = lookups[index].kind {
        lookups[index].outcome.answered += 1
        effects.append(.immutable(lookups[index].id, item))
        for place in lookups[index].traversals.indices {
          lookups[index].traversals[place].stage = .done
        }
      }
      return true
    }
  }

  private mutating func take(
    _ response: KRPCResponse, _ key: DatasetKey, _ salt: [UInt8], _ index: Int
  ) -> Bool {
    guard let value = response.value else { return true }
    guard let sequence = response.sequence, let signature = response.signature,
      response.key == key
    else { return false }
    if let newest = lookups[index].newest {
      // An older one, or the same: not worth a check of its signature.
      if sequence < newest.sequence { return true }
      if sequence == newest.sequence, lookups[index].toldConflict || value == newest.value {
        return true
      }
    }
    guard lookups[index].checked < DHTLimits.itemsChecked else { return true }
    lookups[index].checked += 1
    guard
      let item = try? MutableItem(
        key: key, salt: salt, sequence: sequence, value: value, signature: signature)
    else { return false }
    found(item, index)
    return true
  }

  /// A value was found, here or there. Two of one number and different contents are both told: that
  /// is a key used twice, which the owner of the lookup has to know.
  private mutating func found(_ item: MutableItem, _ index: Int) {
    let isConflict = item.sequence == lookups[index].newest?.sequence
    switch lookups[index].kind {
    case .mutable(_, _, let newerThan):
      if let newerThan, item.sequence <= newerThan { return }
    case .putMutable(let ours, _): if item.sequence <= ours.sequence { return }
    case .refresh, .peers, .immutable, .putImmutable: return
    }
    lookups[index].toldConflict = isConflict
    lookups[index].newest = item
    effects.append(.mutable(lookups[index].id, item))
  }

  /// Tells of peers, each once.
  private mutating func tell(_ found: [PeerEndpoint], _ index: Int) {
    var fresh: [PeerEndpoint] = []
    for peer in found.lazy.map(\.plain) where peer.isReachable {
      guard lookups[index].told.count < DHTLimits.peersTold else { break }
      if lookups[index].told.insert(peer).inserted { fresh.append(peer) }
    }
    if !fresh.isEmpty { effects.append(.peers(lookups[index].id, fresh)) }
  }

  // MARK: The end

  /// The nearest nodes are known: stores on them, if something is to be stored.
  private mutating func store(_ index: Int, _ place: Int) {
    guard lookups[index].stores else {
      lookups[index].traversals[place].stage = .done
      return
    }
    if lookups[index].newest != nil {
      // Somebody has put a newer one: ours would only be refused.
      lookups[index].outcome.errors[
        KRPCError.Code.sequenceTooLow.rawValue, default: 0] += 1
      lookups[index].traversals[place].stage = .done
      return
    }
    var count = 0
    for node in lookups[index].traversals[place].storeTargets {
      guard let method = storing(lookups[index], on: node) else { continue }
      let purpose = Transaction.Purpose.store(lookups[index].id, traversal: place)
      let contact = node.contact
      if ask(method, of: contact.endpoint, node: contact.id, for: purpose) { count += 1 }
    }
    lookups[index].traversals[place].stage = count > 0 ? .storing(count) : .done
  }

  private func storing(_ lookup: Lookup, on node: Traversal.Candidate) -> KRPCMethod? {
    guard let token = node.token else { return nil }
    switch lookup.kind {
    case .peers(let port?, let isSeed):
      return .announcePeer(
        .init(infohash: lookup.target, port: port, isSeed: isSeed, token: token))
    case .putMutable(let item, let cas):
      // Where nothing is kept there is nothing to compare with. BEP 44, "CAS".
      let owner = KRPCMethod.Put.Owner(
        key: item.key, salt: item.salt, sequence: item.sequence, signature: item.signature,
        expected: node.sequence == nil ? nil : cas)
      return .put(.init(token: token, value: item.value, owner: owner))
    case .putImmutable(let item): return .put(.init(token: token, value: item.value))
    case .refresh, .peers, .mutable, .immutable: return nil
    }
  }

  /// One node fewer from which an acknowledgement may come.
  mutating func storeEnded(_ index: Int, _ traversal: Int) {
    guard case .storing(let count) = lookups[index].traversals[traversal].stage else { return }
    lookups[index].traversals[traversal].stage = count > 1 ? .storing(count - 1) : .done
  }

  private mutating func end(_ index: Int) {
    var lookup = lookups.remove(at: index)
    (lookup.outcome.copies, lookup.outcome.isAtAllClosest) = lookup.spread
    guard lookup.isRefresh else {
      effects.append(.ended(lookup.id, lookup.outcome))
      return
    }
    for network in networks.indices
    where networks[network].table.id == lookup.target && lookup.outcome.answered > 0 {
      networks[network].isBootstrapped = true
    }
  }
}
