/// Sizes and bounds of Noise and of private connections, each with its reason.
public enum NoiseLimits {
  /// Bytes in a Noise message. Noise, section 3.
  public static let messageBytes = 65_535
  /// Bytes of a tag that vouches for a message. RFC 8439.
  public static let tagBytes = 16
  /// Bytes in a public key, secret key or shared secret of X25519, and in a pre-shared key.
  public static let keyBytes = 32
  /// Bytes in a hash of BLAKE2b. Noise, section 12.6.
  public static let hashBytes = 64
  /// Bytes in a block of BLAKE2b, which its HMAC is made with. Noise, section 12.6.
  public static let hashBlockBytes = 128
  /// Bytes of a message from which on libcrypto seals it: below, its setting up takes longer than it saves.
  static let bulkBytes = 2_048
  /// Pre-shared keys in one handshake: a token before and behind each of the longest pattern's messages.
  public static let preSharedKeys = 5

  /// Bytes on the wire, in one direction, after which its key is replaced: one key then seals far less
  /// than the AEAD allows, and who takes a key out of memory reads this much of the past at most.
  public static let rekeyBytes: UInt64 = 1 << 26
}
