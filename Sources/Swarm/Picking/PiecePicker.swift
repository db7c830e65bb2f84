import Metainfo

/// What to ask for next. Knows of each piece how many connected peers have it, what is here, and what
/// was asked of whom; never which peers exist. A peer is its connection's slot.
///
/// A block is free (missing, and nobody was asked), asked (of one peer, or of two), received (it is
/// being verified) or here. Blocks of padding alone, and pieces of them, are here from the start.
///
/// Memory: 2.5 bytes a piece at rest; 10.5 while there is something to pick; about 100 bytes more for
/// each piece that is neither whole nor all missing, and 4 bytes a block for those with requests.
struct PiecePicker {
  /// What a piece is worth.
  enum Priority: UInt8, Comparable {
    /// It is not wanted; blocks that somebody reads are asked nevertheless.
    case skip
    /// It is wanted.
    case normal
    /// It is wanted before all normal ones.
    case high

    static func < (a: Priority, b: Priority) -> Bool { a.rawValue < b.rawValue }
  }

  /// Orders of pieces to choose from, in the order in which they are tried.
  enum Shelf: Int, CaseIterable {
    /// Some blocks are here, or were asked, and no peer works on it.
    case highPartial
    /// No block is here, and none was asked.
    case highNew
    case partial
    case new
  }

  /// What there is to pick.
  let geometry: PieceGeometry
  let blockNumbers: BlockRange
  let blocksPerPiece: UInt32

  /// Pieces that are whole, and here.
  var here: PieceSet
  /// Pieces that are not wanted.
  var skipped: PieceSet
  /// Pieces that are wanted first.
  var high: PieceSet
  /// Pieces that are wanted and not here.
  var wanted: PieceSet

  /// Peers that have everything, or as good as: a peer may count in `others` as long as it was told
  /// piece by piece.
  var seeds = 0
  /// How many other peers have each piece; none while all have everything.
  var others: [UInt16] = []

  var begun: BegunPieces
  var urgent = UrgentBlocks()
  /// The row of the piece that a peer works on.
  var owned: [UInt32: UInt32] = [:]
  /// Those rows.
  var ownedRows: [UInt32] = []

  /// Where pieces are to be found: for one with a row `rowMark` and the row; else its place on its
  /// shelf. None as long as there is neither a row nor an order.
  var places: [UInt32] = []
  /// Where a row is on its shelf.
  var rowPlaces: [UInt32] = []
  /// By `Shelf`: pieces when new, else rows.
  var shelves = [RarityOrder](repeating: RarityOrder(), count: Shelf.allCases.count)
  /// Whether the shelves must be filled anew before they are used.
  var isUnordered = true

  static let rowMark: UInt32 = 1 << 31

  /// Everything is missing and wanted, and nobody has anything.
  init(geometry: PieceGeometry) {
    let count = geometry.pieces.count
    precondition(count < Self.rowMark)
    self.geometry = geometry
    blockNumbers = geometry.numberedBlocks
    blocksPerPiece = geometry.blocksPerPiece
    here = PieceSet(pieceCount: count)
    skipped = PieceSet(pieceCount: count)
    high = PieceSet(pieceCount: count)
    wanted = .full(pieceCount: count)
    begun = BegunPieces(blocksPerPiece: Int(geometry.blocksPerPiece))
    guard geometry.kind == .v1, geometry.totalLength < geometry.streamLength else { return }
    for piece in geometry.pieces where geometry.dataLength(of: piece) == 0 {
      here.insert(piece)
      wanted.remove(piece)
    }
  }

  // MARK: Facts

  /// Whether all pieces that are wanted are here.
  var isFinished: Bool { wanted.isEmpty }
  /// Pieces that are wanted and not here.
  var missingWanted: Int { wanted.count }

  /// Whether the piece is wanted and not here.
  func isWanted(_ piece: PieceIndex) -> Bool { wanted.contains(piece) }

