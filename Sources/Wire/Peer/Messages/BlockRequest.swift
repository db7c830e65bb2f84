/// A run of bytes in a piece, as `request`, `cancel` and `reject` name it. BEP 3. A plain value as
/// it came: whether there is such a block is for `PieceGeometry` to say.
public struct BlockRequest: Hashable, Sendable {
  /// The piece, counted from 0.
  public var piece: UInt32
  /// Offset of the run in its piece, in bytes.
  public var begin: UInt32
  /// Length of the run, in bytes.
  public var length: UInt32

  /// A run from its numbers.
  public init(piece: UInt32, begin: UInt32, length: UInt32) {
    self.piece = piece
    self.begin = begin
    self.length = length
  }
}
