/// How the two descriptions in a hybrid torrent differ. Files are counted from 0, without padding.
/// BEP 52, "upgrade path".
public enum HybridFault: Hashable, Sendable {
  /// They have different numbers of files.
  case fileCount(v1: Int, v2: Int)
  /// This file has different paths.
  case path(Int)
  /// This file has different lengths.
  case length(Int)
  /// One has a symlink here, or the symlinks have different targets.
  case symlink(Int)
  /// This file does not start where its first v2 piece starts: padding is missing or superfluous.
  case offset(Int)
  /// The v1 stream ends neither with the last file nor with that file's last piece.
  case end
}

extension HybridFault: CustomStringConvertible {
  /// The difference, as the end of a sentence.
  public var description: String {
    switch self {
    case .fileCount(let v1, let v2): "\(v1) files against \(v2)"
    case .path(let index): "file \(index) has two paths"
    case .length(let index): "file \(index) has two lengths"
    case .symlink(let index): "file \(index) has two symlink targets"
    case .offset(let index): "file \(index) does not start at its piece"
    case .end: "the v1 pieces end elsewhere than the last file"
    }
  }
}

extension HybridFault {
  /// What differs first between the file list and the file tree; nil when they agree. Attributes
  /// may differ, as they may for libtorrent: nobody's data depends on them.
  static func firstDifference(
    v1: [RawFile], layout: V1Layout, v2: [RawFile], pieceLength: UInt32
  ) -> HybridFault? {
    if v1.count != v2.count { return .fileCount(v1: v1.count, v2: v2.count) }
    // The end of the last file, and of its last piece.
    var end: UInt64 = 0
    var alignedEnd: UInt64 = 0
    for index in v1.indices {
      if v1[index].entry.path != v2[index].entry.path { return .path(index) }
      if v1[index].target != v2[index].target { return .symlink(index) }
      let length = v2[index].entry.length
      if v1[index].entry.length != length { return .length(index) }
      // An empty file has no place.
      if length == 0 { continue }
      if layout.offsets[index] != alignedEnd { return .offset(index) }
      end = alignedEnd + length
      alignedEnd = end + V1Layout.padding(from: end, pieceLength: pieceLength)
    }
    return layout.length == end || layout.length == alignedEnd ? nil : .end
  }
}
