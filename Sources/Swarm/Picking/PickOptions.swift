import Metainfo

extension PiecePicker {
  /// How to choose for a peer.
  struct PickOptions: Sendable {
    /// When all that is wanted is asked, blocks that one of these was asked for may be asked as well:
    /// they are late with them.
    var late: [UInt32] = []
    /// nil for all pieces; else only these: those allowed fast to us while the peer chokes us. BEP 6.
    var allowedOnly: [PieceIndex]?
    /// Pieces that some peer has which has not everything come after all others: for requests to
    /// seeds, so that what only seeds have spreads first.
    var avoidsCommon = false
    /// Besides, pieces that `avoidsCommon` puts last are not picked at all: other peers have them.
    /// Urgent blocks are.
    var refusesCommon = false
    /// The peer is fast: it begins pieces of its own, and joins others' only when there is no new one.
    /// A slow peer joins first, so that pieces become whole.
    var isFast = true

    init() {}
  }
}
