/// What is known of the blocks of pieces of which not all blocks are in the same state: a row for each
/// such piece, which is used again when the piece is whole.
struct BegunPieces {
  /// No peer, no row of requests.
  static let none = UInt32.max

  /// How a block is doing.
  enum State { case free, asked, received, here }

  /// Where the picker looks for a piece.
  enum Place {
    /// Nowhere: no block of it is to be asked, or the piece is not wanted.
    case idle
    /// Among the pieces that nobody works on.
    case partial
    /// Among those that a peer works on: its owner's.
    case owned
  }

  /// A piece.
  struct Row {
    var piece: UInt32
    /// Blocks with data in it.
    var blocks: UInt32
    /// Of those, blocks to be asked.
    var free: UInt32
    /// Of those, blocks asked of somebody.
    var asked: UInt32 = 0
    /// The peer that asks for blocks of it before those of other pieces. Invariant: there is one
    /// exactly when `place` is `.owned`, and it owns no other row.
    var owner = BegunPieces.none
    /// Where in `askedOf` its requests are. Invariant: there are some exactly when `asked` is not 0.
    var requests = BegunPieces.none
    /// When its oldest requests began, counted in pieces.
    var age: UInt32 = 0
    /// Where the picker has it.
    var place = Place.idle
    /// Its place among owned ones.
    var position: UInt32 = 0
  }

  /// Rows, those not in use too.
  private(set) var rows: [Row] = []
  /// Blocks that are asked of somebody.
  private(set) var askedCount = 0
  /// The second peer that a block is asked of, by the block's number.
  private(set) var second: [UInt32: UInt32] = [:]
  /// Rows in use.
  var count: Int { rows.count - unused.count }
  /// Blocks that are asked of one peer only.
  var askedOnce: Int { askedCount - second.count }

  private let blocksPerPiece: Int
  private let words: Int
  private var unused: [UInt32] = []
  /// Three planes of `words` words a row: free, asked, here. A block that is in none was received.
  private var planes: [UInt64] = []
  /// The first peer that each block is asked of: lent to rows with requests.
  private var askedOf: [UInt32] = []
  /// The row that each run of `askedOf` is lent to, or none.
  private(set) var lent: [UInt32] = []
  private var unlent: [UInt32] = []
  private var clock: UInt32 = 0

  init(blocksPerPiece: Int) {
    self.blocksPerPiece = blocksPerPiece
    self.words = (blocksPerPiece + 63) / 64
  }

  subscript(row: UInt32) -> Row {
    @inline(__always) get { rows[Int(row)] }
    @inline(__always) _modify { yield &rows[Int(row)] }
  }

  /// A row for the piece, whose first `blocks` blocks are free, and of which no others are asked.
  mutating func open(piece: UInt32, blocks: Int) -> UInt32 {
    let row: UInt32
    let entry = Row(piece: piece, blocks: UInt32(blocks), free: UInt32(blocks))
    if let last = unused.popLast() {
      row = last
      rows[Int(row)] = entry
    } else {
      row = UInt32(rows.count)
      rows.append(entry)
      planes.append(contentsOf: repeatElement(0, count: 3 * words))
    }
    for word in 0..<words {
      let rest = max(0, min(64, blocks - word * 64))
      let bits: UInt64 = rest == 64 ? .max : (1 << UInt64(rest)) - 1
      planes[plane(row, 0) + word] = bits
      planes[plane(row, 1) + word] = 0
      planes[plane(row, 2) + word] = ~bits
    }
    return row
  }

  /// The row is not needed any more; its requests are forgotten. It is in no place.
  mutating func close(_ row: UInt32) {
    precondition(rows[Int(row)].place == .idle)
    if rows[Int(row)].asked > 0 {
      for block in 0..<blocksPerPiece where state(row, block) == .asked {
        set(row, block, .received)
      }
    }
    unused.append(row)
  }

  /// No row is in use: gives the memory back.
  mutating func releaseMemory() {
    precondition(count == 0)
    self = BegunPieces(blocksPerPiece: blocksPerPiece)
  }

  /// Block `block` of the piece is all padding: as good as here.
  mutating func markPadding(_ row: UInt32, _ block: Int) {
    set(row, block, .here)
    rows[Int(row)].blocks -= 1
  }

  /// How the block is doing.
  func state(_ row: UInt32, _ block: Int) -> State {
    let word = block >> 6
    let bit: UInt64 = 1 << UInt64(block & 63)
    if planes[plane(row, 0) + word] & bit != 0 { return .free }
    if planes[plane(row, 1) + word] & bit != 0 { return .asked }
    return planes[plane(row, 2) + word] & bit != 0 ? .here : .received
  }

  /// The block is in another state now, which is not asked; who was asked is forgotten.
  mutating func set(_ row: UInt32, _ block: Int, _ state: State) {
    precondition(state != .asked)
    let word = block >> 6
    let bit: UInt64 = 1 << UInt64(block & 63)
    let free = plane(row, 0) + word
    let asked = plane(row, 1) + word
    let here = plane(row, 2) + word
    if planes[free] & bit != 0 {
      planes[free] &= ~bit
      rows[Int(row)].free -= 1
    } else if planes[asked] & bit != 0 {
      planes[asked] &= ~bit
      if !second.isEmpty { second[number(row, block)] = nil }
      endRequest(row)
    } else {
      planes[here] &= ~bit
    }
    switch state {
    case .free:
      planes[free] |= bit
      rows[Int(row)].free += 1
    case .here: planes[here] |= bit
    case .received, .asked: break
    }
  }

