import Metainfo
import Wire

/// The router on the way to the rest of the world.
public struct Gateway: Hashable, Sendable {
  /// Its address on this side; may be link-local in IPv6.
  public var address: IPAddress
  /// This host's address towards it, which it maps to.
  public var local: IPAddress
  /// The index of the interface that leads to it.
  public var interface: UInt32

  /// A gateway from its parts.
  public init(address: IPAddress, local: IPAddress, interface: UInt32) {
    self.address = address
    self.local = local
    self.interface = interface
  }

  /// Services that such a router may have: NAT-PMP and our use of UPnP are of IPv4 alone.
  var services: [MappingService] {
    if case .v4 = address { MappingService.allCases } else { [.pcp] }
  }
}

/// How a router is asked, the best first: PCP says when it lost its state and knows whose a mapping
/// is; NAT-PMP the first of the two; UPnP neither.
public enum MappingService: Int, CaseIterable, Hashable, Sendable {
  /// RFC 6887.
  case pcp
  /// RFC 6886.
  case natPMP
  /// UPnP Internet Gateway Device, version 1 or 2.
  case upnp
}

extension MappingService: CustomStringConvertible {
  /// Its name.
  public var description: String {
    switch self {
    case .pcp: "PCP"
    case .natPMP: "NAT-PMP"
    case .upnp: "UPnP"
    }
  }
}

/// A port of this host that others should reach.
public struct PortWanted: Hashable, Sendable {
  /// A transport protocol.
  public enum Transport: Hashable, Sendable, CaseIterable {
    /// Connections of the peer protocol.
    case tcp
    /// Datagrams of the DHT.
    case udp
  }

  /// The transport protocol.
  public var transport: Transport
  /// This host's port.
  public var port: UInt16

  /// A port.
  public init(_ transport: Transport, _ port: UInt16) {
    self.transport = transport
    self.port = port
  }

  /// IANA's number.
  var transportNumber: UInt8 { transport == .tcp ? PCPMapping.tcp : PCPMapping.udp }
}

extension PortWanted: CustomStringConvertible {
  /// `TCP 6881`.
  public var description: String { "\(transport == .tcp ? "TCP" : "UDP") \(port)" }
}

extension IPAddress {
  /// Whether nobody outside of a site or provider reaches it: RFC 1918, 6598, 3927, 4193, 4291.
  public var isPrivate: Bool {
    switch self {
    case .v4(let address):
      let bits = address.rawValue
      return bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8
        || bits >> 22 == 0x6440_0000 >> 22 || bits >> 16 == 0xa9fe || bits >> 24 == 127
    case .v6(let address):
      return address.high >> 57 == 0xfc >> 1 || address.high >> 54 == 0xfe80 >> 6
        || address.high == 0 && address.low <= 1
    }
  }

  /// Whether it is its family's zero: no address.
  var isUnspecified: Bool { compact.allSatisfy { $0 == 0 } }

  /// Its family's zero.
  var unspecified: IPAddress {
    switch self {
    case .v4: .v4(IPv4Address(rawValue: 0))
    case .v6: .v6(IPv6Address(high: 0, low: 0))
    }
  }
}
