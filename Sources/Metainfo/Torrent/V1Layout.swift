/// Where files lie in the v1 byte stream, which is what v1 pieces are cut from: the files one behind
/// the other, with padding files (BEP 47) between them. Every byte that is in no file is padding,
/// and zero. BEP 3, "pieces".
public struct V1Layout: Hashable, Sendable {
  /// Where padding files stand.
  public enum Padding: Hashable, Sendable, CaseIterable {
    /// Nowhere: pieces run over file boundaries.
    case none
    /// Before each non-empty file that would not start at a piece boundary: libtorrent's hybrids
    /// before 2.0.8, and its flag `canonical_files_no_tail_padding`.
    case beforeFiles
    /// After each non-empty file that does not end at a piece boundary, the last one too:
    /// libtorrent's hybrids from 2.0.8.
    case afterFiles
  }

  /// For each file its first byte in the stream.
  public let offsets: [UInt64]
  /// Length of the stream, in bytes.
  public let length: UInt64

  init(offsets: [UInt64], length: UInt64) {
    self.offsets = offsets
    self.length = length
  }

  /// The layout of files of these lengths, in bytes. Nil when the stream would have more than
  /// `MetainfoLimits.contentBytes`.
  public init?(lengths: some Sequence<UInt64>, pieceLength: UInt32, padding: Padding) {
    var offsets: [UInt64] = []
    var end: UInt64 = 0
    for length in lengths {
      if length > MetainfoLimits.contentBytes { return nil }
      if padding == .beforeFiles && length > 0 {
        end += Self.padding(from: end, pieceLength: pieceLength)
      }
      offsets.append(end)
      end += length
      if padding == .afterFiles && length > 0 {
        end += Self.padding(from: end, pieceLength: pieceLength)
      }
      if end > MetainfoLimits.contentBytes { return nil }
    }
    self.init(offsets: offsets, length: end)
  }

  /// Bytes from `offset` to the next piece boundary: 0 at a boundary.
  public static func padding(from offset: UInt64, pieceLength: UInt32) -> UInt64 {
    let remainder = offset % UInt64(pieceLength)
    return remainder == 0 ? 0 : UInt64(pieceLength) - remainder
  }

  /// How many pieces the stream is cut into.
  public func pieceCount(pieceLength: UInt32) -> UInt64 {
    length / UInt64(pieceLength) + (length.isMultiple(of: UInt64(pieceLength)) ? 0 : 1)
  }
}

extension V1Layout.Padding {
  /// What libtorrent 2.0.8 and 2.1 do by default, and so what makes infohashes equal: hybrids of
  /// more than one file (empty files and symlinks count) are padded, v1 torrents are not.
  public init(kind: TorrentKind, fileCount: Int) {
    self = kind == .hybrid && fileCount > 1 ? .afterFiles : .none
  }
}
