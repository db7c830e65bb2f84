import Metainfo

/// Compares content on disk with its torrent. A hybrid torrent is checked by both descriptions.
///
/// The work itself is done elsewhere: hash the segments of `schedule`, taking bytes that are not
/// there as zeros, give the results to `add` in the order of the schedule, then read `report`.
public struct Verifier {
  /// What to hash.
  public let schedule: HashSchedule

  private let info: InfoDictionary
  private let pieceLayers: PieceLayers
  private let pieceLength: UInt64
  private var verdicts: [FileVerdict]
  private var trees: TreeAssembler
  private let layers = LayerHasher()
  private var nextV1Piece = 0

  /// A comparison of `torrent` with what is at the places of its files, one `presence` each, in
  /// their order; `laneBytes` as in `HashSchedule`.
  public init(
    _ torrent: Torrent, presence: [ContentPresence], laneBytes: Int = HashLimits.laneBytes
  ) {
    precondition(presence.count == torrent.info.files.count)
    info = torrent.info
    pieceLayers = torrent.pieceLayers
    pieceLength = UInt64(info.pieceLength)
    verdicts = zip(info.files, presence).map(Self.verdict)
    trees = TreeAssembler(lengths: info.files.map(\.length), pieceLength: pieceLength)
    let layout = info.v1Layout
    let files = torrent.info.files.enumerated().map { index, entry in
      HashSchedule.File(
        length: entry.length, v1Offset: layout?.offsets[index] ?? 0,
        holes: Self.holes(entry, presence[index]))
    }
    schedule = HashSchedule(
      kind: info.kind, pieceLength: Int(info.pieceLength), files: files,
      v1Length: layout?.length ?? 0, laneBytes: laneBytes)
  }

  /// The verdicts. Final when the results of all segments were added.
  public var report: VerifyReport {
    VerifyReport(
      files: verdicts.map { verdict in
        var verdict = verdict
        verdict.unreadRanges = merge(verdict.unreadRanges)
        // Of bytes that could not be read nothing is known.
        verdict.differingRanges = subtract(
          verdict.unreadRanges, from: merge(verdict.differingRanges))
        return verdict
      })
  }

  /// Takes the result of the next segment of the schedule.
  public mutating func add(_ result: SegmentResult, of segment: HashSegment) {
    switch result {
    case .success(let hashes):
      compare(hashes.pieces, of: segment)
      if let part = segment.tree { compare(hashes.nodes, of: part) }
    case .failure(let failure):
      let problem: FileVerdict.Problem =
        switch failure.reason {
        case .changed: .changedWhileRead
        case .unreadable(let reason): .unreadable(reason)
        }
      if !verdicts[failure.file].problems.contains(problem) {
        verdicts[failure.file].problems.append(problem)
      }
      markDiffering(0..<segment.byteCount, of: segment)
      if case .unreadable = failure.reason { markUnread(failure.file, in: segment) }
      nextV1Piece += segment.v1PieceCount
      // Nodes that no bytes have: just the pieces of this segment then differ.
      if let part = segment.tree {
        compare([SHA256Digest](repeating: .zero, count: part.nodeCount), of: part)
      }
    }
  }

  private mutating func compare(_ pieces: [SHA1Digest], of segment: HashSegment) {
    guard let length = segment.v1PieceLength else { return }
    for (index, piece) in pieces.enumerated() {
      if piece != info.v1Pieces[nextV1Piece] {
        let start = index * length
        markDiffering(start..<min(start + length, segment.byteCount), of: segment)
      }
      nextV1Piece += 1
    }
  }

  private mutating func compare(_ nodes: [SHA256Digest], of part: HashSegment.TreePart) {
    guard let tree = trees.add(nodes, of: part, using: layers) else { return }
    let entry = info.files[part.file]
    guard let root = entry.piecesRoot, tree.root != root else { return }
    guard let expected = pieceLayers[root] else {
      mark(0..<entry.length, of: part.file)
      return
    }
    for (index, pair) in zip(tree.pieceLayer, expected).enumerated() where pair.0 != pair.1 {
      let start = UInt64(index) * pieceLength
      mark(start..<min(start + pieceLength, entry.length), of: part.file)
    }
  }

