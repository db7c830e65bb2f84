import ArgumentParser
import Metainfo
import Store
import Swarm
import SwarmNode
import Wire

/// `swarm join`: downloads what a link or .torrent names, and stays a member of its swarm.
struct Join: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Download what a link or .torrent names, and share it.",
    discussion: """
      Every byte is verified before it is used. Goes on where it was stopped, and shares what it has \
      until it is told to stop (Ctrl-C). The exit status is 0 if all that was asked for is there when \
      it ends, and 128 and the signal's number, as in 130 for Ctrl-C, if not.
      """)

  @Argument(
    help: "A magnet link, an infohash, urn:btmh:…, urn:btih:… or the path of a .torrent.",
    completion: .file())
  var subject: BytePath

  @Argument(
    help: "The folder in which the dataset gets its own. (default: the current one)",
    completion: .directory)
  var folder: BytePath?

  @Option(
    name: .customLong("only"),
    help: """
      Only files that match, as in '*.csv' or 'raw/**'; can be repeated. With a slash it is the \
      whole path below the dataset's folder.
      """)
  var globs: [Glob] = []

  @Flag(help: "End when all that was asked for is there.")
  var once = false

  @OptionGroup var options: NodeOptions

  func run() throws {
    let display = StatusDisplay(isJSON: options.isJSON)
    let subject = try JoinSubject(parsing: self.subject.bytes)
    let state = try options.stateFolder()
    let known = try known(subject, state)
    let link = subject.link ?? known.map { MagnetLink($0.info) } ?? MagnetLink()
    let place = try JoinPlace(
      in: folder?.bytes ?? Array(".".utf8), globs: globs, selection: subject.link?.selection,
      torrent: known, state: state, display: display)
    let plan = TransferSession.Plan(
      request: {
        let source: TorrentRequest.Source =
          place.torrent.map { .torrent($0.info, $0.pieceLayers) }
          ?? .infohash(v1: link.v1Infohash, v2: link.v2Infohash)
        var request = TorrentRequest(source: source, content: .owned)
        request.wanted = place.wanted
        return request
      }, folders: place.prepare, peers: link.peers + options.peers.map(\.address), isSeed: false,
      endsWhenFinished: once, content: { place.content }, keep: place.keep
    ) { display, endpoints in
      display.event(
        "started",
        [
          ("name", .text(orNull: (known?.info.name.bytes ?? link.shownName).map { printable($0) })),
          ("infohash_v2", .text(orNull: link.v2Infohash?.hex)),
          ("infohash_v1", .text(orNull: link.v1Infohash?.hex)),
          ("magnet", .text(link.uri)),
          ("listening", .list(endpoints.map { .text("\($0)") })),
        ])
      display.note(
        "joining \((known?.info.name.bytes ?? link.shownName).map { printable($0) } ?? link.uri), "
          + "listening at " + endpoints.map(\.description).joined(separator: ", "))
    }
    try TransferSession(plan, options: options, display: display).run()
    withExtendedLifetime(place) {}
  }

  /// The torrent, if it is here: in the file that was named, or from an earlier time.
  private func known(_ subject: JoinSubject, _ state: StateFolder) throws(Failure) -> KnownTorrent?
  {
    switch subject {
    case .link(let link):
      guard let name = DatasetName(v1: link.v1Infohash, v2: link.v2Infohash) else { return nil }
      return try Failure.wrap { try state.knownTorrent(name) }
    case .torrent(let path):
      let bytes = try Failure.wrap { try WholeFile.read(path, limit: BencodeLimits.torrent.bytes) }
      // Piece layers that are wrong can be had from peers.
      let torrent = try Failure.wrap("\(printable(path)): ") { try Torrent.inspect(bytes).torrent }
      return KnownTorrent(info: torrent.info, pieceLayers: torrent.pieceLayers)
    }
  }
}

extension JoinSubject {
  /// The link; nil for a .torrent.
  fileprivate var link: MagnetLink? { if case .link(let link) = self { link } else { nil } }
}

extension MagnetLink {
  /// The link of a torrent.
  fileprivate init(_ info: InfoDictionary) {
    self.init(v1Infohash: info.infohashV1, v2Infohash: info.infohashV2, name: info.name.bytes)
  }

  fileprivate var shownName: [UInt8]? { name.isEmpty ? nil : name }
}
