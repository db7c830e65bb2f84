/// Which generation of BitTorrent describes the content.
public enum TorrentKind: String, Hashable, Sendable, CaseIterable {
  /// BEP 3: SHA-1 of pieces that run over file boundaries.
  case v1
  /// BEP 52: a SHA-256 tree for each file.
  case v2
  /// Both descriptions of the same content, with padding files (BEP 47) between.
  case hybrid

  /// Whether there are v1 pieces and a v1 infohash.
  public var hasV1: Bool { self != .v2 }
  /// Whether there are hash trees and a v2 infohash.
  public var hasV2: Bool { self != .v1 }
}

/// What a file is besides its bytes. BEP 47, "attr".
public struct FileAttributes: OptionSet, Hashable, Sendable {
  /// The bits.
  public let rawValue: UInt8
  /// A set from its bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }
  /// `x`: the owner may run it.
  public static let executable = FileAttributes(rawValue: 1)
  /// `h`: hidden.
  public static let hidden = FileAttributes(rawValue: 2)
}

/// One file or symlink of a torrent. Padding files are not entries: they are geometry.
public struct FileEntry: Hashable, Sendable {
  /// Where it lies below the torrent's folder; for a single-file torrent one element, the name.
  public var path: ContentPath
  /// Size in bytes; 0 for a symlink.
  public var length: UInt64
  /// Attributes. BEP 47.
  public var attributes: FileAttributes
  /// For a symlink, the path of its target below the torrent's folder; nil for a file. BEP 47.
  public var symlinkTarget: ContentPath?
  /// Root of the file's hash tree; nil in v1 torrents, for empty files and for symlinks. BEP 52.
  public var piecesRoot: SHA256Digest?

  /// An entry from its parts.
  public init(
    path: ContentPath, length: UInt64, attributes: FileAttributes = [],
    symlinkTarget: ContentPath? = nil, piecesRoot: SHA256Digest? = nil
  ) {
    self.path = path
    self.length = length
    self.attributes = attributes
    self.symlinkTarget = symlinkTarget
    self.piecesRoot = piecesRoot
  }
}
