import Glibc
import Metainfo
import Wire

/// An endpoint as the system takes and gives it.
enum SocketAddress {
  /// Calls `body` with the endpoint as a `sockaddr`; `scope` is the interface of an IPv6 address that
  /// means something there only (RFC 4007).
  static func with<Result>(
    _ endpoint: PeerEndpoint, scope: UInt32 = 0,
    _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    switch endpoint.address {
    case .v4(let address):
      var name = sockaddr_in()
      name.sin_family = sa_family_t(AF_INET)
      name.sin_port = endpoint.port.bigEndian
      name.sin_addr.s_addr = address.rawValue.bigEndian
      return call(&name, body)
    case .v6(let address):
      var name = sockaddr_in6()
      name.sin6_family = sa_family_t(AF_INET6)
      name.sin6_port = endpoint.port.bigEndian
      name.sin6_scope_id = scope
      withUnsafeMutableBytes(of: &name.sin6_addr) { bytes in
        bytes.storeBytes(of: address.high.bigEndian, toByteOffset: 0, as: UInt64.self)
        bytes.storeBytes(of: address.low.bigEndian, toByteOffset: 8, as: UInt64.self)
      }
      return call(&name, body)
    }
  }

  /// `AF_INET` or `AF_INET6`.
  static func family(_ address: IPAddress) -> Int32 {
    switch address {
    case .v4: AF_INET
    case .v6: AF_INET6
    }
  }

  /// The endpoint that a system call fills in; nil when it is of another family, or the call fails
  /// (with `errno`).
  static func filled(
    by call: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32
  ) -> (result: Int32, endpoint: PeerEndpoint?) {
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { storage in
      storage.withMemoryRebound(to: sockaddr.self, capacity: 1) { name in
        let result = call(name, &length)
        return (result, result < 0 ? nil : endpoint(at: name))
      }
    }
  }

  /// The endpoint in a `sockaddr` of IPv4 or IPv6; IPv4 in IPv6 clothes (RFC 4291, 2.5.5.2) is IPv4.
  static func endpoint(at name: UnsafePointer<sockaddr>) -> PeerEndpoint? {
    let bytes = UnsafeRawPointer(name)
    switch Int32(name.pointee.sa_family) {
    case AF_INET:
      let name = bytes.loadUnaligned(as: sockaddr_in.self)
      return PeerEndpoint(
        address: .v4(IPv4Address(rawValue: UInt32(bigEndian: name.sin_addr.s_addr))),
        port: UInt16(bigEndian: name.sin_port))
    case AF_INET6:
      let name = bytes.loadUnaligned(as: sockaddr_in6.self)
      let (high, low) = withUnsafeBytes(of: name.sin6_addr) { bytes in
        (
          UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 0, as: UInt64.self)),
          UInt64(bigEndian: bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self))
        )
      }
      let isMapped = high == 0 && low >> 32 == 0xFFFF
      let address: IPAddress =
        isMapped
        ? .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: low)))
        : .v6(IPv6Address(high: high, low: low))
      return PeerEndpoint(address: address, port: UInt16(bigEndian: name.sin6_port))
    default: return nil
    }
  }

  private static func call<Name, Result>(
    _ name: inout Name, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Result
  ) -> Result {
    withUnsafePointer(to: &name) { name in
      name.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        body($0, socklen_t(MemoryLayout<Name>.size))
      }
    }
  }
}
