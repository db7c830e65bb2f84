import Metainfo

extension PiecePicker {
  /// Up to `count` blocks to ask of a peer that has `pieces`, appended to `blocks` and marked as
  /// requested.
  ///
  /// In this order: urgent blocks, the earliest deadline first; the piece that this peer works on;
  /// then of high and after that of normal pieces those that are partly here, new ones, and those that
  /// other peers work on (before new ones, if the peer is slow); in the endgame, blocks that one other
  /// peer was asked for and is late with. Of equal ones the rarest first, chance among equally rare ones; the first few
  /// new pieces by chance alone. Blocks of a piece come in order.
  mutating func pick(
    _ count: Int, from pieces: PieceSet, for peer: UInt32, options: PickOptions = PickOptions(),
    using rng: inout some RandomNumberGenerator, into blocks: inout [BlockIndex]
  ) {
    precondition(pieces.pieceCount == geometry.pieces.count)
    guard count > 0, !pieces.isEmpty else { return }
    let goal = blocks.count + count
    if !urgent.isEmpty { pickUrgent(goal, pieces, peer, options, &blocks) }
    guard blocks.count < goal, !wanted.isEmpty else { return }
    if let allowed = options.allowedOnly {
      pick(goal, only: allowed, pieces, peer, &blocks)
      return
    }
    if isUnordered { fillShelves(using: &rng) }
    if options.avoidsCommon || options.refusesCommon {
      pick(goal, pieces, peer, options, onlyRarest: true, &rng, &blocks)
    }
    if !options.refusesCommon {
      pick(goal, pieces, peer, options, onlyRarest: false, &rng, &blocks)
      if !options.late.isEmpty, blocks.count < goal {
        pickAsked(goal, pieces, peer, options.late, &blocks)
      }
    }
  }

  // MARK: In their order

  private mutating func pickUrgent(
    _ goal: Int, _ pieces: PieceSet, _ peer: UInt32, _ options: PickOptions,
    _ blocks: inout [BlockIndex]
  ) {
    var left = urgent.freeCount
    var index = 0
    while left > 0, blocks.count < goal, index < urgent.entries.count {
      let entry = urgent.entries[index]
      index += 1
      guard entry.state == .free else { continue }
      left -= 1
      let piece = piece(of: entry.block)
      guard pieces.contains(piece), options.allowedOnly?.contains(piece) ?? true else { continue }
      let row = row(of: piece.rawValue) ?? open(piece)
      guard begun.ask(row, place(of: entry.block), of: peer) else { continue }
      settle(row)
      settleUrgent(entry.block)
      blocks.append(entry.block)
    }
  }

  private mutating func pick(
    _ goal: Int, only allowed: [PieceIndex], _ pieces: PieceSet, _ peer: UInt32,
    _ blocks: inout [BlockIndex]
  ) {
    for piece in allowed where blocks.count < goal {
      guard pieces.contains(piece), wanted.contains(piece) else { continue }
      take(row(of: piece.rawValue) ?? open(piece), goal, peer, isOwn: false, &blocks)
    }
  }

  private mutating func pick(
    _ goal: Int, _ pieces: PieceSet, _ peer: UInt32, _ options: PickOptions, onlyRarest: Bool,
    _ rng: inout some RandomNumberGenerator, _ blocks: inout [BlockIndex]
  ) {
    if let row = owned[peer] {
      let piece = begun[row].piece
      if pieces.contains(number: Int(piece)), !onlyRarest || rarity(of: piece) == 0 {
        take(row, goal, peer, isOwn: true, &blocks)
      }
    }
    for isHigh in [true, false] where blocks.count < goal {
      let partial: Shelf = isHigh ? .highPartial : .partial
      while blocks.count < goal,
        let row = find(partial, pieces, onlyRarest: onlyRarest, isRandom: false, &rng)
      {
        take(row, goal, peer, isOwn: true, &blocks)
      }
      if !options.isFast { join(goal, isHigh, pieces, peer, onlyRarest: onlyRarest, &blocks) }
      let new: Shelf = isHigh ? .highNew : .new
      while blocks.count < goal,
        let number = find(
          new, pieces, onlyRarest: onlyRarest,
          isRandom: here.count < PickingLimits.randomPieces, &rng)
      {
        take(open(geometry.pieces[Int(number)]), goal, peer, isOwn: true, &blocks)
      }
      if options.isFast { join(goal, isHigh, pieces, peer, onlyRarest: onlyRarest, &blocks) }
    }
  }

