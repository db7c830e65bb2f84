/// Bounds on hash trees, each with its reason.
public enum MerkleLimits {
  /// Leaves of a file's tree: the 32-bit index of a "hash request" (BEP 52) counts no further. With
  /// 16 KiB blocks this is a file of 64 TiB.
  public static let leaves: UInt64 = 1 << 32
  /// Layers above the leaves of the largest tree.
  public static let height = 32
  /// Bytes in a piece: the 32-bit offset in a "request" (BEP 3) counts no further.
  public static let pieceLength: UInt64 = 1 << 32
  /// Hashes of the base layer that we ask for at once: "Length SHOULD NOT be greater than 512"
  /// (BEP 52, "hash request").
  public static let requestLength = 512
  /// Hashes of the base layer that we send or take at once. libtorrent asks for all leaves of a
  /// piece in one request and serves as many as this (hash_picker.cpp, `validate_hash_request`);
  /// an answer is then at most 256 KiB.
  public static let answerLength = 8192
}
