import Metainfo

/// Bounds on datagrams of the DHT, each with its reason.
public enum KRPCLimits {
  /// Bytes in a datagram that we read. BEP 32 allows 1,024; with a value of BEP 44 and nodes of both
  /// families there are 1,700, and libtorrent reads 1,500. More is nothing that we asked for.
  public static let datagramBytes = 2_048
  /// Bytes in a transaction id. It is sent back, so it may not be used to make answers long: clients
  /// use 2 to 8, libtorrent refuses none.
  public static let transactionBytes = 32
  /// Bytes in a token, which is sent back as well. Clients make 4 to 20.
  public static let tokenBytes = 64
  /// Bytes of the name of a method that we do not know, in an error's text.
  public static let nameBytes = 64
  /// Bytes of `v`, the name of the sender's program. BEP 20 has 4.
  public static let versionBytes = 32
  /// Bytes of an error's text that we keep.
  public static let errorTextBytes = 256
  /// Nodes of one family in an answer that are read. BEP 5 has 8; some programs send 16, and a
  /// neighbour whose every answer has many could fill a lookup with its own.
  public static let nodes = 16
  /// Peers in an answer that are read: what fits in a datagram.
  public static let peers = 256
  /// Infohashes in an answer to `sample_infohashes`: what fits in a datagram.
  public static let samples = 100
  /// A value of BEP 44 has up to 1,000 bytes and may nest as deep as half of that.
  static let values = BencodeLimits(bytes: datagramBytes, depth: 512, nodes: 2_048)
}
