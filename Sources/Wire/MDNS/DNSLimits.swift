/// Bounds on DNS messages, each with its reason.
public enum DNSLimits {
  /// Bytes in a message of multicast DNS. RFC 6762, 17: no sender may exceed it, jumbo frames
  /// included. Less 40 and 8 for the heads of IPv6 and UDP, which we leave to the sender to count.
  public static let messageBytes = 9_000
  /// Bytes in a name, lengths and the root's zero included. RFC 1035, 2.3.4.
  public static let nameBytes = 255
  /// Bytes in a label. RFC 1035, 2.3.4.
  public static let labelBytes = 63
  /// Pointers followed within one name. Each leads backwards, so there is an end anyway; a name has
  /// at most 127 labels, and nobody needs more than one pointer a label.
  public static let pointers = 127
  /// Bytes of a message that we send: what fits an Ethernet frame behind the heads of IPv6 and UDP.
  public static let sentBytes = 1_452
  /// Bytes of a message to a program that speaks plain DNS. RFC 1035, 2.3.4.
  public static let legacyBytes = 512
}
