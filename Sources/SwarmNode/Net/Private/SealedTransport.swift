import CUV
import Glibc
import Metainfo
import Store
import Wire

/// A private connection below the core: its handshake, and then both directions of frames. What the core says before
/// the handshake is done waits in the connection's `SendQueue`. docs/private.md.
final class SealedTransport {
  private enum State {
    /// We wait for the answer.
    case dialing(PrivateInitiator)
    case open
  }

  private var state: State
  private var session: PrivateSession?
  /// Bytes of the first message's padding that have not come.
  private var paddingLeft = 0

  // What came of a frame that is not whole: at most 19 bytes of its head, or what there is of its body.
  private var partial = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var partialCount = 0

  // What is sealed and has not left.
  private var sealed = UnsafeMutableRawBufferPointer(start: nil, count: 0)
  private var sealedRange = 0..<0
  /// For each frame in there: where it ends, and how many bytes of content it has.
  private var frames: [(end: Int, content: Int)] = []

  /// The side that dialed.
  init(_ initiator: PrivateInitiator) {
    state = .dialing(initiator)
    queue(initiator.hello)
  }

  /// The side that was dialed: its answer, and how much of the first message is to come.
  init(_ session: PrivateSession, answer: [UInt8], paddingLeft: Int) {
    state = .open
    self.session = session
    self.paddingLeft = paddingLeft
    queue(answer)
  }

  deinit {
    partial.deallocate()
    sealed.deallocate()
  }

  /// Whether the other side has proven what it is.
  var isOpen: Bool { session != nil }

  // MARK: Receiving

  /// Where the next bytes go: what is missing of a body that has begun goes behind its beginning, and all else into
  /// `room`, of which the first `reserved` bytes are for that body when it is whole, or the beginning of a head.
  struct Destination {
    let reserved: Int
    /// What is missing of a body; empty where none has begun.
    let rest: UnsafeMutableRawBufferPointer
  }

  /// Where the next bytes go, see `Destination`. A beginning of a head is copied into `room`.
  func destination(in room: UnsafeMutableRawBufferPointer) -> Destination {
    let none = UnsafeMutableRawBufferPointer(start: nil, count: 0)
    guard partialCount > 0 else { return Destination(reserved: 0, rest: none) }
    if case .body(let count)? = session?.receiver.demand {
      return Destination(
        reserved: count,
        rest: UnsafeMutableRawBufferPointer(rebasing: partial[partialCount..<count]))
    }
    room.copyMemory(from: UnsafeRawBufferPointer(rebasing: partial[..<partialCount]))
    return Destination(reserved: partialCount, rest: none)
  }

