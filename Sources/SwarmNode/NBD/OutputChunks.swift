import CUV
import Glibc

/// What is to be sent on a local connection: small messages one behind the other, and data where it
/// was read to. Nothing is copied between a file and the socket but by the system.
struct OutputChunks: ~Copyable {
  /// Memory for messages and data of one read.
  private struct Chunk {
    let memory: UnsafeMutableRawBufferPointer
    /// What of it is to be sent.
    var range: Range<Int>
  }

  private var chunks: [Chunk] = []
  private var first = 0
  /// Memory to be used again.
  private var spare: [UnsafeMutableRawBufferPointer] = []

  deinit {
    for chunk in chunks[first...] { chunk.memory.deallocate() }
    for memory in spare { memory.deallocate() }
  }

  /// Whether all is gone.
  var isEmpty: Bool { first == chunks.count }

  /// Room for `count` bytes, which are sent after `commit` has said which of them.
  mutating func reserve(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if let last = chunks.last, first < chunks.count {
      let free = last.memory.count - last.range.upperBound
      if free >= count { return slice(last.memory, from: last.range.upperBound, count) }
    }
    let memory = take(count)
    chunks.append(Chunk(memory: memory, range: 0..<0))
    return slice(memory, from: 0, count)
  }

  /// The first `count` bytes of what was reserved last are to be sent.
  mutating func commit(_ count: Int) {
    let range = chunks[chunks.count - 1].range
    chunks[chunks.count - 1].range = range.lowerBound..<(range.upperBound + count)
  }

  /// Adds a copy.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard !bytes.isEmpty else { return }
    reserve(bytes.count).copyMemory(from: bytes)
    commit(bytes.count)
  }

  /// Sends until the socket is full or all is gone.
  ///
  /// - Returns: how many bytes went, and whether the connection still stands.
  mutating func send(on socket: Int32) -> (byteCount: Int, isAlive: Bool) {
    var done = 0
    while !isEmpty {
      let (offered, sent) = gatherAndSend(on: socket)
      if sent < 0 {
        if errno == EINTR { continue }
        return (done, errno == EAGAIN)
      }
      done += sent
      drop(sent)
      if sent < offered { break }
    }
    return (done, true)
  }

  private func gatherAndSend(on socket: Int32) -> (offered: Int, sent: Int) {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: NBDServerLimits.sendParts) { parts in
      var count = 0
      var offered = 0
      for chunk in chunks[first...].prefix(NBDServerLimits.sendParts) where !chunk.range.isEmpty {
        parts[count] = iovec(
          iov_base: chunk.memory.baseAddress?.advanced(by: chunk.range.lowerBound),
          iov_len: chunk.range.count)
        count += 1
        offered += chunk.range.count
      }
      var message = msghdr()
      message.msg_iov = parts.baseAddress
      message.msg_iovlen = numericCast(count)
      // Room that was not needed.
      if offered == 0 { return (0, 0) }
      return (offered, sendmsg(socket, &message, Int32(MSG_NOSIGNAL)))
    }
  }

  private mutating func drop(_ count: Int) {
    var rest = count
    while first < chunks.count {
      let range = chunks[first].range
      let gone = min(rest, range.count)
      rest -= gone
      chunks[first].range = (range.lowerBound + gone)..<range.upperBound
      guard chunks[first].range.isEmpty else { return }
      give(chunks[first].memory)
      first += 1
    }
    chunks.removeAll(keepingCapacity: true)
    first = 0
  }

  private mutating func take(_ count: Int) -> UnsafeMutableRawBufferPointer {
    if let last = spare.last, last.count >= count {
      spare.removeLast()
      return last
    }
    return .allocate(byteCount: max(count, NBDServerLimits.chunkBytes), alignment: 64)
  }

  private mutating func give(_ memory: UnsafeMutableRawBufferPointer) {
    let isUseful =
      memory.count <= NBDServerLimits.spareBytes && spare.count < NBDServerLimits.spareChunks
    if isUseful {
      // The larger ones last, where they are looked for.
      let place = spare.firstIndex { $0.count > memory.count } ?? spare.count
      spare.insert(memory, at: place)
    } else {
      memory.deallocate()
    }
  }

  private func slice(
    _ memory: UnsafeMutableRawBufferPointer, from start: Int, _ count: Int
  ) -> UnsafeMutableRawBufferPointer {
    UnsafeMutableRawBufferPointer(rebasing: memory[start..<(start + count)])
  }
}
