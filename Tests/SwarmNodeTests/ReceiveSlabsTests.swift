import Metainfo
import Store
import TestSupport
import Testing

@testable import SwarmNode

@Suite struct ReceiveSlabsTests {
  private static func memory(slabs: Int, bytes: Int = 256 << 10) throws -> PayloadMemory {
    try #require(PayloadMemory(poolBuffers: 8, slabCount: slabs, slabBytes: bytes))
  }

  @Test func addingToAHandleNamesTheBytesFurtherOn() throws {
    let memory = try Self.memory(slabs: 3)
    memory.slab(1)[77] = 5
    memory.slab(1)[78] = 6
    let handle = PayloadMemory.handle(slab: 1, offset: 77)
    #expect(handle.rawValue >= 1 << 63)
    let bytes = memory.memory(of: handle)
    #expect(bytes[0] == 5 && bytes.count == (256 << 10) - 77)
    #expect(memory.memory(of: BufferHandle(handle.rawValue + 1))[0] == 6)
  }

  @Test func buffersOfThePoolAreApart() throws {
    let memory = try Self.memory(slabs: 1)
    for number in 0..<8 {
      let bytes = memory.memory(of: BufferHandle(UInt64(number)))
      #expect(bytes.count == 16_384)
      bytes.initializeMemory(as: UInt8.self, repeating: UInt8(number + 1))
    }
    memory.slab(0).initializeMemory(as: UInt8.self, repeating: 99)
    for number in 0..<8 {
      let bytes = memory.memory(of: BufferHandle(UInt64(number)))
      #expect(bytes.allSatisfy { $0 == UInt8(number + 1) })
    }
  }

  @Test func discardingASlabLeavesItsNeighboursAlone() throws {
    // Not of whole pages, so that slabs share them.
    let memory = try Self.memory(slabs: 3, bytes: 100_001)
    for number in 0..<3 {
      memory.slab(number).initializeMemory(as: UInt8.self, repeating: UInt8(number + 1))
    }
    memory.discard(slab: 1)
    #expect(memory.slab(0).allSatisfy { $0 == 1 })
    #expect(memory.slab(2).allSatisfy { $0 == 3 })
    #expect(memory.slab(1)[50_000] == 0)
  }

  /// Reads and releases at random; what the core keeps is never read over.
  @Test(arguments: 0..<8 as Range<UInt64>)
  func keptBytesAreNeverGivenAway(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let bytes = 256 << 10
    let memory = try Self.memory(slabs: 12, bytes: bytes)
    var slabs = ReceiveSlabs(memory, densely: 4)
    var kept: [(handle: BufferHandle, length: Int)] = []
    var wasFull = false
    for _ in 0..<1_000 {
      if random.oneIn(4), !kept.isEmpty {
        for _ in 0..<Int.random(in: 1...6, using: &random) where !kept.isEmpty {
          let one = kept.remove(at: Int.random(in: kept.indices, using: &random))
          let hadRoom = slabs.hasRoom
          let isNew = slabs.release(one.handle)
          #expect(isNew == (!hadRoom && slabs.hasRoom))
        }
        continue
      }
      let hasRoom = slabs.hasRoom
      guard let room = slabs.room(least: 65_536) else {
        wasFull = true
        #expect(!slabs.hasRoom)
        continue
      }
      #expect(hasRoom)
      #expect(room.memory.count >= 65_536)
      let taken = room.base.rawValue..<(room.base.rawValue + UInt64(room.memory.count))
      let isFree = kept.allSatisfy { one in
        !taken.overlaps(one.handle.rawValue..<(one.handle.rawValue + UInt64(one.length)))
      }
      #expect(isFree, "seed \(seed)")
      let blocks = Int.random(in: 0...3, using: &random)
      for block in 0..<blocks {
        kept.append((BufferHandle(room.base.rawValue + UInt64(block * 16_397)), 16_384))
      }
      slabs.keep(blocks, byteCount: blocks * 16_397)
      #expect(slabs.keptHandles == kept.count)
      #expect(slabs.inUse <= 12)
    }
    #expect(wasFull, "the bound was never tried")
    for one in kept { _ = slabs.release(one.handle) }
    #expect(slabs.keptHandles == 0)
    #expect(slabs.inUse <= 1 && slabs.hasRoom)
  }

  @Test func aSlabThatIsEmptyAgainIsReadIntoFromItsStart() throws {
    var slabs = ReceiveSlabs(try Self.memory(slabs: 4), densely: 4)
    let found = slabs.room(least: 1)
    let first = try #require(found)
    slabs.keep(0, byteCount: 500)
    #expect(slabs.room(least: 1)?.base == first.base)
    slabs.keep(1, byteCount: 16_384)
    #expect(slabs.room(least: 1)?.base.rawValue == first.base.rawValue + 16_384)
    _ = slabs.release(first.base)
    #expect(slabs.room(least: 1)?.base == first.base)
  }

  @Test func moreSlabsAreTakenOnlyWhileTheyAreMostlyEmpty() throws {
    // One block kept in each slab: scattered.
    var scattered = ReceiveSlabs(try Self.memory(slabs: 12), densely: 4)
    var taken = 0
    while let room = scattered.room(least: 256 << 10) {
      scattered.keep(1, byteCount: room.memory.count)
      taken += 1
    }
    #expect(taken == 12)
    // Full of blocks.
    var dense = ReceiveSlabs(try Self.memory(slabs: 12), densely: 4)
    taken = 0
    while let room = dense.room(least: 256 << 10) {
      dense.keep(16, byteCount: room.memory.count)
      taken += 1
    }
    #expect(taken == 4)
  }
}
