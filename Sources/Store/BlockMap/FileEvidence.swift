/// What the file system says of a file's content. While it stays the same, nobody has written to the
/// file by ordinary means; a copy, a restore or a touch changes it.
public struct FileEvidence: Hashable, Sendable {
  /// Size in bytes.
  public var size: UInt64
  /// Time of the last change of content, nanoseconds since 1970.
  public var modified: Int64
  /// Time of the last change of content or attributes, nanoseconds since 1970. Unlike `modified` it
  /// cannot be set back.
  public var changed: Int64
  /// The file's number in its file system.
  public var inode: UInt64

  /// Evidence from its parts.
  public init(size: UInt64, modified: Int64, changed: Int64, inode: UInt64) {
    self.size = size
    self.modified = modified
    self.changed = changed
    self.inode = inode
  }
}
