import Metainfo

extension KRPCMessage {
  /// Reads a datagram.
  ///
  /// What we do not know is left out: unknown fields, unknown families in "want", peers of a size that
  /// is no address. Lists are read up to the numbers of `KRPCLimits`. Keys may come in any order, as
  /// some nodes of the public DHT write them; a value of BEP 44 is judged by `MutableItem` and
  /// `ImmutableItem`, which take canonical ones only.
  public init(_ datagram: [UInt8]) throws(KRPCProtocolError) {
    let root: KRPCFields
    do {
      root = KRPCFields(
        node: try Bencode.decode(datagram, limits: KRPCLimits.values, keys: .asTheyCome))
    } catch {
      throw KRPCProtocolError(offset: error.offset, reason: .bencode(error.reason))
    }
    try root.requireDictionary()
    let transaction = try root.string("t", atMost: KRPCLimits.transactionBytes)
    let version = root.node["v"]?.string.map { Array($0.prefix(KRPCLimits.versionBytes)) }
    let requester = root.node["ip"]?.string.flatMap(Self.requester)
    let kind = try root.string("y")
    let body: Body
    switch kind.count == 1 ? kind.first : nil {
    case UInt8(ascii: "q"):
      do {
        body = .query(try KRPCQuery(root))
      } catch {
        var error = error
        error.transaction = Array(transaction)
        throw error
      }
    case UInt8(ascii: "r"): body = .response(try KRPCResponse(try root.dictionary("r")))
    case UInt8(ascii: "e"): body = .error(try KRPCError(root))
    default: throw root.fault("y", .unknownMessage(Array(kind.prefix(KRPCLimits.nameBytes))))
    }
    self.init(
      transaction: Array(transaction), version: version, requester: requester, body: body)
  }

  /// BEP 42 says address and port; some programs tell only the address.
  private static func requester(_ bytes: ArraySlice<UInt8>) -> PeerEndpoint? {
    if let endpoint = PeerEndpoint(compact: bytes) { return endpoint }
    return IPAddress(compact: bytes).map { PeerEndpoint(address: $0, port: 0) }
  }
}

extension KRPCQuery {
  fileprivate init(_ root: KRPCFields) throws(KRPCProtocolError) {
    let name = try root.string("q")
    let arguments = try root.dictionary("a")
    let method: KRPCMethod
    switch String(decoding: name.prefix(KRPCLimits.nameBytes), as: UTF8.self) {
    case "ping": method = .ping
    case "find_node":
      method = .findNode(target: try arguments.id("target"), want: arguments.want)
    case "get_peers":
      method = .getPeers(
        KRPCMethod.GetPeers(
          infohash: try arguments.id("info_hash"), want: arguments.want,
          noSeeds: arguments.isSet("noseed"), scrape: arguments.isSet("scrape")))
    case "announce_peer": method = .announcePeer(try KRPCMethod.AnnouncePeer(arguments))
    case "get":
      method = .get(
        target: try arguments.id("target"), newerThan: try arguments.integer("seq"),
        want: arguments.want)
    case "put": method = .put(try KRPCMethod.Put(arguments))
    case "sample_infohashes":
      method = .sampleInfohashes(target: try arguments.id("target"), want: arguments.want)
    default: method = .unknown(name: Array(name.prefix(KRPCLimits.nameBytes)))
    }
    self.init(
      id: try arguments.id("id"), isReadOnly: root.isSet("ro"), method: method)
  }
}

extension KRPCMethod.AnnouncePeer {
  fileprivate init(_ arguments: KRPCFields) throws(KRPCProtocolError) {
    var port: UInt16?
    if try arguments.integer("implied_port") ?? 0 == 0 {
      guard let number = try arguments.integer("port") else {
        throw arguments.fault("port", .missing("port"))
      }
      guard let exact = UInt16(exactly: number), exact > 0 else {
        throw arguments.fault("port", .outOfRange("port", number))
      }
      port = exact
    }
    self.init(
      infohash: try arguments.id("info_hash"), port: port, isSeed: arguments.isSet("seed"),
      token: Array(try arguments.string("token", atMost: KRPCLimits.tokenBytes)))
  }
}