  /// Helps with pieces that other peers work on: first those of which the least is to be asked.
  private mutating func join(
    _ goal: Int, _ isHigh: Bool, _ pieces: PieceSet, _ peer: UInt32, onlyRarest: Bool,
    _ blocks: inout [BlockIndex]
  ) {
    while blocks.count < goal {
      var best: UInt32?
      for row in ownedRows {
        let piece = begun[row].piece
        guard begun[row].owner != peer, begun[row].free < best.map({ begun[$0].free }) ?? .max,
          pieces.contains(number: Int(piece)), high.contains(number: Int(piece)) == isHigh,
          !onlyRarest || rarity(of: piece) == 0
        else { continue }
        best = row
      }
      guard let best else { return }
      take(best, goal, peer, isOwn: false, &blocks)
    }
  }

  /// Whether all is asked that is wanted and that some peer has, and some of it of one peer only.
  var isAtEnd: Bool { begun.askedOnce > 0 && isAllAsked }

  /// Blocks that one late peer was asked for, oldest pieces first, once nothing is free that anybody
  /// has.
  private mutating func pickAsked(
    _ goal: Int, _ pieces: PieceSet, _ peer: UInt32, _ late: [UInt32],
    _ blocks: inout [BlockIndex]
  ) {
    guard isAtEnd else { return }
    let rows = begun.lent.filter {
      guard $0 != BegunPieces.none else { return false }
      let number = Int(begun[$0].piece)
      return wanted.contains(number: number) && pieces.contains(number: number)
    }.sorted { begun[$0].age < begun[$1].age }
    for row in rows where blocks.count < goal {
      let first = begun[row].piece * blocksPerPiece
      let old = blocks.count
      begun.forEachAskedOnce(row, of: { $0 != peer && late.contains($0) }) {
        blocks.append(blockNumbers[Int(first) + $0])
        return blocks.count < goal
      }
      for block in blocks[old...] {
        _ = begun.ask(row, place(of: block), of: peer)
        settleUrgent(block)
      }
    }
  }

  /// Whether no block is free that is wanted and that some peer has.
  private var isAllAsked: Bool {
    if seeds > 0 { return ownedRows.isEmpty && shelves.allSatisfy { $0.count == 0 } }
    return ownedRows.allSatisfy { rarity(of: begun[$0].piece) == 0 }
      && shelves.allSatisfy { $0.count == $0.endOfRarest }
  }

  /// Asks blocks of the row. If some are left and `isOwn`, the peer goes on with it next time.
  private mutating func take(
    _ row: UInt32, _ goal: Int, _ peer: UInt32, isOwn: Bool, _ blocks: inout [BlockIndex]
  ) {
    let first = Int(begun[row].piece * blocksPerPiece)
    let old = blocks.count
    _ = begun.ask(row, upTo: goal - old, of: peer) { blocks.append(blockNumbers[first + $0]) }
    if isOwn, begun[row].free > 0 { own(row, by: peer) } else { settle(row) }
    guard !urgent.isEmpty else { return }
    for block in blocks[old...] { settleUrgent(block) }
  }

  // MARK: The rarest

