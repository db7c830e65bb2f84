import Metainfo
import Wire

/// What the shell has to do, or to know.
public enum DHTEffect: Sendable {
  /// A datagram goes out, from the socket of the destination's family.
  case send([UInt8], to: PeerEndpoint)
  /// Peers of a torrent have been found, none of them before in the same lookup.
  case peers(DHTLookupID, [PeerEndpoint])
  /// A value was found, newer than those before it in the same lookup.
  case mutable(DHTLookupID, MutableItem)
  /// The value was found.
  case immutable(DHTLookupID, ImmutableItem)
  /// A lookup is over; nothing follows.
  case ended(DHTLookupID, DHTOutcome)
  /// Several nodes agree that this is our address.
  case externalAddress(IPAddress)
}

/// One search in the DHT.
public struct DHTLookupID: Hashable, Sendable {
  let rawValue: UInt64
}

/// How a lookup ended.
public struct DHTOutcome: Hashable, Sendable {
  /// Nodes that were asked.
  public var asked = 0
  /// Nodes of these that answered.
  public var answered = 0
  /// Nodes that have taken the peer or the value.
  public var stored = 0
  /// Nodes that keep what it was about, as they say themselves: after a put or an announce those that
  /// have taken it or had it, after a get of a mutable value those whose number is that of the newest
  /// which was found or known before. A number without a value may be a lie.
  public var copies = 0
  /// Whether all of the nearest nodes that answered, at most 8 of each family, are among these: then
  /// nobody needs to put it again. BEP 44, "Expiration".
  public var isAtAllClosest = false
  /// The longest chain of nodes that told of each other, up to one that answered.
  public var hops = 0
  /// Errors in answers, by code. A value that was not stored because a newer one was found is counted
  /// here as 302, without a node having been asked.
  public var errors: [Int64: Int] = [:]

  /// An outcome of nothing.
  public init() {}
}

/// What a node of the DHT looks like from outside.
public struct DHTStatus: Hashable, Sendable {
  /// One of the two networks. BEP 32.
  public struct Family: Hashable, Sendable {
    /// Our id in it.
    public var id: NodeID
    /// Our address in it as others see it, once they agree.
    public var externalAddress: IPAddress?
    /// Nodes that have answered of late.
    public var goodNodes = 0
    /// Nodes that have not been heard of for a while, or have missed an answer.
    public var questionableNodes = 0
    /// Nodes that wait for a place.
    public var spareNodes = 0
  }

  /// IPv4; nil where it is not used.
  public var v4: Family?
  /// IPv6; nil where it is not used.
  public var v6: Family?
  /// Lookups that have not ended, our own upkeep excepted.
  public var lookups = 0
  /// Torrents that peers are kept of.
  public var torrents = 0
  /// Peers that are kept.
  public var peers = 0
  /// Values that are kept.
  public var items = 0
  /// Datagrams received, also those that were no messages.
  public var packetsIn: UInt64 = 0
  /// Datagrams sent.
  public var packetsOut: UInt64 = 0
  /// Bytes received.
  public var bytesIn: UInt64 = 0
  /// Bytes sent.
  public var bytesOut: UInt64 = 0
  /// Datagrams that were no messages.
  public var malformed: UInt64 = 0
  /// Queries that were not answered because there were too many.
  public var refused: UInt64 = 0
}
