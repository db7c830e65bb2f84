import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// One rule of the picker each.
@Suite struct PickingOrderTests {
  /// A v2 torrent of one file.
  static func picker(pieces: Int, blocks: Int = 4) throws -> PiecePicker {
    PiecePicker(
      geometry: try PieceGeometry(
        v2Lengths: [UInt64(pieces * blocks) * 16_384], pieceLength: UInt64(blocks) * 16_384))
  }

  static func set(_ numbers: some Sequence<Int>, of picker: PiecePicker) -> PieceSet {
    var set = PieceSet(pieceCount: picker.geometry.pieces.count)
    for number in numbers { set.insert(picker.geometry.pieces[number]) }
    return set
  }

  static func numbers(_ blocks: [BlockIndex]) -> [Int] { blocks.map { Int($0.rawValue) } }

  /// What a peer with these pieces is asked for.
  static func pick(
    _ picker: inout PiecePicker, _ count: Int, _ pieces: PieceSet, _ peer: UInt32 = 1,
    seed: UInt64 = 1, _ change: (inout PiecePicker.PickOptions) -> Void = { _ in }
  ) -> [Int] {
    var options = PiecePicker.PickOptions()
    change(&options)
    var rng = SplitMix64(seed: seed)
    var blocks: [BlockIndex] = []
    picker.pick(count, from: pieces, for: peer, options: options, using: &rng, into: &blocks)
    return numbers(blocks)
  }

  @Test func firstPiecesAreByChance() throws {
    var seen: Set<Int> = []
    for seed in UInt64(0)..<200 {
      var picker = try Self.picker(pieces: 20)
      // Piece 3 is the rarest.
      picker.add(.full(pieceCount: 20))
      picker.add(Self.set((0..<20).filter { $0 != 3 }, of: picker))
      seen.insert(Self.pick(&picker, 1, .full(pieceCount: 20), seed: seed)[0] / 4)
      var late = try Self.picker(pieces: 20)
      for number in 10..<14 { late.have(late.geometry.pieces[number]) }
      late.add(.full(pieceCount: 20))
      late.add(Self.set((0..<20).filter { $0 != 3 }, of: late))
      #expect(Self.pick(&late, 1, .full(pieceCount: 20), seed: seed) == [12])
    }
    #expect(seen == Set(0..<20))
  }

  @Test func equallyRareOnesAreByChance() throws {
    var seen: Set<Int> = []
    for seed in UInt64(0)..<200 {
      var picker = try Self.picker(pieces: 20)
      for number in 0..<4 { picker.have(picker.geometry.pieces[number]) }
      picker.add(.full(pieceCount: 20))
      picker.add(Self.set(0..<12, of: picker))
      seen.insert(Self.pick(&picker, 1, .full(pieceCount: 20), seed: seed)[0] / 4)
    }
    #expect(seen == Set(12..<20))
  }

  /// More pieces than are gone through one by one, of which the peer has a few common ones.
  @Test(arguments: [false, true]) func aFewOfMany(isPartial: Bool) throws {
    let count = 6_000
    var picker = try Self.picker(pieces: count, blocks: 2)
    let pieces = picker.geometry.pieces
    for number in 0..<4 { picker.have(pieces[number]) }
    if isPartial {
      for number in 4..<count { picker.verified(picker.geometry.blocks(of: pieces[number])[0]) }
    }
    // Rarity grows with the number, in steps of 1,000.
    for least in stride(from: 0, to: count, by: 1_000) {
      picker.add(Self.set(least..<count, of: picker))
    }
    let few = [3_500, 4_200, 4_700, 5_900]
    for seed in UInt64(0)..<20 {
      var copy = picker
      let first = Self.pick(&copy, 1, Self.set(few, of: picker), seed: seed)
      #expect(first == [isPartial ? 7_001 : 7_000])
      for number in [3_500, 4_200, 4_700] { copy.have(pieces[number]) }
      let last = Self.pick(&copy, 9, Self.set(few, of: picker), seed: seed)
      #expect(last == (isPartial ? [11_801] : [11_800, 11_801]))
      #expect(Self.pick(&copy, 9, Self.set(few, of: picker), seed: seed).isEmpty)
    }
    // Rarer by single steps, beyond all others; and nobody but seeds has piece 4,700.
    for _ in 0..<5 { picker.remove(pieces[4_700]) }
    let rare = Self.pick(&picker, 1, Self.set(few, of: picker))
    #expect(rare == [isPartial ? 9_401 : 9_400])
    picker.remove(Self.set(5_000..<count, of: picker))
    #expect(picker.availability(of: pieces[5_900]) == 5)
  }

