import Discovery
import Metainfo
import SwarmNode

/// The world around a torrent as programs read it (docs/json.md).
extension Surroundings {
  /// Members of the status event.
  var json: [(String, JSON)] {
    [
      ("dht", Self.json(discovery?.dht ?? .off)),
      ("local_network", Self.json(discovery?.localNetwork ?? .off)),
      ("mappings", Self.json(discovery?.mappings ?? .off)),
      ("dataset", dataset.map(Self.json) ?? .null), ("ahead", ahead.map(Self.json) ?? .null),
    ]
  }

  private static func json(_ part: DiscoveryStatus.Part<DHTStatus>) -> JSON {
    var fault: String?
    if case .off = part { return .null }
    if case .impossible(let reason) = part { fault = reason }
    func family(_ family: DHTStatus.Family?) -> JSON {
      guard let family else { return .null }
      return .object([
        ("good_nodes", .number(UInt64(family.goodNodes))),
        ("other_nodes", .number(UInt64(family.questionableNodes))),
        ("external_address", .text(orNull: family.externalAddress?.description)),
      ])
    }
    let status = part.status
    return .object([
      ("ipv4", family(status?.v4)), ("ipv6", family(status?.v6)),
      ("bootstrapping", .bool(status?.isBootstrapping ?? false)), ("fault", .text(orNull: fault)),
    ])
  }

  private static func json(_ part: DiscoveryStatus.Part<LocalNetworkStatus>) -> JSON {
    guard let status = part.status else { return .null }
    return .object([
      (
        "interfaces",
        .list(
          status.interfaces.map { interface in
            .object([
              ("name", .text(printable(Array(interface.name.utf8)))),
              ("addresses", .list(interface.addresses.map { .text("\($0.address)") })),
            ])
          })
      ), ("mdns", .bool(status.hasMDNS)), ("local_discovery", .bool(status.hasLocalDiscovery)),
      ("faults", .list(status.faults.map { .text($0) })),
    ])
  }

  private static func json(_ part: DiscoveryStatus.Part<[Mapping]>) -> JSON {
    guard let mappings = part.status else { return .null }
    return .list(mappings.map(json))
  }

  private static func json(_ mapping: Mapping) -> JSON {
    var mapped: MappedPort?
    var reason: String?
    let state: String
    switch mapping.state {
    case .noGateway: state = "no_router"
    case .searching: state = "searching"
    case .mapped(let port): (state, mapped) = ("mapped", port)
    case .failed(let failure): (state, reason) = ("failed", "\(failure)")
    case .removing: state = "removing"
    }
    return .object([
      ("protocol", .text(mapping.wanted.transport == .tcp ? "tcp" : "udp")),
      ("port", .number(UInt64(mapping.wanted.port))), ("state", .text(state)),
      ("router", .text(orNull: mapping.gateway?.description)),
      ("service", .text(orNull: mapped?.service.description)),
      ("external_address", .text(orNull: mapped?.externalAddress?.description)),
      ("external_port", .number(orNull: mapped.map { UInt64($0.externalPort) })),
      ("behind_another_router", .bool(mapped?.isBehindAnotherNAT ?? false)),
      ("reason", .text(orNull: reason)),
    ])
  }

  private static func json(_ dataset: Dataset) -> JSON {
    .object([
      ("dataset_key", .text(dataset.key.hex)), ("version", .number(orNull: dataset.version)),
      ("head_age", .number(orNull: dataset.headAge)),
      ("key_used_twice", .bool(dataset.isKeyUsedTwice)),
      ("peers", .number(UInt64(dataset.peers))),
      ("peers_with_head", .number(UInt64(dataset.peersWithHead))),
    ])
  }

  private static func json(_ ahead: Ahead) -> JSON {
    .object([
      ("version", .number(ahead.version)), ("count", .number(UInt64(ahead.count))),
      ("files", .list(ahead.files.map { .text($0) })), ("fault", .text(orNull: ahead.fault)),
    ])
  }
}
