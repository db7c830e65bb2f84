import Metainfo

/// Pieces that a peer says it has, and rejected when it was asked for them. They are not counted on
/// for a while; each time that it does so again the while is twice as long.
struct RefusedPieces {
  private struct Entry {
    let piece: PieceIndex
    var until: Duration
    var wait: Duration
    /// Whether it is still not counted on.
    var isWithheld = true
  }

  /// The oldest first.
  private var entries: [Entry] = []

  init() {}

  /// Whether no piece is withheld or remembered.
  var isEmpty: Bool { entries.isEmpty }

  /// The peer rejected a piece that was counted on. Returns a piece that is to be counted on again,
  /// because there is no room to remember it.
  mutating func refused(_ piece: PieceIndex, now: Duration) -> PieceIndex? {
    var entry = Entry(piece: piece, until: now, wait: PolicyLimits.refusalTime)
    if let index = entries.firstIndex(where: { $0.piece == piece }) {
      entry.wait = min(entries[index].wait * 2, PolicyLimits.longestRefusalTime)
      entries.remove(at: index)
    }
    entry.until = now + entry.wait
    entries.append(entry)
    guard entries.count > PolicyLimits.refusedPieces else { return nil }
    let oldest = entries.removeFirst()
    return oldest.isWithheld ? oldest.piece : nil
  }

  /// The peer says whether it has the piece: that counts more than what was.
  mutating func told(_ piece: PieceIndex) { entries.removeAll { $0.piece == piece } }

  /// The peer says of all pieces whether it has them.
  mutating func toldAll() { entries = [] }

  /// Pieces whose time is over: they are to be counted on again.
  mutating func due(now: Duration) -> [PieceIndex] {
    var pieces: [PieceIndex] = []
    for index in entries.indices where entries[index].isWithheld && entries[index].until <= now {
      entries[index].isWithheld = false
      pieces.append(entries[index].piece)
    }
    return pieces
  }
}
