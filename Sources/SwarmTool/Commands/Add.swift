import ArgumentParser
import Glibc
import Metainfo
import SwarmNode
import Wire

/// `swarm add`: the daemon takes part in a dataset from now on.
struct Add: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "add",
    abstract: "Share a folder, or fetch a dataset, with the daemon.",
    discussion: """
      A link, key, infohash or .torrent is fetched, as swarm join does. A folder or file is shared, as \
      swarm seed does, and published first if it was not yet: --key, --name, --format, --piece-length and \
      --private are for that alone. Prints the dataset's id, and for a public dataset the link to pass on; \
      swarm status --link prints that of a private one. It survives a restart of the daemon, until \
      swarm rm.

      @FILE reads the link from a file, - from standard input: a private dataset's link is a secret.

      Examples:
        swarm add /srv/photos          share a folder
        swarm add LINK /srv/data       fetch a dataset to a folder
      """)

  @Argument(
    help:
      "A magnet link, a dataset's key, an infohash, the path of a .torrent, or a folder or file.",
    completion: .file())
  var subject: BytePath

  @Argument(
    help:
      """
      The folder in which the dataset gets one of its own. (default: a place in the daemon's state folder)
      """,
    completion: .directory)
  var folder: BytePath?

  @Option(
    name: .customLong("only"),
    help: "Fetch only files that match, as in '*.csv' or 'raw/**'; can be repeated.")
  var globs: [BytePath] = []

  @Flag(help: "Fetch only what is read: from block devices, or over the control API.")
  var sparse = false

  @Option(name: .customLong("peer"), help: "A peer to try first, HOST:PORT; can be repeated.")
  var peers: [PeerArgument] = []

  @Option(help: "How many old versions to keep beside the newest. (default: all)")
  var keep: UInt16?

  @OptionGroup var dataset: DatasetOptions
  @OptionGroup var client: ClientOptions

  func run() throws {
    let daemon = try client.client()
    // Whether there is one, before anything is hashed.
    _ = try daemon.get("/v1/node")
    let parsed = try JoinSubject(parsing: subject.bytes)
    let link: String
    switch parsed {
    case .link(let named):
      if dataset.isAny { throw Failure(DatasetOptions.forFolders) }
      link = named.secretURI
    case .torrent(let path):
      if access(path.map { CChar(bitPattern: $0) } + [0], F_OK) != 0, errno == ENOENT {
        throw Failure(LinkAdvice.missing(path))
      }
      let real = try Failure.wrap { try RealPath.resolve(path) }
      if !Seed.isTorrent(path) {
        try publish(real)
      } else if dataset.isAny {
        throw Failure(DatasetOptions.forFolders)
      }
      link = printable(real)
    }
    var members: [(String, JSON)] = [("link", .text(link))]
    if let folder {
      try Failure.wrap { try StateFolder.make(folder.bytes) }
      let real = try Failure.wrap { try RealPath.resolve(folder.bytes) }
      members.append(("directory", .text(printable(real))))
    }
    if sparse { members.append(("sparse", .bool(true))) }
    if !globs.isEmpty { members.append(("only", .list(globs.map { .text(printable($0.bytes)) }))) }
    if !peers.isEmpty { members.append(("peers", .list(peers.map { .text("\($0.address)") }))) }
    if let keep { members.append(("keep", .number(UInt64(keep)))) }
    let added = try daemon.post("/v1/datasets", .object(members))
    if client.isJSON { return try Console.result(added.rendered) }
    try Console.result(added["id"]?.text ?? "")
    let id = added["id"]?.text ?? ""
    let isPrivate = added["private_dataset"]?.flag == true
    // A private one's is for who asks for it.
    if isPrivate {
      return Console.note("swarm status --link \(id.prefix(12)) prints the link to pass on")
    }
    if let magnet = added["magnet"]?.text { Console.note("the link to pass on: \(magnet)") }
  }

  /// What was not published yet becomes version 1, hashed here and not in the daemon.
  private func publish(_ path: [UInt8]) throws(Failure) {
    if folder != nil || sparse || !globs.isEmpty || keep != nil {
      throw Failure(
        "\(printable(path)) is shared where it is: a folder, --sparse, --only and --keep are for what is "
          + "fetched")
    }
    let state = try StateOptions.stateFolder(at: client.statePath)
    // As before, or it says what is not.
    let source = try dataset.source(of: path, in: state)
    let head = try Failure.wrap { try state.dataset(source.key).head() }
    if head != nil { return }
    _ = try SeedSource.ofDataset(source, state: state, teller: StatusDisplay(isJSON: client.isJSON))
  }
}
