import ArgumentParser
import Glibc
import Metainfo
import Store
import Swarm
import SwarmNode
import Wire

/// `swarm seed`: shares a folder, a file, or what a .torrent describes.
struct Seed: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "seed",
    abstract: "Share a folder, a file or the content of a .torrent.",
    discussion: """
      Prints the link to pass on, and shares until it is stopped (Ctrl-C). The content stays where it is \
      and is never written to. What was hashed once is not hashed again unless it changes. A folder or \
      file gets a key of its own the first time and is published as version 1 of a dataset; when it has \
      changed, swarm publish makes the next version.

      Examples:
        swarm seed photos
        swarm seed photos --private    only for those who have the link
      """)

  @Argument(help: "The folder or file to share, or a .torrent.", completion: .file())
  var path: BytePath

  @Option(
    help: """
      For a .torrent: the folder that contains its content, under its name. (default: the .torrent's own)
      """, completion: .directory)
  var data: BytePath?

  @Flag(
    name: .customLong("no-key"),
    help: "Share a plain torrent: no key, no versions. Always so with --format v1.")
  var isPlain = false

  @OptionGroup var dataset: DatasetOptions
  @OptionGroup var options: NodeOptions

  func run() throws {
    let display = StatusDisplay(isJSON: options.isJSON)
    let state = try options.stateFolder()
    try options.network.checkListening()
    let source = try source(display, state)
    let plan = try source.plan(
      in: state, peers: options.network.peers.map(\.address), display)
    let task = TransferSession.Task(plan: plan, endsWhenFinished: false) { endpoints in
      try announce(source, plan.readKey, endpoints, display)
    }
    try TransferSession(task, options: options, display: display).run()
    withExtendedLifetime(source) {}
  }

  private func source(_ display: StatusDisplay, _ state: StateFolder) throws -> SeedSource {
    if Self.isTorrent(path.bytes) {
      if dataset.isAny || isPlain {
        throw Failure(
          "\(printable(path.bytes)) is a .torrent: --key, --no-key, --name, --format, --piece-length and "
            + "--private are for folders and files"
            + (dataset.isPrivate
              ? "; anyone who has the .torrent knows its infohash, so seed its content instead, by its path"
              : ""))
      }
      let bytes = try TorrentFile.read(path.bytes)
      let torrent = try Failure.wrap("\(printable(path.bytes)): ") { try Torrent(parsing: bytes) }
      return try .ofTorrent(
        torrent, place: data?.bytes ?? path.bytes.folder, state: state, teller: display)
    }
    if data != nil {
      throw Failure(
        "--data is for a .torrent, and \(printable(path.bytes)) does not end in .torrent")
    }
    if !isPlain, dataset.format != .v1 {
      return try .ofDataset(
        try dataset.source(of: path.bytes, in: state, offersPlain: true), state: state,
        teller: display)
    }
    if dataset.key != nil {
      throw Failure("--key is for what is published by key, not with --no-key or --format v1")
    }
    if dataset.isPrivate {
      throw Failure(
        "--private is for what is published by key, not with --no-key or --format v1: anyone who has the "
          + "infohash of a plain torrent can find it")
    }
    let name = try dataset.name?.bytes ?? Failure.wrap { try RealPath.lastName(of: path.bytes) }
    do { _ = try PathElement(name) } catch { throw Failure("\(ImportError.name(name, error))") }
    return try .ofContent(
      path.bytes, name: name,
      options: ImportOptions(
        kind: dataset.format ?? .v2, pieceLength: dataset.pieceLength?.bytes), state: state,
      teller: display)
  }

  /// Whether the path is of a file that is called a .torrent.
  static func isTorrent(_ path: [UInt8]) -> Bool {
    let ending = String(decoding: path.suffix(8), as: UTF8.self)
    var status = stat()
    return ending.lowercased() == ".torrent"
      && stat(path.map { CChar(bitPattern: $0) } + [0], &status) == 0
      && status.st_mode & S_IFMT != S_IFDIR
  }

  private func announce(
    _ source: SeedSource, _ readKey: ReadKey?, _ endpoints: [PeerEndpoint], _ display: StatusDisplay
  ) throws {
    let info = source.torrent.info
    let key = source.head?.key
    let link = MagnetLink(info, key: key, readKey: readKey)
    let summary = InfoSummary(info)
    display.event(
      "started",
      summary.json + [
        ("magnet", .text(link.secretURI)), ("private_dataset", .bool(link.isPrivate)),
        ("path", .text(printable(source.content))),
        ("listening", .list(endpoints.map { .text("\($0)") })),
        ("dataset_key", .text(orNull: key?.hex)), ("ahead", .text(orNull: source.ahead)),
      ])
    try display.result(
      table(
        summary.rows + (key.map { [("dataset key", $0.hex)] } ?? [])
          + (link.isPrivate ? [("private", "yes: anyone who has the link can read it")] : []) + [
            ("path", printable(source.content)), ("link", link.secretURI),
            ("listening at", endpoints.map(\.description).joined(separator: ", ")),
          ]))
  }
}

extension [UInt8] {
  /// The folder that a path lies in, as the path has it.
  var folder: [UInt8] {
    lastIndex(of: UInt8(ascii: "/")).map { Array(self[...$0]) } ?? Array(".".utf8)
  }
}
