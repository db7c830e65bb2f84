import ArgumentParser
import Metainfo
import SwarmNode
import Wire

/// `swarm ls`: what the daemon takes part in.
struct ListCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "ls", abstract: "List the daemon's datasets.")

  @OptionGroup var client: ClientOptions

  func run() throws {
    let answer = try client.client().get("/v1/datasets")
    if client.isJSON { return try Console.result(answer.rendered) }
    let all = answer["datasets"]?.list ?? []
    if all.isEmpty { return Console.note("the daemon has no datasets; swarm add adds one") }
    let lines = all.map { DatasetLine($0) }
    let widths = (0..<DatasetLine.columns).map { column in
      lines.map { $0.cells[column].count }.max() ?? 0
    }
    try Console.result(
      lines.map { line in
        zip(line.cells, widths).map { cell, width in
          cell + String(repeating: " ", count: width - cell.count)
        }.joined(separator: "  ").trimmedEnd
      }.joined(separator: "\n"))
  }
}

/// A dataset in a list.
private struct DatasetLine {
  static let columns = 4
  /// Beginning of the id, progress, peers, name.
  let cells: [String]

  init(_ dataset: JSON) {
    let transfer = dataset["transfer"]
    cells = [
      String((dataset["id"]?.text ?? "").prefix(12)),
      DaemonText.progress(dataset),
      Quantity.count(Int(clamping: transfer?["peers"]?.number ?? 0), "peer"),
      (dataset["name"]?.text ?? "(name not known yet)")
        + (dataset["version"]?.number.map { " version \($0)" } ?? "")
        + (dataset["private_dataset"]?.flag == true ? ", private" : ""),
    ]
  }
}

/// `swarm status`: how the daemon is doing, or one dataset.
struct StatusCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "status", abstract: "Show how the daemon is doing, or one of its datasets.",
    discussion: """
      @FILE reads a link from a file, - from standard input: a private dataset's link is a secret.

      Examples:
        swarm status
        swarm status photos --link     the link to pass on
      """)

  @Argument(help: "A dataset: its id or the beginning of it, its name, or its link.")
  var dataset: BytePath?

  @Flag(
    name: .customLong("link"),
    help: "Print the dataset's link and nothing else. That of a private dataset is a secret.")
  var printsLink = false

  @OptionGroup var client: ClientOptions

  func validate() throws {
    if printsLink, dataset == nil { throw ValidationError("--link needs a dataset: name it") }
  }

  func run() throws {
    let daemon = try client.client()
    if printsLink, let dataset {
      let id = try client.dataset(dataset.bytes, of: daemon)["id"]?.text ?? ""
      let answer = try daemon.get("/v1/datasets/\(id)/link")
      return try Console.result(client.isJSON ? answer.rendered : answer["magnet"]?.text ?? "")
    }
    if let dataset {
      let found = try client.dataset(dataset.bytes, of: daemon)
      if client.isJSON { return try Console.result(found.rendered) }
      return try Console.result(table(DaemonText.rows(of: found)))
    }
    let node = try daemon.get("/v1/node")
    if client.isJSON { return try Console.result(node.rendered) }
    try Console.result(table(DaemonText.rows(ofNode: node)))
  }
}

/// `swarm peers`: who shares a dataset with the daemon now.
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "peers", abstract: "List the peers of one of the daemon's datasets, or add one.")

  @Argument(help: "A dataset: its id or the beginning of it, its name, or its link.")
  var dataset: BytePath

  @Option(
    name: .customLong("add"),
    help: ArgumentHelp("Connect to a peer, HOST:PORT.", valueName: "host:port"))
  var added: PeerArgument?

  @OptionGroup var client: ClientOptions

  func run() throws {
    let daemon = try client.client()
    let id = try client.dataset(dataset.bytes, of: daemon)["id"]?.text ?? ""
    if let added {
      _ = try daemon.post(
        "/v1/datasets/\(id)/peers", .object([("address", .text("\(added.address)"))]))
      if client.isJSON {
        try Console.result(
          JSON.object([("id", .text(id)), ("added", .text("\(added.address)"))]).rendered)
      }
      return
    }
    let answer = try daemon.get("/v1/datasets/\(id)/peers")
    if client.isJSON { return try Console.result(answer.rendered) }
    let peers = answer["peers"]?.list ?? []
    if peers.isEmpty { return Console.note("no peer is connected") }
    try Console.result(peers.map(DaemonText.line(ofPeer:)).joined(separator: "\n"))
  }
}

/// `swarm rm`: the daemon takes part no more.
struct Remove: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "rm",
    abstract: "Stop sharing and following a dataset. Its content stays.")

  @Argument(help: "A dataset: its id or the beginning of it, its name, or its link.")
  var dataset: BytePath

  @OptionGroup var client: ClientOptions

  func run() throws {
    let daemon = try client.client()
    let found = try client.dataset(dataset.bytes, of: daemon)
    try daemon.delete("/v1/datasets/\(found["id"]?.text ?? "")")
    if client.isJSON { return try Console.result(found.rendered) }
    Console.note("the daemon has removed \(found["name"]?.text ?? "it")")
    if let path = found["path"]?.text { Console.note("its content stays in \(path)") }
  }
}

extension String {
  /// Without spaces at the end.
  fileprivate var trimmedEnd: String { String(reversed().drop { $0 == " " }.reversed()) }
}
