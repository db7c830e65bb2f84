import Metainfo
import TestSupport
import Testing

@testable import Store

/// `BlockSet` against `Set<Int>`, and its encoding.
@Suite struct BlockMapSetTests {
  @Test(arguments: [1, 63, 64, 65, 4095, 4096, 4097, 9000])
  func agreesWithSet(capacity: Int) {
    var random = SplitMix64(seed: UInt64(capacity))
    var set = BlockSet(capacity: capacity)
    var reference: Set<Int> = []
    for round in 0..<12 {
      let other = randomSet(capacity, round, &random)
      let otherReference = members(other)
      switch round % 4 {
      case 0, 3:
        set.formUnion(other)
        reference.formUnion(otherReference)
      case 1:
        set.subtract(other)
        reference.subtract(otherReference)
      default:
        set.formIntersection(other)
        reference.formIntersection(otherReference)
      }
      for _ in 0..<50 {
        let number = Int.random(in: 0..<capacity, using: &random)
        if Bool.random(using: &random) {
          #expect(set.insert(number) == reference.insert(number).inserted)
        } else {
          #expect(set.remove(number) == (reference.remove(number) != nil))
        }
      }
      #expect(members(set) == reference)
      #expect(set.count == reference.count)
      #expect(set.isEmpty == reference.isEmpty)
    }
    for number in 0..<capacity { set.insert(number) }
    #expect(set == BlockSet(capacity: capacity, range: 0..<capacity))
    #expect(set.count == capacity)
    for number in 0..<capacity { set.remove(number) }
    #expect(set == BlockSet(capacity: capacity))
  }

  @Test(arguments: [1, 64, 65, 4096, 4097, 20_000])
  func encodingReturns(capacity: Int) {
    var random = SplitMix64(seed: UInt64(capacity))
    for round in 0..<12 {
      let set = randomSet(capacity, round, &random)
      var bytes: [UInt8] = []
      set.encode(into: &bytes)
      #expect(bytes.count <= BlockSet.maximumEncodedBytes(capacity: capacity))
      var reader = SlotReader(bytes[...])
      #expect(BlockSet(capacity: capacity, reading: &reader) == set)
      #expect(reader.remaining == 0)
      for end in 0..<min(bytes.count, 600) {
        var short = SlotReader(bytes[..<end])
        #expect(BlockSet(capacity: capacity, reading: &short) == nil)
      }
    }
  }

  @Test func noiseNeverTraps() {
    var random = SplitMix64(seed: 7)
    for _ in 0..<3000 {
      let noise = (0..<Int.random(in: 0...40, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random) & (Bool.random(using: &random) ? 0x0f : 0xff)
      }
      var reader = SlotReader(noise[...])
      if let set = BlockSet(capacity: 5000, reading: &reader) {
        #expect(members(set).count == set.count)
      }
    }
  }

  @Test func largeImagesStaySmall() {
    // A 1 TiB image has 2^26 blocks.
    let capacity = 1 << 26
    var random = SplitMix64(seed: 1)
    var set = BlockSet(capacity: capacity)
    for _ in 0..<100 { set.insert(Int.random(in: 0..<capacity, using: &random)) }
    #expect(encodedSize(set) < 1000)
    var full = BlockSet(capacity: capacity, range: 0..<capacity)
    #expect(encodedSize(full) < 10)
    for number in [5, 70_000, 1 << 25] { full.remove(number) }
    #expect(encodedSize(full) < 60)
    let slot = BlockMapSlot.capacity(blockCount: UInt32(capacity), fileCount: 1)
    #expect(slot < 18 << 20)
  }

  private func encodedSize(_ set: BlockSet) -> Int {
    var bytes: [UInt8] = []
    set.encode(into: &bytes)
    return bytes.count
  }

  private func members(_ set: BlockSet) -> Set<Int> {
    var members: Set<Int> = []
    set.forEachRun { members.formUnion($0) }
    return members
  }

  private func randomSet(_ capacity: Int, _ round: Int, _ random: inout SplitMix64) -> BlockSet {
    var set = BlockSet(capacity: capacity)
    switch round % 6 {
    case 0:
      for _ in 0..<3 { set.insert(Int.random(in: 0..<capacity, using: &random)) }
    case 1:
      for number in 0..<capacity where Bool.random(using: &random) { set.insert(number) }
    case 2: set = BlockSet(capacity: capacity, range: 0..<capacity)
    case 3:
      set = BlockSet(capacity: capacity, range: 0..<capacity)
      for _ in 0..<3 { set.remove(Int.random(in: 0..<capacity, using: &random)) }
    case 4:
      let ends = [0, 1].map { _ in Int.random(in: 0...capacity, using: &random) }.sorted()
      set = BlockSet(capacity: capacity, range: ends[0]..<ends[1])
    default:
      for number in stride(from: 0, to: capacity, by: 2) { set.insert(number) }
    }
    return set
  }
}

