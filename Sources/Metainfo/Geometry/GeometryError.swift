/// Why numbers do not describe a torrent's content.
public enum GeometryError: Error, Hashable, Sendable {
  /// The piece length is 0, above `MetainfoLimits.largestPieceLength`, or, where there are hash trees, not
  /// a power of two of at least 16 KiB. BEP 52, "piece length".
  case pieceLength(UInt64)
  /// More files than 32 bits count.
  case tooManyFiles(Int)
  /// More pieces than 32 bits count, reached at this file.
  case tooManyPieces(file: Int)
  /// More blocks than 32 bits count.
  case tooManyBlocks(pieces: UInt64)
  /// The file starts before the end of the one before it, or ends after the end of the stream.
  case misplaced(file: Int)
  /// In a hybrid torrent the file's first byte is not at the start of its own piece. BEP 52,
  /// "Upgrade Path".
  case unaligned(file: Int)
  /// In a hybrid torrent the padding after the last file is longer than its piece.
  case surplusPadding(v1Length: UInt64)
}

extension GeometryError: CustomStringConvertible {
  /// What is wrong, with the place; files are counted from 0.
  public var description: String {
    switch self {
    case .pieceLength(let length):
      "the piece length \(length) is not one (BEP 52: a power of two of at least 16384;"
        + " at most \(MetainfoLimits.largestPieceLength) here)"
    case .tooManyFiles(let count): "\(count) files are more than 32 bits count"
    case .tooManyPieces(let file): "at file \(file): more pieces than 32 bits count"
    case .tooManyBlocks(let pieces): "\(pieces) pieces have more blocks than 32 bits count"
    case .misplaced(let file): "file \(file) overlaps its neighbour or the end of the content"
    case .unaligned(let file):
      "file \(file) of a hybrid torrent does not start at a piece of its own (BEP 52)"
    case .surplusPadding(let length):
      "a hybrid torrent of \(length) bytes has padding beyond its last piece (BEP 52)"
    }
  }
}
