/// Where the bytes of a torrent are: offset ↔ file ↔ piece ↔ block, for all three kinds. The only
/// maker of indices from numbers that came from outside; after it no bounds check is needed.
///
/// Content is seen as one stream of bytes cut into pieces of equal length. In v2 and hybrid torrents
/// every file with bytes starts at a piece of its own (BEP 52), in v1 torrents files follow each
/// other (BEP 3). Whatever lies between two files, or between the last file and the end of the
/// stream, is padding: zeros that no file holds (BEP 47). Empty files and symlinks are files without
/// pieces.
///
/// A geometry belongs to one torrent; indices of another one's are a mistake of the caller, which
/// traps.
public struct PieceGeometry: Sendable {
  /// A file as the v1 description of a v1 or hybrid torrent has it.
  public struct File: Hashable, Sendable {
    /// Size in bytes; 0 for a symlink.
    public var length: UInt64
    /// Offset of its first byte in the v1 stream, in bytes: all that stands before it in the file
    /// list, padding files included. Not looked at when the file is empty.
    public var v1Offset: UInt64

    /// A file from its two numbers.
    public init(length: UInt64, v1Offset: UInt64) {
      self.length = length
      self.v1Offset = v1Offset
    }
  }

  /// A file with bytes, by its place in the stream.
  struct Extent: Sendable {
    let start: UInt64
    let end: UInt64
    let file: UInt32
  }

  /// Which descriptions there are.
  public let kind: TorrentKind
  /// Bytes in a piece, except in shorter ones. BEP 3, BEP 52.
  public let pieceLength: UInt32
  /// Blocks in a piece of full length; in a v1 torrent whose piece length is not a multiple of
  /// 16 KiB the last one is short.
  public let blocksPerPiece: UInt32
  /// Bytes in all files, padding not counted.
  public let totalLength: UInt64
  /// Bytes in the stream: in v1 and hybrid torrents with padding, in v2 torrents up to the end of
  /// the last file.
  public let streamLength: UInt64
  /// All pieces.
  public let pieces: PieceRange
  /// All files, symlinks and empty ones too; padding files not.
  public let files: FileRange

  /// Invariant: in order, none empty, none overlapping, all within the stream.
  let extents: [Extent]
  /// Where a file's extent is in `extents`; for an empty file, where it would be.
  let extentOfFile: [UInt32]

  /// The geometry of a v2 torrent: files of these lengths in the order of the file tree. BEP 52.
  public init(v2Lengths: [UInt64], pieceLength: UInt64) throws(GeometryError) {
    try Self.check(pieceLength: pieceLength, hasV2: true)
    var firstPiece: UInt64 = 0
    var files: [File] = []
    files.reserveCapacity(v2Lengths.count)
    for (number, length) in v2Lengths.enumerated() {
      files.append(File(length: length, v1Offset: firstPiece * pieceLength))
      firstPiece += Self.pieceCount(length, pieceLength)
      guard firstPiece <= UInt32.max else { throw .tooManyPieces(file: number) }
    }
    let end = files.last(where: { $0.length > 0 }).map { $0.v1Offset + $0.length } ?? 0
    try self.init(kind: .v2, files: files, streamLength: end, pieceLength: pieceLength)
  }

  /// The geometry of a v1 torrent. BEP 3, BEP 47.
  ///
  /// - Parameters:
  ///   - v1Files: the files without padding files, in the order of the file list.
  ///   - v1Length: bytes in all files and padding files.
  public init(v1Files: [File], v1Length: UInt64, pieceLength: UInt64) throws(GeometryError) {
    try Self.check(pieceLength: pieceLength, hasV2: false)
    try self.init(kind: .v1, files: v1Files, streamLength: v1Length, pieceLength: pieceLength)
  }

  /// The geometry of a hybrid torrent, whose two descriptions must agree about where each file
  /// starts. The last file may be padded or not: clients make both. BEP 52, "Upgrade Path".
  ///
  /// - Parameters:
  ///   - hybridFiles: the files without padding files, in the order of the file list.
  ///   - v1Length: bytes in all files and padding files.
  public init(hybridFiles: [File], v1Length: UInt64, pieceLength: UInt64) throws(GeometryError) {
    try Self.check(pieceLength: pieceLength, hasV2: true)
    var firstPiece: UInt64 = 0
    for (number, file) in hybridFiles.enumerated() where file.length > 0 {
      guard file.v1Offset == firstPiece * pieceLength else { throw .unaligned(file: number) }
      firstPiece += Self.pieceCount(file.length, pieceLength)
      guard firstPiece <= UInt32.max else { throw .tooManyPieces(file: number) }
    }
    guard v1Length <= firstPiece * pieceLength else { throw .surplusPadding(v1Length: v1Length) }
    try self.init(
      kind: .hybrid, files: hybridFiles, streamLength: v1Length, pieceLength: pieceLength)
  }

  private init(
    kind: TorrentKind, files: [File], streamLength: UInt64, pieceLength: UInt64
  ) throws(GeometryError) {
    guard let fileCount = UInt32(exactly: files.count) else { throw .tooManyFiles(files.count) }
    let pieceCount = Self.pieceCount(streamLength, pieceLength)
    guard pieceCount <= UInt32.max else { throw .tooManyPieces(file: files.count) }
    let blocksPerPiece = Self.pieceCount(pieceLength, UInt64(blockLength))
    guard pieceCount * blocksPerPiece <= UInt32.max else {
      throw .tooManyBlocks(pieces: pieceCount)
    }
    var extents: [Extent] = []
    var extentOfFile: [UInt32] = []
    extentOfFile.reserveCapacity(files.count)
    var position: UInt64 = 0
    var totalLength: UInt64 = 0
    for (number, file) in files.enumerated() {
      extentOfFile.append(UInt32(extents.count))
      guard file.length > 0 else { continue }
      let (end, overflow) = file.v1Offset.addingReportingOverflow(file.length)
      guard !overflow, file.v1Offset >= position, end <= streamLength else {
        throw .misplaced(file: number)
      }
      extents.append(Extent(start: file.v1Offset, end: end, file: UInt32(number)))
      position = end
      totalLength += file.length
    }
    self.kind = kind
    self.pieceLength = UInt32(pieceLength)
    self.blocksPerPiece = UInt32(blocksPerPiece)
    self.totalLength = totalLength
    self.streamLength = streamLength
    self.pieces = PieceRange(lowerBound: 0, upperBound: UInt32(pieceCount))
    self.files = FileRange(lowerBound: 0, upperBound: fileCount)
    self.extents = extents
    self.extentOfFile = extentOfFile
  }

  private static func check(pieceLength: UInt64, hasV2: Bool) throws(GeometryError) {
    guard (1...MetainfoLimits.largestPieceLength).contains(pieceLength) else {
      throw .pieceLength(pieceLength)
    }
    guard !hasV2 || (pieceLength >= blockLength && pieceLength.nonzeroBitCount == 1) else {
      throw .pieceLength(pieceLength)
    }
  }

  /// How many parts of `part` bytes `length` bytes have, the last one short or not.
  private static func pieceCount(_ length: UInt64, _ part: UInt64) -> UInt64 {
    length == 0 ? 0 : (length - 1) / part + 1
  }
}
