/// Bounds on what a client of NBD may ask for, each with its reason. "Section" means a section of the
/// protocol's document (NetworkBlockDevice/nbd, doc/proto.md).
public enum NBDLimits {
  /// Bytes in a string: export names, queries, error texts. Section "Conventions".
  public static let stringBytes = 4_096
  /// Bytes of an error's text that we send: longer strings SHOULD NOT be. Section "Conventions".
  public static let textBytes = 256
  /// Bytes in the data of an option that we keep: a name, a few queries of any length, and some room.
  /// Longer data is stepped over and the option refused.
  public static let optionBytes = 1 << 16
  /// Queries in one option that selects metadata contexts: we have two contexts, and clients ask for
  /// those they know, which are a handful.
  public static let queries = 64
  /// Bytes of payload that are stepped over, of an option or a request that is refused. Up to 2^25 is
  /// no attack; above, the connection ends. Section "Size constraints".
  public static let payloadBytes = 1 << 25
  /// Bytes in one read: the least that a server should support. Section "Size constraints".
  public static let readBytes = 1 << 25
  /// The smallest unit of offsets and lengths, in bytes: we read files.
  public static let minimumBlock: UInt32 = 1
  /// The unit in which reads cost least, in bytes: what is requested from peers and verified.
  public static let preferredBlock: UInt32 = 1 << 14
  /// Requests of one connection that wait for an answer. A virtio queue has 256 entries, and clients
  /// use 16 to 128 on a connection.
  public static let requestsInFlight = 512
  /// Bytes that one connection may owe its client, asked for and not sent; it takes one more request
  /// while it owes less, so the most is this and one read. 32 reads of 1 MiB.
  public static let bytesInFlight = 1 << 25
  /// Runs that one answer about a range's status is made of; the client asks again from where it
  /// ends. At most 128 KiB a context, twice that in extended form.
  public static let statusRuns = 1 << 14
}
