import Metainfo
import SwarmNode

/// What a daemon answers, for people.
enum DaemonText {
  /// How far a dataset is.
  static func progress(_ dataset: JSON) -> String {
    if let fault = dataset["fault"]?.text { return "cannot go on: \(fault)" }
    guard let transfer = dataset["transfer"] else { return "looking for it" }
    if dataset["seed"]?.flag == true { return "shared" }
    let done = transfer["done"]?.number ?? 0
    if dataset["sparse"]?.flag == true { return "\(Quantity.bytes(done)) here, as read" }
    guard let wanted = transfer["wanted"]?.number else { return "looking for it" }
    if transfer["finished"]?.flag == true { return "complete" }
    let share = wanted == 0 ? 0 : done / max(1, wanted / 100)
    return "\(min(share, 99)) % of \(Quantity.bytes(wanted))"
  }

  /// A dataset in full.
  static func rows(of dataset: JSON) -> [(String, String)] {
    let transfer = dataset["transfer"]
    var rows = [("id", dataset["id"]?.text ?? "")]
    if let name = dataset["name"]?.text { rows.append(("name", name)) }
    if let version = dataset["version"]?.number {
      let newest = dataset["newest"]?.number ?? version
      rows.append(
        ("version", newest > version ? "\(version) (the newest is \(newest))" : "\(version)"))
    }
    if dataset["private_dataset"]?.flag == true {
      rows.append(("private", "yes; swarm status --link prints the link that opens it"))
    }
    rows.append(("progress", progress(dataset)))
    if let path = dataset["path"]?.text { rows.append(("path", path)) }
    if let transfer {
      rows += [
        (
          "peers",
          "\(number(transfer, "peers")) "
            + "(\(Quantity.count(Int(clamping: number(transfer, "seeds")), "seed")))"
        ),
        ("received", rate(transfer, "downloaded", "download_rate")),
        ("sent", rate(transfer, "uploaded", "upload_rate")),
      ]
      if let waiting = transfer["waiting"]?.text { rows.append(("waiting for", waiting)) }
      if number(transfer, "stalled_reads") > 0 {
        rows.append(("waiting reads", "\(number(transfer, "stalled_reads"))"))
      }
    }
    if let magnet = dataset["magnet"]?.text { rows.append(("link", magnet)) }
    return rows
  }

  /// The node.
  static func rows(ofNode node: JSON) -> [(String, String)] {
    let places = (node["listening"]?.list ?? []).compactMap(\.text)
    var rows = [
      ("version", node["version"]?.text ?? ""),
      ("up for", Quantity.age(seconds: number(node, "uptime_seconds"))),
      ("listening at", places.joined(separator: ", ")),
    ]
    if let socket = node["nbd_socket"]?.text { rows.append(("block devices", socket)) }
    let good = ["ipv4", "ipv6"].compactMap { node["dht"]?[$0]?["good_nodes"]?.number }
    if !good.isEmpty {
      rows.append(("DHT", Quantity.count(Int(clamping: good.reduce(0, +)), "node")))
    }
    for mapping in node["mappings"]?.list ?? [] where mapping["state"]?.text == "mapped" {
      rows.append(
        (
          "mapped",
          "\(mapping["protocol"]?.text ?? "") \(mapping["external_address"]?.text ?? "?"):"
            + "\(number(mapping, "external_port"))"
        ))
    }
    return rows
  }

  /// A peer.
  static func line(ofPeer peer: JSON) -> String {
    let client = peer["client"]?.text ?? ""
    return (peer["address"]?.text ?? "")
      + "  from it \(Quantity.bytes(number(peer, "download_rate")))/s"
      + "  to it \(Quantity.bytes(number(peer, "upload_rate")))/s"
      + (client.isEmpty ? "" : "  \(client)")
      + (peer["encrypted"]?.flag == true ? "  encrypted" : "")
  }

  private static func number(_ value: JSON, _ name: String) -> UInt64 { value[name]?.number ?? 0 }

  private static func rate(_ value: JSON, _ sum: String, _ rate: String) -> String {
    "\(Quantity.bytes(number(value, sum))), \(Quantity.bytes(number(value, rate)))/s now"
  }
}
