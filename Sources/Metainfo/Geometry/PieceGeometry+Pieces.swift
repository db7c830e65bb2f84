extension PieceGeometry {
  /// The piece with this number, nil beyond the last one. For `have`, and any number from outside.
  public func piece(_ number: UInt32) -> PieceIndex? {
    number < pieces.upperBound ? PieceIndex(number) : nil
  }

  /// Bytes that can be asked for in the piece: the exact request length of clients that know hash
  /// trees (libtorrent 2.1). In v2 torrents a file's last piece ends with the file; in v1 and hybrid
  /// torrents it includes the padding that its SHA-1 covers. BEP 3, BEP 52 "request".
  public func length(of piece: PieceIndex) -> UInt32 {
    kind == .v2 ? dataLength(of: piece) : UInt32(streamEnd(of: piece) - start(of: piece))
  }

  /// Bytes from the start of the piece to the last byte that a file holds; 0 when it is all padding.
  /// In v2 and hybrid torrents what the piece's hash tree covers. BEP 52.
  public func dataLength(of piece: PieceIndex) -> UInt32 {
    let start = start(of: piece)
    let end = streamEnd(of: piece)
    guard let last = extentIndex(at: end - 1) else { return 0 }
    let dataEnd = min(extents[last].end, end)
    return dataEnd > start ? UInt32(dataEnd - start) : 0
  }

  /// Bytes that we answer for, zeros beyond the data: libtorrent 2.0 asks for whole blocks even at
  /// the end of a file of a v2 torrent.
  public func paddedLength(of piece: PieceIndex) -> UInt32 {
    kind == .v2 ? pieceLength : length(of: piece)
  }

  /// The piece's blocks, from its first one to the last one that holds a byte of a file. None when
  /// the piece is all padding. In v1 torrents with padding a block before the last can be all
  /// padding: its `dataLength` is 0.
  public func blocks(of piece: PieceIndex) -> BlockRange {
    let first = piece.rawValue * blocksPerPiece
    let count = (dataLength(of: piece) + UInt32(blockLength) - 1) / UInt32(blockLength)
    return BlockRange(lowerBound: first, upperBound: first + count)
  }

  /// What the piece is made of, in order: parts of files and padding, `length(of:)` bytes.
  public func spans(of piece: PieceIndex) -> FileSpans {
    spans(from: start(of: piece), length: UInt64(length(of: piece)))
  }

  /// A run of bytes in a piece as a peer's `request` names it: nil unless it is at least 1 byte, all
  /// within the piece, padding that we answer for included. BEP 3.
  public func bytes(piece: UInt32, begin: UInt32, length: UInt32) -> PieceBytes? {
    guard let piece = self.piece(piece), length > 0 else { return nil }
    let padded = paddedLength(of: piece)
    guard begin < padded, length <= padded - begin else { return nil }
    return PieceBytes(piece: piece, begin: begin, length: length)
  }

  /// What a run of bytes in a piece is made of, in order.
  public func spans(of bytes: PieceBytes) -> FileSpans {
    spans(from: start(of: bytes.piece) + UInt64(bytes.begin), length: UInt64(bytes.length))
  }

  /// The blocks that hold bytes of a run in a piece; blocks that are all padding, at the end of a
  /// file, are not among them.
  public func blocks(of bytes: PieceBytes) -> BlockRange {
    let all = blocks(of: bytes.piece)
    let first = bytes.piece.rawValue * blocksPerPiece + bytes.begin / UInt32(blockLength)
    let end =
      bytes.piece.rawValue * blocksPerPiece
      + (bytes.begin + bytes.length - 1) / UInt32(blockLength) + 1
    let upper = min(end, all.upperBound)
    return BlockRange(lowerBound: min(first, upper), upperBound: upper)
  }

  func start(of piece: PieceIndex) -> UInt64 {
    precondition(pieces.contains(piece))
    return UInt64(piece.rawValue) * UInt64(pieceLength)
  }

  private func streamEnd(of piece: PieceIndex) -> UInt64 {
    min(start(of: piece) + UInt64(pieceLength), streamLength)
  }
}

/// A run of bytes within one piece. Made by `PieceGeometry`, so it is within the piece.
public struct PieceBytes: Hashable, Sendable {
  /// The piece.
  public let piece: PieceIndex
  /// Offset of the first byte in the piece, in bytes. BEP 3, "begin".
  public let begin: UInt32
  /// Number of bytes, at least 1.
  public let length: UInt32
}
