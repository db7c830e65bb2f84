/// Where a peer listens, as people write it: `192.0.2.1:6881`, `[2001:db8::1]:6881` or
/// `host.example:6881`. BEP 9, "x.pe".
public struct PeerAddress: Hashable, Sendable {
  /// A machine.
  public enum Host: Hashable, Sendable {
    /// By its IPv4 address.
    case ipv4(IPv4Address)
    /// By its IPv6 address.
    case ipv6(IPv6Address)
    /// By a name that must be resolved first.
    case name(HostName)
  }

  /// The machine.
  public var host: Host
  /// TCP and UDP port; 0 in no address that was parsed.
  public var port: UInt16

  /// An address from its parts.
  public init(host: Host, port: UInt16) {
    self.host = host
    self.port = port
  }

  /// An address from its text.
  public init(parsing text: some Collection<UInt8>) throws(PeerAddressError) {
    let text = Array(text)
    guard let colon = text.lastIndex(of: UInt8(ascii: ":")) else { throw .noPort }
    let host = text[..<colon]
    guard let port = decimal(text[(colon + 1)...], max: 65_535), port > 0 else { throw .badPort }
    self.init(host: try Self.host(host), port: UInt16(port))
  }

  private static func host(_ text: ArraySlice<UInt8>) throws(PeerAddressError) -> Host {
    if text.first == UInt8(ascii: "[") {
      guard text.last == UInt8(ascii: "]"), let address = IPv6Address(text.dropFirst().dropLast())
      else { throw .badIPv6 }
      return .ipv6(address)
    }
    if text.contains(UInt8(ascii: ":")) { throw .noBrackets }
    if let address = IPv4Address(text) { return .ipv4(address) }
    return .name(try HostName(text))
  }
}

extension PeerAddress: CustomStringConvertible {
  /// The text, ready for a link: no character in it needs an escape there that real clients
  /// would undo.
  public var description: String {
    switch host {
    case .ipv4(let address): "\(address):\(port)"
    case .ipv6(let address): "[\(address)]:\(port)"
    case .name(let name): "\(name):\(port)"
    }
  }
}

/// A host's name: 1 to 253 ASCII letters (kept small), digits, `-`, `_` and `.`, whose last label
/// is not a number, so that it cannot be mistaken for an IPv4 address. RFC 1123, section 2.1.
public struct HostName: Hashable, Sendable, CustomStringConvertible {
  /// The name in lower case.
  public let description: String

  /// A checked name.
  public init(_ text: some Collection<UInt8>) throws(PeerAddressError) {
    if text.isEmpty { throw .noHost }
    if text.count > MagnetLimits.hostNameBytes { throw .hostTooLong(text.count) }
    for byte in text {
      switch byte.asciiLowercased {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"): continue
      case UInt8(ascii: "-"), UInt8(ascii: "_"), UInt8(ascii: "."): continue
      default: throw .badHostByte(byte)
      }
    }
    let labels = text.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
    // One dot at the end is the root's.
    if labels.dropLast().contains(where: \.isEmpty) { throw .emptyLabel }
    let isNumber = labels.last { !$0.isEmpty }?
      .allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains)
    if isNumber == true { throw .badIPv4 }
    description = String(decoding: text.map(\.asciiLowercased), as: UTF8.self)
  }
}

/// Why a text is not a peer's address.
public enum PeerAddressError: Error, Hashable, Sendable {
  /// There is no `:` and port.
  case noPort
  /// What follows the last `:` is not a number from 1 to 65535.
  case badPort
  /// Nothing stands before the `:`.
  case noHost
  /// An IPv6 address must stand in brackets.
  case noBrackets
  /// What stands in brackets is not an IPv6 address.
  case badIPv6
  /// The name ends in a number as IPv4 addresses do, but is none.
  case badIPv4
  /// The name has more bytes than names have.
  case hostTooLong(Int)
  /// A name cannot contain this byte.
  case badHostByte(UInt8)
  /// Two dots follow each other, or the name begins with one.
  case emptyLabel
}

extension PeerAddressError: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .noPort: "the port is missing, host:port expected"
    case .badPort: "the port is not a number from 1 to 65535"
    case .noHost: "the host is missing, host:port expected"
    case .noBrackets: "an IPv6 address needs brackets, [address]:port"
    case .badIPv6: "what stands in brackets is not an IPv6 address"
    case .badIPv4: "the host is not an IPv4 address"
    case .hostTooLong(let count):
      "the host name has \(count) bytes, more than \(MagnetLimits.hostNameBytes)"
    case .badHostByte(let byte): "a host name cannot contain \(quoted(byte))"
    case .emptyLabel: "the host name has an empty part"
    }
  }
}
