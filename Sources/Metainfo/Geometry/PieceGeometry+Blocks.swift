extension PieceGeometry {
  /// The block with this number, nil when no such block holds a byte of a file's piece.
  public func block(_ number: UInt32) -> BlockIndex? {
    guard let piece = piece(number / blocksPerPiece) else { return nil }
    let block = BlockIndex(number)
    return blocks(of: piece).contains(block) ? block : nil
  }

  /// All numbers that blocks can have, those without a byte of a file too: for maps of a bit a block.
  public var numberedBlocks: BlockRange {
    BlockRange(lowerBound: 0, upperBound: pieces.upperBound * blocksPerPiece)
  }

  /// The block that a `piece` or `reject` message means, nil unless it is exactly a block as we ask
  /// for it: `begin` a multiple of 16 KiB and `length` equal to `requestLength(of:)`. BEP 3, BEP 6.
  public func block(piece: UInt32, begin: UInt32, length: UInt32) -> BlockIndex? {
    guard let piece = self.piece(piece), begin % UInt32(blockLength) == 0,
      begin < dataLength(of: piece)
    else { return nil }
    let block = BlockIndex(
      piece.rawValue * blocksPerPiece + begin / UInt32(blockLength))
    return requestLength(of: block) == length ? block : nil
  }

  /// The piece that the block is in.
  public func piece(of block: BlockIndex) -> PieceIndex {
    let piece = PieceIndex(block.rawValue / blocksPerPiece)
    precondition(pieces.contains(piece))
    return piece
  }

  /// Offset of the block in its piece, in bytes. BEP 3, "begin".
  public func begin(of block: BlockIndex) -> UInt32 {
    block.rawValue % blocksPerPiece * UInt32(blockLength)
  }

  /// Bytes to ask for to get the block: 16 KiB, less at the end of a piece. In hybrid and v1
  /// torrents padding is asked for with the data that it follows.
  public func requestLength(of block: BlockIndex) -> UInt32 {
    min(UInt32(blockLength), length(of: piece(of: block)) - begin(of: block))
  }

  /// Bytes from the start of the block to the last byte that a file holds: 16 KiB, less at the end
  /// of a file or piece. In v2 and hybrid torrents what its leaf hash covers. BEP 52. The rest of
  /// the block is zeros.
  public func dataLength(of block: BlockIndex) -> UInt32 {
    let start = start(of: block)
    let end = start + UInt64(requestLength(of: block))
    guard let last = extentIndex(at: end - 1) else { return 0 }
    let dataEnd = min(extents[last].end, end)
    return dataEnd > start ? UInt32(dataEnd - start) : 0
  }

  /// Where the block is in its file's hash tree; nil in v1 torrents. BEP 52.
  public func leaf(of block: BlockIndex) -> FileLeaf? {
    let start = start(of: block)
    guard kind.hasV2, let index = extentIndex(at: start) else { return nil }
    let extent = extents[index]
    let offset = start - extent.start
    precondition(start < extent.end, "not a block of this geometry")
    return FileLeaf(
      file: FileIndex(extent.file), leaf: LeafIndex(UInt32(offset / UInt64(blockLength))),
      offset: offset, length: UInt32(min(UInt64(blockLength), extent.end - start)))
  }

  /// What the block is made of, in order: parts of files and padding, `requestLength(of:)` bytes.
  /// In v2 torrents always one part of one file.
  public func spans(of block: BlockIndex) -> FileSpans {
    spans(from: start(of: block), length: UInt64(requestLength(of: block)))
  }

  func start(of block: BlockIndex) -> UInt64 {
    start(of: piece(of: block)) + UInt64(begin(of: block))
  }
}

/// A block as its file's hash tree sees it. BEP 52.
public struct FileLeaf: Hashable, Sendable {
  /// The file.
  public let file: FileIndex
  /// The leaf, counted in the file.
  public let leaf: LeafIndex
  /// Offset of the block in the file, in bytes.
  public let offset: UInt64
  /// Bytes that the leaf hash covers, 1 to 16 KiB.
  public let length: UInt32
}
