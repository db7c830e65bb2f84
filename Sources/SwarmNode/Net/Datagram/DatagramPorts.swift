import CUV
import Glibc
import Metainfo
import Wire

/// Ports for datagrams, which are others than those for connections.
public enum DatagramPorts {
  /// Whether nobody has the port for datagrams now, at the addresses that are named; what cannot be
  /// tried counts as free.
  public static func areFree(at addresses: [ListenAddress]) -> Bool {
    addresses.allSatisfy { place in
      let family = place.address.ipFamily == .v4 ? AF_INET : AF_INET6
      let probe = socket(family, Int32(SOCK_DGRAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
      guard probe >= 0 else { return true }
      defer { close(probe) }
      if family == AF_INET6 {
        var isAlone: Int32 = 1
        let size = socklen_t(MemoryLayout<Int32>.size)
        setsockopt(probe, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &isAlone, size)
      }
      let endpoint = PeerEndpoint(address: place.address, port: place.port)
      let status = SocketAddress.with(endpoint) { bind(probe, $0, $1) }
      return status == 0 || errno != EADDRINUSE
    }
  }
}