/// Slots under torn, lost, interleaved and corrupted writes.
@Suite struct BlockMapSlotTests {
  @Test func everyTornWriteAndEveryFlippedByte() {
    let (identity, old, new) = Self.pair(blocks: 200, seed: 3)
    let (oldBytes, newBytes) = (old.encoded(identity), new.encoded(identity))
    // The new slot was going over an even older one.
    let oldest = Self.slot(blocks: 200, generation: 1, seed: 9).encoded(identity)
    for end in 0..<newBytes.count {
      let zeros = [UInt8](repeating: 0, count: newBytes.count - end)
      for rest: [UInt8] in [[], Array(oldest.dropFirst(end)), zeros] {
        let torn = Array(newBytes[..<end]) + rest
        guard torn != newBytes else { continue }
        for slots in [[oldBytes, torn], [torn, oldBytes]] {
          guard let found = BlockMapSlot.newest(slots, identity: identity) else {
            Issue.record("no slot after a write torn at byte \(end)")
            continue
          }
          #expect(found.slot == old)
          #expect(slots[found.index] == oldBytes)
        }
      }
    }
    for position in newBytes.indices {
      for flip in [UInt8(1), 0x80, 0xff] {
        var wrong = newBytes
        wrong[position] ^= flip
        #expect(BlockMapSlot.newest([wrong, oldBytes], identity: identity)?.slot == old)
        #expect(BlockMapSlot.newest([wrong], identity: identity) == nil)
      }
    }
    #expect(BlockMapSlot.newest([newBytes, oldBytes], identity: identity)?.slot == new)
    #expect(BlockMapSlot.newest([oldBytes, newBytes], identity: identity)?.slot == new)
    #expect(BlockMapSlot.newest([oldest, oldBytes], identity: identity)?.slot == old)
  }

  @Test(arguments: 1...40 as ClosedRange<UInt64>)
  func sectorsInAnyMixture(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    let blocks = Int.random(in: 10_000...60_000, using: &random)
    let (identity, safe, new) = Self.pair(blocks: blocks, seed: seed)
    let before = Self.slot(blocks: blocks, generation: 1, seed: seed + 100).encoded(identity)
    let bytes = new.encoded(identity)
    for sector in [512, 4096] {
      var mixed = bytes + [UInt8](repeating: 0, count: max(0, before.count - bytes.count))
      for start in stride(from: 0, to: mixed.count, by: sector) where Bool.random(using: &random) {
        for position in start..<min(start + sector, mixed.count) {
          mixed[position] = position < before.count ? before[position] : 0
        }
      }
      let found = BlockMapSlot.newest([mixed, safe.encoded(identity)], identity: identity)?.slot
      // Whole sectors of the new slot that all arrived are the new slot.
      #expect(found == (mixed.starts(with: bytes) ? new : safe))
    }
  }

  @Test func neverAnotherFiles() {
    let (identity, _, slot) = Self.pair(blocks: 200, seed: 5)
    let bytes = slot.encoded(identity)
    #expect(BlockMapSlot(bytes, identity: identity) == slot)
    #expect(BlockMapSlot(bytes + [0, 0, 0], identity: identity) == slot)
    var other = identity
    other.content = .parent(of: .zero, .zero)
    #expect(BlockMapSlot(bytes, identity: other) == nil)
    other = identity
    other.place = .parent(of: .zero, .zero)
    #expect(BlockMapSlot(bytes, identity: other) == nil)
    other = identity
    other.length += 1
    #expect(BlockMapSlot(bytes, identity: other) == nil)
    other = identity
    other.blockCount += 1
    #expect(BlockMapSlot(bytes, identity: other) == nil)
  }

  @Test func fitsItsRoom() {
    for seed in 1...10 as ClosedRange<UInt64> {
      let (identity, _, slot) = Self.pair(blocks: 40_000, seed: seed)
      let room = BlockMapSlot.capacity(blockCount: 40_000, fileCount: slot.evidence.count)
      #expect(slot.encoded(identity).count <= Int(room))
      #expect(room.isMultiple(of: 4096))
    }
  }

  static func pair(
    blocks: Int, seed: UInt64
  ) -> (BlockMapIdentity, old: BlockMapSlot, new: BlockMapSlot) {
    let identity = BlockMapIdentity(
      content: SHA256Digest(hashing: [1]), place: SHA256Digest(hashing: [2]),
      length: UInt64(blocks) * 16_384 - 5, blockCount: UInt32(blocks))
    return (
      identity, slot(blocks: blocks, generation: 2, seed: seed),
      slot(blocks: blocks, generation: 3, seed: seed + 1)
    )
  }

  static func slot(blocks: Int, generation: UInt64, seed: UInt64) -> BlockMapSlot {
    var random = SplitMix64(seed: seed)
    var verified = BlockSet(capacity: blocks)
    var claimed = BlockSet(capacity: blocks)
    for number in 0..<blocks {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: verified.insert(number)
      case 1: claimed.insert(number)
      default: break
      }
    }
    let isClean = generation.isMultiple(of: 2)
    let file = FileEvidence(
      size: random.next(), modified: Int64(truncatingIfNeeded: random.next()), changed: -1,
      inode: random.next())
    return BlockMapSlot(
      generation: generation, isClean: isClean, evidence: isClean ? [file, nil] : [],
      verified: verified, claimed: claimed)
  }
}