  /// Marks the file bytes among the bytes `range` of a segment.
  private mutating func markDiffering(_ range: Range<Int>, of segment: HashSegment) {
    var position = 0
    for span in segment.spans {
      let overlap = range.clamped(to: position..<(position + span.count))
      if case .file(let file, let offset, _) = span, !overlap.isEmpty {
        let start = offset + UInt64(overlap.lowerBound - position)
        mark(start..<(start + UInt64(overlap.count)), of: file)
      }
      position += span.count
    }
  }

  private mutating func mark(_ range: Range<UInt64>, of file: Int) {
    let last = verdicts[file].differingRanges.indices.last
    if let last, verdicts[file].differingRanges[last].upperBound == range.lowerBound {
      let start = verdicts[file].differingRanges[last].lowerBound
      verdicts[file].differingRanges[last] = start..<range.upperBound
    } else {
      verdicts[file].differingRanges.append(range)
    }
  }

  /// Marks the bytes of a file in a segment that could not be read on its account.
  private mutating func markUnread(_ unread: Int, in segment: HashSegment) {
    for span in segment.spans {
      if case .file(unread, let offset, _) = span, span.count > 0 {
        verdicts[unread].unreadRanges.append(offset..<(offset + UInt64(span.count)))
      }
    }
  }

  /// Ranges that read as zeros: holes of the file, and what lies beyond its end.
  private static func holes(_ entry: FileEntry, _ presence: ContentPresence) -> [Range<UInt64>] {
    var present: UInt64 = 0
    var holes: [Range<UInt64>] = []
    if case .file(let length, _, let found) = presence, entry.symlinkTarget == nil {
      present = min(length, entry.length)
      holes = found.map { $0.clamped(to: 0..<present) }.filter { !$0.isEmpty }
    }
    if present < entry.length { holes.append(present..<entry.length) }
    return merge(holes)
  }

  /// What can be said before a byte is read. Bytes that are not there differ even if they should be
  /// zeros.
  private static func verdict(_ entry: FileEntry, _ presence: ContentPresence) -> FileVerdict {
    var verdict = FileVerdict(entry: entry)
    switch presence {
    case .missing: verdict.problems.append(.missing)
    case .other(let kind): verdict.problems.append(.kind(actual: kind))
    case .symlink(let target):
      if entry.symlinkTarget == nil {
        verdict.problems.append(.kind(actual: "symlink"))
      } else if entry.symlinkTarget != target {
        verdict.problems.append(.symlinkTarget)
      }
    case .unreadable(let reason):
      verdict.problems.append(.unreadable(reason))
      if entry.length > 0 { verdict.unreadRanges.append(0..<entry.length) }
    case .file(let length, let isExecutable, _):
      if entry.symlinkTarget != nil {
        verdict.problems.append(.kind(actual: "file"))
        return verdict
      }
      if length != entry.length { verdict.problems.append(.length(actual: length)) }
      let shouldBeExecutable = entry.attributes.contains(.executable)
      if isExecutable != shouldBeExecutable {
        verdict.problems.append(.permission(shouldBeExecutable: shouldBeExecutable))
      }
      if length < entry.length { verdict.differingRanges.append(length..<entry.length) }
      return verdict
    }
    if entry.length > 0 { verdict.differingRanges.append(0..<entry.length) }
    return verdict
  }
}

/// The same bytes in as few ranges as can be, ascending.
private func merge(_ ranges: [Range<UInt64>]) -> [Range<UInt64>] {
  var merged: [Range<UInt64>] = []
  for range in ranges.sorted(by: { $0.lowerBound < $1.lowerBound }) {
    if let last = merged.last, range.lowerBound <= last.upperBound {
      merged[merged.count - 1] = last.lowerBound..<max(last.upperBound, range.upperBound)
    } else {
      merged.append(range)
    }
  }
  return merged
}

/// What is left of ranges without others; both ascending and apart.
private func subtract(
  _ others: [Range<UInt64>], from ranges: [Range<UInt64>]
) -> [Range<UInt64>] {
  if others.isEmpty { return ranges }
  var left: [Range<UInt64>] = []
  var next = others.startIndex
  for range in ranges {
    var start = range.lowerBound
    while next < others.endIndex, others[next].upperBound <= start { next += 1 }
    var place = next
    while place < others.endIndex, others[place].lowerBound < range.upperBound {
      if others[place].lowerBound > start { left.append(start..<others[place].lowerBound) }
      start = max(start, others[place].upperBound)
      place += 1
    }
    if start < range.upperBound { left.append(start..<range.upperBound) }
  }
  return left
}
