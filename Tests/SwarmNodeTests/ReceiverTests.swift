import Glibc
import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm
@testable import SwarmNode

/// Reading from a socket into slabs and buffers, with a slow and simple core behind it.
@Suite struct ReceiverTests {
  /// Records: two bytes of length (highest first), one byte that tells whether to keep, the bytes.
  private struct SlowCore: InputSink {
    enum Record: Equatable {
      case small([UInt8])
      case kept(BufferHandle, Int)
    }

    var records: [Record] = []
    var isWanting = true
    var freeBuffers: [UInt64]
    private var head: [UInt8] = []
    private var small: [UInt8] = []
    private var missing = 0
    private var begun: (buffer: BufferHandle, done: Int, length: Int)?

    init(buffers: Int) { freeBuffers = (0..<UInt64(buffers)).map { $0 } }

    func wantsInput(_ connection: ConnectionID) -> Bool { isWanting && freeBuffers.count > 0 }

    func continuation(of connection: ConnectionID) -> BlockContinuation? {
      begun.map {
        BlockContinuation(buffer: $0.buffer, offset: $0.done, count: $0.length - $0.done)
      }
    }

    mutating func receive(
      _ connection: ConnectionID, continued: Int, chunk: RawSpan, at base: BufferHandle,
      now: Duration
    ) -> Intake {
      var intake = Intake()
      if let (buffer, done, length) = begun {
        precondition(done + continued == length || chunk.byteCount == 0)
        begun = (buffer, done + continued, length)
        if done + continued == length {
          records.append(.kept(buffer, length))
          begun = nil
        }
      } else {
        precondition(continued == 0)
      }
      var position = 0
      while position < chunk.byteCount {
        if missing > 0 {
          small.append(chunk.unsafeLoad(fromByteOffset: position, as: UInt8.self))
          position += 1
          missing -= 1
          if missing == 0 { records.append(.small(small)) }
          continue
        }
        head.append(chunk.unsafeLoad(fromByteOffset: position, as: UInt8.self))
        position += 1
        guard head.count == 3 else { continue }
        let length = Int(head[0]) << 8 | Int(head[1])
        let isKept = head[2] == 1
        head = []
        if !isKept {
          (missing, small) = (length, [])
          if length == 0 { records.append(.small([])) }
        } else if position + length <= chunk.byteCount {
          records.append(.kept(BufferHandle(base.rawValue + UInt64(position)), length))
          intake.kept += 1
          position += length
        } else {
          let buffer = BufferHandle(freeBuffers.removeLast())
          let range = position..<chunk.byteCount
          if !range.isEmpty { intake.tail = (range, buffer) }
          begun = (buffer, range.count, length)
          position = chunk.byteCount
        }
      }
      return intake
    }
  }

  private struct Stream {
    var bytes: [UInt8] = []
    var records: [[UInt8]] = []

    init(_ count: Int, _ random: inout SplitMix64) {
      for _ in 0..<count {
        let isKept = random.oneIn(2)
        let length = isKept ? Int.random(in: 1...16_384, using: &random) : Int(random.next() % 90)
        let record = random.bytes(length)
        bytes += [UInt8(length >> 8), UInt8(length & 255), isKept ? 1 : 0] + record
        records.append(record)
      }
    }
  }

  private static let connection = ConnectionID(slot: 0, generation: 0)

  /// Any chunking, slow release and few slabs: every record is what was sent, where the core was
  /// told that it is, and all slabs are free in the end.
  @Test(arguments: 0..<8 as Range<UInt64>, [false, true])
  func recordsArriveWhereTheyAreToStay(seed: UInt64, isSealed: Bool) throws {
    var random = SplitMix64(seed: seed)
    let stream = Stream(150, &random)
    let pair = SocketPair(bufferBytes: random.oneIn(2) ? 4_608 : 300_000)
    let sides = isSealed ? try sealedSides(pair, &random) : nil
    var queue = SendQueue()
    // Many frames can come at once, and each may end in a record.
    let buffers = isSealed ? 150 : 6
    let memory = try #require(
      PayloadMemory(poolBuffers: buffers, slabCount: 6, slabBytes: 256 << 10))
    var receiver = Receiver(memory: memory, slabs: ReceiveSlabs(memory, densely: 2))
    var core = SlowCore(buffers: buffers)
    var ends: [ReadEnd] = []
    var held: [(handle: BufferHandle, length: Int, index: Int)] = []
    var (seen, sent, left) = (0, 0, 0)

    func release(_ index: Int) {
      let one = held.remove(at: index)
      let bytes = memory.memory(of: one.handle).prefix(one.length)
      #expect(bytes.elementsEqual(stream.records[one.index]), "seed \(seed) record \(one.index)")
      if one.handle.rawValue < 1 << 63 {
        core.freeBuffers.append(one.handle.rawValue)
      } else {
        _ = receiver.slabs.release(one.handle)
      }
    }

