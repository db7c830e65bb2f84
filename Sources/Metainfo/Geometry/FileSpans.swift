/// A run of bytes of one file, or of zeros that no file holds.
public struct FileSpan: Hashable, Sendable {
  /// The file; nil for padding.
  public let file: FileIndex?
  /// Offset of the first byte in the file, in bytes; 0 for padding.
  public let offset: UInt64
  /// Number of bytes, at least 1.
  public let length: UInt64
}

/// What a run of the stream is made of: spans in order, which add up to the run. Walked without
/// allocation. Made by `PieceGeometry`.
public struct FileSpans: Sequence, IteratorProtocol, Sendable {
  private let extents: [PieceGeometry.Extent]
  private var index: Int
  private var position: UInt64
  private let end: UInt64

  init(extents: [PieceGeometry.Extent], first: Int, position: UInt64, end: UInt64) {
    self.extents = extents
    self.index = first
    self.position = position
    self.end = end
  }

  /// The next span, nil after the last.
  public mutating func next() -> FileSpan? {
    guard position < end else { return nil }
    let start = position
    while index < extents.count, extents[index].end <= start { index += 1 }
    guard index < extents.count, extents[index].start <= start else {
      position = index < extents.count ? Swift.min(end, extents[index].start) : end
      return FileSpan(file: nil, offset: 0, length: position - start)
    }
    let extent = extents[index]
    position = Swift.min(end, extent.end)
    return FileSpan(
      file: FileIndex(extent.file), offset: start - extent.start, length: position - start)
  }
}

extension PieceGeometry {
  func spans(from start: UInt64, length: UInt64) -> FileSpans {
    FileSpans(
      extents: extents, first: extentIndex(at: start) ?? 0, position: start, end: start + length)
  }

  /// The last extent that starts at or before `offset`, nil before the first one. O(log n).
  func extentIndex(at offset: UInt64) -> Int? {
    var low = 0
    var high = extents.count
    while low < high {
      let middle = low + (high - low) / 2
      if extents[middle].start <= offset { low = middle + 1 } else { high = middle }
    }
    return low == 0 ? nil : low - 1
  }
}
