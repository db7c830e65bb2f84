/// What a peer can do beyond BEP 3: the eight reserved bytes of its handshake. Bits that we do not
/// know are kept.
public struct PeerFeatures: OptionSet, Hashable, Sendable {
  /// The eight bytes as a number, the first byte highest.
  public let rawValue: UInt64

  /// Features from the eight bytes as a number, the first byte highest.
  public init(rawValue: UInt64) { self.rawValue = rawValue }

  /// Has a DHT node, whose port it tells in a `port` message: bit 0x01 of the last byte. BEP 5.
  public static let dht = PeerFeatures(rawValue: 0x01)
  /// Have all, have none, suggest, reject and allowed fast: bit 0x04 of the last byte. BEP 6.
  public static let fast = PeerFeatures(rawValue: 0x04)
  /// Can go from the v1 to the v2 swarm of a hybrid torrent, if the answer to its handshake has the
  /// truncated v2 infohash: bit 0x10 of the last byte. BEP 52, "upgrade path".
  public static let v2Upgrade = PeerFeatures(rawValue: 0x10)
  /// Lacks the info dictionary, and takes it unasked; in an answer: it follows. Bit 0x08 of the fourth
  /// byte. docs/metadata.md.
  public static let metadataFirst = PeerFeatures(rawValue: 0x08_0000_0000)
  /// Extension messages: bit 0x10 of the sixth byte. BEP 10.
  public static let extensions = PeerFeatures(rawValue: 0x10_0000)
}
