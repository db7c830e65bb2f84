/// A run of neighbouring indices: a few bytes, no allocation to make or to walk.
public protocol IndexRange: RandomAccessCollection, Hashable, Sendable
where Element: TypedIndex, Index == Int, Indices == Range<Int> {
  /// The first number.
  var lowerBound: UInt32 { get }
  /// One past the last number; equal to `lowerBound` in an empty run.
  var upperBound: UInt32 { get }
}

extension IndexRange {
  /// 0, the position of the first index.
  public var startIndex: Int { 0 }
  /// How many indices there are.
  public var endIndex: Int { Int(upperBound) - Int(lowerBound) }

  /// Whether `index` is one of the run, in constant time.
  public func contains(_ index: Element) -> Bool {
    lowerBound <= index.rawValue && index.rawValue < upperBound
  }

  /// Where `index` stands in the run, nil when it does not.
  public func position(of index: Element) -> Int? {
    contains(index) ? Int(index.rawValue - lowerBound) : nil
  }
}

/// A run of files. Made by `PieceGeometry`.
public struct FileRange: IndexRange {
  /// The first file's number.
  public let lowerBound: UInt32
  /// One past the last file's number.
  public let upperBound: UInt32
  /// The file at `position`, counted from 0. Precondition: it is within the run.
  public subscript(position: Int) -> FileIndex {
    precondition(indices.contains(position))
    return FileIndex(lowerBound + UInt32(position))
  }
}

/// A run of pieces. Made by `PieceGeometry`.
public struct PieceRange: IndexRange {
  /// The first piece's number.
  public let lowerBound: UInt32
  /// One past the last piece's number.
  public let upperBound: UInt32
  /// The piece at `position`, counted from 0. Precondition: it is within the run.
  public subscript(position: Int) -> PieceIndex {
    precondition(indices.contains(position))
    return PieceIndex(lowerBound + UInt32(position))
  }
}

/// A run of blocks. Made by `PieceGeometry`.
public struct BlockRange: IndexRange {
  /// The first block's number.
  public let lowerBound: UInt32
  /// One past the last block's number.
  public let upperBound: UInt32
  /// The block at `position`, counted from 0. Precondition: it is within the run.
  public subscript(position: Int) -> BlockIndex {
    precondition(indices.contains(position))
    return BlockIndex(lowerBound + UInt32(position))
  }
}

extension BlockRange {
  /// The blocks at these positions of the run. Precondition: they are within it.
  public func part(_ positions: Range<Int>) -> BlockRange {
    precondition(positions.lowerBound >= 0 && positions.upperBound <= count)
    return BlockRange(
      lowerBound: lowerBound + UInt32(positions.lowerBound),
      upperBound: lowerBound + UInt32(positions.upperBound))
  }
}
