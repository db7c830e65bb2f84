import Metainfo

// How many peers have a piece is `seeds` and `others`. A peer is counted in either, or in parts in
// both: only the sum is exact. A peer that told piece by piece that it has all is in `others`, and
// leaves `seeds` when it goes with a full set, if there is one to leave. The order by rarity is right
// nevertheless, as all pieces differ by the same; only "nobody but seeds has it" is less sharp.
extension PiecePicker {
  /// A peer has these pieces.
  mutating func add(_ pieces: PieceSet) {
    guard !pieces.isFull else {
      seeds += 1
      return
    }
    makeOthers()
    if pieces.count > PickingLimits.scannedEntries { isUnordered = true }
    for index in 0..<pieces.wordCount {
      var bits = pieces.word(index)
      while bits != 0 {
        raise(index << 6 | bits.trailingZeroBitCount)
        bits &= bits - 1
      }
    }
  }

  /// A peer that has these pieces left.
  mutating func remove(_ pieces: PieceSet) {
    guard !pieces.isFull else {
      if seeds > 0 { seeds -= 1 } else { lowerAll() }
      return
    }
    if pieces.count > PickingLimits.scannedEntries { isUnordered = true }
    for index in 0..<pieces.wordCount {
      var bits = pieces.word(index)
      while bits != 0 {
        lower(index << 6 | bits.trailingZeroBitCount)
        bits &= bits - 1
      }
    }
  }

  /// A peer has one more piece: `have`. BEP 3.
  mutating func add(_ piece: PieceIndex) {
    makeOthers()
    raise(Int(piece.rawValue))
  }

  /// A peer does not have the piece any more: `lt_donthave`. BEP 54.
  mutating func remove(_ piece: PieceIndex) { lower(Int(piece.rawValue)) }

  /// A peer that told its pieces one by one has all of them now: it is counted as those that came
  /// with all of them. Need not be called, but what only seeds have is known better then.
  mutating func becameFull() {
    guard !others.isEmpty, others.allSatisfy({ $0 > 0 }) else { return }
    lowerAll()
    seeds += 1
  }

  /// How many peers have the piece, without those that have everything.
  @inline(__always)
  func rarity(of piece: UInt32) -> Int { others.isEmpty ? 0 : Int(others[Int(piece)]) }

  private mutating func makeOthers() {
    if others.isEmpty { others = [UInt16](repeating: 0, count: geometry.pieces.count) }
  }

  private mutating func raise(_ number: Int) {
    let rarity = Int(others[number])
    others[number] += 1
    guard !isUnordered, wanted.contains(number: number) else { return }
    let piece = UInt32(number)
    if let row = row(of: piece) {
      guard begun[row].place == .partial else { return }
      shelves[shelf(of: piece, isNew: false)].raise(row, rarity: rarity, positions: &rowPlaces)
    } else {
      shelves[shelf(of: piece, isNew: true)].raise(piece, rarity: rarity, positions: &places)
    }
  }

  private mutating func lower(_ number: Int) {
    if others.isEmpty || others[number] == 0 { splitSeed() }
    let rarity = Int(others[number])
    others[number] -= 1
    guard !isUnordered, wanted.contains(number: number) else { return }
    let piece = UInt32(number)
    if let row = row(of: piece) {
      guard begun[row].place == .partial else { return }
      shelves[shelf(of: piece, isNew: false)].lower(row, rarity: rarity, positions: &rowPlaces)
    } else {
      shelves[shelf(of: piece, isNew: true)].lower(piece, rarity: rarity, positions: &places)
    }
  }

  /// One of `seeds` is counted piece by piece from here on.
  private mutating func splitSeed() {
    precondition(seeds > 0, "more peers left than came")
    makeOthers()
    seeds -= 1
    for index in others.indices { others[index] += 1 }
    guard !isUnordered else { return }
    for index in shelves.indices { shelves[index].raiseAll() }
  }

  private mutating func lowerAll() {
    precondition(!others.isEmpty || geometry.pieces.isEmpty, "more peers left than came")
    for index in others.indices { others[index] -= 1 }
    guard !isUnordered else { return }
    for index in shelves.indices { shelves[index].lowerAll() }
  }
}
