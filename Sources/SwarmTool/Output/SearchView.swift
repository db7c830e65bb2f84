import Metainfo
import SwarmNode

/// What somebody waits for who knows nothing yet but a key: what is looked for, and who is asked.
struct SearchView: Hashable {
  /// The dataset.
  let key: DatasetKey
  /// What is looked for.
  let waiting: VersionSearch.Waiting
  /// Nodes of the DHT that answered of late; nil where it is not asked.
  var dhtNodes: Int?
  /// Whether the local network is asked.
  var asksLocalNetwork: Bool
  /// Peers that are connected.
  var peers = 0
  /// Peers that were named, by the user or by the link.
  var named = 0
  /// Peers that were reached and do not share the dataset.
  var refusing = 0
  /// How long it lasts.
  var seconds: Int

  /// Seconds after which nobody found is a reason to say what to look at.
  static let patience = 15

  /// What is looked for, and where.
  var text: String {
    var places: [String] = []
    if let dhtNodes {
      places.append(
        dhtNodes == 0
          ? "the DHT (none of its nodes answers yet)"
          : "the DHT (\(Quantity.count(dhtNodes, "node")))")
    }
    if asksLocalNetwork { places.append("the local network") }
    if peers > 0 {
      places.append(Quantity.count(peers, "peer"))
    } else if named > 0 {
      let answer =
        refusing >= named
        ? "\(named == 1 ? "it answers and does" : "they answer and do") not share this"
        : "\(named == 1 ? "it does" : "they do") not answer yet"
      places.append("\(Quantity.count(named, "named peer")) (\(answer))")
    }
    return "looking for \(goal): "
      + (places.isEmpty ? "nobody to ask" : "asking " + places.joined(separator: ", "))
  }

  /// What can be done; nil while it is too early to say.
  var advice: String? {
    guard peers == 0, seconds >= Self.patience else { return nil }
    var checks = ["the key", "that somebody shares it now"]
    if dhtNodes == 0 { checks.append("that UDP gets out of this network") }
    if refusing > 0 {
      let answer = refusing == 1 ? "answers and does" : "answer and do"
      return "\(Quantity.count(refusing, "peer")) \(answer) not share this: check "
        + checks.joined(separator: ", ") + "; a private dataset needs the whole link, with x.rk="
    }
    return "no peers found after \(seconds) s: check " + checks.joined(separator: ", ")
      + "; swarm doctor looks at this machine" + (named > 0 ? "" : "; --peer HOST:PORT names one")
  }

  /// Both in lines no wider than `width` less one.
  func lines(width: Int) -> [String] {
    [text, advice].compactMap { $0 }.flatMap { Wrapping.lines($0, width: width) }
  }

  private var goal: String {
    switch waiting {
    case .nothing, .head: "the newest version of \(key)"
    case .newerHead(let number), .version(let number): "version \(number) of \(key)"
    }
  }

  /// The documented event (docs/json.md).
  var json: JSON {
    var number: UInt64?
    switch waiting {
    case .nothing, .head: break
    case .newerHead(let wanted), .version(let wanted): number = wanted
    }
    return .object([
      ("event", .text("searching")), ("dataset_key", .text(key.hex)),
      ("number", .number(orNull: number)),
      ("dht_nodes", .number(orNull: dhtNodes.map { UInt64($0) })),
      ("local_network", .bool(asksLocalNetwork)), ("peers", .number(UInt64(peers))),
      ("seconds", .number(UInt64(max(0, seconds)))),
    ])
  }
}

extension SearchView {
  /// As a node is doing.
  init(
    _ waiting: VersionSearch.Waiting, of key: DatasetKey, on node: Node,
    _ network: NetworkOptions, named: Int = 0, since start: ContinuousClock.Instant
  ) {
    self.init(
      key: key, waiting: waiting, asksLocalNetwork: !network.hasNoLocalNetwork,
      seconds: Int((ContinuousClock.now - start).components.seconds))
    if let dht = node.discoveryStatus?.dht.status {
      dhtNodes = (dht.v4?.goodNodes ?? 0) + (dht.v6?.goodNodes ?? 0)
    }
    let status = node.status(of: key)
    (peers, refusing) = (status?.peers ?? 0, status?.refusingPeers ?? 0)
    self.named = named
  }
}
