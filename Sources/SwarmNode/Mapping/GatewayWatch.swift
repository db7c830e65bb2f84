import CUV
import Discovery
import Glibc
import Metainfo
import Wire

/// Finds the routers of this host, and tells when they or its address towards them change.
final class GatewayWatch {
  private let onChange: ([Gateway]) -> Void
  private var last: [Gateway]?
  private let network: NetworkWatch?
  private var listener: NetworkWatch.Listener?
  private var timer: DeadlineTimer?

  /// Calls `onChange` on the loop, soon and at each change that `network` tells of, until `close`.
  init(on loop: EventLoop, network: NetworkWatch?, onChange: @escaping ([Gateway]) -> Void) {
    self.network = network
    self.onChange = onChange
    let timer = DeadlineTimer(on: loop) { [unowned self] in look() }
    self.timer = timer
    timer.set(milliseconds: 0)
    listener = network?.listen { [unowned self] in look() }
  }

  func close() {
    if let listener { network?.stop(listener) }
    listener = nil
    timer?.close()
    timer = nil
  }

  private func look() {
    let found = Self.gateways()
    guard found != last else { return }
    last = found
    onChange(found)
  }

  /// The routers now: one a family at most.
  static func gateways() -> [Gateway] {
    let routes = [
      RouteTable.best4(in: read("/proc/net/route")),
      RouteTable.best6(in: read("/proc/net/ipv6_route")),
    ]
    return routes.compactMap { route in
      guard let route else { return nil }
      let interface = if_nametoindex(route.interface)
      guard interface != 0, let local = localAddress(towards: route.gateway) else { return nil }
      return Gateway(address: route.gateway, local: local, interface: interface)
    }
  }

  /// The address that datagrams out have as source. An IPv6 router's own is link-local mostly, and
  /// what it should map is not: so any global address stands for the outside (RFC 4291, 2.5.4).
  private static func localAddress(towards gateway: IPAddress) -> IPAddress? {
    let outside: IPAddress =
      if case .v4 = gateway { gateway } else { .v6(IPv6Address(high: 0x2000 << 48, low: 1)) }
    let probe = Glibc.socket(
      SocketAddress.family(outside), Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard probe >= 0 else { return nil }
    defer { Glibc.close(probe) }
    let endpoint = PeerEndpoint(address: outside, port: PCPRequest.serverPort)
    guard SocketAddress.with(endpoint, { connect(probe, $0, $1) }) == 0,
      let local = SocketAddress.filled(by: { getsockname(probe, $0, $1) }).endpoint?.address
    else { return nil }
    if case .v6 = local, local.isPrivate { return nil }
    return local
  }

  private static func read(_ path: String) -> [UInt8] {
    let file = open(path, O_RDONLY | O_CLOEXEC)
    guard file >= 0 else { return [] }
    defer { Glibc.close(file) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16_384)
    while bytes.count < MappingDriverLimits.routeTableBytes {
      let count = Glibc.read(file, &chunk, chunk.count)
      if count <= 0 { break }
      bytes += chunk[..<count]
    }
    return bytes
  }
}
