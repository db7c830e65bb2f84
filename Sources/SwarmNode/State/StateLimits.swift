/// Bounds of what is read from the state folder.
enum StateLimits {
  /// Bytes in the number of the folder's format: the digits of any 64-bit number, and a line end.
  static let formatBytes = 32
  /// Bytes in what is kept of a path that became a torrent: two paths and an infohash.
  static let sourceBytes = 1 << 16
  /// Bytes in the list of places: a line of some hundred bytes for each dataset that was ever joined.
  static let placesBytes = 64 << 20
  /// Bytes in the process's number, which a lock holds.
  static let lockBytes = 32
  /// Bytes of a signed head: value and salt at their limits (BEP 44), key, signature and number.
  static let headBytes = 1_300
  /// Bytes of a v2 infohash in digits, and a line end.
  static let infohashBytes = 65
}