  @Test func whatOnlySeedsHaveComesFirstFromSeeds() throws {
    var picker = try Self.picker(pieces: 10)
    for number in 0..<4 { picker.have(picker.geometry.pieces[number]) }
    let all = PieceSet.full(pieceCount: 10)
    picker.add(all)
    picker.add(Self.set(4..<8, of: picker))
    picker.setPriority(.high, of: picker.geometry.pieces[5])
    let first = Self.pick(&picker, 10, all) { $0.avoidsCommon = true }
    #expect(first.count == 10 && Set(first.prefix(8)) == Set(32..<40))
    #expect(Array(first.suffix(2)) == [20, 21])
    #expect(Self.pick(&picker, 10, all, 2) { $0.refusesCommon = true }.isEmpty)
    // It becomes common while the seed sends it: the rest is left to others.
    var other = try Self.picker(pieces: 10)
    for number in 0..<4 { other.have(other.geometry.pieces[number]) }
    other.add(all)
    let begun = Self.pick(&other, 2, all) { $0.avoidsCommon = true }[0] / 4
    other.add(other.geometry.pieces[begun])
    #expect(Self.pick(&other, 1, all) { $0.avoidsCommon = true }[0] / 4 != begun)
    let rest = Self.pick(&other, 2, Self.set([begun], of: other), 2)
    #expect(rest.map { $0 - begun * 4 } == [2, 3])
  }

  /// A peer that told piece by piece that it has all does not hide what only seeds have.
  @Test func peersBecomeSeeds() throws {
    var picker = try Self.picker(pieces: 3)
    let all = PieceSet.full(pieceCount: 3)
    picker.add(Self.set([0, 1], of: picker))
    picker.add(picker.geometry.pieces[2])
    #expect(Self.pick(&picker, 9, all) { $0.refusesCommon = true }.isEmpty)
    picker.becameFull()
    #expect(Self.pick(&picker, 1, all) { $0.refusesCommon = true }.count == 1)
    picker.remove(all)
    #expect(picker.geometry.pieces.allSatisfy { picker.availability(of: $0) == 0 })
    // The same, never told: it leaves as a seed.
    picker.add(Self.set([0, 1], of: picker))
    picker.add(picker.geometry.pieces[2])
    picker.remove(all)
    // A seed that loses a piece, and leaves.
    picker.add(all)
    picker.remove(picker.geometry.pieces[1])
    #expect(picker.geometry.pieces.map { picker.availability(of: $0) } == [1, 0, 1])
    picker.remove(Self.set([0, 2], of: picker))
    #expect(picker.geometry.pieces.allSatisfy { picker.availability(of: $0) == 0 })
  }

  @Test func urgentBlocksComeByDeadline() throws {
    var picker = try Self.picker(pieces: 4)
    let all = PieceSet.full(pieceCount: 4)
    let blocks = picker.geometry.numberedBlocks
    picker.add(all)
    for piece in picker.geometry.pieces { picker.setPriority(.skip, of: piece) }
    #expect(picker.isFinished && !picker.isInteresting(all))
    picker.addUrgent(blocks[9], deadline: .seconds(5))
    picker.addUrgent(blocks[2], deadline: .seconds(7))
    picker.addUrgent(blocks[14], deadline: .seconds(6))
    picker.addUrgent(blocks[13], deadline: .seconds(6))
    picker.addUrgent(blocks[2], deadline: .seconds(4))
    picker.addUrgent(blocks[9], deadline: .seconds(9))
    #expect(picker.isInteresting(all) && picker.isWanted(blocks[2]) && !picker.isWanted(blocks[3]))
    #expect(Self.pick(&picker, 2, all, 1) == [2, 9])
    #expect(Self.pick(&picker, 9, all, 2) == [13, 14])
    #expect(Self.pick(&picker, 9, all, 3).isEmpty)
    // Of a second peer and no third.
    for peer: UInt32 in [2, 1, 3] { picker.requested(blocks[13], of: peer) }
    #expect(picker.requesters(of: blocks[13]) == [2, 1])
    picker.removeUrgent(blocks[13])
    #expect(!picker.isWanted(blocks[13]) && picker.isWanted(blocks[14]))
  }

