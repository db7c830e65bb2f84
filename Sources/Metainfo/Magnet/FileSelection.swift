/// Which files of a torrent a link is about. BEP 53, "so".
///
/// The numbers are positions in the torrent's own file list, where libtorrent counts the padding
/// files (BEP 47) of a hybrid or v1 torrent too; they are not `FileIndex` values.
///
/// Invariant: at least one range; ranges ascend, and neither touch nor overlap.
public struct FileSelection: Hashable, Sendable {
  /// The selected file numbers, counted from 0.
  public let ranges: [ClosedRange<UInt32>]

  /// The union of `ranges`, in any order; nil when there is none.
  public init?(_ ranges: some Sequence<ClosedRange<UInt32>>) {
    let sorted = ranges.sorted { $0.lowerBound < $1.lowerBound }
    guard var last = sorted.first else { return nil }
    var merged: [ClosedRange<UInt32>] = []
    for range in sorted.dropFirst() {
      if UInt64(range.lowerBound) <= UInt64(last.upperBound) + 1 {
        last = last.lowerBound...max(last.upperBound, range.upperBound)
      } else {
        merged.append(last)
        last = range
      }
    }
    merged.append(last)
    self.ranges = merged
  }

  /// Whether the file with this number is selected.
  public func contains(_ fileNumber: UInt32) -> Bool {
    var low = 0
    var high = ranges.count
    while low < high {
      let middle = (low + high) / 2
      if ranges[middle].upperBound < fileNumber { low = middle + 1 } else { high = middle }
    }
    return low < ranges.count && ranges[low].contains(fileNumber)
  }
}

extension FileSelection: CustomStringConvertible {
  /// The numbers as in a link: `0,2,4,6-8`. BEP 53.
  public var description: String {
    ranges.map { $0.count == 1 ? "\($0.lowerBound)" : "\($0.lowerBound)-\($0.upperBound)" }
      .joined(separator: ",")
  }
}
