/// Makes a trace of what an export is asked for. A byte counts when it is read for the first time;
/// what comes after `TraceLimits` is left out.
public struct TraceRecorder: Sendable {
  /// Bytes in the file.
  public let fileSize: UInt64

  private var reads: [BootTrace.Read] = []
  /// All bytes of `reads`. Invariant: in order, none empty, none touches the next.
  private var covered: [Range<UInt64>] = []

  /// A recorder at the start of a boot.
  public init(fileSize: UInt64) { self.fileSize = min(fileSize, MetainfoLimits.contentBytes) }

  /// Whether there is nothing that could be added.
  public var isFull: Bool { reads.count >= TraceLimits.reads }

  /// `bytes` were read, so many milliseconds after the start. Bytes beyond the file are ignored.
  public mutating func record(_ bytes: Range<UInt64>, at milliseconds: UInt64) {
    guard milliseconds <= TraceLimits.milliseconds, !isFull else { return }
    let bytes = bytes.clamped(to: 0..<fileSize)
    if bytes.isEmpty { return }
    let time = max(UInt32(milliseconds), reads.last?.milliseconds ?? 0)
    for new in cover(bytes) where !isFull { add(new, time) }
  }

  /// What was read so far.
  public var trace: BootTrace { BootTrace(recorded: reads, fileSize: fileSize) }

  private mutating func add(_ bytes: Range<UInt64>, _ time: UInt32) {
    let length = bytes.upperBound - bytes.lowerBound
    let recent = reads.indices.suffix(TraceLimits.growingReads)
    let grown = recent.last { index in
      reads[index].range.upperBound == bytes.lowerBound
        && time - reads[index].milliseconds <= TraceLimits.mergeMilliseconds
    }
    if let grown {
      reads[grown].length += length
    } else {
      reads.append(
        BootTrace.Read(offset: bytes.lowerBound, length: length, milliseconds: time))
    }
  }

  /// Adds a range to `covered`, and gives the parts of it that are new, in order.
  private mutating func cover(_ bytes: Range<UInt64>) -> [Range<UInt64>] {
    // The first one that ends at or behind the beginning, by halving.
    var low = 0
    var high = covered.count
    while low < high {
      let middle = (low + high) / 2
      if covered[middle].upperBound < bytes.lowerBound { low = middle + 1 } else { high = middle }
    }
    if low < covered.count, covered[low].lowerBound <= bytes.lowerBound,
      bytes.upperBound <= covered[low].upperBound
    {
      return []
    }
    var new: [Range<UInt64>] = []
    var start = bytes.lowerBound
    var whole = bytes
    var end = low
    while end < covered.count, covered[end].lowerBound <= bytes.upperBound {
      let old = covered[end]
      if start < old.lowerBound { new.append(start..<old.lowerBound) }
      start = max(start, old.upperBound)
      whole = min(whole.lowerBound, old.lowerBound)..<max(whole.upperBound, old.upperBound)
      end += 1
    }
    if start < bytes.upperBound { new.append(start..<bytes.upperBound) }
    covered.replaceSubrange(low..<end, with: CollectionOfOne(whole))
    return new
  }
}