extension KRPCMethod.Put {
  fileprivate init(_ arguments: KRPCFields) throws(KRPCProtocolError) {
    let token = Array(try arguments.string("token", atMost: KRPCLimits.tokenBytes))
    guard let value = arguments.node["v"] else { throw arguments.fault("v", .missing("v")) }
    var owner: Owner?
    if arguments.node["k"] != nil {
      guard let sequence = try arguments.integer("seq") else {
        throw arguments.fault("seq", .missing("seq"))
      }
      guard sequence >= 0 else { throw arguments.fault("seq", .outOfRange("seq", sequence)) }
      guard let key = try arguments.key, let signature = try arguments.signature else {
        throw arguments.fault("sig", .missing("sig"))
      }
      owner = Owner(
        key: key, salt: Array(try arguments.optionalString("salt") ?? []), sequence: sequence,
        signature: signature, expected: try arguments.integer("cas"))
    }
    self.init(token: token, value: Array(value.encoded), owner: owner)
  }
}

extension KRPCResponse {
  fileprivate init(_ fields: KRPCFields) throws(KRPCProtocolError) {
    self.init(id: try fields.id("id"))
    nodes = try fields.contacts("nodes", length: 26)
    nodes6 = try fields.contacts("nodes6", length: 38)
    peers = try fields.peers
    token = try fields.optionalString("token").map { Array($0) }
    if let token, token.count > KRPCLimits.tokenBytes {
      throw fields.fault("token", .wrongLength("token", token.count))
    }
    value = fields.node["v"].map { Array($0.encoded) }
    key = try fields.key
    sequence = try fields.integer("seq")
    signature = try fields.signature
    seedFilter = try fields.filter("BFsd")
    peerFilter = try fields.filter("BFpe")
    if let bytes = try fields.optionalString("samples") {
      guard bytes.count.isMultiple(of: NodeID.byteCount) else {
        throw fields.fault("samples", .wrongLength("samples", bytes.count))
      }
      samples = parts(of: bytes, length: NodeID.byteCount, atMost: KRPCLimits.samples)
        .compactMap { NodeID($0) }
    }
  }
}

extension KRPCError {
  fileprivate init(_ root: KRPCFields) throws(KRPCProtocolError) {
    guard let list = root.node["e"] else { throw root.fault("e", .missing("e")) }
    guard var values = list.list else {
      throw root.fault("e", .wrongKind("e", expected: .list))
    }
    guard let code = values.next()?.integer else {
      throw root.fault("e", .wrongKind("e", expected: .integer))
    }
    let text = values.next()?.string ?? []
    self.init(code: code, text: Array(text.prefix(KRPCLimits.errorTextBytes)))
  }
}

/// A run of bytes in equal parts, the first `atMost` of them.
private func parts(
  of bytes: ArraySlice<UInt8>, length: Int, atMost: Int
) -> LazyMapSequence<StrideTo<Int>, ArraySlice<UInt8>> {
  let count = min(bytes.count / length, atMost)
  let end = bytes.startIndex + count * length
  return stride(from: bytes.startIndex, to: end, by: length).lazy.map { bytes[$0..<($0 + length)] }
}

/// A dictionary of a message, with errors that name its fields.
private struct KRPCFields {
  let node: BencodeNode

  func requireDictionary() throws(KRPCProtocolError) {
    if node.dictionary == nil {
      throw KRPCProtocolError(
        offset: node.range.lowerBound, reason: .wrongKind("", expected: .dictionary))
    }
  }