  /// Whether the block is missing, asked or not, and somebody wants it.
  func isWanted(_ block: BlockIndex) -> Bool {
    guard isMissing(block) else { return false }
    return wanted.contains(piece(of: block)) || urgent.contains(block)
  }

  /// Whether the block neither came nor is here.
  func isMissing(_ block: BlockIndex) -> Bool {
    switch state(of: block) {
    case .free, .asked: true
    case .received, .here: false
    }
  }

  /// Whether a peer with these pieces has something that is wanted and not here. O(pieces / 64).
  func isInteresting(_ pieces: PieceSet) -> Bool {
    wanted.intersects(pieces)
      || urgent.entries.contains {
        pieces.contains(piece(of: $0.block)) && state(of: $0.block) != .here
      }
  }

  /// How many connected peers have the piece.
  func availability(of piece: PieceIndex) -> Int { rarity(of: piece.rawValue) + seeds }

  /// The peers that the block is asked of. Ask before `received`, which forgets them.
  func requesters(of block: BlockIndex) -> [UInt32] {
    guard let row = row(of: piece(of: block).rawValue) else { return [] }
    return begun.requesters(row, place(of: block))
  }

  // MARK: Wishes

  /// What the piece is worth; normal at first.
  mutating func setPriority(_ priority: Priority, of piece: PieceIndex) {
    guard priority != self.priority(of: piece) else { return }
    leaveShelf(piece)
    if priority == .skip { skipped.insert(piece) } else { skipped.remove(piece) }
    if priority == .high { high.insert(piece) } else { high.remove(piece) }
    if priority != .skip && !here.contains(piece) {
      wanted.insert(piece)
    } else {
      wanted.remove(piece)
    }
    enterShelf(piece)
    releaseIfDone()
  }

  /// What the piece is worth.
  func priority(of piece: PieceIndex) -> Priority {
    if skipped.contains(piece) { return .skip }
    return high.contains(piece) ? .high : .normal
  }

  /// Somebody waits for the block: it is asked before all else, whatever its piece is worth, until
  /// `removeUrgent`. Of two deadlines the earlier one counts.
  mutating func addUrgent(_ block: BlockIndex, deadline: Duration) {
    urgent.insert(block, deadline: deadline, state: urgentState(of: block))
  }

  /// Nobody waits for the block any more.
  mutating func removeUrgent(_ block: BlockIndex) { urgent.remove(block) }

  // MARK: What is here

  /// The whole piece was verified.
  mutating func have(_ piece: PieceIndex) {
    guard !here.contains(piece) else { return }
    leaveShelf(piece)
    if let row = row(of: piece.rawValue) { close(row) }
    here.insert(piece)
    wanted.remove(piece)
    settleUrgent(of: piece)
    releaseIfDone()
  }

  /// The piece is not here any more: all its blocks are missing. Those that were asked stay so.
  mutating func lost(_ piece: PieceIndex) {
    let blocks = geometry.blocks(of: piece)
    guard !blocks.isEmpty else { return }
    leaveShelf(piece)
    if here.remove(piece), !skipped.contains(piece) { wanted.insert(piece) }
    if let row = row(of: piece.rawValue) {
      for place in 0..<blocks.count where !isPadding(blocks[place]) {
        if begun.state(row, place) != .asked { begun.set(row, place, .free) }
      }
      if !closeIfUntouched(row) { settle(row) }
    } else {
      enterShelf(piece)
    }
    settleUrgent(of: piece)
  }

  /// The block was verified. `have` is told apart.
  mutating func verified(_ block: BlockIndex) { set(block, .here) }

  /// The block came and is being verified: it is not asked again, and who was asked is forgotten.
  mutating func received(_ block: BlockIndex) { set(block, .received) }

  /// The block was wrong, or dropped, or is not here any more: it is to be asked again.
  mutating func failed(_ block: BlockIndex) { set(block, .free) }
}
