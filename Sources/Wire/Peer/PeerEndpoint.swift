import Metainfo

/// A machine by its number.
public enum IPAddress: Hashable, Sendable {
  /// An IPv4 address.
  case v4(IPv4Address)
  /// An IPv6 address.
  case v6(IPv6Address)

  /// An address from its 4 or 16 bytes, the first of them highest; nil for another length. BEP 10,
  /// "yourip".
  public init?(compact bytes: some Collection<UInt8>) {
    func number(_ bytes: some Sequence<UInt8>) -> UInt64 {
      bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
    switch bytes.count {
    case 4: self = .v4(IPv4Address(rawValue: UInt32(number(bytes))))
    case 16:
      self = .v6(IPv6Address(high: number(bytes.prefix(8)), low: number(bytes.dropFirst(8))))
    default: return nil
    }
  }

  /// The 4 or 16 bytes, the first of them highest.
  public var compact: [UInt8] {
    switch self {
    case .v4(let address): withUnsafeBytes(of: address.rawValue.bigEndian) { Array($0) }
    case .v6(let address):
      withUnsafeBytes(of: (address.high.bigEndian, address.low.bigEndian)) { Array($0) }
    }
  }
}

extension IPAddress: CustomStringConvertible {
  /// The address as people write it, without brackets.
  public var description: String {
    switch self {
    case .v4(let address): "\(address)"
    case .v6(let address): "\(address)"
    }
  }
}

/// Where a peer listens, by number. On the wire the address and then the port, 6 or 18 bytes, the
/// highest byte first. BEP 23, BEP 7.
public struct PeerEndpoint: Hashable, Sendable {
  /// The machine.
  public var address: IPAddress
  /// TCP and UDP port.
  public var port: UInt16

  /// A place from its parts.
  public init(address: IPAddress, port: UInt16) {
    self.address = address
    self.port = port
  }

  /// A place from its 6 or 18 bytes; nil for another length.
  public init?(compact bytes: some Collection<UInt8>) {
    guard let address = IPAddress(compact: bytes.dropLast(2)) else { return nil }
    self.init(address: address, port: bytes.suffix(2).reduce(0) { $0 << 8 | UInt16($1) })
  }

  /// The 6 or 18 bytes.
  public var compact: [UInt8] {
    address.compact + [UInt8(port >> 8), UInt8(truncatingIfNeeded: port)]
  }
}

extension PeerEndpoint: CustomStringConvertible {
  /// `192.0.2.1:6881` or `[2001:db8::1]:6881`.
  public var description: String {
    switch address {
    case .v4: "\(address):\(port)"
    case .v6: "[\(address)]:\(port)"
    }
  }
}
