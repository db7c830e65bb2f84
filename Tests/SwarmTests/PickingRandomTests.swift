import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// The picker beside the slow one, in random sequences of all operations.
@Suite struct PickingRandomTests {
  static func geometry(_ rng: inout SplitMix64) throws -> PieceGeometry {
    let lengths = (0..<Int.random(in: 1...6, using: &rng)).map { _ in
      rng.oneIn(5) ? 0 : UInt64.random(in: 1...300_000, using: &rng)
    }
    let lengths0 = lengths + [UInt64.random(in: 100_000...400_000, using: &rng)]
    switch Int.random(in: 0..<3, using: &rng) {
    case 0:
      return try PieceGeometry(
        v2Lengths: lengths0, pieceLength: 16_384 << UInt64.random(in: 0...3, using: &rng))
    case 1:
      let length: UInt64 = 16_384 << UInt64.random(in: 0...3, using: &rng)
      var files: [PieceGeometry.File] = []
      var end: UInt64 = 0
      for file in lengths0 {
        if file > 0 { end = (end + length - 1) / length * length }
        files.append(PieceGeometry.File(length: file, v1Offset: end))
        end += file
      }
      if rng.oneIn(2) { end = (end + length - 1) / length * length }
      return try PieceGeometry(hybridFiles: files, v1Length: end, pieceLength: length)
    default:
      // Gaps of any size: blocks and pieces that are all padding.
      var files: [PieceGeometry.File] = []
      var end: UInt64 = 0
      for file in lengths0 {
        if rng.oneIn(2) { end += UInt64.random(in: 1...200_000, using: &rng) }
        files.append(PieceGeometry.File(length: file, v1Offset: end))
        end += file
      }
      if rng.oneIn(2) { end += UInt64.random(in: 1...200_000, using: &rng) }
      let lengths: [UInt64] = [10_000, 16_384, 40_000, 65_536, 100_000]
      return try PieceGeometry(
        v1Files: files, v1Length: end, pieceLength: lengths.randomElement(using: &rng)!)
    }
  }

  @Test(arguments: 0..<40) func sequence(seed: Int) throws {
    var rng = SplitMix64(seed: UInt64(seed))
    let geometry = try Self.geometry(&rng)
    var pair = Pair(geometry: geometry, seed: seed)
    // Seeds differ in what happens often, so that ends and beginnings are both seen.
    let failures = Int.random(in: 0...4, using: &rng)
    for step in 0..<500 {
      pair.step = step
      pair.change(failures, &rng)
      if step % 10 == 0 { pair.compare() }
    }
    pair.compare()
  }

  /// At the end everything is here, whatever happened before.
  @Test(arguments: 200..<215) func finishes(seed: Int) throws {
    var rng = SplitMix64(seed: UInt64(seed))
    var pair = Pair(geometry: try Self.geometry(&rng), seed: seed)
    for _ in 0..<100 { pair.change(3, &rng) }
    for piece in pair.geometry.pieces { pair.setPriority(.normal, piece) }
    for peer in UInt32(0)..<6 {
      pair.leave(peer)
      // Asked by `requested` of peers that never came.
      for block in pair.blocks { pair.abandon(block, by: peer) }
    }
    pair.join(99, Set(pair.geometry.pieces))
    var options = PiecePicker.PickOptions()
    options.late = Array(0..<6)
    for _ in 0..<10_000 where !pair.picker.isFinished {
      let blocks = pair.pick(7, 99, options, &rng)
      for block in blocks { pair.set(block, .here) }
      for piece in pair.geometry.pieces
      where pair.slow.blocks(of: piece).allSatisfy({ pair.slow.states[$0] == .here }) {
        pair.have(piece)
      }
      guard blocks.isEmpty, !pair.picker.isFinished else { continue }
      // What came before and was never judged, and what the others will not send.
      for block in pair.geometry.numberedBlocks where pair.slow.states[block] == .received {
        pair.set(block, .free)
      }
    }
    #expect(pair.picker.isFinished, "seed \(seed)")
    pair.compare()
  }
}

/// The picker and the slow one, told the same.
struct Pair {
  let geometry: PieceGeometry
  let seed: Int
  var step = 0
  var picker: PiecePicker
  var slow: PickingReference
  let blocks: [BlockIndex]

  init(geometry: PieceGeometry, seed: Int) {
    self.geometry = geometry
    self.seed = seed
    picker = PiecePicker(geometry: geometry)
    slow = PickingReference(geometry: geometry)
    blocks = geometry.pieces.flatMap { geometry.blocks(of: $0) }
  }

  var place: Comment { "seed \(seed), step \(step)" }

  func set(_ pieces: Set<PieceIndex>) -> PieceSet {
    var set = PieceSet(pieceCount: geometry.pieces.count)
    for piece in pieces { set.insert(piece) }
    return set
  }

  // MARK: Operations

  mutating func join(_ peer: UInt32, _ pieces: Set<PieceIndex>) {
    slow.peers[peer] = pieces
    picker.add(set(pieces))
  }

  mutating func leave(_ peer: UInt32) {
    guard let pieces = slow.peers.removeValue(forKey: peer) else { return }
    for block in blocks where slow.requesters(block).contains(peer) {
      abandon(block, by: peer)
    }
    slow.works[peer] = nil
    picker.left(peer)
    picker.remove(set(pieces))
  }

  mutating func abandon(_ block: BlockIndex, by peer: UInt32) {
    slow.abandon(block, by: peer)
    picker.abandoned(block, by: peer)
  }

  mutating func setPriority(_ priority: PiecePicker.Priority, _ piece: PieceIndex) {
    slow.setPriority(priority, piece)
    picker.setPriority(priority, of: piece)
  }

