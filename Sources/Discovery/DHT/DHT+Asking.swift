import Metainfo
import Wire

/// Queries of ours, from their sending to their end.
extension DHT {
  /// Sends a query. Returns false where too many are on their way.
  @discardableResult
  mutating func ask(
    _ method: KRPCMethod, of endpoint: PeerEndpoint, node: NodeID?,
    for purpose: Transaction.Purpose, isSuspect: Bool = false
  ) -> Bool {
    guard !transactions.isFull, let network = network(of: endpoint) else { return false }
    var id = UInt32(truncatingIfNeeded: random.next())
    while transactions.contains(id: id) { id &+= 1 }
    let wait = roundTrips.wait
    let patience: DHTTime
    let stage: Transaction.Stage
    let next: DHTTime
    switch purpose {
    case .probe, .check:
      (stage, patience) = (.repeated, DHTLimits.pingPatience)
      next = clock + patience
    case .visit where isSuspect:
      (stage, patience) = (.repeated, wait)
      next = clock + wait
    case .visit:
      (stage, patience) = (.early, roundTrips.patience)
      next = clock + wait
    case .store:
      (stage, patience) = (
        .late, max(DHTLimits.shortestStorePatience, roundTrips.patience)
      )
      next = clock + patience / 2
    }
    transactions.add(
      Transaction(
        id: id, endpoint: endpoint, node: node, purpose: purpose, method: method, sent: clock,
        stage: stage, next: next, wait: wait, patience: patience))
    sendQuery(method, id: id, to: endpoint, network: network)
    return true
  }

  private mutating func sendQuery(
    _ method: KRPCMethod, id: UInt32, to endpoint: PeerEndpoint, network: Int
  ) {
    let query = KRPCQuery(
      id: networks[network].table.id, isReadOnly: configuration.isReadOnly, method: method)
    let transaction = withUnsafeBytes(of: id.bigEndian) { Array($0) }
    send(
      KRPCMessage(
        transaction: transaction, version: configuration.version, body: .query(query)),
      to: endpoint)
  }

  /// Takes every query whose time has come to its next stage.
  mutating func advanceTransactions() {
    for due in transactions.takeDue(now: clock) {
      var transaction: Transaction? = due
      while let now = transaction, now.next <= clock { transaction = advanced(now) }
      if let transaction { transactions.add(transaction) }
    }
  }

  /// The next stage of a query; nil at its end.
  private mutating func advanced(_ old: Transaction) -> Transaction? {
    var transaction = old
    switch old.stage {
    case .early:
      if case .visit(let id, let traversal) = old.purpose, let node = old.node,
        let index = lookupIndex(id)
      {
        lookups[index].traversals[traversal].becameLate(node)
        lookups[index].needsStep = true
      }
      transaction.stage = .late
      transaction.next = old.sent + max(old.wait, old.patience / 2)
    case .late:
      // Once more, in case the datagram was lost: unless nobody wants to know any longer.
      if old.sent + old.patience > clock, isWanted(old),
        let network = network(of: old.endpoint)
      {
        sendQuery(old.method, id: old.id, to: old.endpoint, network: network)
        transaction.repeated = clock
      }
      transaction.stage = .repeated
      transaction.next = old.sent + old.patience
    case .repeated:
      giveUp(old)
      transaction.stage = .over
      transaction.next = old.sent + DHTLimits.transactionLife
    case .over: return nil
    }
    return transaction
  }

  private func isWanted(_ transaction: Transaction) -> Bool {
    switch transaction.purpose {
    case .probe, .check: true
    case .visit(let id, _), .store(let id, _): lookupIndex(id) != nil
    }
  }

  /// Nobody waits for the answer any longer.
  private mutating func giveUp(_ transaction: Transaction) {
    suspects.insert(transaction.endpoint, now: clock)
    if let node = transaction.node, let network = network(of: transaction.endpoint) {
      // If nothing has come in from anywhere it is our own link that is down.
      let isOnline = lastReceived.map { $0 > transaction.sent - 10 * DHTLimits.second } ?? false
      if isOnline {
        networks[network].table.missed(
          NodeContact(id: node, endpoint: transaction.endpoint))
      }
    }
    switch transaction.purpose {
    case .probe, .check: pumpProbes()
    case .visit(let id, let traversal):
      guard let node = transaction.node, let index = lookupIndex(id) else { return }
      lookups[index].traversals[traversal].failed(node)
      lookups[index].needsStep = true
    case .store(let id, let traversal):
      guard let index = lookupIndex(id) else { return }
      storeEnded(index, traversal)
    }
  }

  func lookupIndex(_ id: DHTLookupID) -> Int? { lookups.firstIndex { $0.id == id } }

  // MARK: Whoever is there

  /// Asks a place who is there, now or when fewer such questions are on their way.
  mutating func probe(_ endpoint: PeerEndpoint) {
    guard let network = network(of: endpoint), !transactions.contains(endpoint: endpoint),
      !unprobed.contains(endpoint)
    else { return }
    let probes = transactions.all.count {
      if case .probe = $0.purpose { true } else { false }
    }
    guard probes < DHTLimits.probesAtOnce else {
      if unprobed.count < DHTLimits.knownNodes { unprobed.append(endpoint) }
      return
    }
    let id = networks[network].table.id
    let isNew = networks[network].table.count < 2 * DHTLimits.bucketSize
    ask(
      isNew ? .findNode(target: id, want: want(network)) : .ping, of: endpoint, node: nil,
      for: .probe)
  }

  /// Asks those that had to wait.
  mutating func pumpProbes() {
    let next = unprobed
    unprobed = []
    for endpoint in next { probe(endpoint) }
  }

  /// Nodes of both families where we need those of the other one, else of the one that we ask in.
  /// BEP 32, "Dual-stack nodes".
  func want(_ network: Int) -> NodeFamilies {
    let needsOthers = networks.indices.contains {
      $0 != network && networks[$0].table.count < DHTLimits.bucketSize
    }
    return needsOthers ? [.v4, .v6] : []
  }
}
