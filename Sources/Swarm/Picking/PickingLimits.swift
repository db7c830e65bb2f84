/// Bounds on the picker's work and state, each with its reason.
enum PickingLimits {
  /// Peers that a block is asked of at once: one more is enough to be rid of a slow peer at the end,
  /// and each of them may send 16 KiB for nothing.
  static let requesters = 2
  /// Pieces that are chosen at random, not by rarity: a node with nothing to give needs any whole
  /// pieces soon, and the rarest ones come slowly. BEP 3 leaves it open; 4 is what is usual.
  static let randomPieces = 4
  /// Entries looked at one after the other, rarest first, for a piece that the peer has. Nearly always
  /// one of the first few will do; beyond this, going over the bits of 2^18 pieces is cheaper.
  static let scannedEntries = 1_024
  /// Pieces that a peer has and we want of which the rarest is looked for when the order did not give
  /// one soon. Of more than these, it is the rarest of some.
  static let comparedPieces = 1_024
}
