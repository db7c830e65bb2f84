import Metainfo
import Store

/// The files of planned content that look as they did when an earlier version of it was hashed, and
/// their hashes from there.
struct UnchangedFiles {
  private let earlier: KeptVersion
  /// For each file of the plan its place in the earlier version; nil where it is not the same.
  private let places: [Int?]

  init(_ earlier: KeptVersion, plan: ImportPlan, scan: Scan) {
    self.earlier = earlier
    guard let record = earlier.record, record.isWhole else {
      places = plan.files.map { _ in nil }
      return
    }
    let info = earlier.torrent.info
    let before = Dictionary(record.items.map { ($0.path, $0) }) { first, _ in first }
    let numbers = Dictionary(
      info.files.enumerated().map { ($0.element.path, $0.offset) }
    ) { first, _ in first }
    let now = ContentRecord.items(of: scan.items, scan.stamps)
    places = zip(plan.files, plan.sources).map { entry, source in
      let item = now[source]
      guard let evidence = item.evidence, before[item.path]?.evidence == evidence,
        plan.isSingleFile == item.path.isEmpty
      else { return nil }
      // The only file of a torrent may have been called otherwise: the content was that file.
      let place = item.path.isEmpty ? (info.files.count == 1 ? 0 : nil) : numbers[entry.path]
      guard let place, info.files[place].length == entry.length,
        info.files[place].symlinkTarget == nil
      else { return nil }
      return place
    }
  }

  /// What is known of a file of the plan; nil where it must be hashed.
  func known(_ file: Int, pieceLength: UInt32, kind: TorrentKind) -> KnownFile? {
    places[file].flatMap {
      KnownFile(
        $0, of: earlier.torrent.info, layers: earlier.torrent.pieceLayers, pieceLength: pieceLength,
        kind: kind)
    }
  }

  /// The leaf hashes of these files of the plan; empty if they were not kept.
  func leaves(of files: Set<Int>) -> [Int: ArraySlice<SHA256Digest>] {
    if files.isEmpty { return [:] }
    let all = earlier.leaves
    var starts: [Int] = []
    var count = 0
    for file in earlier.torrent.info.files {
      starts.append(count)
      count += Int((file.length + UInt64(blockLength) - 1) / UInt64(blockLength))
    }
    guard all.count == count else { return [:] }
    starts.append(count)
    var leaves: [Int: ArraySlice<SHA256Digest>] = [:]
    for file in files {
      if let place = places[file] { leaves[file] = all[starts[place]..<starts[place + 1]] }
    }
    return leaves
  }
}
