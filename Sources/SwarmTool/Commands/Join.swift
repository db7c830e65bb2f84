import ArgumentParser
import Metainfo
import Store
import Swarm
import SwarmNode
import Wire

/// `swarm join`: downloads what a link or .torrent names, and stays a member of its swarm.
struct Join: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "join",
    abstract: "Download what a link or .torrent names, and share it.",
    discussion: """
      Every byte is verified before it is used. Continues where it was stopped, and shares what it has \
      until it is stopped (Ctrl-C). The exit status is 0 if all that was asked for is there when it ends; \
      if not, 128 and the signal's number, such as 130 for Ctrl-C.

      A dataset's key is followed: each version gets a folder of its own, NAME@1, NAME@2 and so on, and \
      NAME leads to the newest. KEY@3, or a link with x.v=3, fetches version 3 and follows nothing.

      @FILE reads the link from a file, - from standard input: a private dataset's link is a secret.

      Examples:
        swarm join LINK /srv/data      follow a dataset in a folder
        swarm join @link.txt --once    fetch it, then end
      """)

  @Argument(
    help:
      """
      A magnet link, a dataset's key (KEY@3 for its version 3), an infohash, urn:btmh:…, urn:btih:… or \
      the path of a .torrent.
      """,
    completion: .file())
  var subject: BytePath

  @Argument(
    help: "The folder in which the dataset gets one of its own. (default: the current one)",
    completion: .directory)
  var folder: BytePath?

  @Option(
    name: .customLong("only"),
    help: """
      Fetch only files that match, as in '*.csv' or 'raw/**'; can be repeated. A pattern with a slash must \
      match the whole path below the dataset's folder.
      """)
  var globs: [Glob] = []

  @Flag(help: "End when all that was asked for is there.")
  var once = false

  @Option(
    help: """
      How many old versions to keep beside the newest: older ones are removed when a newer one is \
      complete, except for files that were changed since. (default: all)
      """)
  var keep: UInt16?

  @OptionGroup var exports: ExportOptions
  @OptionGroup var options: NodeOptions

  func validate() throws {
    if exports.sparse, once || !globs.isEmpty {
      throw ValidationError("with --sparse only reads decide what is fetched: no --once, no --only")
    }
  }

  func run() throws {
    let display = StatusDisplay(isJSON: options.isJSON)
    try options.network.checkListening()
    let request = JoinRequest(
      subject: try JoinSubject(parsing: subject.bytes), directory: folder?.bytes ?? Array(".".utf8),
      globs: globs, keep: keep.map { Int($0) }, reading: exports.reading,
      peers: options.network.peers.map(\.address))
    try session(request, display).run()
  }

  /// The plan is the session's alone: what holds a version against others goes with it.
  private func session(
    _ request: JoinRequest, _ display: StatusDisplay
  ) throws -> TransferSession {
    let (plan, link, name) = try request.plan(in: options.stateFolder(), display)
    let task = TransferSession.Task(
      plan: plan, exports: exports.offered, endsWhenFinished: once
    ) { endpoints in
      announce(link, name, endpoints, display)
    }
    return try TransferSession(task, options: options, display: display)
  }

  private func announce(
    _ link: MagnetLink, _ name: [UInt8]?, _ endpoints: [PeerEndpoint], _ display: StatusDisplay
  ) {
    var link = link
    // 64 digits that may be either: no link says that they are both.
    if let key = link.datasetKey, link.v2Infohash?.hex == key.hex { link.v2Infohash = nil }
    let isKey = link.datasetKey.map { MagnetLink(datasetKey: $0) == link } == true
    display.event(
      "started",
      [
        ("name", .text(orNull: name.map { printable($0) })),
        ("infohash_v2", .text(orNull: link.v2Infohash?.hex)),
        ("infohash_v1", .text(orNull: link.v1Infohash?.hex)),
        ("dataset_key", .text(orNull: link.datasetKey?.hex)),
        ("magnet", .text(link.uri)),
        ("listening", .list(endpoints.map { .text("\($0)") })),
      ])
    display.note(
      "joining \(name.map { printable($0) } ?? (isKey ? link.datasetKey?.hex : nil) ?? link.uri), "
        + "listening at " + endpoints.map(\.description).joined(separator: ", "))
  }
}
