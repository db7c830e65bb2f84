import CUV
import Glibc
import Metainfo
import Wire

/// What is to go out on one connection, in order. Heads and other messages are copied into text of
/// its own; blocks stay where they are until they were sent.
struct SendQueue: ~Copyable {
  /// Why sending stopped.
  enum End: Equatable {
    /// All is gone.
    case empty
    /// The socket takes no more for now.
    case blocked
    /// Others have their turn.
    case budget
    /// The connection is broken.
    case failed(Int32)
  }

  /// Text, and a block behind it. Invariant: only the last one may be without a block.
  private struct Segment {
    var textCount: Int
    var block: UnsafeRawBufferPointer
  }

  private var segments: [Segment] = []
  /// Segments before are gone.
  private var first = 0
  private var text = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  /// What is queued of the text, from the first segment's on.
  private var textRange = 0..<0
  /// Bytes to go out.
  private(set) var byteCount = 0
  /// How many packets are still sent small on purpose.
  private var smallPackets: Int
  /// Whether anything went out.
  private var hasBegun = false

  /// An empty queue, whose first messages go out in so many packets: see `NetLimits.smallPackets`.
  init(smallPackets: Int = 0) { self.smallPackets = smallPackets }

  deinit { text.deallocate() }

  /// Whether all is gone.
  var isEmpty: Bool { byteCount == 0 }

  /// Queues a copy of these bytes.
  mutating func append(_ bytes: UnsafeRawBufferPointer) {
    guard !bytes.isEmpty else { return }
    reserveText(bytes.count)
    UnsafeMutableRawBufferPointer(rebasing: text[textRange.upperBound...]).copyMemory(from: bytes)
    textRange = textRange.lowerBound..<(textRange.upperBound + bytes.count)
    byteCount += bytes.count
    if first < segments.count, segments[segments.count - 1].block.isEmpty {
      segments[segments.count - 1].textCount += bytes.count
    } else {
      append(Segment(textCount: bytes.count, block: .init(start: nil, count: 0)))
    }
  }

  /// Queues a `piece` message: its head, the block, which must stay where it is until it was sent,
  /// and so many zeros. BEP 3.
  mutating func append(
    _ request: BlockRequest, _ block: UnsafeRawBufferPointer, zeros: Int = 0
  ) {
    let kind: UInt8 = 7
    let length = UInt32(9 + block.count + zeros)
    withUnsafeTemporaryAllocation(byteCount: 13, alignment: 4) { head in
      head.storeBytes(of: length.bigEndian, toByteOffset: 0, as: UInt32.self)
      head[4] = kind
      head.storeBytes(of: request.piece.bigEndian, toByteOffset: 5, as: UInt32.self)
      head.storeBytes(of: request.begin.bigEndian, toByteOffset: 9, as: UInt32.self)
      append(UnsafeRawBufferPointer(head))
    }
    byteCount += block.count
    segments[segments.count - 1].block = block
    guard zeros > 0 else { return }
    [UInt8](repeating: 0, count: zeros).withUnsafeBytes { append($0) }
  }

  /// Sends until the socket is full, all is gone, or about `budget` bytes are out.
  mutating func send(on socket: Int32, budget: Int) -> (byteCount: Int, end: End) {
    var done = 0
    while !isEmpty {
      if done >= budget { return (done, .budget) }
      let (offered, count) =
        smallPackets > 0 ? sendSmall(on: socket) : gatherAndSend(on: socket)
      if count < 0 {
        if errno == EINTR { continue }
        return (done, errno == EAGAIN ? .blocked : .failed(errno))
      }
      done += count
      drop(count)
      if count < offered { return (done, .blocked) }
    }
    return (done, .empty)
  }

  /// How many bytes there are up to the end of a block, at most `limit`, and no more than so many blocks; `limit`
  /// where the first block ends behind it, and all where no block comes.
  func run(upTo limit: Int, blocks: Int) -> Int {
    var count = 0
    var left = blocks
    for segment in segments[first...] {
      let next = count + segment.textCount + segment.block.count
      if next > limit { return count > 0 ? count : limit }
      count = next
      if !segment.block.isEmpty { left -= 1 }
      if left == 0 { break }
    }
    return count
  }

