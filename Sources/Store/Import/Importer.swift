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
  private var known: [Int: KnownFile] = [:]
  /// The first file whose v1 pieces are not there yet.
  private var nextFile = 0

  /// An import of `plan`; `items` are what the plan was made of, `laneBytes` as in `HashSchedule`.
  ///
  /// - Parameter known: what is known of the file at a place of the plan, if its bytes are not to be
  ///   hashed. Asked of files that are not empty, with the piece length. Not with v1 alone.
  public init(
    _ plan: ImportPlan, items: [ScannedItem], options: ImportOptions,
    laneBytes: Int = HashLimits.laneBytes, known: (Int, UInt32) -> KnownFile? = { _, _ in nil }
  ) throws(ImportError) {
    self.plan = plan
    kind = options.kind
    pieceLength = try Self.pieceLength(for: plan, options)
    description = TorrentDescription(
      kind: kind, name: plan.name, isSingleFile: plan.isSingleFile, pieceLength: pieceLength,
      files: plan.files)
    description.version = options.version
    // With the number of pieces bounded, so are all sums.
    guard let layout = description.v1Layout else {
      throw .tooManyPieces(.max, limit: PieceLengthPolicy.mostPieces)
    }
    let lengths = plan.files.map(\.length)
    trees = TreeAssembler(lengths: lengths, pieceLength: UInt64(pieceLength))
    if options.kind.hasV2 {
      for index in plan.files.indices where plan.files[index].length > 0 {
        // A hybrid's only file has no padding behind it.
        if options.kind.hasV1, plan.files.count == 1 { break }
        guard let file = known(index, pieceLength) else { continue }
        self.known[index] = file
        description.files[index].piecesRoot = file.hashes.root
        if !file.hashes.pieceLayer.isEmpty {
          description.pieceLayers[file.hashes.root] = file.hashes.pieceLayer
        }
      }
    }
    let found = self.known
    let scheduled = plan.files.indices.map { index in
      var holes: [Range<UInt64>] = []
      if case .file(_, _, let found) = items[plan.sources[index]].kind { holes = found }
      return HashSchedule.File(
        length: lengths[index], v1Offset: layout.offsets[index], holes: holes,
        isKnown: found[index] != nil)
    }
    schedule = HashSchedule(
      kind: kind, pieceLength: Int(pieceLength), files: scheduled, v1Length: layout.length,
      laneBytes: laneBytes)
  }

  /// Takes the digests of the next segment of the schedule.
  public mutating func add(_ hashes: SegmentHashes, of segment: HashSegment) {
    if let part = segment.tree { addKnownPieces(before: part.file) }
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
  public consuming func finish() -> TorrentDescription {
    addKnownPieces(before: plan.files.count)
    return description
  }

  /// The places of the files whose hashes were known.
  public var knownFiles: Set<Int> { Set(known.keys) }

  private mutating func addKnownPieces(before file: Int) {
    while nextFile < file {
      if let known = known[nextFile] { description.v1Pieces += known.v1Pieces }
      nextFile += 1
    }
  }

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
