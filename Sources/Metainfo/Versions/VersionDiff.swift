/// What differs between two versions of a dataset, as far as their torrents tell: which files, and
/// how many bytes somebody who has the old one must fetch to have the new one.
///
/// Bytes are those of pieces that differ at the same place, where both piece layers are known, else
/// those of the file. Bytes that are the same in another place of the file count as different.
public struct VersionDiff: Hashable, Sendable {
  /// What became of a file.
  public enum Change: Hashable, Sendable {
    /// Nothing like it was there.
    case added
    /// It is gone.
    case removed
    /// Its content, its attributes or where it leads are others.
    case changed
    /// It has the content of a file that is gone.
    case moved(from: ContentPath)
    /// It has the content of a file that is still there.
    case copied(from: ContentPath)
  }

  /// One file or symlink that differs.
  public struct File: Hashable, Sendable {
    /// Where it is; for one that is gone, was.
    public let path: ContentPath
    /// What became of it.
    public let change: Change
    /// Its bytes in the old version; 0 for one that is added.
    public let oldLength: UInt64
    /// Its bytes in the new version; 0 for one that is gone.
    public let newLength: UInt64
    /// Bytes of it that are in no place where they would be looked for in the old version.
    public let differingBytes: UInt64
    /// Whether they may be fewer: the file counts as a whole, since a piece layer that would tell more is
    /// not known.
    public let isEstimate: Bool
  }

  /// The files that differ, ascending by path.
  public let files: [File]

  /// Bytes that differ in all files together.
  public var differingBytes: UInt64 { files.reduce(0) { $0 + $1.differingBytes } }

  /// Whether they may be fewer, since not all piece layers are known that would tell.
  public var isEstimate: Bool { files.contains(where: \.isEstimate) }

  /// Compares two torrents; nil when one of them has no hash trees, without which files cannot be
  /// compared. BEP 52.
  public init?(
    from old: InfoDictionary, _ oldLayers: PieceLayers, to new: InfoDictionary,
    _ newLayers: PieceLayers
  ) {
    guard old.kind.hasV2, new.kind.hasV2 else { return nil }
    let pieces = FilePieces(
      old: (old.pieceLength, oldLayers), new: (new.pieceLength, newLayers))
    // A dataset that is one file may get another name; it is the same file.
    let areOneFile = old.isOneNamedFile && new.isOneNamedFile
    var oldByPath: [ContentPath: FileEntry] = [:]
    for file in old.files { oldByPath[areOneFile ? new.files[0].path : file.path] = file }
    let newPaths = Set(new.files.map(\.path))
    // For each content the files that have it: those that are gone first.
    var sources: [SHA256Digest: [ContentPath]] = [:]
    for (path, file) in oldByPath.sorted(by: { $0.key < $1.key }) {
      if let root = file.piecesRoot { sources[root, default: []].append(path) }
    }
    var moved: Set<ContentPath> = []
    var found: [File] = []
    for file in new.files {
      if let before = oldByPath[file.path] {
        if before.isSame(as: file) { continue }
        let isHere = file.piecesRoot.map { sources[$0] != nil } ?? true
        let bytes = isHere ? 0 : pieces.differingBytes(from: before, to: file)
        found.append(
          File(
            path: file.path, change: .changed, oldLength: before.length, newLength: file.length,
            differingBytes: bytes ?? file.length, isEstimate: bytes == nil))
        continue
      }
      let paths = file.piecesRoot.flatMap { sources[$0] }
      let gone = paths?.first { !newPaths.contains($0) && !moved.contains($0) }
      if let gone { moved.insert(gone) }
      let change: Change =
        gone.map { .moved(from: $0) } ?? paths.map { .copied(from: $0[0]) } ?? .added
      found.append(
        File(
          path: file.path, change: change,
          oldLength: paths == nil ? 0 : file.length, newLength: file.length,
          differingBytes: paths == nil ? file.length : 0, isEstimate: false))
    }
    for (path, file) in oldByPath where !newPaths.contains(path) && !moved.contains(path) {
      found.append(
        File(
          path: path, change: .removed, oldLength: file.length, newLength: 0, differingBytes: 0,
          isEstimate: false))
    }
    files = found.sorted { $0.path < $1.path }
  }
}

extension FileEntry {
  /// Whether both are the same but for their paths.
  fileprivate func isSame(as other: FileEntry) -> Bool {
    length == other.length && piecesRoot == other.piecesRoot && attributes == other.attributes
      && symlinkTarget == other.symlinkTarget
  }
}

/// Files of two torrents in pieces of one length: the larger of theirs.
private struct FilePieces {
  private let old: (length: UInt32, layers: PieceLayers)
  private let new: (length: UInt32, layers: PieceLayers)
  private let length: UInt64

  init(old: (UInt32, PieceLayers), new: (UInt32, PieceLayers)) {
    self.old = old
    self.new = new
    length = UInt64(max(old.0, new.0))
  }

  /// Bytes of pieces of `file` that `before` does not have at the same place; nil where a piece layer is
  /// not known.
  func differingBytes(from before: FileEntry, to file: FileEntry) -> UInt64? {
    if before.piecesRoot == file.piecesRoot { return 0 }
    guard let now = nodes(of: file, new), let then = nodes(of: before, old) else {
      return nil
    }
    var bytes: UInt64 = 0
    for (index, node) in now.enumerated() where index >= then.count || then[index] != node {
      bytes += min(length, file.length - UInt64(index) * length)
    }
    return bytes
  }

  /// One node a piece; nil when the piece layer is not known. BEP 52, "piece layers".
  private func nodes(
    of file: FileEntry, _ torrent: (length: UInt32, layers: PieceLayers)
  ) -> [SHA256Digest]? {
    guard let root = file.piecesRoot else { return file.length == 0 ? [] : nil }
    var height = blockLength.trailingZeroBitCount
    var nodes = [root]
    if file.length > UInt64(torrent.length) {
      guard let layer = torrent.layers[root] else { return nil }
      nodes = layer
      height = torrent.length.trailingZeroBitCount
    } else {
      // The root of so small a file is the node above all of its blocks.
      while UInt64(1) << height < file.length { height += 1 }
    }
    var padding = SHA256Digest.zero
    for _ in blockLength.trailingZeroBitCount..<height { padding = .parent(of: padding, padding) }
    while UInt64(1) << height < length {
      nodes = stride(from: 0, to: nodes.count, by: 2).map { index in
        .parent(of: nodes[index], index + 1 < nodes.count ? nodes[index + 1] : padding)
      }
      padding = .parent(of: padding, padding)
      height += 1
    }
    return nodes
  }
}
