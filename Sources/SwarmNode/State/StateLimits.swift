/// Bounds of what is read from the state folder.
enum StateLimits {
  /// Bytes in what is kept of a path that became a torrent: two paths and an infohash.
  static let sourceBytes = 1 << 16
  /// Bytes in the process's number, which a lock holds.
  static let lockBytes = 32
}
