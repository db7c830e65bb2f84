import Metainfo
import Swarm
import Wire

/// Where to listen for peers.
public struct ListenAddress: Hashable, Sendable, CustomStringConvertible {
  /// A local address; all zeros for every one of its family. IPv6 does not include IPv4.
  public var address: IPAddress
  /// TCP port; 0 for any that is free.
  public var port: UInt16
  /// Whether it does not matter when the machine has no such address, as without IPv6. A port that
  /// somebody else has is an error all the same.
  public var isOptional: Bool

  /// An address from its parts.
  public init(address: IPAddress, port: UInt16, isOptional: Bool = false) {
    self.address = address
    self.port = port
    self.isOptional = isOptional
  }

  /// Every IPv4 address of the machine.
  public static func anyIPv4(port: UInt16) -> ListenAddress {
    ListenAddress(address: .v4(IPv4Address(rawValue: 0)), port: port)
  }

  /// Every IPv6 address of the machine, if it has any.
  public static func anyIPv6(port: UInt16) -> ListenAddress {
    ListenAddress(address: .v6(IPv6Address(high: 0, low: 0)), port: port, isOptional: true)
  }

  /// `0.0.0.0:6881` or `[::]:6881`.
  public var description: String { "\(PeerEndpoint(address: address, port: port))" }
}

/// What the user may choose about a node.
public struct NodeConfiguration: Sendable {
  /// What the core is told; its `listenPort` is set by the node.
  public var swarm: SwarmConfiguration
  /// Where to listen; empty for not at all. Those with port 0 get the same port, where possible.
  public var listen: [ListenAddress]
  /// How others are found; nil for not at all. Without a place to listen there is none.
  public var discovery: DiscoveryConfiguration?
  /// Where faults of sockets and names are told.
  public var log: Log
  /// What all of the core's random choices follow from.
  public var seed: UInt64

  /// A configuration whose seed is drawn by the system.
  public init(swarm: SwarmConfiguration, listen: [ListenAddress] = [], log: Log = .none) {
    self.swarm = swarm
    self.listen = listen
    self.log = log
    seed = UInt64.random(in: 0...UInt64.max)
  }
}

/// Why a node cannot start.
public enum NodeError: Error, Hashable, Sendable, CustomStringConvertible {
  /// It cannot listen there: `errno`, and the system's words.
  case listen(ListenAddress, errno: Int32, reason: String)
  /// There is no address space for so many bytes of buffers.
  case noMemory(byteCount: Int)

  /// "cannot listen at 0.0.0.0:6881: Address already in use".
  public var description: String {
    switch self {
    case .listen(let address, _, let reason): "cannot listen at \(address): \(reason)"
    case .noMemory(let byteCount): "cannot reserve \(byteCount) bytes of memory for buffers"
    }
  }
}
