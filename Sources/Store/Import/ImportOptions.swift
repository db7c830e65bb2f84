import Metainfo

/// How content becomes a torrent. Together with the content it decides the infohash; nothing else
/// does.
public struct ImportOptions: Hashable, Sendable {
  /// Which descriptions to write.
  public var kind: TorrentKind
  /// Piece length in bytes, or nil to choose one.
  public var pieceLength: UInt64?
  /// Which version of a dataset it is to be; nil for none.
  public var version: VersionInfo?

  /// Options; a v2 torrent with a chosen piece length if nothing else is said.
  public init(
    kind: TorrentKind = .v2, pieceLength: UInt64? = nil, version: VersionInfo? = nil
  ) {
    self.kind = kind
    self.pieceLength = pieceLength
    self.version = version
  }
}

/// The choice of a piece length.
public enum PieceLengthPolicy {
  /// 16 KiB, the least that BEP 52 allows.
  public static let least: UInt64 = 16 << 10
  /// What other clients still load; libtorrent refuses more.
  public static let most: UInt64 = 256 << 20
  /// Pieces at the most: libtorrent's own limit on what it loads.
  public static let mostPieces: UInt64 = 0x20_0000

  /// Small enough that a node which reads here and there soon has whole pieces to share: 64 KiB.
  /// Doubled until the hashes of all pieces fit 8 MiB, since every joiner fetches them first, and
  /// libtorrent loads no .torrent of more than 10 MB.
  ///
  /// - Parameter totalLength: Bytes in all files.
  public static func choose(kind: TorrentKind, totalLength: UInt64) -> UInt64 {
    let bytesAPiece: UInt64 =
      switch kind {
      case .v1: 20
      case .v2: 32
      case .hybrid: 52
      }
    let piecesThatFit = (8 << 20) / bytesAPiece
    var length: UInt64 = 64 << 10
    while length < most, totalLength / length > piecesThatFit { length *= 2 }
    return length
  }
}
