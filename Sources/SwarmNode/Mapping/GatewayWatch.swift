import CUV
import Discovery
import Glibc
import Metainfo
import Wire

/// Finds the routers of this host, and tells when they or its address towards them change.
final class GatewayWatch {
  private let onChange: ([Gateway]) -> Void
  private var last: [Gateway]?
  private var socket: Int32 = -1
  private var poll: SocketPoll?
  private var timer: DeadlineTimer?

  /// Calls `onChange` on the loop, soon and at each change until `close`.
  init(on loop: EventLoop, onChange: @escaping ([Gateway]) -> Void) {
    self.onChange = onChange
    let timer = DeadlineTimer(on: loop) { [unowned self] in look() }
    self.timer = timer
    timer.set(milliseconds: 0)
    socket = Self.openNetlink()
    if socket >= 0 {
      poll = SocketPoll(on: loop, socket: socket) { [unowned self] _ in drain() }
      poll?.watch(.readable)
    }
  }

  func close() {
    poll?.close()
    poll = nil
    timer?.close()
    timer = nil
    if socket >= 0 { Glibc.close(socket) }
    socket = -1
  }

  private func look() {
    let found = Self.gateways()
    guard found != last else { return }
    last = found
    onChange(found)
  }

  /// What changed does not matter: all is read again when it has settled.
  private func drain() {
    var buffer = [UInt8](repeating: 0, count: 8_192)
    while recv(socket, &buffer, buffer.count, 0) > 0 {}
    timer?.set(milliseconds: MappingDriverLimits.settleMilliseconds)
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

  /// A socket that the kernel tells of links, addresses and routes; -1 where it does not.
  private static func openNetlink() -> Int32 {
    let kind = SOCK_RAW.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    let socket = Glibc.socket(AF_NETLINK, Int32(kind), 0)
    guard socket >= 0 else { return -1 }
    // struct sockaddr_nl of linux/netlink.h: family, padding, port, groups. RTMGRP_LINK,
    // RTMGRP_IPV4_IFADDR, RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_IFADDR, RTMGRP_IPV6_ROUTE.
    var name: (UInt16, UInt16, UInt32, UInt32) = (
      UInt16(AF_NETLINK), 0, 0, 0x1 | 0x10 | 0x40 | 0x100 | 0x400
    )
    let length = socklen_t(MemoryLayout.size(ofValue: name))
    let status = withUnsafePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { bind(socket, $0, length) }
    }
    if status == 0 { return socket }
    Glibc.close(socket)
    return -1
  }
}
