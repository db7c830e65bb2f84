import Metainfo

/// A run of bytes that is hashed as part of a segment.
public enum HashSpan: Hashable, Sendable {
  /// Bytes of a file: its place in the list of entries, offset and count in bytes.
  case file(Int, offset: UInt64, count: Int)
  /// Zero bytes that stand in no file: BEP 47 padding.
  case zeros(Int)

  /// Bytes in the span.
  public var count: Int {
    switch self {
    case .file(_, _, let count), .zeros(let count): count
    }
  }
}

/// A run of content that one thread hashes in one go: what to read, and which digests to make of it.
public struct HashSegment: Hashable, Sendable {
  /// Place in the order of segments, from 0.
  public var number: Int
  /// The bytes, in order.
  public var spans: [HashSpan]
  /// Which tree nodes to make of the first `treeBytes`; nil for v1 torrents.
  public var tree: TreePart?
  /// Piece length in bytes if the SHA-1 of each piece in the spans is wanted too. BEP 3.
  public var v1PieceLength: Int?
  /// Whether the file system says that all of it is a hole, so that it need not be read.
  public var isHole: Bool

  /// The part of one file's hash tree that a segment yields. BEP 52.
  public struct TreePart: Hashable, Sendable {
    /// The file, by its place in the list of entries.
    public var file: Int
    /// Bytes of the segment that belong to the tree; padding after them does not.
    public var byteCount: Int
    /// Height of the nodes to make: each covers 2^height blocks, the last perhaps fewer.
    public var height: Int

    /// A part of the tree of the `file`th entry.
    public init(file: Int, byteCount: Int, height: Int) {
      self.file = file
      self.byteCount = byteCount
      self.height = height
    }

    /// How many blocks the bytes fill, the last perhaps partly.
    public var leafCount: Int { (byteCount + blockLength - 1) / blockLength }

    /// How many nodes the segment yields.
    public var nodeCount: Int { (leafCount + (1 << height) - 1) >> height }
  }

  /// A segment from its parts.
  public init(
    number: Int, spans: [HashSpan], tree: TreePart?, v1PieceLength: Int?, isHole: Bool = false
  ) {
    self.number = number
    self.spans = spans
    self.tree = tree
    self.v1PieceLength = v1PieceLength
    self.isHole = isHole
  }

  /// Bytes in all spans.
  public var byteCount: Int { spans.reduce(0) { $0 + $1.count } }

  /// Bytes that lie in files.
  public var fileByteCount: Int {
    spans.reduce(0) { total, span in
      if case .file(_, _, let count) = span { total + count } else { total }
    }
  }

  /// How many v1 pieces the segment yields; the last perhaps short.
  public var v1PieceCount: Int {
    v1PieceLength.map { (byteCount + $0 - 1) / $0 } ?? 0
  }
}

/// What hashing a segment gave.
public struct SegmentHashes: Hashable, Sendable {
  /// Tree nodes of the height that was asked for. BEP 52.
  public var nodes: [SHA256Digest]
  /// SHA-1 of the pieces. BEP 3.
  public var pieces: [SHA1Digest]
  /// SHA-256 of the blocks, if they are kept. BEP 52.
  public var leaves: [SHA256Digest]

  /// The digests of one segment.
  public init(
    nodes: [SHA256Digest] = [], pieces: [SHA1Digest] = [], leaves: [SHA256Digest] = []
  ) {
    self.nodes = nodes
    self.pieces = pieces
    self.leaves = leaves
  }
}

/// Why a segment has no digests.
public struct HashFailure: Error, Hashable, Sendable {
  /// The file, by its place in the list of entries.
  public var file: Int
  /// What was wrong with it.
  public var reason: Reason

  /// What can be wrong with a file.
  public enum Reason: Hashable, Sendable {
    /// It is not what it was when it was scanned.
    case changed
    /// The system would not give its bytes: what it said.
    case unreadable(String)
  }

  /// A failure of the `file`th entry.
  public init(file: Int, reason: Reason) {
    self.file = file
    self.reason = reason
  }
}

/// The digests of a segment, or why there are none.
public typealias SegmentResult = Result<SegmentHashes, HashFailure>
