import Metainfo

/// What is known of a file that is imported, so that it need not be hashed: it is the same as in an
/// earlier torrent with pieces of the same length.
public struct KnownFile: Hashable, Sendable {
  /// Root and piece layer of the file.
  public var hashes: FileHashes
  /// In a hybrid, SHA-1 of its pieces, the last one with its padding; else empty.
  public var v1Pieces: [SHA1Digest]

  /// A file from its hashes.
  public init(hashes: FileHashes, v1Pieces: [SHA1Digest] = []) {
    self.hashes = hashes
    self.v1Pieces = v1Pieces
  }

  /// The file at a place of an earlier torrent as one with these options may have it again; nil where
  /// hashes that are needed are not there, or mean something else.
  ///
  /// - Parameters:
  ///   - place: the file's place in the torrent.
  ///   - pieceLength: of the new torrent.
  ///   - kind: of the new torrent.
  public init?(
    _ place: Int, of info: InfoDictionary, layers: PieceLayers, pieceLength: UInt32,
    kind: TorrentKind
  ) {
    let entry = info.files[place]
    guard info.kind == kind, kind.hasV2, info.pieceLength == pieceLength,
      let root = entry.piecesRoot
    else { return nil }
    hashes = FileHashes(root: root, pieceLayer: [])
    if entry.length > UInt64(pieceLength) {
      guard let layer = layers[root] else { return nil }
      hashes.pieceLayer = layer
    }
    v1Pieces = []
    if kind.hasV1 {
      // In a hybrid every file begins with a piece, and padding fills its last one.
      let length = UInt64(pieceLength)
      let count = PieceLayer.count(fileLength: entry.length, pieceLength: pieceLength)
      guard let layout = info.v1Layout, layout.offsets[place].isMultiple(of: length),
        layout.offsets[place] + count * length <= layout.length
      else { return nil }
      let first = Int(layout.offsets[place] / length)
      guard first + Int(count) <= info.v1Pieces.count else { return nil }
      v1Pieces = Array(info.v1Pieces[first..<(first + Int(count))])
    }
  }
}
