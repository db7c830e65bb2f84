import Metainfo

/// The files of a torrent that are wanted.
public enum FileChoice {
  /// For each file its number in BEP 53, "so": in v1 and hybrid torrents padding files count. Where
  /// there is padding between two files it is taken for one padding file, as every client makes it.
  public static func numbers(in info: InfoDictionary) -> [UInt32] {
    guard let layout = info.v1Layout else { return Array(0..<UInt32(info.files.count)) }
    var numbers: [UInt32] = []
    var next: UInt32 = 0
    var end: UInt64 = 0
    for (entry, offset) in zip(info.files, layout.offsets) {
      if offset > end { next += 1 }
      numbers.append(next)
      next += 1
      end = offset + entry.length
    }
    return numbers
  }

  /// The files that are written to when those that are wanted are fetched: in v1 torrents their
  /// neighbours too, with which they share a piece. BEP 3, "pieces".
  public static func written(_ wanted: [Bool], in info: InfoDictionary) -> [Bool] {
    guard info.kind == .v1, let layout = info.v1Layout else { return wanted }
    let length = UInt64(info.pieceLength)
    let pieces = zip(info.files, layout.offsets).map { entry, offset -> ClosedRange<UInt64>? in
      entry.length == 0 ? nil : offset / length...(offset + entry.length - 1) / length
    }
    var written = wanted
    var last: UInt64?
    for (index, range) in pieces.enumerated() {
      guard let range else { continue }
      if let last, range.lowerBound <= last { written[index] = true }
      if wanted[index] { last = range.upperBound }
    }
    var first: UInt64?
    for (index, range) in pieces.enumerated().reversed() {
      guard let range else { continue }
      if let first, range.upperBound >= first { written[index] = true }
      if wanted[index] { first = range.lowerBound }
    }
    return written
  }
}
