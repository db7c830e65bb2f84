import Discovery
import Glibc
import Metainfo
import Wire

/// By which addresses this machine can be dialed on a connection, where that is sure. docs/private.md, "Replays",
/// rule 4.
struct DialedPlaces {
  private var networks: [NetworkInterface.Address] = []
  private var routers: Set<IPAddress> = []
  private var read: Duration?

  /// The addresses of the connection's own end; nil where a router may stand between, and have changed them.
  mutating func places(of socket: Int32, to peer: PeerEndpoint, now: Duration) -> PeerEndpoint? {
    guard let own = Sockets.localEndpoint(of: socket) else { return nil }
    if own.address.isOfTheInternet { return own }
    // Nothing stands between two programs of this machine.
    if own.address.isLoopback || own.address == peer.address { return own }
    if read.map({ $0 + .seconds(5) <= now }) ?? true {
      read = now
      networks = NetworkInterfaces.list().flatMap(\.addresses)
      routers = Set(GatewayWatch.gateways().map(\.address))
    }
    // What a router passes on to its own network may seem to be its own.
    guard !routers.contains(peer.address),
      networks.contains(where: { $0.address == own.address && $0.covers(peer.address) })
    else { return nil }
    return own
  }
}

extension IPAddress {
  /// Whether it is one of the internet, by which no other machine than this can be dialed: not of a network of its
  /// own (RFC 1918, 3927, 6598; 4193, link-local), nor this machine alone.
  fileprivate var isOfTheInternet: Bool {
    switch self {
    case .v4(let address):
      let bits = address.rawValue
      return bits >> 24 != 0 && bits >> 24 != 127 && bits >> 24 != 10 && bits >> 20 != 0xac1
        && bits >> 16 != 0xc0a8 && bits >> 22 != 0x191 && bits >> 16 != 0xa9fe && bits >> 29 != 7
    // 2000::/3 is all that was given out.
    case .v6(let address): return address.high >> 61 == 1
    }
  }
}
