@testable import Metainfo

/// The slow, obvious geometry: every byte of the stream laid out one by one.
struct GeometryReference {
  /// One byte of the stream: file and offset in it, or padding.
  struct Cell: Equatable {
    var file: Int32
    var offset: UInt32
    static let padding = Cell(file: -1, offset: 0)
  }

  var kind: TorrentKind
  var pieceLength: Int
  var lengths: [Int]
  var v1Offsets: [Int] = []
  var cells: [Cell] = []
  var geometry: PieceGeometry

  /// Files of `lengths`; `gaps[i]` bytes of padding before file i in a v1 torrent.
  init(
    kind: TorrentKind, pieceLength: Int, lengths: [Int], gaps: [Int] = [], tailPadding: Bool = false
  ) throws {
    self.kind = kind
    self.pieceLength = pieceLength
    self.lengths = lengths
    for (number, length) in lengths.enumerated() {
      if kind == .v1, number < gaps.count {
        for _ in 0..<gaps[number] { cells.append(.padding) }
      }
      if kind != .v1, length > 0 {
        while !cells.count.isMultiple(of: pieceLength) { cells.append(.padding) }
      }
      v1Offsets.append(cells.count)
      for offset in 0..<length { cells.append(Cell(file: Int32(number), offset: UInt32(offset))) }
    }
    if tailPadding {
      while !cells.count.isMultiple(of: pieceLength) { cells.append(.padding) }
    }
    let files = zip(lengths, v1Offsets).map {
      PieceGeometry.File(length: UInt64($0), v1Offset: UInt64($1))
    }
    switch kind {
    case .v1:
      geometry = try PieceGeometry(
        v1Files: files, v1Length: UInt64(cells.count), pieceLength: UInt64(pieceLength))
    case .v2:
      geometry = try PieceGeometry(
        v2Lengths: lengths.map(UInt64.init), pieceLength: UInt64(pieceLength))
    case .hybrid:
      geometry = try PieceGeometry(
        hybridFiles: files, v1Length: UInt64(cells.count), pieceLength: UInt64(pieceLength))
    }
  }

  var pieceCount: Int { (cells.count + pieceLength - 1) / pieceLength }
  var blocksPerPiece: Int { (pieceLength + blockLength - 1) / blockLength }

  /// The piece's cells, cut at the end of the stream.
  func cells(of piece: Int) -> ArraySlice<Cell> {
    cells[(piece * pieceLength)..<min(cells.count, (piece + 1) * pieceLength)]
  }

  /// Cells up to the last one that a file holds.
  func dataLength(_ cells: ArraySlice<Cell>) -> Int {
    var length = cells.count
    while length > 0, cells[cells.startIndex + length - 1] == .padding { length -= 1 }
    return length
  }

  /// What can be asked for: in v2 only the data.
  func requestable(of piece: Int) -> ArraySlice<Cell> {
    let all = cells(of: piece)
    return kind == .v2 ? all.prefix(dataLength(all)) : all
  }

  /// Runs of cells, one by one.
  func spans(_ cells: ArraySlice<Cell>) -> [FileSpan] {
    var spans: [FileSpan] = []
    for cell in cells {
      let file = cell.file < 0 ? nil : FileIndex(UInt32(cell.file))
      if let last = spans.last, last.file == file {
        spans[spans.count - 1] = FileSpan(
          file: file, offset: last.offset, length: last.length + 1)
      } else {
        spans.append(FileSpan(file: file, offset: UInt64(cell.offset), length: 1))
      }
    }
    return spans
  }

  /// The block number of a byte of the stream.
  func block(at position: Int) -> Int {
    position / pieceLength * blocksPerPiece + position % pieceLength / blockLength
  }
}
