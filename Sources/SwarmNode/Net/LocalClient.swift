import CGuard
import CUV
import Glibc
import Metainfo

/// Asks who listens at a path, and waits for the answer: for programs with nothing else to do.
public enum LocalClient {
  /// Sends a request, and gives all that comes until the other side ends the connection. An answer of
  /// more than `limit` bytes is an error (EFBIG), and so is one of which nothing comes for `patience`
  /// seconds (EAGAIN).
  public static func exchange(
    _ request: [UInt8], at path: [UInt8], limit: Int, patience: Int
  ) throws(SystemError) -> [UInt8] {
    let socket = path.withCPath { clocal_connect($0) }
    guard socket >= 0 else { throw SystemError("connect to", path) }
    defer { close(socket) }
    var wait = timeval(tv_sec: patience, tv_usec: 0)
    let size = socklen_t(MemoryLayout<timeval>.size)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &wait, size)
    setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &wait, size)
    var rest = request[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes {
        send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
      }
      if count < 0, errno == EINTR { continue }
      // Who refuses a request may answer before it has read all of it.
      if count <= 0 { break }
      rest = rest.dropFirst(count)
    }
    var received: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = chunk.withUnsafeMutableBytes { recv(socket, $0.baseAddress, $0.count, 0) }
      if count == 0 { return received }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { throw SystemError("read from", path) }
      received += chunk[..<count]
      if received.count > limit { throw SystemError("read from", path, EFBIG) }
    }
  }
}
