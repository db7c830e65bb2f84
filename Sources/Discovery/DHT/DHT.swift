import Metainfo
import Wire

public struct DHT: ~Copyable {
  public init(configuration: DHTConfiguration, saved: DHTState?, seed: UInt64, now: Duration) {}
  public mutating func receive(_ datagram: [UInt8], from: PeerEndpoint, now: Duration) {}
  public mutating func handleTimeout(now: Duration) {}
  public var deadline: Duration? { nil }
  public mutating func nextEffect() -> DHTEffect? { nil }
  public mutating func addNodes(_ nodes: [PeerEndpoint], now: Duration) {}
  public mutating func findPeers(
    of infohash: SHA1Digest, announcing port: UInt16?, isSeed: Bool, now: Duration
  ) -> DHTLookupID { DHTLookupID(rawValue: 0) }
  public mutating func get(
    mutable key: DatasetKey, salt: [UInt8], newerThan: Int64?, now: Duration
  ) -> DHTLookupID { DHTLookupID(rawValue: 0) }
  public mutating func get(immutable target: SHA1Digest, now: Duration) -> DHTLookupID {
    DHTLookupID(rawValue: 0)
  }
  public mutating func put(_ item: MutableItem, cas: Int64?, now: Duration) -> DHTLookupID {
    DHTLookupID(rawValue: 0)
  }
  public mutating func put(_ item: ImmutableItem, now: Duration) -> DHTLookupID {
    DHTLookupID(rawValue: 0)
  }
  public mutating func cancel(_ lookup: DHTLookupID) {}
  public var status: DHTStatus { DHTStatus() }
  public var state: DHTState { DHTState() }
}
