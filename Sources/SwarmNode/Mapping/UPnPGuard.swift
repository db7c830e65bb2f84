import CUV
import Glibc
import Metainfo
import Wire

/// Watches over libminiupnpc, which reads what a router sends for as long as it sends: a connection
/// to the router that brought too much, or is open for too long, is cut from outside.
///
/// Its descriptors are not ours, so they are found by whom they are connected to. Only the loop
/// makes connections to peers, and it stands still meanwhile; one of them that leads to the router
/// itself is no loss.
final class UPnPGuard {
  private let router: IPAddress
  private let end: UInt64
  private var timer: DeadlineTimer?
  /// Whether something was cut.
  private(set) var hasCut = false

  init(on loop: EventLoop, router: IPAddress) {
    self.router = router
    end = uv_hrtime() + MappingDriverLimits.upnpTime
    timer = DeadlineTimer(on: loop) { [unowned self] in look() }
    timer?.set(milliseconds: MappingDriverLimits.guardInterval)
  }

  func close() {
    timer?.close()
    timer = nil
  }

  private func look() {
    let isLate = uv_hrtime() >= end
    for socket in Self.descriptors() {
      let peer = SocketAddress.filled { getpeername(socket, $0, $1) }.endpoint
      guard peer?.address == router, let count = Self.bytesReceived(by: socket) else { continue }
      if isLate || count > MappingDriverLimits.httpBytes {
        shutdown(socket, Int32(SHUT_RDWR))
        hasCut = true
      }
    }
    timer?.set(milliseconds: MappingDriverLimits.guardInterval)
  }

  /// The open descriptors of the process, as far as the system lists them.
  private static func descriptors() -> [Int32] {
    guard let folder = opendir("/proc/self/fd") else { return [] }
    defer { closedir(folder) }
    var found: [Int32] = []
    while let entry = readdir(folder) {
      let number = withUnsafePointer(to: &entry.pointee.d_name) {
        $0.withMemoryRebound(to: CChar.self, capacity: 256) { Int32(String(cString: $0)) }
      }
      if let number { found.append(number) }
    }
    return found
  }

  /// Bytes that came on a TCP connection; nil for another kind of socket.
  private static func bytesReceived(by socket: Int32) -> UInt64? {
    // tcpi_bytes_received in struct tcp_info of linux/tcp.h, since Linux 4.1.
    let offset = 128
    var info = [UInt8](repeating: 0, count: offset + 8)
    var length = socklen_t(info.count)
    guard getsockopt(socket, Int32(IPPROTO_TCP), TCP_INFO, &info, &length) == 0 else { return nil }
    guard Int(length) == info.count else { return 0 }
    return info.withUnsafeBytes { $0.loadUnaligned(fromByteOffset: offset, as: UInt64.self) }
  }
}
