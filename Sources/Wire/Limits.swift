/// Bounds on messages from outside, each with its reason.
public enum WireLimits {
  /// Hashes of the base layer in one `hashes` message. BEP 52 advises at most 512; libtorrent asks
  /// for all leaves of a piece at once and stops at 8,192, which is a piece of 128 MiB.
  public static let hashesLength: UInt32 = 8_192
  /// Layers of uncle hashes in one `hashes` message: a file has at most 2^32 leaves, so there are
  /// 31 layers between them and the root.
  public static let proofLayers: UInt32 = 31
  /// Hashes in one `hashes` message: every layer of proof adds at most one.
  public static let hashes = Int(hashesLength + proofLayers)
}
