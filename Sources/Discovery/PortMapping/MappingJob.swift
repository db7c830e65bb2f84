import Wire

/// Something to ask of a router by a library that waits for the answer: NAT-PMP or UPnP.
public struct MappingJob: Hashable, Sendable {
  /// What is asked.
  public enum Work: Hashable, Sendable {
    /// Whether the service is there, and the router's external address.
    case probe
    /// Mappings, new or to be renewed; also the external address.
    case map([PortRequest])
    /// The end of mappings, by the external ports in them.
    case unmap([PortRequest])
  }

  /// Names it in `completed`.
  public let id: UInt64
  /// `natPMP` or `upnp`.
  public let service: MappingService
  /// Whom to ask.
  public let gateway: Gateway
  /// What is asked.
  public let work: Work
}

/// One mapping that is asked for, or that should end.
public struct PortRequest: Hashable, Sendable {
  /// The port of this host.
  public var wanted: PortWanted
  /// The router's port.
  public var externalPort: UInt16
  /// Seconds; 0 in a UPnP mapping that lasts until it is removed.
  public var lifetime: UInt32
  /// Whether a UPnP router that can (`AddAnyPortMapping`) should choose another external port.
  public var takesAnyPort: Bool
}

/// What a router said to a job.
public struct MappingAnswer: Hashable, Sendable {
  /// What became of one request.
  public enum Port: Hashable, Sendable {
    /// Mapped; nil as lifetime when it lasts until it is removed.
    case granted(externalPort: UInt16, lifetime: UInt32?)
    /// Not mapped.
    case refused(MappingFailure)
  }

  /// The router's address outside, if it said.
  public var externalAddress: IPAddress?
  /// Seconds since the router's state began, by NAT-PMP.
  public var epoch: UInt32?
  /// What became of each request of the job, in its order; empty for a probe or removal.
  public var ports: [Port]

  /// An answer from its parts.
  public init(externalAddress: IPAddress?, epoch: UInt32? = nil, ports: [Port] = []) {
    self.externalAddress = externalAddress
    self.epoch = epoch
    self.ports = ports
  }
}