  @Test func slowPeersJoin() throws {
    var picker = try Self.picker(pieces: 10)
    let all = PieceSet.full(pieceCount: 10)
    picker.add(all)
    let own = Self.pick(&picker, 1, all, 1)[0] / 4
    #expect(Self.pick(&picker, 1, all, 2) { $0.isFast = true }[0] / 4 != own)
    let second = Self.pick(&picker, 2, all, 1)
    #expect(second.map { $0 - own * 4 } == [1, 2])
    let third = Self.pick(&picker, 1, all, 3) { $0.isFast = false }
    #expect(third.map { $0 - own * 4 } == [3])
  }

  @Test func endgameAsksTwoAtMost() throws {
    var picker = try Self.picker(pieces: 2)
    let all = PieceSet.full(pieceCount: 2)
    let blocks = picker.geometry.numberedBlocks
    picker.add(all)
    let first = Self.pick(&picker, 7, all, 1)
    let end = { (options: inout PiecePicker.PickOptions) in options.late = Array(0..<10) }
    // One block is free: it goes first.
    let last = Self.pick(&picker, 1, all, 2, end)
    #expect(Set(first + last) == Set(0..<8))
    #expect(Self.pick(&picker, 9, all, 1, end) == last)
    #expect(Self.pick(&picker, 3, all, 3, end) == Array(first.prefix(3)))
    #expect(Self.pick(&picker, 9, all, 4, end) == Array(first.suffix(4)))
    #expect(Self.pick(&picker, 9, all, 5, end).isEmpty)
    #expect(picker.requesters(of: blocks[last[0]]) == [2, 1])
    #expect(picker.requesters(of: blocks[first[0]]) == [1, 3])
    for peer in [UInt32(1), 3, 7] { picker.requested(blocks[first[0]], of: peer) }
    picker.abandoned(blocks[first[0]], by: 7)
    #expect(picker.requesters(of: blocks[first[0]]) == [1, 3])
    picker.abandoned(blocks[first[0]], by: 1)
    #expect(picker.requesters(of: blocks[first[0]]) == [3])
    #expect(Self.pick(&picker, 9, all, 5, end) == [first[0]])
    picker.received(blocks[first[0]])
    #expect(picker.requesters(of: blocks[first[0]]).isEmpty)
    picker.failed(blocks[first[0]])
    #expect(Self.pick(&picker, 9, all, 6) == [first[0]])
  }

  /// Pieces that nobody has do not keep the endgame from beginning.
  @Test func endgameOfWhatThereIs() throws {
    var picker = try Self.picker(pieces: 2)
    let one = Self.set([0], of: picker)
    picker.add(one)
    picker.add(one)
    #expect(Self.pick(&picker, 9, one, 1) == [0, 1, 2, 3])
    #expect(Self.pick(&picker, 9, one, 2) { $0.late = [1] } == [0, 1, 2, 3])
    #expect(Self.pick(&picker, 9, one, 3) { $0.late = [4] }.isEmpty)
  }

  @Test func paddingIsHere() throws {
    // Pieces of three blocks; a file, a hole of seven blocks, a file.
    let block: UInt64 = 16_384
    let geometry = try PieceGeometry(
      v1Files: [.init(length: block, v1Offset: 0), .init(length: 100, v1Offset: block * 8)],
      v1Length: block * 8 + 100, pieceLength: block * 3)
    var picker = PiecePicker(geometry: geometry)
    #expect(picker.missingWanted == 2)
    picker.add(.full(pieceCount: 3))
    #expect(Self.pick(&picker, 9, .full(pieceCount: 3)).sorted() == [0, 8])
    picker.have(geometry.pieces[0])
    picker.have(geometry.pieces[2])
    #expect(picker.isFinished)
    picker.lost(geometry.pieces[1])
    #expect(picker.isFinished)
    picker.lost(geometry.pieces[2])
    #expect(Self.pick(&picker, 9, .full(pieceCount: 3)) == [8])
  }

  @Test func allowedFastOnly() throws {
    var picker = try Self.picker(pieces: 5)
    let all = PieceSet.full(pieceCount: 5)
    let pieces = picker.geometry.pieces
    picker.add(all)
    picker.addUrgent(picker.geometry.numberedBlocks[0], deadline: .seconds(1))
    picker.addUrgent(picker.geometry.numberedBlocks[13], deadline: .seconds(1))
    #expect(
      Self.pick(&picker, 6, all) { $0.allowedOnly = [pieces[2], pieces[3]] }
        == [13, 8, 9, 10, 11, 12])
  }
}
