import Metainfo
import Wire

extension IPAddress {
  /// An IPv4 address that a socket for both families wrote as IPv6 (`::ffff:192.0.2.1`, RFC 4291,
  /// section 2.5.5.2) is the IPv4 address: else one machine would have two names.
  var unmapped: IPAddress {
    guard case .v6(let address) = self, address.high == 0, address.low >> 32 == 0xffff else {
      return self
    }
    return .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: address.low)))
  }

  /// Whether it is an IPv4 address.
  var isV4: Bool {
    if case .v4 = self { true } else { false }
  }

  /// This machine itself: 127.0.0.0/8, `::1`.
  var isLoopback: Bool {
    switch self {
    case .v4(let address): address.rawValue >> 24 == 127
    case .v6(let address): address.high == 0 && address.low == 1
    }
  }

  /// Of a network that is not the internet, or this machine: RFC 1918, RFC 6598, RFC 3927; RFC 4193,
  /// link-local IPv6.
  var isLocal: Bool {
    switch self {
    case .v4(let address):
      let bits = address.rawValue
      return isLoopback || bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8
        || bits >> 22 == 0x191 || bits >> 16 == 0xa9fe
    case .v6(let address):
      return isLoopback || address.high >> 57 == 0xfc >> 1 || address.high >> 54 == 0xfe80 >> 6
    }
  }

  /// Whether one machine can have it: not 0.0.0.0/8, no multicast, nothing reserved above it.
  var isUnicast: Bool {
    switch self {
    case .v4(let address): address.rawValue >> 24 != 0 && address.rawValue >> 29 != 7
    case .v6(let address):
      address.high >> 56 != 0xff && !(address.high == 0 && address.low == 0)
    }
  }
}

extension PeerEndpoint {
  /// With an address that has one name only.
  var unmapped: PeerEndpoint { PeerEndpoint(address: address.unmapped, port: port) }
}
