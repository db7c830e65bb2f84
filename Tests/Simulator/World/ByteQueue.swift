/// Bytes on their way: in at one end, out at the other.
struct ByteQueue {
  private var bytes: [UInt8] = []
  private var head = 0

  var count: Int { bytes.count - head }
  var isEmpty: Bool { count == 0 }

  mutating func append(_ more: UnsafeRawBufferPointer) { bytes.append(contentsOf: more) }

  mutating func append(_ more: [UInt8]) { bytes.append(contentsOf: more) }

  /// Takes up to `limit` bytes from the front.
  mutating func take(_ limit: Int) -> [UInt8] {
    let end = head + min(limit, count)
    let taken = Array(bytes[head..<end])
    drop(end - head)
    return taken
  }

  /// Takes as many bytes from the front as `room` has.
  mutating func take(into room: UnsafeMutableRawBufferPointer) {
    bytes.withUnsafeBytes { all in
      room.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: all[head..<(head + room.count)]))
    }
    drop(room.count)
  }

  mutating func removeAll() { (bytes, head) = ([], 0) }

  private mutating func drop(_ count: Int) {
    head += count
    if head == bytes.count {
      bytes.removeAll(keepingCapacity: head < 1 << 16)
      head = 0
    } else if head > 1 << 16, head > bytes.count / 2 {
      bytes.removeFirst(head)
      head = 0
    }
  }
}
