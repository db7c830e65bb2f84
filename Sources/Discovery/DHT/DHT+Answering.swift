import Metainfo
import Wire

/// Queries of others.
extension DHT {
  mutating func answer(
    _ query: KRPCQuery, _ transaction: [UInt8], to endpoint: PeerEndpoint, network: Int
  ) {
    let own = networks[network].table.id
    // Our own datagrams come back where a list of nodes has our own place.
    guard query.id != own, !configuration.isReadOnly, mayAnswer(endpoint) else { return }
    if !query.isReadOnly {
      noticed(NodeContact(id: query.id, endpoint: endpoint), network: network)
    }
    var response = KRPCResponse(id: own)
    var limit = DHTLimits.answerBytes
    do throws(KRPCError) {
      switch query.method {
      case .ping: break
      case .findNode(let target, let want):
        addNodes(next: target, want, to: &response, for: query.id, network: network)
      case .getPeers(let arguments):
        addNodes(
          next: arguments.infohash, arguments.want, to: &response, for: query.id, network: network)
        addPeers(arguments, to: &response, for: endpoint)
      case .announcePeer(let arguments): try announce(arguments, from: endpoint, near: own)
      case .get(let target, let newerThan, let want):
        addNodes(next: target, want, to: &response, for: query.id, network: network)
        addItem(target, newerThan: newerThan, to: &response, for: endpoint)
        if response.value != nil { limit = DHTLimits.answerWithValueBytes }
      case .put(let arguments): try put(arguments, from: endpoint, near: own)
      case .sampleInfohashes(let target, let want) where configuration.answersSampling:
        addNodes(next: target, want, to: &response, for: query.id, network: network)
        response.samples = currentSamples()
      case .sampleInfohashes, .unknown: throw KRPCError(.methodUnknown, "no such method")
      }
    } catch {
      return sendAnswer(.error(error), transaction, to: endpoint)
    }
    shorten(&response, transaction, to: endpoint, limit: limit)
    sendAnswer(.response(response), transaction, to: endpoint)
  }

  /// Says what is wrong with a query that could not be read.
  mutating func refuse(_ transaction: [UInt8], with error: KRPCError, to endpoint: PeerEndpoint) {
    if configuration.isReadOnly || !mayAnswer(endpoint) { return }
    sendAnswer(.error(error), transaction, to: endpoint)
  }

  private mutating func mayAnswer(_ endpoint: PeerEndpoint) -> Bool {
    let may = limiter.allows(DHTSource(endpoint), now: clock)
    if !may { figures.refused += 1 }
    return may
  }

  private func message(
    _ body: KRPCMessage.Body, _ transaction: [UInt8], to endpoint: PeerEndpoint
  ) -> KRPCMessage {
    KRPCMessage(
      transaction: transaction, version: configuration.version, requester: endpoint, body: body)
  }

  private mutating func sendAnswer(
    _ body: KRPCMessage.Body, _ transaction: [UInt8], to endpoint: PeerEndpoint
  ) {
    let before = figures.bytesOut
    send(message(body, transaction, to: endpoint), to: endpoint)
    limiter.sent(Int(figures.bytesOut - before))
  }

  /// Somebody has asked us. If there is a place for such a node, we see whether it answers as well.
  private mutating func noticed(_ contact: NodeContact, network: Int) {
    if networks[network].table.asked(contact, now: clock) { return }
    meet(contact, network: network)
  }

  /// Sees whether a node is there, if the table has a place for it.
  mutating func meet(_ contact: NodeContact, network: Int) {
    guard isEligible(contact),
      networks[network].table.hasRoom(for: contact, now: clock),
      !suspects.contains(contact.endpoint, now: clock)
    else { return }
    probe(contact.endpoint)
  }

  // MARK: What is answered

  /// The nodes next to a target: of the families that are wanted, or of that of the query. BEP 32.
  private func addNodes(
    next target: NodeID, _ want: NodeFamilies, to response: inout KRPCResponse, for asker: NodeID,
    network: Int
  ) {
    let families = want.isEmpty ? networks[network].family : want
    for network in networks where families.contains(network.family) {
      let nodes = network.table.closest(
        to: target, count: DHTLimits.bucketSize, now: clock, except: asker)
      if network.family == .v4 { response.nodes = nodes } else { response.nodes6 = nodes }
    }
  }

  private mutating func addPeers(
    _ arguments: KRPCMethod.GetPeers, to response: inout KRPCResponse, for endpoint: PeerEndpoint
  ) {
    // Without a token nobody announces: enough have done so. BEP 33.
    if peers.hasRoom(in: arguments.infohash) {
      response.token = mint.token(for: endpoint.address, target: arguments.infohash, now: clock)
    }
    if arguments.scrape,
      let filters = peers.filters(of: arguments.infohash, family: endpoint.family, now: clock)
    {
      response.seedFilter = filters.seeds
      response.peerFilter = filters.peers
    }
    let found = peers.peers(
      of: arguments.infohash, family: endpoint.family, atMost: KRPCLimits.peers,
      noSeeds: arguments.noSeeds, using: &random, now: clock)
    if !found.isEmpty { response.peers = found }
  }

