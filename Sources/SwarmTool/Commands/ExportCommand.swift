import ArgumentParser
import Metainfo
import SwarmNode
import Wire

/// `swarm export`: a file of the daemon's datasets as a block device.
struct ExportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "export",
    abstract: "Offer a file of the daemon's datasets as a block device (NBD).",
    discussion: """
      Prints its address, as qemu, nbdcopy and others take it. It survives restarts of the daemon. \
      Without a dataset, lists the exports.

      Examples:
        swarm export debian root.ext4 --name root
        swarm export root --remove
      """)

  @Argument(
    help: """
      A dataset: its id or the beginning of it, its name, or its link. (default: list the exports)
      """)
  var dataset: BytePath?

  @Argument(help: "The file, by its path in the dataset. (default: the largest)")
  var path: BytePath?

  @Option(help: "A short name for the export.")
  var name: String?

  @Option(help: "Which version of the dataset. (default: the one that is here now)")
  var version: UInt64?

  @Flag(
    help: """
      Whichever version is the newest when a client connects. Not for disks: a client that reconnects \
      may find another one.
      """)
  var newest = false

  @Option(
    name: .customLong("read-timeout"),
    help: "Seconds after which a read fails if nobody had the bytes. (default: 60)")
  var readTimeout: UInt32?

  @Flag(help: "Remove an export: give its name instead of a dataset.")
  var remove = false

  @OptionGroup var client: ClientOptions

  func validate() throws {
    if newest, version != nil { throw ValidationError("--newest and --version exclude each other") }
    if dataset == nil, remove || newest || name != nil || version != nil || readTimeout != nil {
      throw ValidationError(
        remove ? "name the export to remove; swarm export lists them" : "name a dataset")
    }
  }

  func run() throws {
    let daemon = try client.client()
    guard let dataset else {
      let answer = try daemon.get("/v1/exports")
      if client.isJSON { return try Console.result(answer.rendered) }
      let all = answer["exports"]?.list ?? []
      if all.isEmpty { return Console.note("nothing is exported") }
      return try Console.result(all.map(Self.line).joined(separator: "\n"))
    }
    if remove {
      try daemon.delete("/v1/exports/\(ControlClient.escaped(dataset.bytes))")
      if client.isJSON {
        try Console.result(JSON.object([("removed", .text(printable(dataset.bytes)))]).rendered)
      }
      return
    }
    let found = try client.dataset(dataset.bytes, of: daemon)
    let id = found["id"]?.text ?? ""
    let version = newest ? nil : self.version ?? found["version"]?.number
    var members: [(String, JSON)] = [
      ("dataset", .text(id)), ("path", .text(try chosen(id, version, daemon))),
    ]
    if let version { members.append(("version", .number(version))) }
    if let name { members.append(("name", .text(name))) }
    if let readTimeout { members.append(("read_timeout", .number(UInt64(readTimeout)))) }
    let made = try daemon.post("/v1/exports", .object(members))
    try Console.result(client.isJSON ? made.rendered : Self.line(made))
  }

  /// The path that was named, else that of the largest file.
  private func chosen(
    _ id: String, _ version: UInt64?, _ daemon: ControlClient
  ) throws(Failure) -> String {
    if let path { return printable(path.bytes) }
    var largest: (path: String, length: UInt64)?
    var next: String? =
      "/v1/datasets/\(id)/files?limit=1000" + (version.map { "&version=\($0)" } ?? "")
    while let page = next {
      let answer = try daemon.get(page)
      for file in answer["files"]?.list ?? [] {
        guard let path = file["path"]?.text, let length = file["length"]?.number else { continue }
        if length > largest?.length ?? 0 { largest = (path, length) }
      }
      next = answer["next"]?.text
    }
    guard let largest else { throw Failure("the dataset has no file with anything in it") }
    return largest.path
  }

  /// What clients of NBD are given.
  private static func line(_ export: JSON) -> String {
    let name = Array((export["names"]?.list?.first?.text ?? "").utf8)
    let socket = Array((export["socket"]?.text ?? "").utf8)
    var uri = Array("nbd+unix:///".utf8)
    PercentCoding.encode(unprintable(String(decoding: name, as: UTF8.self)) ?? name, into: &uri)
    uri += Array("?socket=".utf8)
    PercentCoding.encode(unprintable(String(decoding: socket, as: UTF8.self)) ?? socket, into: &uri)
    return String(decoding: uri, as: UTF8.self)
  }
}
