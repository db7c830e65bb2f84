import Metainfo

/// Some segments that one thread hashes in one go.
public struct SegmentJob: Hashable, Sendable {
  /// In the order of the schedule.
  public var segments: [HashSegment]

  /// A job of these segments.
  public init(segments: [HashSegment]) { self.segments = segments }
}

/// Hands out the segments of a schedule as jobs, takes their results in any order, and gives them
/// back in the order of the schedule.
///
/// Invariant: results that wait for an earlier one are bounded by `HashLimits.jobsAhead` jobs.
public struct HashQueue: Sendable {
  private var schedule: HashSchedule
  private var lookahead: HashSegment?
  private var zeros: ZeroHashes
  /// Results by segment number, until those before them are there.
  private var waiting: [Int: (HashSegment, SegmentResult)] = [:]
  private var nextNumber = 0
  private var handedOut = 0

  /// Bytes in files whose digests were given back, holes included.
  public private(set) var bytesHashed: UInt64 = 0

  /// A queue over all segments of `schedule`; with `keepsLeaves`, results are to have leaf hashes.
  public init(_ schedule: HashSchedule, keepsLeaves: Bool = false) {
    zeros = ZeroHashes(keepsLeaves: keepsLeaves)
    self.schedule = schedule
    lookahead = self.schedule.next()
  }

  /// Whether every segment has been handed out and its result given back.
  public var isFinished: Bool { lookahead == nil && nextNumber == handedOut }

  /// The next job; nil when all are handed out or too many results wait for an early one.
  public mutating func nextJob() -> SegmentJob? {
    var job = SegmentJob(segments: [])
    var bytes = 0
    while let segment = lookahead, bytes < HashLimits.jobBytes,
      job.segments.count < HashLimits.jobSegments,
      segment.number < nextNumber + HashLimits.jobsAhead * HashLimits.jobSegments
    {
      lookahead = schedule.next()
      handedOut += 1
      if segment.isHole {
        waiting[segment.number] = (segment, .success(zeros.hashes(of: segment)))
      } else {
        job.segments.append(segment)
        bytes += segment.byteCount
      }
      // A long hole is no work for a job, but its results must be taken before it goes on.
      if waiting.count > HashLimits.jobsAhead * HashLimits.jobSegments { break }
    }
    return job.segments.isEmpty ? nil : job
  }

  /// Takes the results of a job, one for each of its segments.
  public mutating func complete(_ job: SegmentJob, with results: [SegmentResult]) {
    precondition(job.segments.count == results.count)
    for (segment, result) in zip(job.segments, results) {
      waiting[segment.number] = (segment, result)
    }
  }

  /// The next result in order, if it is there.
  public mutating func nextResult() -> (HashSegment, SegmentResult)? {
    guard let result = waiting.removeValue(forKey: nextNumber) else { return nil }
    nextNumber += 1
    bytesHashed += UInt64(result.0.fileByteCount)
    return result
  }
}

/// Digests of segments that consist of zero bytes. All such segments of one schedule are alike, so
/// that one computation serves them all.
private struct ZeroHashes: Sendable {
  private let keepsLeaves: Bool
  private var shape: (Int, HashSegment.TreePart?, Int?)?
  private var hashes = SegmentHashes()

  init(keepsLeaves: Bool) { self.keepsLeaves = keepsLeaves }

  mutating func hashes(of segment: HashSegment) -> SegmentHashes {
    let count = segment.byteCount
    if let shape, shape.0 == count, shape.1?.height == segment.tree?.height,
      shape.1?.byteCount == segment.tree?.byteCount, shape.2 == segment.v1PieceLength
    {
      return hashes
    }
    let hasher = SegmentHasher(hasher: BulkHasher(), keepsLeaves: keepsLeaves)
    hasher.begin(segment, isStreamed: false)
    let isHashed = [UInt8](repeating: 0, count: count).withUnsafeBytes { hasher.append($0) }
    precondition(isHashed)
    shape = (count, segment.tree, segment.v1PieceLength)
    hashes = hasher.finish()
    return hashes
  }
}
