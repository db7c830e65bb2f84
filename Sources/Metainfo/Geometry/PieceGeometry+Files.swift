extension PieceGeometry {
  /// The file with this number, nil beyond the last one. For `so` (BEP 53), and any number from
  /// outside.
  public func file(_ number: UInt32) -> FileIndex? {
    number < files.upperBound ? FileIndex(number) : nil
  }

  /// Size of the file in bytes.
  public func length(of file: FileIndex) -> UInt64 {
    extent(of: file).map { $0.end - $0.start } ?? 0
  }

  /// The pieces that hold bytes of the file; none for an empty file. In v1 torrents the first and
  /// the last can hold bytes of its neighbours too.
  public func pieces(of file: FileIndex) -> PieceRange {
    guard let extent = extent(of: file) else { return PieceRange(lowerBound: 0, upperBound: 0) }
    let length = UInt64(pieceLength)
    return PieceRange(
      lowerBound: UInt32(extent.start / length), upperBound: UInt32((extent.end - 1) / length) + 1)
  }

  /// The blocks that hold bytes of the file; none for an empty file. In v1 torrents the first and
  /// the last can hold bytes of its neighbours too.
  public func blocks(of file: FileIndex) -> BlockRange {
    blocks(of: file, bytes: 0..<length(of: file)) ?? BlockRange(lowerBound: 0, upperBound: 0)
  }

  /// The blocks that hold these bytes of the file, counted from the file's start; nil when the file
  /// ends before they do.
  public func blocks(of file: FileIndex, bytes: Range<UInt64>) -> BlockRange? {
    guard bytes.upperBound <= length(of: file) else { return nil }
    guard let extent = extent(of: file), !bytes.isEmpty else {
      return BlockRange(lowerBound: 0, upperBound: 0)
    }
    return BlockRange(
      lowerBound: blockNumber(at: extent.start + bytes.lowerBound),
      upperBound: blockNumber(at: extent.start + bytes.upperBound - 1) + 1)
  }

  /// The block under a leaf of the file's hash tree, nil beyond the file's end and in v1 torrents.
  /// BEP 52.
  public func block(of file: FileIndex, leaf number: UInt32) -> BlockIndex? {
    guard kind.hasV2 else { return nil }
    let blocks = blocks(of: file)
    return number < blocks.count ? blocks[Int(number)] : nil
  }

  /// The leaf with this number in the file's hash tree, nil beyond the file's end and in v1
  /// torrents. BEP 52.
  public func leaf(_ number: UInt32, of file: FileIndex) -> LeafIndex? {
    block(of: file, leaf: number).map { _ in LeafIndex(number) }
  }

  private func extent(of file: FileIndex) -> Extent? {
    precondition(files.contains(file))
    let index = Int(extentOfFile[Int(file.rawValue)])
    guard index < extents.count, extents[index].file == file.rawValue else { return nil }
    return extents[index]
  }

  private func blockNumber(at offset: UInt64) -> UInt32 {
    let (piece, begin) = offset.quotientAndRemainder(dividingBy: UInt64(pieceLength))
    return UInt32(piece) * blocksPerPiece + UInt32(begin / UInt64(blockLength))
  }
}