  /// An error at the first byte of a field, or of the dictionary which lacks it.
  func fault(
    _ key: StaticString, _ reason: KRPCProtocolError.Reason
  ) -> KRPCProtocolError {
    KRPCProtocolError(offset: (node[key] ?? node).range.lowerBound, reason: reason)
  }

  func dictionary(_ key: StaticString) throws(KRPCProtocolError) -> KRPCFields {
    guard let value = node[key] else { throw fault(key, .missing("\(key)")) }
    guard value.dictionary != nil else {
      throw fault(key, .wrongKind("\(key)", expected: .dictionary))
    }
    return KRPCFields(node: value)
  }

  func optionalString(_ key: StaticString) throws(KRPCProtocolError) -> ArraySlice<UInt8>? {
    guard let value = node[key] else { return nil }
    guard let contents = value.string else {
      throw fault(key, .wrongKind("\(key)", expected: .string))
    }
    return contents
  }

  func string(
    _ key: StaticString, atMost limit: Int = .max
  ) throws(KRPCProtocolError) -> ArraySlice<UInt8> {
    guard let contents = try optionalString(key) else {
      throw fault(key, .missing("\(key)"))
    }
    if contents.count > limit { throw fault(key, .wrongLength("\(key)", contents.count)) }
    return contents
  }

  func id(_ key: StaticString) throws(KRPCProtocolError) -> NodeID {
    let bytes = try string(key)
    guard let id = NodeID(bytes) else { throw fault(key, .wrongLength("\(key)", bytes.count)) }
    return id
  }

  func integer(_ key: StaticString) throws(KRPCProtocolError) -> Int64? {
    guard let value = node[key] else { return nil }
    guard let number = value.integer else {
      throw fault(key, .wrongKind("\(key)", expected: .integer))
    }
    return number
  }

  /// Whether a flag is there and is 1.
  func isSet(_ key: StaticString) -> Bool { node[key]?.integer == 1 }

  var want: NodeFamilies {
    guard let list = node["want"]?.list else { return [] }
    var families: NodeFamilies = []
    for value in list {
      guard let name = value.string else { continue }
      if name.elementsEqual("n4".utf8) { families.insert(.v4) }
      if name.elementsEqual("n6".utf8) { families.insert(.v6) }
    }
    return families
  }

  var key: DatasetKey? {
    get throws(KRPCProtocolError) {
      guard let bytes = try optionalString("k") else { return nil }
      guard let key = DatasetKey(bytes) else {
        throw fault("k", .wrongLength("k", bytes.count))
      }
      return key
    }
  }

  var signature: Signature? {
    get throws(KRPCProtocolError) {
      guard let bytes = try optionalString("sig") else { return nil }
      guard let signature = Signature(bytes) else {
        throw fault("sig", .wrongLength("sig", bytes.count))
      }
      return signature
    }
  }

  func filter(_ key: StaticString) throws(KRPCProtocolError) -> ScrapeFilter? {
    guard let bytes = try optionalString(key) else { return nil }
    guard let filter = ScrapeFilter(bytes) else {
      throw fault(key, .wrongLength("\(key)", bytes.count))
    }
    return filter
  }

  func contacts(
    _ key: StaticString, length: Int
  ) throws(KRPCProtocolError) -> [NodeContact]? {
    guard let bytes = try optionalString(key) else { return nil }
    guard bytes.count.isMultiple(of: length) else {
      throw fault(key, .wrongLength("\(key)", bytes.count))
    }
    return parts(of: bytes, length: length, atMost: KRPCLimits.nodes)
      .compactMap { NodeContact(compact: $0) }
  }

  var peers: [PeerEndpoint]? {
    get throws(KRPCProtocolError) {
      guard let value = node["values"] else { return nil }
      guard let list = value.list else {
        throw fault("values", .wrongKind("values", expected: .list))
      }
      return list.prefix(KRPCLimits.peers).compactMap { peer in
        peer.string.flatMap { PeerEndpoint(compact: $0) }
      }
    }
  }
}
