import Metainfo

/// What a scan found at one place below the folder, or at the folder's own place.
public struct ScannedItem: Sendable {
  /// Names from the folder down, as the file system has them; empty for the scanned path itself.
  public var names: [[UInt8]]
  /// What is there.
  public var kind: Kind

  /// The sorts of things that a scan finds.
  public enum Kind: Sendable {
    /// A regular file or block device: bytes, whether its owner may run it, and which ranges the
    /// file system holds no data for.
    case file(length: UInt64, isExecutable: Bool, holes: [Range<UInt64>])
    /// A symbolic link and the text that it holds.
    case symlink(target: [UInt8])
    /// A folder.
    case folder
    /// Anything else, by its name for people: "socket", "FIFO", "device".
    case other(String)
  }

  /// An item at `names`.
  public init(names: [[UInt8]], kind: Kind) {
    self.names = names
    self.kind = kind
  }

  /// The names joined by "/", for people.
  var description: String {
    printable(Array(names.joined(separator: [UInt8(ascii: "/")])))
  }
}