  mutating func have(_ piece: PieceIndex) {
    slow.have(piece)
    picker.have(piece)
  }

  mutating func set(_ block: BlockIndex, _ state: PickingReference.State) {
    slow.set(block, state)
    switch state {
    case .free: picker.failed(block)
    case .here: picker.verified(block)
    case .received, .asked: picker.received(block)
    }
  }

  mutating func pick(
    _ count: Int, _ peer: UInt32, _ options: PiecePicker.PickOptions, _ rng: inout SplitMix64
  ) -> [BlockIndex] {
    let before = picker
    var blocks = [self.blocks[0]]
    picker.pick(
      count, from: set(slow.peers[peer]!), for: peer, options: options, using: &rng, into: &blocks)
    blocks.removeFirst()
    var course = PickingReference.Course()
    var isOwn = false
    for index in 0...blocks.count {
      let next = slow.next(
        peer, options, rarity: { before.rarity(of: $0.rawValue) }, seeds: before.seeds, course)
      guard index < blocks.count else {
        if index < count { #expect(next.blocks.isEmpty, place) }
        break
      }
      let block = blocks[index]
      #expect(next.blocks.contains(block), "\(place), block \(index) of \(blocks), \(next)")
      slow.ask(block, of: peer)
      isOwn = next.isOwn
      course.current = next.isBlockwise ? nil : (geometry.piece(of: block), isOwn)
    }
    if let last = course.current, last.isOwn, slow.firstFree(last.piece) != nil {
      slow.works[peer] = last.piece
    }
    #expect(blocks.count <= count && Set(blocks).count == blocks.count, place)
    return blocks
  }

  // MARK: By chance

  mutating func options(_ rng: inout SplitMix64) -> PiecePicker.PickOptions {
    var options = PiecePicker.PickOptions()
    if rng.oneIn(3) { options.late = (0..<6).filter { _ in rng.oneIn(2) } }
    options.isFast = rng.oneIn(2)
    options.avoidsCommon = rng.oneIn(3)
    options.refusesCommon = rng.oneIn(10)
    if rng.oneIn(10) {
      options.allowedOnly = geometry.pieces.filter { _ in rng.oneIn(4) }.shuffled(using: &rng)
    }
    return options
  }

  mutating func change(_ failures: Int, _ rng: inout SplitMix64) {
    let piece = geometry.pieces.randomElement(using: &rng)!
    guard let block = blocks.randomElement(using: &rng) else { return }
    let peer = UInt32.random(in: 0..<6, using: &rng)
    let asked = blocks.filter { !slow.requesters($0).isEmpty }.randomElement(using: &rng)
    switch Int.random(in: 0..<40, using: &rng) {
    case 0:
      leave(peer)
      let kind = Int.random(in: 0..<3, using: &rng)
      join(peer, Set(geometry.pieces.filter { _ in kind == 0 || kind == 1 && rng.oneIn(2) }))
    case 1: leave(peer)
    case 2..<6:
      guard slow.peers[peer]?.insert(piece).inserted == true else { return }
      picker.add(piece)
      if slow.peers[peer]!.count == geometry.pieces.count, rng.oneIn(2) { picker.becameFull() }
    case 6:
      if slow.peers[peer]?.remove(piece) != nil { picker.remove(piece) }
    case 7: setPriority([.skip, .normal, .high].randomElement(using: &rng)!, piece)
    case 8:
      let deadline = Duration.seconds(Int.random(in: 0...10, using: &rng))
      slow.urgent[block] = min(deadline, slow.urgent[block] ?? deadline)
      picker.addUrgent(block, deadline: deadline)
    case 9:
      slow.urgent[block] = nil
      picker.removeUrgent(block)
    case 10 where rng.oneIn(3): have(piece)
    case 11 where rng.oneIn(8):
      slow.lost(piece)
      picker.lost(piece)
    case 12 where rng.oneIn(3): set(block, [.free, .received, .here].randomElement(using: &rng)!)
    case 13 where rng.oneIn(3):
      slow.ask(block, of: peer)
      picker.requested(block, of: peer)
    case 14:
      abandon(block, by: peer)
    case 15..<17:
      guard let asked, let peer = slow.requesters(asked).randomElement(using: &rng) else { return }
      abandon(asked, by: peer)
    case 17..<27:
      if let asked { set(asked, .received) }
    case 27..<32:
      guard let got = blocks.filter({ slow.states[$0] == .received }).randomElement(using: &rng)
      else { return }
      set(got, Int.random(in: 0..<10, using: &rng) < failures ? .free : .here)
      let piece = geometry.piece(of: got)
      if slow.blocks(of: piece).allSatisfy({ slow.states[$0] == .here }) { have(piece) }
    default:
      guard slow.peers[peer] != nil else { return }
      _ = pick(Int.random(in: 1...9, using: &rng), peer, options(&rng), &rng)
    }
  }

  // MARK: Comparing

  func compare() {
    #expect(picker.missingWanted == slow.missingWanted, place)
    #expect(picker.isFinished == (slow.missingWanted == 0), place)
    for piece in geometry.pieces {
      #expect(picker.availability(of: piece) == slow.availability(piece), place)
      #expect(picker.isWanted(piece) == slow.isWanted(piece), place)
    }
    for block in blocks {
      #expect(picker.isWanted(block) == slow.isWanted(block), place)
      #expect(picker.requesters(of: block) == slow.requesters(block), place)
    }
    for (peer, pieces) in slow.peers {
      #expect(picker.isInteresting(set(pieces)) == slow.isInteresting(peer), place)
    }
    let works = slow.works.filter { slow.isWanted($0.value) }
    #expect(picker.owned.mapValues { geometry.pieces[Int(picker.begun[$0].piece)] } == works, place)
  }
}
