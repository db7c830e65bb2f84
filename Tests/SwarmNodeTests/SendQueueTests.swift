import Glibc
import Metainfo
import TestSupport
import Testing
import Wire

@testable import SwarmNode

@Suite struct SendQueueTests {
  /// A queue with what it should send.
  private struct Checked: ~Copyable {
    var queue = SendQueue()
    var expected: [UInt8] = []
    let blocks: UnsafeMutableRawBufferPointer
    var random: SplitMix64

    init(seed: UInt64) {
      random = SplitMix64(seed: seed)
      blocks = .allocate(byteCount: 64 * blockLength, alignment: 16)
      for index in blocks.indices { blocks[index] = UInt8(truncatingIfNeeded: random.next()) }
    }

    deinit { blocks.deallocate() }

    mutating func appendSomething() {
      if random.oneIn(2) {
        let bytes = random.bytes(random.oneIn(10) ? 5_000 : Int(random.next() % 40))
        bytes.withUnsafeBytes { queue.append($0) }
        expected += bytes
      } else {
        let request = BlockRequest(
          piece: UInt32(truncatingIfNeeded: random.next()),
          begin: UInt32(truncatingIfNeeded: random.next()),
          length: UInt32.random(in: 1...UInt32(blockLength), using: &random))
        let start = Int.random(in: 0..<(blocks.count - blockLength), using: &random)
        let block = UnsafeRawBufferPointer(
          rebasing: blocks[start..<(start + Int(request.length))])
        queue.append(request, block)
        // BEP 3, "piece": length, 7, index, begin, block.
        expected += bigEndian(request.length + 9)
        expected.append(7)
        expected += bigEndian(request.piece) + bigEndian(request.begin) + block
      }
    }

    private func bigEndian(_ number: UInt32) -> [UInt8] {
      [24, 16, 8, 0].map { UInt8(truncatingIfNeeded: number >> $0) }
    }
  }

  @Test(arguments: 0..<8 as Range<UInt64>)
  func everythingArrivesInOrderThroughSmallSockets(seed: UInt64) {
    let pair = SocketPair(bufferBytes: 4_608)
    var checked = Checked(seed: seed)
    var arrived: [UInt8] = []
    var sent = 0
    for _ in 0..<80 {
      for _ in 0..<Int(checked.random.next() % 8) { checked.appendSomething() }
      let queued = checked.queue.byteCount
      #expect(queued == checked.expected.count - sent)
      let (count, end) = checked.queue.send(on: pair.near, budget: 30_000)
      sent += count
      #expect((end == .empty) == (sent == checked.expected.count))
      if checked.random.oneIn(2) {
        arrived += SocketPair.read(pair.far, upTo: 1 + Int(checked.random.next() % 40_000)) ?? []
      }
    }
    while sent < checked.expected.count || arrived.count < sent {
      sent += checked.queue.send(on: pair.near, budget: .max).byteCount
      arrived += SocketPair.read(pair.far) ?? []
    }
    #expect(arrived == checked.expected, "seed \(seed)")
    let rest = checked.queue.byteCount
    #expect(rest == 0)
  }

  @Test func aLargeSocketTakesManyPartsAtOnce() {
    let pair = SocketPair(bufferBytes: 4 << 20)
    var checked = Checked(seed: 1)
    for _ in 0..<400 { checked.appendSomething() }
    var arrived: [UInt8] = []
    while arrived.count < checked.expected.count {
      _ = checked.queue.send(on: pair.near, budget: .max)
      arrived += SocketPair.read(pair.far, upTo: 1 << 20) ?? []
    }
    #expect(arrived == checked.expected)
  }

  @Test(arguments: 0..<5 as Range<UInt64>)
  func aDetachedQueueNeedsNoBlocks(seed: UInt64) {
    let pair = SocketPair(bufferBytes: 4_608)
    var checked = Checked(seed: seed)
    for _ in 0..<30 { checked.appendSomething() }
    _ = checked.queue.send(on: pair.near, budget: .max)
    checked.queue.detach()
    checked.blocks.initializeMemory(as: UInt8.self, repeating: 0)
    var arrived: [UInt8] = []
    while !checked.queue.isEmpty {
      arrived += SocketPair.read(pair.far) ?? []
      _ = checked.queue.send(on: pair.near, budget: .max)
    }
    while arrived.count < checked.expected.count { arrived += SocketPair.read(pair.far) ?? [] }
    #expect(arrived == checked.expected, "seed \(seed)")
  }

  @Test func aPeerThatIsGoneIsAFailureAndNoSignal() {
    let pair = SocketPair()
    close(pair.give(pair.far))
    var checked = Checked(seed: 3)
    checked.appendSomething()
    checked.appendSomething()
    let end = checked.queue.send(on: pair.near, budget: .max).end
    #expect(end == .failed(EPIPE))
    checked.queue.removeAll()
    let rest = checked.queue.byteCount
    #expect(rest == 0)
  }

  /// What goes out in one packet each.
  private final class Packets {
    private var ends: [Int32] = [0, 0]

    init() {
      let made = socketpair(AF_UNIX, Int32(SOCK_SEQPACKET.rawValue), 0, &ends)
      precondition(made == 0)
    }

    deinit { for end in ends { close(end) } }

    /// The sizes of what the queue sends now, and the bytes.
    func send(_ queue: inout SendQueue) -> (sizes: [Int], bytes: [UInt8]) {
      let end = queue.send(on: ends[0], budget: .max).end
      #expect(end == .empty)
      var found: (sizes: [Int], bytes: [UInt8]) = ([], [])
      var room = [UInt8](repeating: 0, count: 1 << 16)
      while true {
        let count = recv(ends[1], &room, room.count, Int32(MSG_DONTWAIT))
        guard count > 0 else { return found }
        found.sizes.append(count)
        found.bytes += room[..<count]
      }
    }
  }

  /// The first messages open TCP's window, which counts packets.
  @Test func theFirstMessagesGoOutInSmallPackets() {
    let packets = Packets()
    var random = SplitMix64(seed: 4)
    var queue = SendQueue(smallPackets: 10)
    let handshake = random.bytes(68)
    handshake.withUnsafeBytes { queue.append($0) }
    let first = packets.send(&queue)
    #expect(first.sizes == [68], "a handshake is not cut")
    #expect(first.bytes == handshake)
    let messages = random.bytes(346)
    messages.withUnsafeBytes { queue.append($0) }
    let second = packets.send(&queue)
    #expect(second.sizes == [39, 39, 39, 39, 38, 38, 38, 38, 38])
    #expect(second.bytes == messages)
    messages.withUnsafeBytes { queue.append($0) }
    let third = packets.send(&queue)
    #expect(third.sizes == [346])
  }

  /// Messages of many bytes, and blocks, open it by themselves.
  @Test(arguments: [false, true]) func whatIsLargeGoesOutWhole(isBlock: Bool) {
    let packets = Packets()
    var queue = SendQueue(smallPackets: 10)
    let bytes = [UInt8](repeating: 1, count: NetLimits.smallPacketBytes + 1)
    bytes.withUnsafeBytes { bytes in
      if isBlock {
        let block = UnsafeRawBufferPointer(rebasing: bytes[..<100])
        queue.append(BlockRequest(piece: 0, begin: 0, length: 100), block)
      } else {
        queue.append(bytes)
      }
      let first = packets.send(&queue)
      #expect(first.sizes == [isBlock ? 113 : bytes.count])
      queue.append(UnsafeRawBufferPointer(rebasing: bytes[..<100]))
      let second = packets.send(&queue)
      #expect(second.sizes == [100])
    }
  }
}
