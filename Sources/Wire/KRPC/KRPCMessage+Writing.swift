import Metainfo

extension KRPCMessage {
  /// The datagram.
  public var encoded: [UInt8] {
    var encoder = BencodeEncoder(capacity: 512)
    encoder.beginDictionary()
    switch body {
    case .query(let query):
      encoder.key("a")
      query.encodeArguments(into: &encoder)
      encodeRequester(into: &encoder)
      encoder.key("q")
      encoder.string(query.method.name)
      if query.isReadOnly {
        encoder.key("ro")
        encoder.integer(1)
      }
    case .response(let response):
      encodeRequester(into: &encoder)
      encoder.key("r")
      response.encode(into: &encoder)
    case .error(let error):
      encoder.key("e")
      encoder.beginList()
      encoder.integer(error.code)
      encoder.string(error.text)
      encoder.end()
      encodeRequester(into: &encoder)
    }
    encoder.pair("t", transaction)
    if let version { encoder.pair("v", version) }
    encoder.key("y")
    switch body {
    case .query: encoder.string("q")
    case .response: encoder.string("r")
    case .error: encoder.string("e")
    }
    encoder.end()
    return encoder.bytes
  }

  private func encodeRequester(into encoder: inout BencodeEncoder) {
    if let requester { encoder.pair("ip", requester.compact) }
  }
}

extension KRPCMethod {
  /// What stands under "q".
  public var name: [UInt8] {
    switch self {
    case .ping: Array("ping".utf8)
    case .findNode: Array("find_node".utf8)
    case .getPeers: Array("get_peers".utf8)
    case .announcePeer: Array("announce_peer".utf8)
    case .get: Array("get".utf8)
    case .put: Array("put".utf8)
    case .sampleInfohashes: Array("sample_infohashes".utf8)
    case .unknown(let name): name
    }
  }
}

extension KRPCQuery {
  fileprivate func encodeArguments(into encoder: inout BencodeEncoder) {
    encoder.beginDictionary()
    switch method {
    case .ping, .unknown: encoder.pair("id", id)
    case .findNode(let target, let want), .sampleInfohashes(let target, let want):
      encoder.pair("id", id)
      encoder.pair("target", target)
      encoder.want(want)
    case .getPeers(let arguments):
      encoder.pair("id", id)
      encoder.pair("info_hash", arguments.infohash)
      if arguments.noSeeds { encoder.pair("noseed", 1) }
      if arguments.scrape { encoder.pair("scrape", 1) }
      encoder.want(arguments.want)
    case .announcePeer(let arguments):
      encoder.pair("id", id)
      if arguments.port == nil { encoder.pair("implied_port", 1) }
      encoder.pair("info_hash", arguments.infohash)
      // "port" is not optional, even where it means nothing.
      encoder.pair("port", Int64(arguments.port ?? 0))
      if arguments.isSeed { encoder.pair("seed", 1) }
      encoder.pair("token", arguments.token)
    case .get(let target, let newerThan, let want):
      encoder.pair("id", id)
      if let newerThan { encoder.pair("seq", newerThan) }
      encoder.pair("target", target)
      encoder.want(want)
    case .put(let arguments): encode(arguments, into: &encoder)
    }
    encoder.end()
  }

  private func encode(_ put: KRPCMethod.Put, into encoder: inout BencodeEncoder) {
    if let expected = put.owner?.expected { encoder.pair("cas", expected) }
    encoder.pair("id", id)
    if let owner = put.owner {
      encoder.pair("k", owner.key.bytes)
      if !owner.salt.isEmpty { encoder.pair("salt", owner.salt) }
      encoder.pair("seq", owner.sequence)
      encoder.pair("sig", owner.signature.bytes)
    }
    encoder.pair("token", put.token)
    encoder.key("v")
    encoder.encoded(put.value)
  }
}

extension KRPCResponse {
  fileprivate func encode(into encoder: inout BencodeEncoder) {
    encoder.beginDictionary()
    if let peerFilter { encoder.pair("BFpe", peerFilter.bytes) }
    if let seedFilter { encoder.pair("BFsd", seedFilter.bytes) }
    encoder.pair("id", id)
    if let key { encoder.pair("k", key.bytes) }
    if let nodes { encoder.pair("nodes", nodes) }
    if let nodes6 { encoder.pair("nodes6", nodes6) }
    if let samples {
      var bytes: [UInt8] = []
      for sample in samples { sample.append(to: &bytes) }
      encoder.pair("samples", bytes)
    }
    if let sequence { encoder.pair("seq", sequence) }
    if let signature { encoder.pair("sig", signature.bytes) }
    if let token { encoder.pair("token", token) }
    if let value {
      encoder.key("v")
      encoder.encoded(value)
    }
    if let peers {
      encoder.key("values")
      encoder.beginList()
      for peer in peers { encoder.string(peer.compact) }
      encoder.end()
    }
    encoder.end()
  }
}

extension BencodeEncoder {
  fileprivate mutating func pair(_ key: StaticString, _ id: NodeID) {
    self.key(key)
    string(id.bytes)
  }

  fileprivate mutating func pair(_ key: StaticString, _ contacts: [NodeContact]) {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(contacts.count * 38)
    for contact in contacts { contact.append(to: &bytes) }
    self.key(key)
    string(bytes)
  }

  fileprivate mutating func want(_ families: NodeFamilies) {
    if families.isEmpty { return }
    key("want")
    beginList()
    if families.contains(.v4) { string("n4") }
    if families.contains(.v6) { string("n6") }
    end()
  }
}
