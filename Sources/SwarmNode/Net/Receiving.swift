import Glibc
import Metainfo
import Store
import Swarm
import Wire

/// Who takes bytes that came: the core, or a test.
protocol InputSink: ~Copyable {
  borrowing func wantsInput(_ connection: ConnectionID) -> Bool
  borrowing func continuation(of connection: ConnectionID) -> BlockContinuation?
  mutating func receive(
    _ connection: ConnectionID, continued: Int, chunk: RawSpan, at base: BufferHandle,
    now: Duration
  ) -> Intake
}

extension Swarm: InputSink {}

/// Why reading stopped.
enum ReadEnd: Equatable {
  /// There is nothing more for now.
  case drained
  /// Others have their turn.
  case budget
  /// The core does not want more.
  case unwanted
  /// All slabs hold blocks.
  case noRoom
  /// The peer will send no more.
  case ended
  /// The connection is broken.
  case failed(Int32)
  /// What came does not open.
  case unsealed(PrivateError)
}

/// Reads from sockets straight to where the bytes are to stay: the rest of a block behind its
/// beginning, all else into the current slab.
struct Receiver {
  let memory: PayloadMemory
  var slabs: ReceiveSlabs

  /// Reads up to about `budget` bytes.
  mutating func read<Sink: InputSink & ~Copyable>(
    from socket: Int32, of connection: ConnectionID, budget: Int, into sink: inout Sink,
    now: Duration
  ) -> (byteCount: Int, end: ReadEnd) {
    var done = 0
    while done < budget {
      guard sink.wantsInput(connection) else { return (done, .unwanted) }
      guard let room = slabs.room(least: NetLimits.leastRead) else { return (done, .noRoom) }
      let continuation = sink.continuation(of: connection)
      let rest = continuation?.count ?? 0
      let count = scatter(socket, continuation, room.memory)
      if count == 0 { return (done, .ended) }
      if count < 0 {
        if errno == EINTR { continue }
        return (done, errno == EAGAIN ? .drained : .failed(errno))
      }
      done += count
      let continued = min(count, rest)
      let chunk = UnsafeRawBufferPointer(rebasing: room.memory[..<(count - continued)])
      let intake = sink.receive(
        connection, continued: continued, chunk: chunk.bytes, at: room.base, now: now)
      var keptBytes = chunk.count
      if let tail = intake.tail {
        memory.memory(of: tail.buffer).copyMemory(
          from: UnsafeRawBufferPointer(rebasing: chunk[tail.range]))
        keptBytes = tail.range.lowerBound
      }
      slabs.keep(intake.kept, byteCount: keptBytes)
      // The socket had less than there was room for: it is empty, or about to be.
      if count < rest + room.memory.count { return (done, .drained) }
    }
    return (done, .budget)
  }

  private func scatter(
    _ socket: Int32, _ continuation: BlockContinuation?, _ room: UnsafeMutableRawBufferPointer
  ) -> Int {
    guard let continuation else { return recv(socket, room.baseAddress, room.count, 0) }
    let buffer = memory.memory(of: continuation.buffer)
    let rest = UnsafeMutableRawBufferPointer(
      rebasing: buffer[continuation.offset..<(continuation.offset + continuation.count)])
    var parts = (
      iovec(iov_base: rest.baseAddress, iov_len: rest.count),
      iovec(iov_base: room.baseAddress, iov_len: room.count)
    )
    return withUnsafeMutablePointer(to: &parts) { parts in
      parts.withMemoryRebound(to: iovec.self, capacity: 2) { readv(socket, $0, 2) }
    }
  }
}
