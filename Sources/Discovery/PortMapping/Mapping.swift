import Wire

/// How it stands with one wanted port at one gateway, for the status.
public struct Mapping: Hashable, Sendable {
  /// How it stands.
  public enum State: Hashable, Sendable {
    /// There is no router to ask.
    case noGateway
    /// The router is being asked.
    case searching
    /// Others reach the port through the router.
    case mapped(MappedPort)
    /// It did not work; it is tried again by and by.
    case failed(MappingFailure)
    /// The mapping is being removed, since the node stops.
    case removing
  }

  /// The port of this host.
  public var wanted: PortWanted
  /// The router's address; nil without one.
  public var gateway: IPAddress?
  /// How it stands.
  public var state: State
}

/// A mapping that a router has made.
public struct MappedPort: Hashable, Sendable {
  /// How it was made.
  public var service: MappingService
  /// The router's port.
  public var externalPort: UInt16
  /// The router's address outside; nil where it does not say.
  public var externalAddress: IPAddress?
  /// Seconds that each lease lasts; nil for a mapping that lasts until it is removed.
  public var lifetime: UInt32?

  /// Whether the router is itself behind another one, so that nobody outside of that one gets in.
  public var isBehindAnotherNAT: Bool {
    if case .v4? = externalAddress { externalAddress?.isPrivate == true } else { false }
  }
}

extension Mapping: CustomStringConvertible {
  /// One line: "TCP 6881 by PCP at 203.0.113.7:6881".
  public var description: String {
    switch state {
    case .noGateway: return "\(wanted): no router to ask"
    case .searching: return "\(wanted): asking the router"
    case .failed(let failure): return "\(wanted): \(failure)"
    case .removing: return "\(wanted): removing"
    case .mapped(let mapped):
      let place =
        mapped.externalAddress.map {
          "\(PeerEndpoint(address: $0, port: mapped.externalPort))"
        } ?? "port \(mapped.externalPort)"
      let note =
        mapped.isBehindAnotherNAT ? ", but the router is itself behind another (double NAT)" : ""
      return "\(wanted): mapped by \(mapped.service) at \(place)\(note)"
    }
  }
}
