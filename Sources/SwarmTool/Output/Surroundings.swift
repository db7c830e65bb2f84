import Discovery
import Metainfo
import SwarmNode
import Wire

/// The world around a torrent, as the status shows it.
struct Surroundings {
  /// The dataset that is followed.
  struct Dataset: Hashable {
    let key: DatasetKey
    /// The newest version known; nil for none.
    var version: UInt64?
    /// Seconds since its head came here; nil when that is not known.
    var headAge: UInt64?
    var isKeyUsedTwice = false
    /// Connected peers that speak of heads, and those of them that have the newest one.
    var peers = 0
    var peersWithHead = 0

    init(key: DatasetKey) { self.key = key }
  }

  /// The folder is not as it was published.
  struct Ahead: Hashable {
    let version: UInt64
    /// Files that differ.
    let count: Int
    /// The first of them, safe to print.
    let files: [String]
    /// Why the folder cannot be looked at.
    let fault: String?

    /// "ahead of its published version 3: 2 files differ (a.txt, b.txt)".
    var text: String {
      if let fault { return "not there: \(fault)" }
      let more = count > files.count ? ", …" : ""
      return "ahead of its published version \(version): "
        + "\(Quantity.count(count, "file")) differ\(count == 1 ? "s" : "") "
        + "(\(files.joined(separator: ", "))\(more))"
    }
  }

  /// nil where nobody is looked for.
  var discovery: DiscoveryStatus?
  var dataset: Dataset?
  var ahead: Ahead?

  // MARK: For people

  /// What a terminal shows below the figures, none wider than `width` less one.
  func lines(width: Int) -> [String] {
    let found = [dhtText, localText, portText].compactMap { $0 }.joined(separator: "  ")
    let folder = ahead.map { "the folder is \($0.text)" }
    return [found, datasetText ?? "", folder ?? ""].filter { !$0.isEmpty }
      .map { $0.prefix(columns: max(width - 1, 0)) }
  }

  /// What a log shows when it becomes otherwise: nothing that counts up and down.
  var settled: [String] {
    var texts: [String] = []
    if let status = discovery?.dht.status, !status.isBootstrapping {
      texts.append("the DHT is reached" + Self.seen(status))
    }
    for mapping in discovery?.mappings.status ?? [] {
      switch mapping.state {
      case .mapped, .failed: texts.append("\(mapping)")
      case .noGateway, .searching, .removing: break
      }
    }
    return texts
  }

  private var dhtText: String? {
    switch discovery?.dht {
    case nil, .off: nil
    case .impossible: "DHT: none"
    case .used(let status):
      status.isBootstrapping
        ? "DHT: looking for nodes"
        : "DHT: \(Quantity.count(Self.nodes(status), "node"))\(Self.seen(status))"
    }
  }

  /// Nodes that can be asked.
  private static func nodes(_ status: DHTStatus) -> Int {
    [status.v4, status.v6].reduce(0) { $0 + ($1?.goodNodes ?? 0) + ($1?.questionableNodes ?? 0) }
  }

  private static func seen(_ status: DHTStatus) -> String {
    let addresses = [status.v4, status.v6].compactMap { $0?.externalAddress?.description }
    return addresses.isEmpty ? "" : ", which sees us at \(addresses.joined(separator: " and "))"
  }

  private var localText: String? {
    guard let status = discovery?.localNetwork.status else { return nil }
    let names = status.interfaces.map(\.name)
    if !status.hasMDNS, !status.hasLocalDiscovery { return "local network: none" }
    return "local network: " + (names.isEmpty ? "no interface" : names.joined(separator: ", "))
  }

  /// How it stands with the port of peers, at the router where it stands best.
  private var portText: String? {
    let all = (discovery?.mappings.status ?? []).filter { $0.wanted.transport == .tcp }
    return all.min { Self.rank($0) < Self.rank($1) }.map { "port: \($0)" }
  }

  private static func rank(_ mapping: Mapping) -> Int {
    switch mapping.state {
    case .mapped: 0
    case .searching, .removing: 1
    case .failed: 2
    case .noGateway: 3
    }
  }

  private var datasetText: String? {
    guard let dataset else { return nil }
    guard let version = dataset.version else {
      return "dataset \(dataset.key): no version found yet"
    }
    let age = dataset.headAge.map { ", known for \(Quantity.age(seconds: $0))" } ?? ""
    let twice = dataset.isKeyUsedTwice ? ", its key is used twice" : ""
    return "version \(version) of \(dataset.key)\(age)\(twice)"
  }
}

extension DiscoveryStatus {
  /// Why nobody can find what is shared: each way that is wanted leads nowhere. nil where one leads somewhere, and
  /// where none is wanted.
  var hiddenReason: String? {
    var reasons: [String] = []
    switch dht {
    case .off: break
    case .impossible: reasons.append("the DHT cannot be used")
    case .used(let status):
      if !status.isBootstrapping { return nil }
      reasons.append("no node of the DHT answers")
    }
    switch localNetwork {
    case .off: break
    case .impossible: reasons.append("no local network")
    case .used(let status):
      if !status.interfaces.isEmpty, status.hasMDNS || status.hasLocalDiscovery { return nil }
      reasons.append("no local network")
    }
    return reasons.isEmpty ? nil : reasons.joined(separator: ", ")
  }
}
