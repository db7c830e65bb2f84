import Metainfo

// Blocks in their states, and rows in their places.
extension PiecePicker {
  // MARK: Requests

  /// The block was asked of a peer; `pick` does so itself with what it returns. Nothing changes when
  /// the block is not missing, or is asked of two peers already.
  mutating func requested(_ block: BlockIndex, of peer: UInt32) {
    let piece = piece(of: block)
    guard !here.contains(piece), !isPadding(block) else { return }
    let row = row(of: piece.rawValue) ?? open(piece)
    _ = begun.ask(row, place(of: block), of: peer)
    settle(row)
    settleUrgent(block)
  }

  /// The peer will not send the block: it chokes us, rejected the request, is gone, or took too long.
  /// Nothing changes when the block was not asked of it.
  mutating func abandoned(_ block: BlockIndex, by peer: UInt32) {
    guard let row = row(of: piece(of: block).rawValue),
      begun.abandon(row, place(of: block), by: peer)
    else { return }
    if begun[row].owner == peer { move(row, to: .idle) }
    if !closeIfUntouched(row) { settle(row) }
    settleUrgent(block)
  }

  /// The peer is gone, or asks for nothing for now: others may go on with the piece it works on. Its
  /// requests are abandoned one by one.
  mutating func left(_ peer: UInt32) {
    guard let row = owned[peer] else { return }
    move(row, to: .idle)
    settle(row)
  }

  // MARK: States

  /// How the block is doing.
  func state(of block: BlockIndex) -> BegunPieces.State {
    let piece = piece(of: block)
    if here.contains(piece) { return .here }
    guard let row = row(of: piece.rawValue) else { return isPadding(block) ? .here : .free }
    return begun.state(row, place(of: block))
  }

  /// The block is in this state now, which is not asked.
  mutating func set(_ block: BlockIndex, _ state: BegunPieces.State) {
    let piece = piece(of: block)
    guard !isPadding(block) else { return }
    if here.contains(piece) {
      guard state == .free else { return }
      reopen(piece)
    }
    guard let row = row(of: piece.rawValue) ?? (state == .free ? nil : open(piece)) else { return }
    begun.set(row, place(of: block), state)
    if state != .free || !closeIfUntouched(row) { settle(row) }
    settleUrgent(block)
  }

  /// A whole piece is whole no more: it has a row, in which all blocks are here.
  private mutating func reopen(_ piece: PieceIndex) {
    here.remove(piece)
    if !skipped.contains(piece) {
      wanted.insert(piece)
      enterShelf(piece)
    }
    let row = open(piece)
    for place in 0..<geometry.blocks(of: piece).count { begun.set(row, place, .here) }
    settle(row)
  }

  // MARK: Rows

  /// The row of a piece, if it has one.
  @inline(__always)
  func row(of piece: UInt32) -> UInt32? {
    guard !places.isEmpty else { return nil }
    let place = places[Int(piece)]
    return place & Self.rowMark != 0 ? place & ~Self.rowMark : nil
  }

  /// Makes a row for a piece that has none; it is in no place.
  mutating func open(_ piece: PieceIndex) -> UInt32 {
    if places.isEmpty { places = [UInt32](repeating: 0, count: geometry.pieces.count) }
    leaveShelf(piece)
    let blocks = geometry.blocks(of: piece)
    let row = begun.open(piece: piece.rawValue, blocks: blocks.count)
    if hasPadding {
      for place in 0..<blocks.count where isPadding(blocks[place]) { begun.markPadding(row, place) }
    }
    if rowPlaces.count <= Int(row) { rowPlaces.append(0) }
    places[Int(piece.rawValue)] = Self.rowMark | row
    return row
  }

  /// Gives back the row of a piece.
  mutating func close(_ row: UInt32) {
    move(row, to: .idle)
    places[Int(begun[row].piece)] = 0
    begun.close(row)
  }

  /// A row that says no more than that all is missing is given back. Whether it was.
  @discardableResult
  mutating func closeIfUntouched(_ row: UInt32) -> Bool {
    guard begun[row].free == begun[row].blocks else { return false }
    let piece = geometry.pieces[Int(begun[row].piece)]
    close(row)
    enterShelf(piece)
    return true
  }

  /// Puts the row where its blocks belong.
  @inline(__always)
  mutating func settle(_ row: UInt32) {
    let entry = begun[row]
    let isOpen = entry.free > 0 && wanted.contains(number: Int(entry.piece))
    let place: BegunPieces.Place =
      !isOpen ? .idle : entry.owner == BegunPieces.none ? .partial : .owned
    if place != entry.place { move(row, to: place) }
  }

