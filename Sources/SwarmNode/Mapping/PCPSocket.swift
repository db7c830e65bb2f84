import CUV
import Discovery
import Glibc
import Wire

/// A UDP socket for PCP: to one router, or for what routers announce to all.
final class PCPSocket {
  private let socket: Int32
  private var poll: SocketPoll?
  private let onDatagram: ([UInt8], PeerEndpoint) -> Void
  private let onRefused: () -> Void

  /// A socket that takes datagrams of `gateway`'s PCP port alone and sends from the address that it
  /// should map; nil when the system refuses. `onRefused` is called when the router has no such port.
  init?(
    on loop: EventLoop, to gateway: Gateway, onRefused: @escaping () -> Void,
    onDatagram: @escaping ([UInt8], PeerEndpoint) -> Void
  ) {
    self.onDatagram = onDatagram
    self.onRefused = onRefused
    socket = Self.open(SocketAddress.family(gateway.address))
    guard socket >= 0 else { return nil }
    let local = PeerEndpoint(address: gateway.local, port: 0)
    let remote = PeerEndpoint(address: gateway.address, port: PCPRequest.serverPort)
    guard SocketAddress.with(local, { bind(socket, $0, $1) }) == 0,
      Self.connect(socket, remote, interface: gateway.interface) == 0, listen(on: loop)
    else {
      Glibc.close(socket)
      return nil
    }
  }

  /// A socket for announcements in a family, beside those of other programs; nil when the system
  /// refuses. They go to 224.0.0.1 and ff02::1, of which every host is a member.
  init?(
    announcementsOf family: Int32, on loop: EventLoop,
    onDatagram: @escaping ([UInt8], PeerEndpoint) -> Void
  ) {
    self.onDatagram = onDatagram
    onRefused = {}
    socket = Self.open(family)
    guard socket >= 0 else { return nil }
    var one: Int32 = 1
    let size = socklen_t(MemoryLayout<Int32>.size)
    setsockopt(socket, SOL_SOCKET, SO_REUSEADDR, &one, size)
    if family == AF_INET6 { setsockopt(socket, Int32(IPPROTO_IPV6), IPV6_V6ONLY, &one, size) }
    let zeros = [UInt8](repeating: 0, count: family == AF_INET ? 4 : 16)
    guard let any = IPAddress(compact: zeros),
      SocketAddress.with(
        PeerEndpoint(address: any, port: PCPRequest.announcementPort), { bind(socket, $0, $1) })
        == 0, listen(on: loop)
    else {
      Glibc.close(socket)
      return nil
    }
  }

  /// Sends to the router. What is lost is sent again by the policy.
  func send(_ datagram: [UInt8]) {
    _ = datagram.withUnsafeBytes {
      Glibc.send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
    }
  }

  func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    Glibc.close(socket)
  }

  private func listen(on loop: EventLoop) -> Bool {
    poll = SocketPoll(on: loop, socket: socket) { [unowned self] _ in receive() }
    poll?.watch(.readable)
    return poll != nil
  }

  private func receive() {
    // One byte more than any message has: what fills it is too long, and refused for that.
    var buffer = [UInt8](repeating: 0, count: WireLimits.pcpBytes + 1)
    for _ in 0..<MappingDriverLimits.datagramsInARow where poll != nil {
      let (count, source) = SocketAddress.filled { name, length in
        Int32(truncatingIfNeeded: recvfrom(socket, &buffer, buffer.count, 0, name, length))
      }
      if count >= 0 {
        if let source { onDatagram(Array(buffer[..<Int(count)]), source) }
      } else if errno == ECONNREFUSED {
        onRefused()
      } else if errno != EINTR {
        break
      }
    }
    poll?.watch(.readable)
  }

  private static func open(_ family: Int32) -> Int32 {
    let kind = SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue | SOCK_NONBLOCK.rawValue
    return Glibc.socket(family, Int32(kind), 0)
  }

  /// A link-local address means a machine only together with the interface.
  private static func connect(
    _ socket: Int32, _ endpoint: PeerEndpoint, interface: UInt32
  ) -> Int32 {
    SocketAddress.with(endpoint) { name, length in
      guard name.pointee.sa_family == AF_INET6 else { return Glibc.connect(socket, name, length) }
      var scoped = UnsafeRawPointer(name).loadUnaligned(as: sockaddr_in6.self)
      scoped.sin6_scope_id = interface
      return withUnsafePointer(to: &scoped) {
        $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { Glibc.connect(socket, $0, length) }
      }
    }
  }
}
