import Metainfo

/// What a peer says about itself and its extensions. BEP 10; "metadata_size" is of BEP 9,
/// "upload_only" of BEP 21.
///
/// It may come again at any time: then `extensions` has what changed, and a number of 0 ends one.
public struct ExtensionHandshake: Hashable, Sendable {
  /// By which number the sender wants to be sent the messages of each extension; 0 for not at all.
  public var extensions: [PeerExtension: UInt8] = [:]
  /// TCP port at which the sender listens.
  public var port: UInt16?
  /// Name and version of the sender's program, meant to be UTF-8; at most
  /// `WireLimits.clientNameBytes` bytes of it.
  public var client: [UInt8]?
  /// The receiver's address as the sender sees it.
  public var yourAddress: IPAddress?
  /// An IPv4 address of the sender.
  public var ipv4: IPv4Address?
  /// An IPv6 address of the sender.
  public var ipv6: IPv6Address?
  /// How many requests the sender keeps waiting without dropping any; at most
  /// `WireLimits.requestQueue`.
  public var requestQueue: Int?
  /// Size of the info dictionary, in bytes; nil while the sender has none.
  public var metadataSize: Int?
  /// Whether the sender downloads nothing; nil when it does not say.
  public var isUploadOnly: Bool?

  /// A handshake that says nothing.
  public init() {}
}

// MARK: - Reading

extension ExtensionHandshake {
  /// Reads the payload, from behind the extension's number.
  ///
  /// What we act on must be right. What only informs (addresses, name, length of the queue) is left
  /// out when it is not. A port or a size of 0, which some programs send, is none.
  public init(payload: RawSpan) throws(ExtensionError) {
    let fields = try ExtensionDictionary(payload, of: nil)
    guard fields.end == payload.byteCount else {
      throw ExtensionError(message: nil, offset: fields.end, reason: .trailingBytes)
    }
    extensions = try Self.extensions(fields)
    if let port = try fields.integer("p", in: 0...65_535), port > 0 { self.port = UInt16(port) }
    let largest = Int64(MetainfoLimits.torrentBytes)
    if let size = try fields.integer("metadata_size", in: 0...largest), size > 0 {
      metadataSize = Int(size)
    }
    if let flag = try fields.integer("upload_only", in: .min...Int64.max) {
      isUploadOnly = flag != 0
    }
    client = fields.node["v"]?.string.map { Array($0.prefix(WireLimits.clientNameBytes)) }
    yourAddress = Self.address(fields.node["yourip"])
    if case .v4(let address) = Self.address(fields.node["ipv4"]) { ipv4 = address }
    if case .v6(let address) = Self.address(fields.node["ipv6"]) { ipv6 = address }
    if let queue = fields.node["reqq"]?.integer, queue > 0 {
      requestQueue = Int(min(queue, Int64(WireLimits.requestQueue)))
    }
  }

  private static func extensions(
    _ fields: ExtensionDictionary
  ) throws(ExtensionError) -> [PeerExtension: UInt8] {
    guard let names = fields.node["m"] else { return [:] }
    guard let pairs = names.dictionary else {
      throw fields.fault(names, .wrongKind("m", expected: .dictionary))
    }
    var numbers: [PeerExtension: UInt8] = [:]
    for (key, value) in pairs {
      let name = PeerExtension.allCases.first { $0.rawValue.utf8.elementsEqual(key) }
      guard let name else { continue }
      guard let number = value.integer else {
        throw fields.fault(value, .wrongKind(name.rawValue, expected: .integer))
      }
      guard let number = UInt8(exactly: number) else {
        throw fields.fault(value, .outOfRange(name.rawValue, number))
      }
      numbers[name] = number
    }
    return numbers
  }

  private static func address(_ value: BencodeNode?) -> IPAddress? {
    value?.string.flatMap { IPAddress(compact: $0) }
  }
}

// MARK: - Writing

extension ExtensionHandshake {
  /// The payload, behind the extension's number.
  public var encoded: [UInt8] {
    var encoder = BencodeEncoder(capacity: 256)
    encoder.beginDictionary()
    if let ipv4 { encoder.pair("ipv4", IPAddress.v4(ipv4).compact) }
    if let ipv6 { encoder.pair("ipv6", IPAddress.v6(ipv6).compact) }
    encoder.key("m")
    encoder.beginDictionary()
    for (name, number) in extensions.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
      encoder.key(name.rawValue.utf8)
      encoder.integer(Int64(number))
    }
    encoder.end()
    if let metadataSize { encoder.pair("metadata_size", Int64(metadataSize)) }
    if let port { encoder.pair("p", Int64(port)) }
    if let requestQueue { encoder.pair("reqq", Int64(requestQueue)) }
    if let isUploadOnly { encoder.pair("upload_only", isUploadOnly ? 1 : 0) }
    if let client { encoder.pair("v", client) }
    if let yourAddress { encoder.pair("yourip", yourAddress.compact) }
    encoder.end()
    return encoder.bytes
  }
}

extension BencodeEncoder {
  /// A key and its number.
  mutating func pair(_ key: StaticString, _ number: Int64) {
    self.key(key)
    integer(number)
  }

  /// A key and its string.
  mutating func pair(_ key: StaticString, _ contents: some Collection<UInt8>) {
    self.key(key)
    string(contents)
  }
}
