import Metainfo

/// A set of pieces of one torrent: a bit each. Full and empty sets take no memory for bits.
struct PieceSet: Sendable, Hashable {
  /// How many pieces the torrent has.
  let pieceCount: Int
  /// How many pieces are in the set.
  private(set) var count: Int
  /// Piece p is bit p mod 64 of word p / 64. Invariant: none when the set is full or empty, so that
  /// equal sets are equal values; else bits beyond the last piece are 0.
  private var words: [UInt64]

  /// The empty set.
  init(pieceCount: Int) {
    self.init(pieceCount: pieceCount, count: 0)
  }

  private init(pieceCount: Int, count: Int) {
    precondition(pieceCount >= 0)
    self.pieceCount = pieceCount
    self.count = count
    self.words = []
  }

  /// The set of all pieces.
  static func full(pieceCount: Int) -> PieceSet {
    PieceSet(pieceCount: pieceCount, count: pieceCount)
  }

  /// Whether all pieces are in it.
  var isFull: Bool { count == pieceCount }
  /// Whether no piece is in it.
  var isEmpty: Bool { count == 0 }

  /// Whether the piece is in the set.
  @inline(__always)
  func contains(_ piece: PieceIndex) -> Bool { contains(number: Int(piece.rawValue)) }

  /// Whether the piece with this number is in the set.
  @inline(__always)
  func contains(number: Int) -> Bool {
    precondition(number < pieceCount)
    guard !words.isEmpty else { return count != 0 }
    return words[number >> 6] & (1 << UInt64(number & 63)) != 0
  }

  /// Puts the piece in; false when it was there.
  @discardableResult @inline(__always)
  mutating func insert(_ piece: PieceIndex) -> Bool {
    let number = Int(piece.rawValue)
    guard !contains(number: number) else { return false }
    if words.isEmpty { words = [UInt64](repeating: 0, count: wordCount) }
    words[number >> 6] |= 1 << UInt64(number & 63)
    count += 1
    if isFull { words = [] }
    return true
  }

  /// Takes the piece out; false when it was not there.
  @discardableResult @inline(__always)
  mutating func remove(_ piece: PieceIndex) -> Bool {
    let number = Int(piece.rawValue)
    guard contains(number: number) else { return false }
    if words.isEmpty { words = (0..<wordCount).map { allBits(ofWord: $0) } }
    words[number >> 6] &= ~(1 << UInt64(number & 63))
    count -= 1
    if isEmpty { words = [] }
    return true
  }

  /// How many words of 64 pieces there are.
  var wordCount: Int { (pieceCount + 63) / 64 }

  /// Pieces 64 · `index` and on, lowest bit first.
  @inline(__always)
  func word(_ index: Int) -> UInt64 {
    guard words.isEmpty else { return words[index] }
    return count == 0 ? 0 : allBits(ofWord: index)
  }

  /// Whether some piece is in both sets, of the same torrent.
  func intersects(_ other: PieceSet) -> Bool {
    precondition(other.pieceCount == pieceCount)
    if isEmpty || other.isEmpty { return false }
    if isFull || other.isFull { return true }
    let (mine, others) = (words.span, other.words.span)
    for index in mine.indices where mine[index] & others[index] != 0 { return true }
    return false
  }

  /// Whether some piece is in this set and not in the other, of the same torrent.
  func hasMore(than other: PieceSet) -> Bool {
    precondition(other.pieceCount == pieceCount)
    if isEmpty || other.isFull { return false }
    return (0..<wordCount).contains { word($0) & ~other.word($0) != 0 }
  }

  /// Calls `body` with the number of each piece in the set, in order.
  @inline(__always)
  func forEach(_ body: (Int) -> Void) {
    guard !isEmpty else { return }
    for index in 0..<wordCount {
      var rest = word(index)
      while rest != 0 {
        body(index << 6 | rest.trailingZeroBitCount)
        rest &= rest - 1
      }
    }
  }

  /// The word's bits that stand for pieces.
  private func allBits(ofWord index: Int) -> UInt64 {
    let count = pieceCount - index << 6
    return count >= 64 ? .max : (1 << UInt64(count)) - 1
  }
}

extension PieceSet {
  /// The set that a `bitfield` message names: the highest bit of the first byte is piece 0. nil when
  /// the number of bytes is another than the torrent needs, or a spare bit at the end is set: either
  /// is misconduct. BEP 3.
  init?(bitfield: RawSpan, pieceCount: Int) {
    self.init(pieceCount: pieceCount)
    guard bitfield.byteCount == (pieceCount + 7) / 8 else { return nil }
    var words = [UInt64](repeating: 0, count: wordCount)
    var count = 0
    for index in 0..<bitfield.byteCount {
      let byte = bitfield.unsafeLoad(fromByteOffset: index, as: UInt8.self)
      words[index >> 3] |= UInt64(byte.bitReversed) << UInt64(index & 7 * 8)
      count += byte.nonzeroBitCount
    }
    if let last = words.last, last & ~allBits(ofWord: wordCount - 1) != 0 { return nil }
    self.count = count
    if !isFull && !isEmpty { self.words = words }
  }

  /// The set as a `bitfield` message has it. BEP 3.
  var bitfield: [UInt8] {
    (0..<(pieceCount + 7) / 8).map { index in
      UInt8(truncatingIfNeeded: word(index >> 3) >> UInt64(index & 7 * 8)).bitReversed
    }
  }
}

extension UInt8 {
  /// The same bits in the other order.
  fileprivate var bitReversed: UInt8 {
    var bits = self
    bits = bits >> 4 | bits << 4
    bits = bits >> 2 & 0x33 | bits << 2 & 0xcc
    return bits >> 1 & 0x55 | bits << 1 & 0xaa
  }
}