  /// Makes the peer, which asked for blocks of the row, go on with it before all others.
  mutating func own(_ row: UInt32, by peer: UInt32) {
    guard begun[row].owner != peer else { return }
    if let other = owned[peer] {
      move(other, to: .idle)
      settle(other)
    }
    move(row, to: .idle)
    begun[row].owner = peer
    begun[row].place = .owned
    begun[row].position = UInt32(ownedRows.count)
    ownedRows.append(row)
    owned[peer] = row
  }

  /// Puts the row among partial ones, or nowhere.
  mutating func move(_ row: UInt32, to place: BegunPieces.Place) {
    let entry = begun[row]
    switch entry.place {
    case .idle: break
    case .owned:
      owned[entry.owner] = nil
      begun[row].owner = BegunPieces.none
      if let last = ownedRows.popLast(), last != row {
        ownedRows[Int(entry.position)] = last
        begun[last].position = entry.position
      }
    case .partial:
      guard !isUnordered else { break }
      shelves[shelf(of: entry.piece, isNew: false)].remove(
        row, piece: entry.piece, rarity: rarity(of: entry.piece), positions: &rowPlaces)
    }
    precondition(place != .owned)
    begun[row].place = place
    guard place == .partial, !isUnordered else { return }
    shelves[shelf(of: entry.piece, isNew: false)].insert(
      row, piece: entry.piece, rarity: rarity(of: entry.piece), positions: &rowPlaces)
  }

  // MARK: Shelves

  /// Which shelf the piece is on, if it is on one.
  @inline(__always)
  func shelf(of piece: UInt32, isNew: Bool) -> Int {
    let isHigh = high.contains(number: Int(piece))
    let shelf: Shelf = isHigh ? (isNew ? .highNew : .highPartial) : (isNew ? .new : .partial)
    return shelf.rawValue
  }

  /// Takes the piece from where `pick` looks, because something of it changes.
  mutating func leaveShelf(_ piece: PieceIndex) {
    if let row = row(of: piece.rawValue) {
      move(row, to: .idle)
    } else if !isUnordered, wanted.contains(piece) {
      shelves[shelf(of: piece.rawValue, isNew: true)].remove(
        piece.rawValue, piece: piece.rawValue, rarity: rarity(of: piece.rawValue),
        positions: &places)
    }
  }

  /// Puts the piece where `pick` looks.
  mutating func enterShelf(_ piece: PieceIndex) {
    if let row = row(of: piece.rawValue) {
      settle(row)
    } else if !isUnordered, wanted.contains(piece) {
      shelves[shelf(of: piece.rawValue, isNew: true)].insert(
        piece.rawValue, piece: piece.rawValue, rarity: rarity(of: piece.rawValue),
        positions: &places)
    }
  }

  /// Gives memory back when nothing is to be picked any more.
  mutating func releaseIfDone() {
    guard wanted.isEmpty else { return }
    if !isUnordered {
      shelves = [RarityOrder](repeating: RarityOrder(), count: shelves.count)
      isUnordered = true
    }
    if begun.count == 0, !places.isEmpty {
      begun.releaseMemory()
      places = []
      rowPlaces = []
    }
  }

  // MARK: Urgent blocks

  /// What a pick can do with the block.
  func urgentState(of block: BlockIndex) -> UrgentBlocks.State {
    switch state(of: block) {
    case .free: .free
    case .asked: begun.second[block.rawValue] == nil ? .askedOnce : .settled
    case .received, .here: .settled
    }
  }

  /// The block changed.
  @inline(__always)
  mutating func settleUrgent(_ block: BlockIndex) {
    if !urgent.isEmpty { urgent.set(block, urgentState(of: block)) }
  }

  /// All of the piece's blocks changed.
  mutating func settleUrgent(of piece: PieceIndex) {
    guard !urgent.isEmpty else { return }
    for block in geometry.blocks(of: piece) { settleUrgent(block) }
  }

  // MARK: Numbers

  /// The piece that the block is in.
  @inline(__always)
  func piece(of block: BlockIndex) -> PieceIndex {
    geometry.pieces[Int(block.rawValue / blocksPerPiece)]
  }

  /// Where the block is in its piece.
  @inline(__always)
  func place(of block: BlockIndex) -> Int { Int(block.rawValue % blocksPerPiece) }

  /// Whether there can be blocks without a byte of a file before the last block of a piece.
  @inline(__always)
  var hasPadding: Bool { geometry.kind == .v1 && geometry.totalLength < geometry.streamLength }

  /// Whether the block holds no byte of a file.
  @inline(__always)
  func isPadding(_ block: BlockIndex) -> Bool {
    hasPadding && geometry.dataLength(of: block) == 0
  }
}
