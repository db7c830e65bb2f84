import Metainfo

/// Who joined the sender and who left it since its last such message. BEP 11, `ut_pex`.
public struct PeerExchange: Hashable, Sendable {
  /// A peer that the sender is connected to.
  public struct Contact: Hashable, Sendable {
    /// Where it listens.
    public var endpoint: PeerEndpoint
    /// What the sender knows about it.
    public var flags: Flags

    /// A peer from its parts.
    public init(endpoint: PeerEndpoint, flags: Flags = []) {
      self.endpoint = endpoint
      self.flags = flags
    }
  }

  /// What is known about a peer. Bits that we do not know are kept.
  public struct Flags: OptionSet, Hashable, Sendable {
    /// The byte of `added.f`.
    public let rawValue: UInt8

    /// Flags from the byte of `added.f`.
    public init(rawValue: UInt8) { self.rawValue = rawValue }

    /// Prefers encryption.
    public static let prefersEncryption = Flags(rawValue: 0x01)
    /// Downloads nothing.
    public static let uploadOnly = Flags(rawValue: 0x02)
    /// Speaks uTP.
    public static let utp = Flags(rawValue: 0x04)
    /// Speaks `ut_holepunch`.
    public static let holepunch = Flags(rawValue: 0x08)
    /// The sender connected to it, so it can be reached.
    public static let reachable = Flags(rawValue: 0x10)
  }

  /// Peers that the sender is newly connected to.
  public var added: [Contact] = []
  /// Peers that the sender is no longer connected to.
  public var dropped: [PeerEndpoint] = []

  /// A message in which nothing changed.
  public init() {}
}

// MARK: - Reading

extension PeerExchange {
  /// Reads the payload, from behind the extension's number.
  ///
  /// Of each kind the first `WireLimits.pexContacts` are taken, IPv4 before IPv6, and those without a
  /// port are left out. Flags whose number is not the peers' count as none. A message without any peer
  /// passes: aria2 sends such, although BEP 11 forbids it.
  public init(payload: RawSpan) throws(ExtensionError) {
    let fields = try ExtensionDictionary(payload, of: .pex)
    guard fields.end == payload.byteCount else {
      throw ExtensionError(message: .pex, offset: fields.end, reason: .trailingBytes)
    }
    let flags = [try fields.string("added.f"), try fields.string("added6.f")]
    let added = [
      try Self.endpoints(fields, "added", length: 6),
      try Self.endpoints(fields, "added6", length: 18),
    ]
    for (endpoints, flags) in zip(added, flags) {
      let flags = flags.count == endpoints.count ? Array(flags) : nil
      for (index, endpoint) in endpoints.enumerated()
      where endpoint.port > 0 && self.added.count < WireLimits.pexContacts {
        let flag = Flags(rawValue: flags?[index] ?? 0)
        self.added.append(Contact(endpoint: endpoint, flags: flag))
      }
    }
    let all =
      try Self.endpoints(fields, "dropped", length: 6)
      + Self.endpoints(fields, "dropped6", length: 18)
    dropped = Array(all.lazy.filter { $0.port > 0 }.prefix(WireLimits.pexContacts))
  }

  private static func endpoints(
    _ fields: ExtensionDictionary, _ key: StaticString, length: Int
  ) throws(ExtensionError) -> [PeerEndpoint] {
    let bytes = try fields.string(key)
    guard bytes.count.isMultiple(of: length) else {
      let value = fields.node[key] ?? fields.node
      throw fields.fault(value, .partialAddress("\(key)", bytes.count))
    }
    return stride(from: bytes.startIndex, to: bytes.endIndex, by: length).compactMap {
      PeerEndpoint(compact: bytes[$0..<($0 + length)])
    }
  }
}

// MARK: - Writing

extension PeerExchange {
  /// The payload, behind the extension's number.
  ///
  /// - Precondition: at most `WireLimits.pexContacts` of each kind.
  public var encoded: [UInt8] {
    let limit = WireLimits.pexContacts
    precondition(added.count <= limit && dropped.count <= limit, "more than anyone takes")
    var encoder = BencodeEncoder(capacity: 128)
    encoder.beginDictionary()
    let (added4, added6) = (added.filter { $0.endpoint.isV4 }, added.filter { !$0.endpoint.isV4 })
    if !added4.isEmpty {
      encoder.pair("added", added4.flatMap(\.endpoint.compact))
      encoder.pair("added.f", added4.map(\.flags.rawValue))
    }
    if !added6.isEmpty {
      encoder.pair("added6", added6.flatMap(\.endpoint.compact))
      encoder.pair("added6.f", added6.map(\.flags.rawValue))
    }
    let dropped4 = dropped.filter(\.isV4)
    let dropped6 = dropped.filter { !$0.isV4 }
    if !dropped4.isEmpty { encoder.pair("dropped", dropped4.flatMap(\.compact)) }
    if !dropped6.isEmpty { encoder.pair("dropped6", dropped6.flatMap(\.compact)) }
    encoder.end()
    return encoder.bytes
  }
}

extension PeerEndpoint {
  fileprivate var isV4: Bool {
    if case .v4 = address { true } else { false }
  }
}