  /// The rarest thing on the shelf that the peer has: the row of a partial piece, the number of a new
  /// one. With `onlyRarest` none that anybody has but seeds; with `isRandom` any.
  private func find(
    _ shelf: Shelf, _ pieces: PieceSet, onlyRarest: Bool, isRandom: Bool,
    _ rng: inout some RandomNumberGenerator
  ) -> UInt32? {
    let order = shelves[shelf.rawValue]
    let end = onlyRarest ? order.endOfRarest : order.count
    let isNew = shelf == .new || shelf == .highNew
    var left = PickingLimits.scannedEntries
    var bucket = 0
    var start = 0
    while start < end, left > 0 {
      bucket += 1
      let stop = isRandom ? end : order.starts[bucket]
      guard stop > start else { continue }
      // From a random place around: chance among equals.
      let size = stop - start
      var place = start + Int(rng.next(upperBound: UInt(size)))
      for _ in 0..<min(size, left) {
        let id = order.ids[place]
        let piece = isNew ? id : begun[id].piece
        if pieces.contains(number: Int(piece)) { return id }
        place += 1
        if place == stop { place = start }
      }
      left -= size
      start = stop
    }
    guard start < end || left < 0 else { return nil }
    guard let piece = search(order.members, pieces, onlyRarest, isRandom, &rng) else { return nil }
    return isNew ? piece : row(of: piece)
  }

  /// The same for a peer that has few of many: by the bits of what is on the shelf and what it has.
  private func search(
    _ members: [UInt64], _ pieces: PieceSet, _ onlyRarest: Bool, _ isRandom: Bool,
    _ rng: inout some RandomNumberGenerator
  ) -> UInt32? {
    var best: UInt32?
    var bestRarity = Int.max
    var left = PickingLimits.comparedPieces
    var index = Int(rng.next(upperBound: UInt(members.count)))
    for _ in members.indices {
      let both = members[index] & pieces.word(index)
      var bits = both
      while bits != 0 {
        let piece = UInt32(index << 6 | bits.trailingZeroBitCount)
        bits &= bits - 1
        let rarity = rarity(of: piece)
        guard rarity < bestRarity, !onlyRarest || rarity == 0 else { continue }
        best = piece
        bestRarity = rarity
        if isRandom || rarity == 0 { return best }
      }
      left -= both.nonzeroBitCount
      if left <= 0, best != nil { return best }
      index = index + 1 == members.count ? 0 : index + 1
    }
    return best
  }

  // MARK: The shelves anew

  /// Puts all pieces on their shelves. They are gone through in an order of chance, so that nodes
  /// differ in what comes first among equals.
  private mutating func fillShelves(using rng: inout some RandomNumberGenerator) {
    let count = geometry.pieces.count
    if places.isEmpty { places = [UInt32](repeating: 0, count: count) }
    var counts = [[Int]](repeating: [], count: shelves.count)
    wanted.forEach { number in
      guard let shelf = currentShelf(of: UInt32(number)) else { return }
      let rarity = rarity(of: UInt32(number))
      while counts[shelf].count <= rarity { counts[shelf].append(0) }
      counts[shelf][rarity] += 1
    }
    for shelf in shelves.indices {
      shelves[shelf].beginFilling(counts: counts[shelf], pieceCount: count)
    }
    // i · odd + any, modulo a power of two, is every number once. Neighbours stay together, 64 at a
    // time: one by one, each would cost several cache misses.
    var mask = 1
    while mask < wanted.wordCount { mask <<= 1 }
    mask -= 1
    let factor = Int(truncatingIfNeeded: rng.next()) | 1
    var index = Int(truncatingIfNeeded: rng.next()) & mask
    for _ in 0...mask {
      index = (index &+ factor) & mask
      guard index < wanted.wordCount else { continue }
      var bits = wanted.word(index)
      while bits != 0 {
        let piece = UInt32(index << 6 | bits.trailingZeroBitCount)
        bits &= bits - 1
        guard let shelf = currentShelf(of: piece) else { continue }
        if let row = row(of: piece) {
          rowPlaces[Int(row)] = shelves[shelf].fill(row, piece: piece, rarity: rarity(of: piece))
        } else {
          places[Int(piece)] = shelves[shelf].fill(piece, piece: piece, rarity: rarity(of: piece))
        }
      }
    }
    for shelf in shelves.indices { shelves[shelf].endFilling() }
    isUnordered = false
  }

  /// The shelf that a wanted piece belongs on, if any.
  private func currentShelf(of piece: UInt32) -> Int? {
    guard let row = row(of: piece) else { return shelf(of: piece, isNew: true) }
    return begun[row].place == .partial ? shelf(of: piece, isNew: false) : nil
  }
}