  /// Takes as many bytes out of the queue as `room` has, which are there.
  mutating func take(into room: UnsafeMutableRawBufferPointer) {
    var filled = 0
    var position = textRange.lowerBound
    func add(_ bytes: UnsafeRawBufferPointer) {
      let count = min(bytes.count, room.count - filled)
      UnsafeMutableRawBufferPointer(rebasing: room[filled...]).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: bytes[..<count]))
      filled += count
    }
    for segment in segments[first...] where filled < room.count {
      add(UnsafeRawBufferPointer(rebasing: text[position..<(position + segment.textCount)]))
      add(segment.block)
      position += segment.textCount
    }
    precondition(filled == room.count, "not so many bytes are queued")
    drop(filled)
  }

  /// Copies what is queued, so that no block is needed any more.
  mutating func detach() {
    var copy = SendQueue()
    var position = textRange.lowerBound
    for segment in segments[first...] {
      copy.append(UnsafeRawBufferPointer(rebasing: text[position..<(position + segment.textCount)]))
      copy.append(segment.block)
      position += segment.textCount
    }
    self = copy
  }

  /// Forgets what is queued.
  mutating func removeAll() { self = SendQueue() }

  private func gatherAndSend(on socket: Int32) -> (offered: Int, sent: Int) {
    withUnsafeTemporaryAllocation(of: iovec.self, capacity: NetLimits.sendParts) { parts in
      var count = 0
      var offered = 0
      var position = textRange.lowerBound
      func add(_ bytes: UnsafeRawBufferPointer) {
        guard !bytes.isEmpty else { return }
        parts[count] = iovec(
          iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress), iov_len: bytes.count)
        count += 1
        offered += bytes.count
      }
      for segment in segments[first...] {
        if count + 2 > NetLimits.sendParts { break }
        add(UnsafeRawBufferPointer(rebasing: text[position..<(position + segment.textCount)]))
        add(segment.block)
        position += segment.textCount
      }
      var message = msghdr()
      message.msg_iov = parts.baseAddress
      message.msg_iovlen = numericCast(count)
      return (offered, sendmsg(socket, &message, Int32(MSG_NOSIGNAL)))
    }
  }

  /// Sends one of the first messages' packets. Once a block comes, or more than a few messages, all goes
  /// out as it is.
  private mutating func sendSmall(on socket: Int32) -> (offered: Int, sent: Int) {
    guard segments[first].block.isEmpty, byteCount <= NetLimits.smallPacketBytes else {
      smallPackets = 0
      return gatherAndSend(on: socket)
    }
    let share = (byteCount + smallPackets - 1) / smallPackets
    // Not all who read a handshake expect one in parts.
    let least = hasBegun ? NetLimits.leastSmallPacket : Handshake.byteCount
    let offered = min(byteCount, max(share, least))
    let start = textRange.lowerBound
    let part = UnsafeRawBufferPointer(rebasing: text[start..<(start + offered)])
    // The end of a record keeps the system from joining it with the next.
    let flags = Int32(MSG_NOSIGNAL) | Int32(MSG_EOR)
    let sent = Glibc.send(socket, part.baseAddress, part.count, flags)
    if sent > 0 { (smallPackets, hasBegun) = (smallPackets - 1, true) }
    return (offered, sent)
  }

  private mutating func drop(_ count: Int) {
    byteCount -= count
    var rest = count
    while rest > 0 {
      let ofText = min(rest, segments[first].textCount)
      segments[first].textCount -= ofText
      textRange = (textRange.lowerBound + ofText)..<textRange.upperBound
      rest -= ofText
      let block = segments[first].block
      let ofBlock = min(rest, block.count)
      segments[first].block = UnsafeRawBufferPointer(rebasing: block[ofBlock...])
      rest -= ofBlock
      if segments[first].textCount == 0, ofBlock == block.count { first += 1 }
    }
    if first == segments.count {
      segments.removeAll(keepingCapacity: true)
      first = 0
      textRange = 0..<0
    }
  }

  private mutating func append(_ segment: Segment) {
    // The gone ones are thrown out when they are as many as the others: constant time a segment.
    if first > 0, segments.count == segments.capacity, 2 * first >= segments.count {
      segments.removeSubrange(..<first)
      first = 0
    }
    segments.append(segment)
  }

  private mutating func reserveText(_ count: Int) {
    guard text.count - textRange.upperBound < count else { return }
    let live = UnsafeRawBufferPointer(rebasing: text[textRange])
    if textRange.count + count <= text.count / 2 {
      text.copyMemory(from: live)
    } else {
      let larger = UnsafeMutableRawBufferPointer.allocate(
        byteCount: max(1_024, 2 * (textRange.count + count)), alignment: 16)
      larger.copyMemory(from: live)
      text.deallocate()
      text = larger
    }
    textRange = 0..<textRange.count
  }
}
