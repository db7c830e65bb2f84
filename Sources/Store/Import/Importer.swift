import Metainfo

/// Makes a torrent of planned content from the digests of its segments.
///
/// The work itself is done elsewhere: hash the segments of `schedule`, give the digests to `add` in
/// the order of the schedule, then `finish`.
public struct Importer {
  /// What will be in the torrent.
  public let plan: ImportPlan
  /// Which descriptions it will have.
  public let kind: TorrentKind
  /// Piece length in bytes.
  public let pieceLength: UInt32
  /// What to hash.
  public let schedule: HashSchedule

  private var description: TorrentDescription
  private var trees: TreeAssembler
  private let layers = LayerHasher()

  /// An import of `plan`; `items` are what the plan was made of, `laneBytes` as in `HashSchedule`.
  public init(
    _ plan: ImportPlan, items: [ScannedItem], options: ImportOptions,
    laneBytes: Int = HashLimits.laneBytes
  ) throws(ImportError) {
    self.plan = plan
    kind = options.kind
    pieceLength = try Self.pieceLength(for: plan, options)
    description = TorrentDescription(
      kind: kind, name: plan.name, isSingleFile: plan.isSingleFile, pieceLength: pieceLength,
      files: plan.files)
    // With the number of pieces bounded, so are all sums.
    guard let layout = description.v1Layout else {
      throw .tooManyPieces(.max, limit: PieceLengthPolicy.mostPieces)
    }
    let lengths = plan.files.map(\.length)
    trees = TreeAssembler(lengths: lengths, pieceLength: UInt64(pieceLength))
    let scheduled = plan.files.indices.map { index in
      var holes: [Range<UInt64>] = []
      if case .file(_, _, let found) = items[plan.sources[index]].kind { holes = found }
      return HashSchedule.File(
        length: lengths[index], v1Offset: layout.offsets[index], holes: holes)
    }
    schedule = HashSchedule(
      kind: kind, pieceLength: Int(pieceLength), files: scheduled, v1Length: layout.length,
      laneBytes: laneBytes)
  }

  /// Takes the digests of the next segment of the schedule.
  public mutating func add(_ hashes: SegmentHashes, of segment: HashSegment) {
    description.v1Pieces.append(contentsOf: hashes.pieces)
    guard let part = segment.tree,
      let tree = trees.add(hashes.nodes, of: part, using: layers)
    else { return }
    description.files[part.file].piecesRoot = tree.root
    if !tree.pieceLayer.isEmpty { description.pieceLayers[tree.root] = tree.pieceLayer }
  }

  /// The torrent, without trackers and the like.
  ///
  /// Precondition: the digests of all segments were added.
  public consuming func finish() -> TorrentDescription { description }

  private static func pieceLength(for plan: ImportPlan, _ options: ImportOptions)
    throws(ImportError) -> UInt32
  {
    let length =
      options.pieceLength
      ?? PieceLengthPolicy.choose(kind: options.kind, totalLength: plan.totalLength)
    guard length.nonzeroBitCount == 1,
      PieceLengthPolicy.least...PieceLengthPolicy.most ~= length
    else { throw .pieceLength(length) }
    let pieces =
      options.kind.hasV2
      ? plan.files.reduce(0) { $0 + ($1.length + length - 1) / length }
      : (plan.totalLength + length - 1) / length
    if pieces > PieceLengthPolicy.mostPieces {
      throw .tooManyPieces(pieces, limit: PieceLengthPolicy.mostPieces)
    }
    return UInt32(length)
  }
}
