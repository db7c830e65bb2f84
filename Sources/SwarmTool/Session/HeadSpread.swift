import Metainfo
import Swarm
import SwarmNode
import Wire

/// Tells others of a head that was just published: nodes of the DHT, who keep it, and peers.
struct HeadSpread {
  /// Nodes of the DHT that took it; nil where the DHT was not asked.
  let nodes: Int?
  /// Peers that have it now.
  let peers: Int

  /// How long peers are waited for once the DHT has it: those of the local network answer within.
  private static let peerSeconds = 3

  /// Runs a node until some have it, or the time is over.
  static func run(
    _ head: Head, _ network: NetworkOptions, state: StateFolder, display: StatusDisplay?,
    atMost limit: Int
  ) throws(Failure) -> HeadSpread {
    if network.isAlone(named: network.peers.count) { return HeadSpread(nodes: nil, peers: 0) }
    let readKey = try state.readKey(of: head.key)
    let secret = try Failure.wrap { try readKey == nil ? nil : state.keys.secret(of: head.key) }
    let run = try ShortRun(network, state: state, display: display)
    let (node, key, salt) = (run.node, head.key, head.item.salt)
    var stored = 0
    node.onHeadStored = { item, nodes in
      if item == head.item { stored = max(stored, nodes) }
    }
    var contradiction: String?
    run.onNotice = { notice in
      switch notice {
      case .keyUsedTwice(key, let number) where number == head.version:
        contradiction =
          "there is another version \(number) of \(key), signed by it too: its key is used on two machines. "
          + "Others may follow either; publish a newer version on one of them, and only there from then on"
      case .head(key, let item) where item.sequence > head.version:
        if let newer = try? Head(item) { _ = try? state.dataset(key).keep(head: newer) }
        contradiction =
          "version \(item.sequence) of \(key) was published elsewhere already: nobody follows version "
          + "\(head.version). Join the dataset to get the newest version, then publish again"
      default: break
      }
    }
    node.follow(key, salt: salt, head: nil, readKey: readKey)
    node.offer(head.item, isOurs: true, secret: secret)
    var request = TorrentRequest(meeting: key, salt: salt)
    request.readKey = readKey
    let meeting = try? node.add(request) { _, _ in
      preconditionFailure("where heads are exchanged there are no files")
    }
    if let meeting { for peer in network.peers { node.resolve(peer.address, for: meeting) } }
    let usesDHT = node.discoveryStatus?.dht.status != nil
    var told = 0
    run.lastWords = {
      let text = HeadSpread(nodes: stored, peers: told).places
      return "version \(head.version) is published; "
        + (text.isEmpty ? "nobody was told yet, swarm seed will" : "announced to \(text) so far")
    }
    display?.note(
      "announcing version \(head.version) (at most \(limit) s): \(places(network, usesDHT))")
    run.run(atMost: limit) {
      if contradiction != nil { return true }
      told = max(told, node.status(of: key)?.peersWithHead ?? 0)
      if usesDHT ? stored > 0 && (told > 0 || run.seconds >= peerSeconds) : told > 0 { return true }
      return false
    }
    if let contradiction { throw Failure(contradiction) }
    return HeadSpread(nodes: usesDHT ? stored : nil, peers: told)
  }

  /// Who is to be told.
  private static func places(_ network: NetworkOptions, _ usesDHT: Bool) -> String {
    var places: [String] = []
    if usesDHT { places.append("the DHT") }
    if !network.hasNoLocalNetwork { places.append("the local network") }
    if !network.peers.isEmpty {
      places.append(Quantity.count(network.peers.count, "named peer"))
    }
    return places.isEmpty ? "peers that connect" : places.joined(separator: ", ")
  }

  /// Who has it now; empty for nobody.
  private var places: String {
    var places: [String] = []
    if let nodes, nodes > 0 { places.append("\(Quantity.count(nodes, "node")) of the DHT") }
    if peers > 0 { places.append(Quantity.count(peers, "peer")) }
    return places.joined(separator: " and ")
  }

  /// What came of it, for people.
  func text(version: UInt64) -> String {
    var places: [String] = []
    if let nodes, nodes > 0 { places.append("\(Quantity.count(nodes, "node")) of the DHT") }
    if peers > 0 { places.append(Quantity.count(peers, "peer")) }
    return places.isEmpty
      ? "nobody could be told about version \(version) yet; swarm seed will announce it when it runs"
      : "announced version \(version) to " + places.joined(separator: " and ")
  }
}
