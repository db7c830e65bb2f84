import Glibc
import Metainfo
import Store
import TestSupport
import Testing

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
  @Test(arguments: 0..<8 as Range<UInt64>)
  func recordsArriveWhereTheyAreToStay(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let stream = Stream(150, &random)
    let pair = SocketPair(bufferBytes: random.oneIn(2) ? 4_608 : 300_000)
    let memory = try #require(
      PayloadMemory(poolBuffers: 6, slabCount: 6, slabBytes: 256 << 10))
    var receiver = Receiver(memory: memory, slabs: ReceiveSlabs(memory, densely: 2))
    var core = SlowCore(buffers: 6)
    var ends: [ReadEnd] = []
    var held: [(handle: BufferHandle, length: Int, index: Int)] = []
    var (seen, sent) = (0, 0)

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
      sent += SocketPair.write(pair.far, stream.bytes[sent..<(sent + most)])
      let (_, end) = receiver.read(
        from: pair.near, of: Self.connection, budget: 1 + Int(random.next() % 200_000),
        into: &core, now: .zero)
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
    #expect(core.freeBuffers.count == 6)
    #expect(ends.contains(.drained) && ends.contains(.unwanted))
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
