import CUV
import Glibc
import Metainfo
import Wire

/// TCP sockets as the node needs them.
enum Sockets {
  /// A listening socket, and where it really listens; the error is `errno`.
  static func listen(on wanted: PeerEndpoint) -> Result<(Int32, PeerEndpoint), ErrorNumber> {
    let made = make(for: wanted.address)
    guard made >= 0 else { return .failure(.last) }
    // A restart shall not wait for the old connections' last packets.
    set(made, SOL_SOCKET, SO_REUSEADDR)
    if case .v6 = wanted.address { set(made, Int32(IPPROTO_IPV6), IPV6_V6ONLY) }
    guard SocketAddress.with(wanted, { bind(made, $0, $1) }) == 0,
      Glibc.listen(made, NetLimits.backlog) == 0,
      let real = SocketAddress.filled(by: { getsockname(made, $0, $1) }).endpoint
    else {
      let error = ErrorNumber.last
      close(made)
      return .failure(error)
    }
    return .success((made, real))
  }

  /// A socket on its way to `peer`: non-blocking, ready when it can be written to.
  /// `scope` is the interface of a link-local address.
  static func connect(
    to peer: PeerEndpoint, scope: UInt32 = 0
  ) -> Result<Int32, ErrorNumber> {
    let made = make(for: peer.address)
    guard made >= 0 else { return .failure(.last) }
    prepare(made)
    guard
      SocketAddress.with(peer, scope: scope, { Glibc.connect(made, $0, $1) }) == 0
        || errno == EINPROGRESS
    else {
      let error = ErrorNumber.last
      close(made)
      return .failure(error)
    }
    return .success(made)
  }

  /// The next connection that waits at a listening socket, and who it is; the error is `errno`.
  static func accept(at listener: Int32) -> Result<(Int32, PeerEndpoint?), ErrorNumber> {
    let (accepted, peer) = SocketAddress.filled { Glibc.accept(listener, $0, $1) }
    guard accepted >= 0 else { return .failure(.last) }
    _ = fcntl(accepted, F_SETFD, FD_CLOEXEC)
    _ = fcntl(accepted, F_SETFL, O_NONBLOCK)
    prepare(accepted)
    return .success((accepted, peer))
  }

  /// The interface over which a link-local peer is connected; 0 when the system does not say.
  static func scope(ofPeerAt socket: Int32) -> UInt32 {
    var name = sockaddr_in6()
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let status = withUnsafeMutablePointer(to: &name) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { getpeername(socket, $0, &length) }
    }
    return status == 0 && Int32(name.sin6_family) == AF_INET6 ? name.sin6_scope_id : 0
  }

  /// Where our end of a connection is; nil when the system does not say.
  static func localEndpoint(of socket: Int32) -> PeerEndpoint? {
    SocketAddress.filled { getsockname(socket, $0, $1) }.endpoint
  }

  /// What is wrong with the socket, and that once; 0 for nothing.
  static func error(of socket: Int32) -> ErrorNumber {
    var number: Int32 = 0
    var length = socklen_t(MemoryLayout<Int32>.size)
    guard getsockopt(socket, SOL_SOCKET, SO_ERROR, &number, &length) == 0 else { return .last }
    return ErrorNumber(rawValue: number)
  }

  private static func make(for address: IPAddress) -> Int32 {
    let kind = SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue
    let made = socket(SocketAddress.family(address), Int32(kind), Int32(IPPROTO_TCP))
    if made >= 0 { avoidPacing(made) }
    return made
  }

  /// Takes another congestion control where the system's is BBR, for this socket and those that it
  /// accepts. BBR spreads what it sends by the rate that it has measured, and who asks for one block at a
  /// time never lets it see a rate: each block then takes a third of the way there and back longer.
  private static func avoidPacing(_ socket: Int32) {
    let level = Int32(IPPROTO_TCP)
    var name = [UInt8](repeating: 0, count: 16)
    var length = socklen_t(name.count)
    guard getsockopt(socket, level, TCP_CONGESTION, &name, &length) == 0,
      name.starts(with: "bbr".utf8)
    else { return }
    for other in NetLimits.unpacedControls {
      let status = setsockopt(socket, level, TCP_CONGESTION, other, socklen_t(other.utf8.count))
      if status == 0 { return }
    }
  }

  /// A request waits for nothing: it goes at once.
  private static func prepare(_ socket: Int32) { set(socket, Int32(IPPROTO_TCP), TCP_NODELAY) }

  private static func set(_ socket: Int32, _ level: Int32, _ option: Int32) {
    var one: Int32 = 1
    setsockopt(socket, level, option, &one, socklen_t(MemoryLayout<Int32>.size))
  }
}

/// The system's number for why something failed.
struct ErrorNumber: Error, Hashable, CustomStringConvertible {
  let rawValue: Int32

  /// `errno`.
  static var last: ErrorNumber { ErrorNumber(rawValue: errno) }

  /// The system's words.
  var description: String { String(cString: strerror(rawValue)) }
}
