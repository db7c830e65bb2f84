import Glibc
import Metainfo
import Store
import Swarm
import Wire

extension Receiver {
  /// As `read`, of a private connection: what comes is opened where it lies, in the slab, and the core gets the
  /// content of each frame by itself. A frame that is not whole yet is kept by the transport.
  mutating func read<Sink: InputSink & ~Copyable>(
    sealed transport: SealedTransport, from socket: Int32, of connection: ConnectionID,
    budget: Int, into sink: inout Sink, now: Duration
  ) -> (byteCount: Int, end: ReadEnd) {
    var done = 0
    while done < budget {
      guard sink.wantsInput(connection) else { return (done, .unwanted) }
      let least = NetLimits.leastRead + NoiseLimits.messageBytes
      guard let room = slabs.room(least: least) else { return (done, .noRoom) }
      let destination = transport.destination(in: room.memory)
      let behind = UnsafeMutableRawBufferPointer(
        rebasing: room.memory[destination.reserved...])
      let count = Self.scatter(socket, destination.rest, behind)
      if count == 0 { return (done, .ended) }
      if count < 0 {
        if errno == EINTR { continue }
        return (done, errno == EAGAIN ? .drained : .failed(errno))
      }
      done += count
      var kept = 0
      var keptBytes = 0
      var failure: PrivateError?
      do throws(PrivateError) {
        try transport.received(count, to: destination, in: room.memory) { range in
          let (handles, end) = give(range, of: room, connection, &sink, now)
          kept += handles
          if handles > 0 { keptBytes = end }
        }
      } catch { failure = error }
      slabs.keep(kept, byteCount: keptBytes)
      if let failure { return (done, .unsealed(failure)) }
      if count < destination.rest.count + behind.count { return (done, .drained) }
    }
    return (done, .budget)
  }

  /// Bytes that were read before, of a connection that is not sealed. False when there is no slab for them.
  mutating func give<Sink: InputSink & ~Copyable>(
    _ bytes: [UInt8], of connection: ConnectionID, to sink: inout Sink, now: Duration
  ) -> Bool {
    guard let room = slabs.room(least: bytes.count) else { return false }
    room.memory.copyBytes(from: bytes)
    let (handles, end) = give(0..<bytes.count, of: room, connection, &sink, now)
    slabs.keep(handles, byteCount: end)
    return true
  }

  /// Gives content to the core that lies in the room, but for the rest of a block, which is copied to where its
  /// beginning is. How many handles the core keeps, and where the last byte is that it keeps.
  private func give<Sink: InputSink & ~Copyable>(
    _ range: Range<Int>, of room: ReceiveSlabs.Room, _ connection: ConnectionID,
    _ sink: inout Sink, _ now: Duration
  ) -> (handles: Int, end: Int) {
    let content = UnsafeRawBufferPointer(rebasing: room.memory[range])
    var continued = 0
    if let continuation = sink.continuation(of: connection) {
      continued = min(continuation.count, content.count)
      let begun = memory.memory(of: continuation.buffer)[continuation.offset...]
      UnsafeMutableRawBufferPointer(rebasing: begun).copyMemory(
        from: UnsafeRawBufferPointer(rebasing: content[..<continued]))
    }
    let chunk = UnsafeRawBufferPointer(rebasing: content[continued...])
    let start = range.lowerBound + continued
    let intake = sink.receive(
      connection, continued: continued, chunk: chunk.bytes,
      at: BufferHandle(room.base.rawValue + UInt64(start)),
      now: now)
    guard let tail = intake.tail else { return (intake.kept, range.upperBound) }
    memory.memory(of: tail.buffer).copyMemory(
      from: UnsafeRawBufferPointer(rebasing: chunk[tail.range]))
    return (intake.kept, start + tail.range.lowerBound)
  }

  private static func scatter(
    _ socket: Int32, _ rest: UnsafeMutableRawBufferPointer, _ room: UnsafeMutableRawBufferPointer
  ) -> Int {
    guard !rest.isEmpty else { return recv(socket, room.baseAddress, room.count, 0) }
    var parts = (
      iovec(iov_base: rest.baseAddress, iov_len: rest.count),
      iovec(iov_base: room.baseAddress, iov_len: room.count)
    )
    return withUnsafeMutablePointer(to: &parts) { parts in
      parts.withMemoryRebound(to: iovec.self, capacity: 2) { readv(socket, $0, 2) }
    }
  }
}