  /// Asks up to `count` free blocks of `peer`, first ones first, and calls `body` with the place of
  /// each in the piece. How many there were.
  @inline(__always)
  mutating func ask(_ row: UInt32, upTo count: Int, of peer: UInt32, _ body: (Int) -> Void) -> Int {
    let wanted = min(count, Int(rows[Int(row)].free))
    guard wanted > 0 else { return 0 }
    let run = beginRequests(row, wanted)
    var left = wanted
    var word = 0
    while left > 0 {
      let free = plane(row, 0) + word
      var bits = planes[free]
      var taken: UInt64 = 0
      while bits != 0 && left > 0 {
        let bit = bits & ~(bits - 1)
        let block = word << 6 | bits.trailingZeroBitCount
        taken |= bit
        bits &= ~bit
        askedOf[run + block] = peer
        left -= 1
        body(block)
      }
      planes[free] = bits
      planes[plane(row, 1) + word] |= taken
      word += 1
    }
    return wanted
  }

  /// Asks one block of `peer`: a free one, or one that is asked of one other peer. False when it is
  /// neither.
  mutating func ask(_ row: UInt32, _ block: Int, of peer: UInt32) -> Bool {
    switch state(row, block) {
    case .free:
      let run = beginRequests(row, 1)
      let bit: UInt64 = 1 << UInt64(block & 63)
      planes[plane(row, 0) + block >> 6] &= ~bit
      planes[plane(row, 1) + block >> 6] |= bit
      askedOf[run + block] = peer
      return true
    case .asked:
      let number = number(row, block)
      guard second[number] == nil, first(row, block) != peer else { return false }
      second[number] = peer
      return true
    case .received, .here: return false
    }
  }

  /// The peer will not send the block. False when it was not asked of it.
  mutating func abandon(_ row: UInt32, _ block: Int, by peer: UInt32) -> Bool {
    guard state(row, block) == .asked else { return false }
    let other = second.isEmpty ? nil : second.removeValue(forKey: number(row, block))
    if other == peer { return true }
    guard first(row, block) == peer else {
      if let other { second[number(row, block)] = other }
      return false
    }
    if let other {
      askedOf[Int(rows[Int(row)].requests) * blocksPerPiece + block] = other
    } else {
      set(row, block, .free)
    }
    return true
  }

  /// Calls `body` with the place of each block of the piece that is asked of one peer only, which
  /// `isChosen`, until it says false.
  func forEachAskedOnce(
    _ row: UInt32, of isChosen: (_ peer: UInt32) -> Bool, _ body: (Int) -> Bool
  ) {
    for word in 0..<words {
      var bits = planes[plane(row, 1) + word]
      while bits != 0 {
        let block = word << 6 | bits.trailingZeroBitCount
        bits &= bits - 1
        if second[number(row, block)] == nil, isChosen(first(row, block)), !body(block) { return }
      }
    }
  }

  /// The peers that the block is asked of.
  func requesters(_ row: UInt32, _ block: Int) -> [UInt32] {
    guard state(row, block) == .asked else { return [] }
    let first = first(row, block)
    guard let other = second[number(row, block)] else { return [first] }
    return [first, other]
  }

  // MARK: Parts

  @inline(__always)
  private func plane(_ row: UInt32, _ number: Int) -> Int { (Int(row) * 3 + number) * words }

  private func number(_ row: UInt32, _ block: Int) -> UInt32 {
    rows[Int(row)].piece * UInt32(blocksPerPiece) + UInt32(block)
  }

  private func first(_ row: UInt32, _ block: Int) -> UInt32 {
    askedOf[Int(rows[Int(row)].requests) * blocksPerPiece + block]
  }

  /// Counts `count` free blocks as asked; where in `askedOf` the row's requests begin.
  private mutating func beginRequests(_ row: UInt32, _ count: Int) -> Int {
    if rows[Int(row)].requests == BegunPieces.none {
      if let last = unlent.popLast() {
        rows[Int(row)].requests = last
        lent[Int(last)] = row
      } else {
        rows[Int(row)].requests = UInt32(lent.count)
        lent.append(row)
        askedOf.append(contentsOf: repeatElement(0, count: blocksPerPiece))
      }
      clock &+= 1
      rows[Int(row)].age = clock
    }
    rows[Int(row)].free -= UInt32(count)
    rows[Int(row)].asked += UInt32(count)
    askedCount += count
    return Int(rows[Int(row)].requests) * blocksPerPiece
  }

  private mutating func endRequest(_ row: UInt32) {
    rows[Int(row)].asked -= 1
    askedCount -= 1
    guard rows[Int(row)].asked == 0 else { return }
    let run = rows[Int(row)].requests
    lent[Int(run)] = BegunPieces.none
    unlent.append(run)
    rows[Int(row)].requests = BegunPieces.none
  }
}
