import Discovery
import Metainfo

/// How discovery is doing.
public struct DiscoveryStatus: Sendable {
  /// One of the ways to find others, and to be found.
  public enum Part<Status: Sendable>: Sendable {
    /// It is not wanted.
    case off
    /// It is wanted and cannot be: why.
    case impossible(String)
    /// It is used, and does so.
    case used(Status)

    /// How it does; nil where it is not used.
    public var status: Status? { if case .used(let status) = self { status } else { nil } }
  }

  /// The DHT.
  public var dht = Part<DHTStatus>.off
  /// Multicast DNS and local service discovery.
  public var localNetwork = Part<LocalNetworkStatus>.off
  /// How it stands with each wanted port at each router.
  public var mappings = Part<[Mapping]>.off

  init() {}
}

/// What a node does on the local network.
public struct LocalNetworkStatus: Hashable, Sendable {
  /// Where it takes part.
  public var interfaces: [NetworkInterface] = []
  /// Whether multicast DNS is spoken. RFC 6762.
  public var hasMDNS = false
  /// Whether local service discovery is spoken. BEP 14.
  public var hasLocalDiscovery = false
  /// What of it cannot be, and why.
  public var faults: [String] = []

  init() {}
}

extension DHTStatus {
  /// Whether no node has answered of late: then nothing can be found yet.
  public var isBootstrapping: Bool { (v4?.goodNodes ?? 0) + (v6?.goodNodes ?? 0) == 0 }
}
