import Metainfo

/// Cuts the content of a torrent into segments, in the order in which their digests are joined.
///
/// With hash trees (v2 and hybrid) a segment never spans files. Without them (v1) pieces run over
/// file boundaries, and so do segments.
public struct HashSchedule: Sendable, IteratorProtocol {
  /// One entry of the content.
  public struct File: Hashable, Sendable {
    /// Size in bytes; 0 for symlinks and empty files.
    public var length: UInt64
    /// Where it starts in the v1 byte stream; not used for v2. BEP 3, BEP 47.
    public var v1Offset: UInt64
    /// Ranges that the file system holds no data for, ascending; they read as zeros.
    public var holes: [Range<UInt64>]
    /// Whether its hashes are known, so that it has no segments. Only with hash trees.
    public var isKnown: Bool

    /// An entry of `length` bytes.
    public init(
      length: UInt64, v1Offset: UInt64 = 0, holes: [Range<UInt64>] = [], isKnown: Bool = false
    ) {
      self.length = length
      self.v1Offset = v1Offset
      self.holes = holes
      self.isKnown = isKnown
    }
  }

  /// What the content is cut by.
  public let kind: TorrentKind
  /// Piece length in bytes.
  public let pieceLength: Int
  /// Bytes that a segment has at the most.
  public let segmentLength: Int

  private let files: [File]
  private let v1Length: UInt64
  private var number = 0
  private var file = 0
  /// Next byte: in the current file with trees, in the v1 stream without.
  private var offset: UInt64 = 0
  private var nextHole = 0

  /// A schedule over `files`; `v1Length` is the length of the v1 stream with its padding;
  /// `laneBytes` bounds the segments in which SHA-1 pieces lie side by side.
  ///
  /// Precondition: with hash trees, every file that is not empty has a `MerkleShape` with this
  /// piece length.
  public init(
    kind: TorrentKind, pieceLength: Int, files: [File], v1Length: UInt64,
    laneBytes: Int = HashLimits.laneBytes
  ) {
    precondition(pieceLength > 0)
    self.kind = kind
    self.pieceLength = pieceLength
    self.files = files
    self.v1Length = v1Length
    segmentLength = Self.segmentLength(kind, pieceLength, laneBytes)
  }

  /// The next segment, or nil at the end of the content.
  public mutating func next() -> HashSegment? {
    let segment = kind.hasV2 ? nextOfTrees() : nextOfStream()
    number += segment == nil ? 0 : 1
    return segment
  }

  /// Segments are large enough to keep all lanes of the hash busy, small enough that those of all
  /// threads stay in their share of memory, and whole pieces where SHA-1 is wanted.
  private static func segmentLength(_ kind: TorrentKind, _ pieceLength: Int, _ laneBytes: Int)
    -> Int
  {
    let most = max(laneBytes, HashLimits.leastSegmentBytes)
    let usual = min(HashLimits.segmentBytes, most)
    // A power of two, so that tree nodes do not straddle segments.
    guard kind.hasV1 else { return 1 << (Int.bitWidth - 1 - usual.leadingZeroBitCount) }
    let lanes = 16
    return max(min(max(lanes * pieceLength, usual), most) / pieceLength, 1) * pieceLength
  }

  private mutating func nextOfTrees() -> HashSegment? {
    while file < files.count, files[file].isKnown || offset >= files[file].length {
      file += 1
      offset = 0
      nextHole = 0
    }
    guard file < files.count else { return nil }
    let current = files[file]
    let count = Int(min(UInt64(segmentLength), current.length - offset))
    var spans = [HashSpan.file(file, offset: offset, count: count)]
    if kind.hasV1 {
      let end = current.v1Offset + offset + UInt64(count)
      let short = (pieceLength - count % pieceLength) % pieceLength
      let padding = min(UInt64(short), v1Length - min(end, v1Length))
      if padding > 0 { spans.append(.zeros(Int(padding))) }
    }
    // The last segment is always read: that is when it shows whether the file, holes included, is
    // still what it was.
    let end = offset + UInt64(count)
    let isHole = end < current.length && isHole(current.holes, offset..<end)
    offset = end
    return HashSegment(
      number: number, spans: spans,
      tree: .init(file: file, byteCount: count, height: nodeHeight(ofFile: current.length)),
      v1PieceLength: kind.hasV1 ? pieceLength : nil, isHole: isHole)
  }

  /// Nodes are as high as a segment, a piece and the file's tree allow.
  private func nodeHeight(ofFile length: UInt64) -> Int {
    guard let shape = try? MerkleShape(fileLength: length, pieceLength: UInt64(pieceLength)) else {
      preconditionFailure("a file of \(length) bytes has no hash tree")
    }
    return min((segmentLength / blockLength).trailingZeroBitCount, shape.pieceRootLayer)
  }

  private mutating func nextOfStream() -> HashSegment? {
    guard offset < v1Length else { return nil }
    let end = min(offset + UInt64(segmentLength), v1Length)
    var spans: [HashSpan] = []
    var position = offset
    while position < end {
      while file < files.count, files[file].v1Offset + files[file].length <= position {
        file += 1
        nextHole = 0
      }
      guard file < files.count, files[file].v1Offset < end else {
        spans.append(.zeros(Int(end - position)))
        break
      }
      let current = files[file]
      if current.v1Offset > position {
        spans.append(.zeros(Int(current.v1Offset - position)))
        position = current.v1Offset
      }
      let count = Int(min(end, current.v1Offset + current.length) - position)
      spans.append(.file(file, offset: position - current.v1Offset, count: count))
      position += UInt64(count)
    }
    var isHole = false
    if case .file(let file, let start, segmentLength) = spans[0] {
      let holeEnd = start + UInt64(segmentLength)
      isHole = holeEnd < files[file].length && self.isHole(files[file].holes, start..<holeEnd)
    }
    offset = end
    return HashSegment(
      number: number, spans: spans, tree: nil, v1PieceLength: pieceLength, isHole: isHole)
  }

  /// Whether one hole covers `range`. Ranges are asked for in ascending order.
  private mutating func isHole(_ holes: [Range<UInt64>], _ range: Range<UInt64>) -> Bool {
    while nextHole < holes.count, holes[nextHole].upperBound <= range.lowerBound { nextHole += 1 }
    guard nextHole < holes.count else { return false }
    let hole = holes[nextHole]
    return hole.lowerBound <= range.lowerBound && range.upperBound <= hole.upperBound
  }
}
