import Metainfo

/// Why a folder or file cannot become a torrent.
public enum ImportError: Error, Hashable, Sendable {
  /// The torrent's name is not one that a file can have.
  case name([UInt8], ContentPathError)
  /// A file's path is not one that a torrent can hold.
  case path(String, ContentPathError)
  /// There is no file with at least one byte.
  case noContent
  /// The piece length is not a power of two from 16 KiB to 256 MiB.
  case pieceLength(UInt64)
  /// The content would have more pieces than a client accepts: too small pieces, or too many files.
  case tooManyPieces(UInt64, limit: UInt64)
}

extension ImportError: CustomStringConvertible {
  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .name(let name, let reason):
      "cannot use the name \"\(printable(name))\": \(reason); choose another with --name"
    case .path(let path, let reason):
      "\(path): \(reason), which a torrent cannot hold"
    case .noContent:
      "there is nothing to share: no file with at least one byte"
    case .pieceLength(let length):
      "piece length \(length): it must be a power of two from 16K to 256M (BEP 52)"
    case .tooManyPieces(let count, let limit):
      "\(count) pieces are more than the \(limit) that clients accept; choose larger pieces"
    }
  }
}

/// What was left out of a torrent, since BitTorrent cannot hold it.
public enum ImportWarning: Hashable, Sendable {
  /// A folder without files.
  case emptyFolder(String)
  /// A socket, FIFO or device, by its name for people.
  case special(String, kind: String)
  /// A symlink whose target does not lie inside the folder: BEP 47 has paths from its root only.
  case symlinkLeadsOutside(String, target: String)
}

extension ImportWarning: CustomStringConvertible {
  /// What was left out, and why.
  public var description: String {
    switch self {
    case .emptyFolder(let path): "\(path): left out, a torrent cannot hold an empty folder"
    case .special(let path, let kind): "\(path): left out, a torrent cannot hold a \(kind)"
    case .symlinkLeadsOutside(let path, let target):
      "\(path): left out, a torrent cannot hold a link to \(target), outside the folder"
    }
  }
}
