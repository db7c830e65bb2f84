import Metainfo
import Swarm
import Wire

/// Figures for Prometheus, in its text format 0.0.4.
enum Metrics {
  static let mediaType = "text/plain"

  private enum Kind: String { case counter, gauge }

  /// A figure: its name, kind and meaning, and its values with their labels.
  private struct Metric {
    let name: String
    let kind: Kind
    let help: String
    let values: [(labels: [(String, String)], value: UInt64)]
  }

  static func text(_ service: any ControlService, listeners: Int) -> String {
    var text = ""
    for metric in metrics(service.nodeView, listeners) + metrics(of: service.datasets) {
      text +=
        "# HELP \(metric.name) \(metric.help)\n# TYPE \(metric.name) \(metric.kind.rawValue)\n"
      for (labels, value) in metric.values {
        let list = labels.map { "\($0.0)=\"\(escaped($0.1))\"" }.joined(separator: ",")
        text += metric.name + (list.isEmpty ? "" : "{\(list)}") + " \(value)\n"
      }
    }
    return text
  }

  private static func metrics(_ node: NodeView, _ listeners: Int) -> [Metric] {
    func one(_ name: String, _ kind: Kind, _ help: String, _ value: UInt64) -> Metric {
      Metric(name: name, kind: kind, help: help, values: [([], value)])
    }
    let devices = node.devices
    return [
      Metric(
        name: "swarm_build_info", kind: .gauge,
        help: "Always 1; the label is the program's version.",
        values: [([("version", node.version)], 1)]),
      one("swarm_uptime_seconds", .gauge, "Since the node was started.", node.uptimeSeconds),
      one("swarm_event_clients", .gauge, "Clients that listen to events.", UInt64(listeners)),
      one(
        "swarm_nbd_clients", .gauge, "Connected clients of block devices.", UInt64(devices.clients)),
      one(
        "swarm_nbd_reads_total", .counter, "Reads of block devices that were answered.",
        UInt64(devices.reads)),
      one(
        "swarm_nbd_reads_at_once_total", .counter,
        "Of these, reads that found all of it here and in memory.", UInt64(devices.readsAtOnce)),
      one(
        "swarm_nbd_read_bytes_total", .counter, "Bytes in answered reads of block devices.",
        devices.bytes),
      one(
        "swarm_nbd_read_failures_total", .counter,
        "Reads of block devices that ended with an error.",
        UInt64(devices.failures)),
      one(
        "swarm_nbd_reads_waiting", .gauge, "Reads of block devices that wait now.",
        UInt64(devices.waiting)),
    ]
  }

  private static func metrics(of datasets: [DatasetView]) -> [Metric] {
    func each(
      _ name: String, _ kind: Kind, _ help: String, _ value: (TorrentStatus) -> UInt64?
    ) -> Metric {
      Metric(
        name: name, kind: kind, help: help,
        values: datasets.compactMap { dataset in
          guard let figure = dataset.transfer.flatMap(value) else { return nil }
          return ([("dataset", dataset.id)], figure)
        })
    }
    return [
      Metric(
        name: "swarm_datasets", kind: .gauge, help: "Datasets that the node takes part in.",
        values: [([], UInt64(datasets.count))]),
      Metric(
        name: "swarm_dataset_info", kind: .gauge,
        help: "Always 1; the labels tell a dataset's name and version.",
        values: datasets.map { dataset in
          (
            [
              ("dataset", dataset.id), ("name", dataset.name.map { printable($0) } ?? ""),
              ("version", dataset.version.map(String.init) ?? ""),
            ], 1
          )
        }),
      Metric(
        name: "swarm_dataset_private", kind: .gauge,
        help: "1 for a private dataset, to whose peers all connections are encrypted.",
        values: datasets.map { ([("dataset", $0.id)], $0.isPrivate ? 1 : 0) }),
      Metric(
        name: "swarm_encrypted_peers", kind: .gauge,
        help: "Connected peers, by encrypted connections.",
        values: datasets.compactMap { dataset in
          guard let transfer = dataset.transfer else { return nil }
          return ([("dataset", dataset.id)], transfer.group == nil ? 0 : UInt64(transfer.peers))
        }),
      each("swarm_downloaded_bytes_total", .counter, "Bytes of content that came in this run.") {
        $0.downloadedBytes
      },
      each("swarm_uploaded_bytes_total", .counter, "Bytes of content that went in this run.") {
        $0.uploadedBytes
      },
      each(
        "swarm_wasted_bytes_total", .counter,
        "Bytes that came and were wrong, or were here already."
      ) {
        $0.wastedBytes
      },
      each("swarm_wanted_bytes", .gauge, "Bytes of content that are wanted.") {
        $0.name == nil ? nil : $0.wantedBytes
      },
      each("swarm_done_bytes", .gauge, "Of these, bytes that are verified and here.") {
        $0.doneBytes
      },
      each("swarm_finished", .gauge, "1 when all that is wanted is here and on disk.") {
        $0.isFinished ? 1 : 0
      },
      each("swarm_peers", .gauge, "Connected peers.") { UInt64($0.peers) },
      each("swarm_seeds", .gauge, "Connected peers that have everything.") { UInt64($0.seeds) },
      each("swarm_known_peers", .gauge, "Peers known, connected or not.") { UInt64($0.knownPeers) },
      each(
        "swarm_stalled_reads", .gauge, "Reads that have waited for more than a second, 16 at most."
      ) {
        UInt64($0.stalledReads.count)
      },
    ]
  }

  /// A label's value as the format wants it.
  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": result += "\\\\"
      case "\"": result += "\\\""
      case "\n": result += "\\n"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
