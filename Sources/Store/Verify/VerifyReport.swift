import Metainfo

/// What is at the place of a torrent's file.
public enum ContentPresence: Hashable, Sendable {
  /// Nothing.
  case missing
  /// A file of so many bytes, and the ranges that the file system holds no data for, ascending.
  case file(length: UInt64, isExecutable: Bool, holes: [Range<UInt64>] = [])
  /// Something whose nature the system does not tell: what it said.
  case unreadable(String)
  /// A symlink: the path of its target from the content's root, nil if that lies outside.
  case symlink(target: ContentPath?)
  /// Something else, by its name for people: "folder", "socket".
  case other(String)
}

/// How one file compares with the torrent.
public struct FileVerdict: Hashable, Sendable {
  /// The file.
  public let entry: FileEntry
  /// What was wrong with it as a whole, if anything.
  public var problems: [Problem] = []
  /// Byte ranges in the file that are not what the torrent says, ascending and apart: whole pieces,
  /// since pieces are the smallest part that a .torrent has hashes for.
  public var differingRanges: [Range<UInt64>] = []
  /// Byte ranges that could not be read, ascending and apart: of these nothing is known, and they are not among those
  /// that differ.
  public var unreadRanges: [Range<UInt64>] = []

  /// A fault of a file as a whole.
  public enum Problem: Hashable, Sendable {
    /// It is not there.
    case missing
    /// It has another length: bytes there.
    case length(actual: UInt64)
    /// Something else is in its place, by its name for people.
    case kind(actual: String)
    /// It is a symlink as it should be, with another target.
    case symlinkTarget
    /// It changed while it was read.
    case changedWhileRead
    /// The system would not give its bytes: what it said.
    case unreadable(String)
    /// Its owner may run it though the torrent says otherwise, or the other way round. Its bytes are
    /// not concerned: this alone does not make it wrong.
    case permission(shouldBeExecutable: Bool)
  }

  /// Whether its bytes are what the torrent says.
  public var isRight: Bool {
    differingRanges.isEmpty
      && problems.allSatisfy { if case .permission = $0 { true } else { false } }
  }

  /// Whether it, or some of it, could not be read.
  public var isUnreadable: Bool {
    problems.contains { if case .unreadable = $0 { true } else { false } }
  }

  /// Bytes in the differing ranges.
  public var differingByteCount: UInt64 {
    differingRanges.reduce(0) { $0 + UInt64($1.count) }
  }

  /// Bytes that could not be read.
  public var unreadByteCount: UInt64 {
    unreadRanges.reduce(0) { $0 + UInt64($1.count) }
  }
}

/// How content compares with its torrent.
public struct VerifyReport: Hashable, Sendable {
  /// One verdict a file or symlink, in the order of the torrent.
  public let files: [FileVerdict]

  /// Whether every file is right.
  public var isRight: Bool { files.allSatisfy(\.isRight) }

  /// The verdicts of files that are not right.
  public var wrongFiles: [FileVerdict] { files.filter { !$0.isRight } }

  /// Those of them that could not be read.
  public var unreadableFiles: [FileVerdict] { files.filter(\.isUnreadable) }
}
