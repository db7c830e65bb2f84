import Glibc

/// Two ends of a connection in this process, non-blocking.
final class SocketPair {
  let near: Int32
  let far: Int32

  /// `bufferBytes`: about how much one end takes before the other reads.
  init(bufferBytes: Int32? = nil) {
    var ends: [Int32] = [0, 0]
    let made = socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends)
    precondition(made == 0)
    (near, far) = (ends[0], ends[1])
    if var bufferBytes {
      for end in ends {
        setsockopt(end, SOL_SOCKET, SO_SNDBUF, &bufferBytes, socklen_t(MemoryLayout<Int32>.size))
      }
    }
  }

  deinit { for end in [near, far] where !given.contains(end) { close(end) } }

  private var given: Set<Int32> = []

  /// The end is somebody else's to close.
  func give(_ end: Int32) -> Int32 {
    given.insert(end)
    return end
  }

  /// What can be read at `end`, at most `count` bytes; nil at the peer's end.
  static func read(_ end: Int32, upTo count: Int = 1 << 16) -> [UInt8]? {
    var isEnd = false
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { room, filled in
      let result = recv(end, room.baseAddress, count, 0)
      isEnd = result == 0
      filled = max(0, result)
    }
    return isEnd ? nil : bytes
  }

  /// Writes what the end takes of the bytes; returns how many.
  static func write(_ end: Int32, _ bytes: ArraySlice<UInt8>) -> Int {
    bytes.withUnsafeBytes { max(0, send(end, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))) }
  }
}
