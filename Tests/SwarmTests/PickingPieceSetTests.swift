import Metainfo
import TestSupport
import Testing

@testable import Swarm

@Suite struct PickingPieceSetTests {
  /// Pieces to take indices from.
  static func pieces(_ count: Int) throws -> PieceRange {
    try PieceGeometry(v2Lengths: [UInt64(count) * 16_384], pieceLength: 16_384).pieces
  }

  /// The bitfield bit by bit. BEP 3.
  static func slowBitfield(_ set: Set<Int>, _ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: (count + 7) / 8)
    for number in set { bytes[number / 8] |= 0x80 >> UInt8(number % 8) }
    return bytes
  }

  @Test(arguments: [1, 7, 8, 63, 64, 65, 128, 131]) func likeASet(count: Int) throws {
    let pieces = try Self.pieces(count)
    var rng = SplitMix64(seed: UInt64(count))
    var set = PieceSet(pieceCount: count)
    var slow: Set<Int> = []
    // Both full and empty are reached: the chance of an insertion swings.
    for step in 0..<1_200 {
      let number = Int.random(in: 0..<count, using: &rng)
      if Int.random(in: 0..<10, using: &rng) < (step / 300 % 2 == 0 ? 9 : 1) {
        #expect(set.insert(pieces[number]) == slow.insert(number).inserted)
      } else {
        #expect(set.remove(pieces[number]) == (slow.remove(number) != nil))
      }
      #expect(set.count == slow.count && set.isEmpty == slow.isEmpty)
      #expect(set.isFull == (slow.count == count))
      guard step % 50 == 0 || set.count % count < 2 else { continue }
      #expect((0..<count).allSatisfy { set.contains(pieces[$0]) == slow.contains($0) })
      var listed: [Int] = []
      set.forEach { listed.append($0) }
      #expect(listed == slow.sorted())
      let other = PieceSet(
        bitfield: Self.slowBitfield([number], count).span.bytes, pieceCount: count)
      #expect(other?.intersects(set) == slow.contains(number))
      #expect(other.map { set.intersects($0) } == slow.contains(number))
      let bytes = set.bitfield
      #expect(bytes == Self.slowBitfield(slow, count))
      #expect(PieceSet(bitfield: bytes.span.bytes, pieceCount: count) == set)
    }
  }

  @Test func fullAndEmpty() throws {
    let full = PieceSet.full(pieceCount: 10)
    #expect(full.isFull && full.count == 10 && full.bitfield == [0xff, 0xc0])
    #expect(PieceSet(pieceCount: 10).bitfield == [0, 0])
    let read = PieceSet(bitfield: ([0xff, 0xc0] as [UInt8]).span.bytes, pieceCount: 10)
    #expect(read == full)
    #expect(PieceSet.full(pieceCount: 0).bitfield == [])
  }

  @Test(
    arguments: [
      ([0xff], 10), ([0xff, 0xc0, 0], 10), ([0xff, 0xe0], 10), ([0, 1], 10), ([1], 7), ([], 1),
      ([0], 0),
    ] as [([UInt8], Int)]) func badBitfields(bytes: [UInt8], count: Int)
  {
    #expect(PieceSet(bitfield: bytes.span.bytes, pieceCount: count) == nil)
  }
}
