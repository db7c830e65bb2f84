import Metainfo
import Wire

/// Datagrams that come in, answers among them.
extension DHT {
  mutating func receive(_ datagram: [UInt8], from endpoint: PeerEndpoint) {
    guard endpoint.isReachable, let network = network(of: endpoint) else { return }
    let message: KRPCMessage
    do {
      message = try KRPCMessage(datagram)
    } catch {
      figures.malformed += 1
      if let transaction = error.transaction {
        refuse(transaction, with: KRPCError(.protocolError, "\(error)"), to: endpoint)
      }
      return
    }
    lastReceived = clock
    switch message.body {
    case .query(let query): answer(query, message.transaction, to: endpoint, network: network)
    case .response(let response):
      guard let transaction = transaction(message.transaction, from: endpoint) else { return }
      received(response, message.requester, to: transaction, network: network)
    case .error(let error):
      guard let transaction = transaction(message.transaction, from: endpoint) else { return }
      received(error, to: transaction)
    }
  }

  /// The query of ours that an answer is to. Others' answers are nobody's.
  private mutating func transaction(
    _ bytes: [UInt8], from endpoint: PeerEndpoint
  ) -> Transaction? {
    guard bytes.count == 4 else { return nil }
    let id = bytes.reduce(0) { $0 << 8 | UInt32($1) }
    guard let transaction = transactions.take(id, from: endpoint) else { return nil }
    if let repeated = transaction.repeated {
      roundTrips.add(
        sinceFirst: clock - transaction.sent, sinceRepetition: clock - repeated)
    } else {
      roundTrips.add(clock - transaction.sent)
    }
    suspects.remove(endpoint)
    return transaction
  }

  private mutating func received(
    _ response: KRPCResponse, _ requester: PeerEndpoint?, to transaction: Transaction, network: Int
  ) {
    let contact = NodeContact(id: response.id, endpoint: transaction.endpoint)
    guard response.id != networks[network].table.id else { return dropped(transaction) }
    if let node = transaction.node, node != response.id {
      // Another node is there now, or one that tells everyone another name.
      networks[network].table.missed(NodeContact(id: node, endpoint: contact.endpoint))
      return dropped(transaction)
    }
    if let requester, requester.plain.family == networks[network].family {
      vote(requester.plain.address, from: contact.endpoint, network: network)
    }
    met(contact, network: network)
    switch transaction.purpose {
    case .probe, .check:
      let nodes = nodes(of: response, network)
      offer(nodes, hops: 1, network: network)
      introduce(nodes, network: network)
      pumpProbes()
    case .visit(let id, let traversal):
      if let index = lookupIndex(id) {
        visited(index, traversal, response, contact)
      }
    case .store(let id, let traversal):
      if let index = lookupIndex(id) {
        lookups[index].outcome.stored += 1
        lookups[index].traversals[traversal].stored(contact.id)
        if transaction.stage != .over { storeEnded(index, traversal) }
      }
    }
    learnOthers(response, network: network)
  }

  private mutating func received(_ error: KRPCError, to transaction: Transaction) {
    switch transaction.purpose {
    case .probe, .check: pumpProbes()
    case .visit(let id, _), .store(let id, _):
      guard let index = lookupIndex(id) else { return }
      // Codes are the other's choice: only so many are counted apart.
      let known = lookups[index].outcome.errors[error.code] != nil
      if known || lookups[index].outcome.errors.count < 16 {
        lookups[index].outcome.errors[error.code, default: 0] += 1
      }
      dropped(transaction)
    }
  }

  /// An answer that is of no use.
  private mutating func dropped(_ transaction: Transaction) {
    switch transaction.purpose {
    case .probe, .check: return
    case .visit(let id, let traversal):
      guard let index = lookupIndex(id), let node = transaction.node else { return }
      lookups[index].traversals[traversal].failed(node)
      lookups[index].needsStep = true
    case .store(let id, let traversal):
      guard let index = lookupIndex(id), transaction.stage != .over else { return }
      storeEnded(index, traversal)
    }
  }