  /// So many bytes came to where `destination` said.
  ///
  /// - Parameter give: called with each range of `room` in which content is, opened.
  func received(
    _ count: Int, to destination: Destination, in room: UnsafeMutableRawBufferPointer,
    give: (Range<Int>) -> Void
  ) throws(PrivateError) {
    let ofRest = min(count, destination.rest.count)
    var end = destination.reserved + count - ofRest
    if !destination.rest.isEmpty {
      partialCount += ofRest
      if ofRest < destination.rest.count { return }
      room.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: partial[..<destination.reserved]))
    }
    partialCount = 0
    var start = 0
    if case .dialing = state { try takeAnswer(&start, &end, room) }
    let padding = min(paddingLeft, end - start)
    paddingLeft -= padding
    start += padding
    try open(start, end, room, give)
  }

  private func takeAnswer(
    _ start: inout Int, _ end: inout Int, _ room: UnsafeMutableRawBufferPointer
  ) throws(PrivateError) {
    guard case .dialing(var initiator) = state else { return }
    let longest = PrivateLimits.answerBytes + PrivateLimits.paddingBytes
    let bytes = Array(room[..<min(end, longest)])
    session = try initiator.receive(bytes, at: &start)
    state = session == nil ? .dialing(initiator) : .open
    // The stranger that the other side still is to us gets no memory.
    if session == nil { end = start }
  }

  private func open(
    _ start: Int, _ end: Int, _ room: UnsafeMutableRawBufferPointer, _ give: (Range<Int>) -> Void
  ) throws(PrivateError) {
    guard session != nil else { return }
    var start = start
    while let demand = session?.receiver.demand {
      let count =
        switch demand {
        case .head: PrivateLimits.frameHeadBytes
        case .body(let count): count
        }
      guard end - start >= count else {
        keep(UnsafeRawBufferPointer(rebasing: room[start..<end]), of: count)
        return
      }
      let part = UnsafeMutableRawBufferPointer(rebasing: room[start..<(start + count)])
      switch demand {
      case .head: try session?.receiver.readHead(part)
      case .body:
        guard let ticket = try session?.receiver.bodyTicket() else { return }
        try ticket.open(part)
        if ticket.contentByteCount > 0 { give(start..<(start + ticket.contentByteCount)) }
      }
      start += count
    }
  }

  private func keep(_ bytes: UnsafeRawBufferPointer, of count: Int) {
    if partial.count < count {
      partial.deallocate()
      partial = .allocate(byteCount: count, alignment: 16)
    }
    partial.copyMemory(from: bytes)
    partialCount = bytes.count
  }

  // MARK: Sending

  /// Seals what is queued and sends it, until the socket is full, all is gone, or about `budget` bytes are out.
  ///
  /// - Returns: how many bytes of what was queued have left.
  func send(
    _ output: inout SendQueue, on socket: Int32, budget: Int
  ) -> (byteCount: Int, end: SendQueue.End) {
    var done = 0
    var left = 0
    while done < budget {
      if sealedRange.isEmpty {
        guard seal(&output) else { return (left, .empty) }
      }
      let bytes = UnsafeRawBufferPointer(rebasing: sealed[sealedRange])
      let count = Glibc.send(socket, bytes.baseAddress, bytes.count, Int32(MSG_NOSIGNAL))
      if count < 0 {
        if errno == EINTR { continue }
        return (left, errno == EAGAIN ? .blocked : .failed(errno))
      }
      done += count
      left += drop(count)
      if count < bytes.count { return (left, .blocked) }
    }
    return (left, .budget)
  }

  /// Fills the buffer; false where there is nothing to send, or may not be yet.
  private func seal(_ output: inout SendQueue) -> Bool {
    guard session != nil, !output.isEmpty else {
      // Most connections are idle most of the time.
      sealed.deallocate()
      sealed = UnsafeMutableRawBufferPointer(start: nil, count: 0)
      return false
    }
    let overhead = PrivateLimits.frameHeadBytes + NoiseLimits.tagBytes
    reserve(
      min(
        NetLimits.sealedAtOnce,
        output.byteCount + overhead * (2 + output.byteCount / blockLength)))
    // Who has little to say wants it there soon: no frame waits for a second block.
    let isBulk = output.byteCount >= NetLimits.bulkBytes
    while !output.isEmpty {
      let content = output.run(upTo: PrivateLimits.frameBytes, blocks: isBulk ? .max : 1)
      guard sealed.count - sealedRange.upperBound >= content + overhead,
        let ticket = try? session?.sender.ticket(contentByteCount: content)
      else { break }
      let start = sealedRange.upperBound
      let frame = UnsafeMutableRawBufferPointer(
        rebasing: sealed[start..<(start + ticket.byteCount)])
      output.take(
        into: UnsafeMutableRawBufferPointer(
          rebasing: frame[PrivateSealTicket.contentOffset...].prefix(content)))
      ticket.seal(frame)
      sealedRange = sealedRange.lowerBound..<(start + ticket.byteCount)
      frames.append((sealedRange.upperBound, content))
    }
    return !sealedRange.isEmpty
  }

  /// The system took so many bytes. How much content that ends.
  private func drop(_ count: Int) -> Int {
    sealedRange = (sealedRange.lowerBound + count)..<sealedRange.upperBound
    var content = 0
    var gone = 0
    while gone < frames.count, frames[gone].end <= sealedRange.lowerBound {
      content += frames[gone].content
      gone += 1
    }
    frames.removeFirst(gone)
    if sealedRange.isEmpty { sealedRange = 0..<0 }
    return content
  }

  /// What goes out as it is, before all frames.
  private func queue(_ bytes: [UInt8]) {
    reserve(bytes.count)
    sealed.copyBytes(from: bytes)
    sealedRange = 0..<bytes.count
  }

  /// Makes room in the buffer, which is empty.
  private func reserve(_ count: Int) {
    guard sealed.count < count else { return }
    sealed.deallocate()
    sealed = .allocate(byteCount: count, alignment: 64)
  }
}