  private func addItem(
    _ target: NodeID, newerThan: Int64?, to response: inout KRPCResponse, for endpoint: PeerEndpoint
  ) {
    response.token = mint.token(for: endpoint.address, target: target, now: clock)
    switch items.content(of: target, now: clock) {
    case .mutable(let item)?:
      response.sequence = item.sequence
      if let newerThan, item.sequence <= newerThan { return }
      response.key = item.key
      response.signature = item.signature
      response.value = item.value
    case .immutable(let item)?: response.value = item.value
    case nil: return
    }
  }

  /// The same infohashes for some hours, so that asking often does not tell more. BEP 51.
  private mutating func currentSamples() -> [NodeID] {
    if let samples, clock - samples.since < DHTLimits.sampleFor,
      samples.infohashes.count >= DHTLimits.samples
    {
      return samples.infohashes
    }
    let drawn = peers.samples(atMost: DHTLimits.samples, using: &random)
    samples = (drawn, clock)
    return drawn
  }

  /// Leaves out what does not fit: first nodes of the other family, then peers, then nodes.
  private func shorten(
    _ response: inout KRPCResponse, _ transaction: [UInt8], to endpoint: PeerEndpoint, limit: Int
  ) {
    guard
      response.peers != nil || response.value != nil || response.seedFilter != nil
        || response.nodes6 != nil
    else { return }
    let found = response.peers
    response.peers = nil
    func size(_ response: KRPCResponse) -> Int {
      message(.response(response), transaction, to: endpoint).encoded.count
    }
    var bytes = size(response)
    if bytes > limit, response.nodes != nil, response.nodes6 != nil {
      if endpoint.family == .v4 { response.nodes6 = nil } else { response.nodes = nil }
      bytes = size(response)
    }
    while bytes > limit, let nodes = response.nodes ?? response.nodes6, !nodes.isEmpty {
      if response.nodes != nil {
        response.nodes = Array(nodes.dropLast())
      } else {
        response.nodes6 = Array(nodes.dropLast())
      }
      bytes = size(response)
    }
    guard let found else { return }
    let each = endpoint.family == .v4 ? 8 : 21
    let room = (limit - bytes - 10) / each
    if room > 0 { response.peers = Array(found.prefix(room)) }
  }

  // MARK: What is stored

  private mutating func announce(
    _ arguments: KRPCMethod.AnnouncePeer, from endpoint: PeerEndpoint, near id: NodeID
  ) throws(KRPCError) {
    try check(arguments.token, of: endpoint, for: arguments.infohash)
    let peer = PeerEndpoint(address: endpoint.address, port: arguments.port ?? endpoint.port)
    peers.announce(
      peer, of: arguments.infohash, isSeed: arguments.isSeed, from: endpoint, near: id,
      quota: &quota, now: clock)
  }

  private func check(
    _ token: [UInt8], of endpoint: PeerEndpoint, for target: NodeID
  ) throws(KRPCError) {
    guard mint.isValid(token, for: endpoint.address, target: target, now: clock) else {
      throw KRPCError(.protocolError, "not a token of ours")
    }
  }

  /// Keeps a value if all is right with it. BEP 44, "put message", "CAS", "Errors".
  private mutating func put(
    _ arguments: KRPCMethod.Put, from endpoint: PeerEndpoint, near id: NodeID
  ) throws(KRPCError) {
    if arguments.value.count > ItemLimits.valueBytes {
      throw KRPCError(.valueTooLarge, "value larger than 1000 bytes")
    }
    guard let owner = arguments.owner else {
      let target = NodeID(SHA1Digest(hashing: arguments.value))
      try check(arguments.token, of: endpoint, for: target)
      guard let item = try? ImmutableItem(value: arguments.value) else {
        throw KRPCError(.protocolError, "value is not bencoded")
      }
      return try keep(.immutable(item), at: target, from: endpoint, near: id)
    }
    if owner.salt.count > ItemLimits.saltBytes {
      throw KRPCError(.saltTooLarge, "salt larger than 64 bytes")
    }
    let target = NodeID(MutableItem.target(of: owner.key, salt: owner.salt))
    try check(arguments.token, of: endpoint, for: target)
    if case .mutable(let old)? = items.content(of: target, now: clock) {
      if let expected = owner.expected, expected != old.sequence {
        throw KRPCError(.compareAndSwapMismatch, "another value has come in between")
      }
      if owner.sequence == old.sequence, arguments.value == old.value,
        owner.signature == old.signature
      {
        return items.renew(target, now: clock)
      }
      if owner.sequence <= old.sequence {
        throw KRPCError(.sequenceTooLow, "sequence number not above the current one")
      }
    }
    let item: MutableItem
    do {
      item = try MutableItem(
        key: owner.key, salt: owner.salt, sequence: owner.sequence, value: arguments.value,
        signature: owner.signature)
    } catch {
      switch error {
      case .wrongSignature: throw KRPCError(.wrongSignature, "signature is not of this key")
      default: throw KRPCError(.protocolError, "\(error)")
      }
    }
    try keep(.mutable(item), at: target, from: endpoint, near: id)
  }

  private mutating func keep(
    _ content: ItemStore.Content, at target: NodeID, from endpoint: PeerEndpoint, near id: NodeID
  ) throws(KRPCError) {
    guard items.keep(content, at: target, from: endpoint, near: id, quota: &quota, now: clock)
    else { throw KRPCError(.server, "no room") }
  }
}