  /// A node has answered us.
  private mutating func met(_ contact: NodeContact, network: Int) {
    guard isEligible(contact) else { return }
    let isNew = networks[network].table.node(contact.id) == nil
    guard networks[network].table.answered(contact, now: clock) else { return }
    if isNew { offer([contact], hops: 0, network: network) }
    if !networks[network].isBootstrapped { startSelfLookup(network) }
  }

  /// Nodes that a lookup may lack which began when we knew hardly any.
  private mutating func offer(_ contacts: [NodeContact], hops: Int, network: Int) {
    let family = networks[network].family
    for index in lookups.indices {
      for place in lookups[index].traversals.indices {
        let traversal = lookups[index].traversals[place]
        guard traversal.family == family, traversal.stage == .searching,
          traversal.candidates.count < DHTLimits.bucketSize
        else { continue }
        for contact in contacts { suggest(contact, hops: hops, index, place) }
      }
    }
  }

  /// Gives a lookup a node to ask.
  mutating func suggest(_ contact: NodeContact, hops: Int, _ index: Int, _ traversal: Int) {
    guard contact.endpoint.isReachable,
      let network = network(of: contact.endpoint), contact.id != networks[network].table.id
    else { return }
    lookups[index].traversals[traversal].add(
      contact, hops: hops, isEligible: isEligible(contact),
      limitsNetworks: configuration.limitsNetworks)
    lookups[index].needsStep = true
  }

  /// Nodes that a place told of which was asked outside of a lookup: neighbours of ours that we do not
  /// know, perhaps those of a part of the network that was cut off.
  private mutating func introduce(_ contacts: [NodeContact], network: Int) {
    // Before that, the lookup of our own id finds them.
    guard networks[network].table.count >= 2 * DHTLimits.bucketSize else { return }
    for contact in contacts.prefix(DHTLimits.bucketSize)
    where contact.endpoint.isReachable && contact.endpoint.family == networks[network].family
      && contact.id != networks[network].table.id
      && networks[network].table.node(contact.id) == nil
    {
      meet(contact, network: network)
    }
  }

  /// The nodes of an answer that are of the family it came by.
  func nodes(of response: KRPCResponse, _ network: Int) -> [NodeContact] {
    (networks[network].family == .v4 ? response.nodes : response.nodes6) ?? []
  }

  /// Nodes of the other family, where we know few of them. BEP 32.
  private mutating func learnOthers(_ response: KRPCResponse, network: Int) {
    for other in networks.indices where other != network {
      guard networks[other].table.count < DHTLimits.bucketSize else { continue }
      for contact in nodes(of: response, other).prefix(DHTLimits.bucketSize) {
        let endpoint = contact.endpoint.plain
        guard endpoint.isReachable, contact.id != networks[other].table.id,
          endpoint.family == networks[other].family,
          networks[other].table.node(contact.id) == nil, !suspects.contains(endpoint, now: clock)
        else { continue }
        probe(endpoint)
      }
    }
  }

  /// A node has told our address. BEP 42.
  private mutating func vote(_ address: IPAddress, from voter: PeerEndpoint, network: Int) {
    guard let settled = networks[network].votes.add(address, from: voter) else { return }
    effects.append(.externalAddress(settled))
    let since = networks[network].idSince
    guard configuration.adaptsNodeID, !networks[network].table.id.isAllowed(at: settled),
      since.map({ clock - $0 >= DHTLimits.idLife }) ?? true
    else { return }
    networks[network].idSince = clock
    let id = NodeID.random(for: settled, using: &random)
    networks[network].table = networks[network].table.moved(to: id, now: clock)
    networks[network].isBootstrapped = false
    lookups.removeAll { $0.isRefresh && $0.traversals[0].family == networks[network].family }
    startSelfLookup(network)
  }
}