    while seen < stream.records.count {
      core.isWanting = !random.oneIn(10)
      let most = min(stream.bytes.count - sent, 1 + Int(random.next() % 60_000))
      let budget = 1 + Int(random.next() % 200_000)
      let end: ReadEnd
      if let sides {
        stream.bytes[sent..<(sent + most)].withUnsafeBytes { queue.append($0) }
        sent += most
        left += sides.sender.send(&queue, on: pair.far, budget: budget).byteCount
        end =
          receiver.read(
            sealed: sides.receiver, from: pair.near, of: Self.connection, budget: budget,
            into: &core, now: .zero
          ).end
      } else {
        sent += SocketPair.write(pair.far, stream.bytes[sent..<(sent + most)])
        end =
          receiver.read(
            from: pair.near, of: Self.connection, budget: budget, into: &core, now: .zero
          ).end
      }
      ends.append(end)
      for record in core.records {
        switch record {
        case .small(let bytes): #expect(bytes == stream.records[seen], "seed \(seed)")
        case .kept(let handle, let length):
          #expect(length == stream.records[seen].count)
          held.append((handle, length, seen))
        }
        seen += 1
      }
      core.records = []
      let isStuck = end == .noRoom || (end == .unwanted && core.isWanting)
      while !held.isEmpty, isStuck ? held.count > 2 : random.oneIn(3) {
        release(Int.random(in: held.indices, using: &random))
      }
      if isStuck { while !held.isEmpty { release(0) } }
    }
    while !held.isEmpty { release(0) }
    #expect(receiver.slabs.keptHandles == 0 && receiver.slabs.inUse <= 1)
    #expect(core.freeBuffers.count == buffers)
    #expect(ends.contains(.drained) && ends.contains(.unwanted))
    let isEmpty = queue.isEmpty
    if isSealed { #expect(left == stream.bytes.count && isEmpty) }
  }

  /// Both ends of a private connection behind its handshake; the one at `far` has dialed.
  private func sealedSides(
    _ pair: SocketPair, _ random: inout SplitMix64
  ) throws -> (sender: SealedTransport, receiver: SealedTransport) {
    let keys = PrivateKeys(ReadKey(using: &random))
    let place = PeerEndpoint(address: .v4(IPv4Address(rawValue: 1)), port: 1)
    let dialing = SealedTransport(
      try PrivateInitiator(keys, time: 5, dialed: place, using: &random))
    var queue = SendQueue()
    // It waits for the answer.
    [UInt8](repeating: 7, count: 9).withUnsafeBytes { queue.append($0) }
    let waiting = dialing.send(&queue, on: pair.far, budget: .max)
    let waitingBytes = queue.byteCount
    #expect(waiting.end == .empty && waiting.byteCount == 0 && waitingBytes == 9)
    var memory = HelloMemory(now: 0)
    let hello = try #require(SocketPair.read(pair.near, upTo: PrivateLimits.helloBytes))
    let responder = PrivateResponder([keys])
    let opened = try #require(responder.open(hello, time: 5, memory: &memory))
    let answer = try responder.answer(opened, using: &random)
    let dialed = SealedTransport(
      answer.session, answer: answer.bytes, paddingLeft: opened.hello.paddingByteCount)
    queue.removeAll()
    _ = dialed.send(&queue, on: pair.near, budget: .max)
    let buffers = try #require(PayloadMemory(poolBuffers: 1, slabCount: 2, slabBytes: 256 << 10))
    var receiver = Receiver(memory: buffers, slabs: ReceiveSlabs(buffers, densely: 1))
    var core = SlowCore(buffers: 1)
    #expect(!dialing.isOpen)
    let end = receiver.read(
      sealed: dialing, from: pair.far, of: Self.connection, budget: .max, into: &core, now: .zero
    ).end
    #expect(end == .drained && dialing.isOpen)
    return (dialing, dialed)
  }

  /// One bit changed anywhere ends the connection, and nothing of that frame reaches the core.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func whatWasChangedDoesNotOpen(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let pair = SocketPair()
    let sides = try sealedSides(pair, &random)
    var queue = SendQueue()
    let record = [UInt8](repeating: 3, count: 200)
    ([0, 200, 0] + record).withUnsafeBytes { queue.append($0) }
    _ = sides.sender.send(&queue, on: pair.far, budget: .max)
    // The padding of the first message is not sealed.
    let memory = try #require(PayloadMemory(poolBuffers: 1, slabCount: 2, slabBytes: 256 << 10))
    var receiver = Receiver(memory: memory, slabs: ReceiveSlabs(memory, densely: 1))
    var core = SlowCore(buffers: 1)
    var bytes = try #require(SocketPair.read(pair.near))
    let frame = 203 + PrivateLimits.frameHeadBytes + NoiseLimits.tagBytes
    bytes[bytes.count - 1 - Int(random.next() % UInt64(frame))] ^= 1 << UInt8(seed)
    #expect(SocketPair.write(pair.far, bytes[...]) == bytes.count)
    let end = receiver.read(
      sealed: sides.receiver, from: pair.near, of: Self.connection, budget: .max, into: &core,
      now: .zero
    ).end
    #expect(end == .unsealed(.frame(0)))
    #expect(core.records.isEmpty)
  }

  @Test func theEndAndFailuresAreTold() throws {
    let memory = try #require(PayloadMemory(poolBuffers: 1, slabCount: 1, slabBytes: 256 << 10))
    var receiver = Receiver(memory: memory, slabs: ReceiveSlabs(memory, densely: 1))
    var core = SlowCore(buffers: 1)
    let pair = SocketPair()
    _ = SocketPair.write(pair.far, [0, 1, 0, 42])
    close(pair.give(pair.far))
    func read(_ socket: Int32) -> ReadEnd {
      receiver.read(
        from: socket, of: Self.connection, budget: .max, into: &core, now: .zero
      ).end
    }
    #expect(read(pair.near) == .drained)
    #expect(core.records == [.small([42])])
    #expect(read(pair.near) == .ended)
    #expect(read(-1) == .failed(EBADF))
  }
}
