import Glibc
import Metainfo
import Wire

/// Whether a peer takes connections.
enum PeerCheck {
  /// Why nobody can connect to it over TCP within `seconds` an address; nil where one can.
  static func fault(of peer: PeerAddress, seconds: Int) -> String? {
    var hints = addrinfo()
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    let (host, port) = parts(of: peer)
    let status = getaddrinfo(host, port, &hints, &found)
    guard status == 0 else { return String(cString: gai_strerror(status)) }
    defer { freeaddrinfo(found) }
    var fault: CInt = EHOSTUNREACH
    var place = found
    while let address = place {
      fault = connection(to: address.pointee, milliseconds: CInt(min(seconds, 3_600) * 1_000))
      if fault == 0 { return nil }
      place = address.pointee.ai_next
    }
    return String(cString: strerror(fault))
  }

  /// As the system's resolver takes them.
  private static func parts(of peer: PeerAddress) -> (host: String, port: String) {
    let text = peer.description
    let colon = text.lastIndex(of: ":") ?? text.endIndex
    let host = text[..<colon]
    let bare = host.first == "[" ? host.dropFirst().dropLast() : host
    return (String(bare), "\(peer.port)")
  }

  /// 0, or `errno`.
  private static func connection(to address: addrinfo, milliseconds: CInt) -> CInt {
    let type = CInt(SOCK_STREAM.rawValue) | CInt(SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(address.ai_family, type, 0)
    guard socket >= 0 else { return errno }
    defer { close(socket) }
    if connect(socket, address.ai_addr, address.ai_addrlen) == 0 { return 0 }
    guard errno == EINPROGRESS else { return errno }
    var wanted = pollfd(fd: socket, events: Int16(POLLOUT), revents: 0)
    var ready = poll(&wanted, 1, milliseconds)
    while ready < 0, errno == EINTR { ready = poll(&wanted, 1, milliseconds) }
    guard ready > 0 else { return ETIMEDOUT }
    var fault: CInt = 0
    var size = socklen_t(MemoryLayout<CInt>.size)
    guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &fault, &size) == 0 else { return errno }
    return fault
  }
}
