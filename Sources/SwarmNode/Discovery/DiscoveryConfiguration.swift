import Discovery
import Metainfo
import Wire

/// How a node finds others, and is found.
public struct DiscoveryConfiguration: Sendable {
  /// Whether it takes part in the DHT. BEP 5.
  public var usesDHT = true
  /// The DHT's rules; ports, families and secret are the node's own to set.
  public var dht = DHTConfiguration()
  /// Nodes of the DHT to begin with, by name or address.
  public var bootstrapNodes: [PeerAddress] = DiscoveryConfiguration.publicBootstrapNodes
  /// The file in which what is known of the DHT is kept from run to run; nil for none.
  public var dhtFile: [UInt8]?
  /// Whether it speaks multicast DNS and local service discovery. RFC 6762, BEP 14.
  public var usesLocalNetwork = true
  /// Whether it asks routers for a way in. RFC 6886, 6887.
  public var mapsPorts = true

  /// Everything, with the public DHT.
  public init() {}

  /// Where the public DHT is found by who knows nobody: what the large clients use.
  public static let publicBootstrapNodes: [PeerAddress] = [
    "dht.libtorrent.org:25401", "router.bittorrent.com:6881", "router.utorrent.com:6881",
    "dht.transmissionbt.com:6881",
  ].compactMap { try? PeerAddress(parsing: Array($0.utf8)) }
}
