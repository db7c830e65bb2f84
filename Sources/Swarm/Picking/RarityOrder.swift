/// Things in order of how few peers have them, in O(1) when one becomes a bit rarer or commoner: an
/// array cut into buckets of equal rarity, in which a thing moves to the next bucket by a swap with
/// the one at the border (the idea is libtorrent's). Where a thing stands is kept by the caller, in an
/// array by its id.
struct RarityOrder {
  /// Invariant: bucket by bucket, rarest first.
  private(set) var ids: [UInt32] = []
  /// Where buckets begin. Invariant: ascending from 0; the last is the end.
  private(set) var starts = [0]
  /// The pieces that the things are or stand for: a bit each.
  private(set) var members: [UInt64] = []

  /// How many things are in it.
  var count: Int { ids.count }
  /// Where the things end that nobody has but those who have everything.
  var endOfRarest: Int { starts.count > 1 ? starts[1] : 0 }

  /// Begins to put in all at once: `counts[r]` things of rarity r.
  mutating func beginFilling(counts: [Int], pieceCount: Int) {
    starts = [0]
    for count in counts { starts.append(starts[starts.count - 1] + count) }
    ids = [UInt32](repeating: 0, count: starts[starts.count - 1])
    members = [UInt64](repeating: 0, count: (pieceCount + 63) / 64)
  }

  /// Puts in one of those that were announced. Where it stands.
  mutating func fill(_ id: UInt32, piece: UInt32, rarity: Int) -> UInt32 {
    // While filling, `starts` is where the next thing of each bucket goes.
    let place = starts[rarity]
    starts[rarity] += 1
    ids[place] = id
    members[Int(piece >> 6)] |= 1 << UInt64(piece & 63)
    return UInt32(place)
  }

  /// All that was announced is in.
  mutating func endFilling() {
    starts.removeLast()
    starts.insert(0, at: 0)
  }

  /// Puts in what is not there. O(buckets).
  mutating func insert(
    _ id: UInt32, piece: UInt32, rarity: Int, positions: inout [UInt32]
  ) {
    makeBucket(rarity)
    members[Int(piece >> 6)] |= 1 << UInt64(piece & 63)
    var hole = ids.count
    ids.append(id)
    var bucket = starts.count - 2
    while bucket > rarity {
      let first = starts[bucket]
      move(first, to: hole, &positions)
      hole = first
      starts[bucket + 1] += 1
      bucket -= 1
    }
    starts[rarity + 1] += 1
    ids[hole] = id
    positions[Int(id)] = UInt32(hole)
  }

  /// Takes out what is there. O(buckets).
  mutating func remove(
    _ id: UInt32, piece: UInt32, rarity: Int, positions: inout [UInt32]
  ) {
    members[Int(piece >> 6)] &= ~(1 << UInt64(piece & 63))
    var hole = Int(positions[Int(id)])
    for bucket in rarity..<starts.count - 1 {
      let last = starts[bucket + 1] - 1
      move(last, to: hole, &positions)
      hole = last
      starts[bucket + 1] -= 1
    }
    ids.removeLast()
  }

  /// One more peer has it: `rarity` had it before.
  mutating func raise(_ id: UInt32, rarity: Int, positions: inout [UInt32]) {
    makeBucket(rarity + 1)
    exchange(Int(positions[Int(id)]), starts[rarity + 1] - 1, &positions)
    starts[rarity + 1] -= 1
  }

  /// One peer less has it: `rarity` had it before.
  mutating func lower(_ id: UInt32, rarity: Int, positions: inout [UInt32]) {
    exchange(Int(positions[Int(id)]), starts[rarity], &positions)
    starts[rarity] += 1
  }

  /// One more peer has everything.
  mutating func raiseAll() { starts.insert(0, at: 0) }

  /// One peer less has everything. Nothing may be of rarity 0.
  mutating func lowerAll() {
    precondition(endOfRarest == 0)
    if starts.count > 1 { starts.removeFirst() }
  }

  private mutating func makeBucket(_ rarity: Int) {
    while starts.count < rarity + 2 { starts.append(ids.count) }
  }

  private mutating func move(_ place: Int, to hole: Int, _ positions: inout [UInt32]) {
    guard place != hole else { return }
    let id = ids[place]
    ids[hole] = id
    positions[Int(id)] = UInt32(hole)
  }

  private mutating func exchange(_ a: Int, _ b: Int, _ positions: inout [UInt32]) {
    guard a != b else { return }
    let (first, second) = (ids[a], ids[b])
    ids[a] = second
    ids[b] = first
    positions[Int(first)] = UInt32(b)
    positions[Int(second)] = UInt32(a)
  }
}
