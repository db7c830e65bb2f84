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
    help:
      "A magnet link, a dataset's key, an infohash, urn:btmh:…, urn:btih:… or the path of a .torrent.",
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
    let dataset = subject.link?.datasetKey.map { state.dataset($0) }
    let head = try Failure.wrap { try dataset?.head() } ?? nil
    let known = try known(subject, head, state)
    var link = subject.link ?? known.map { MagnetLink($0.info, key: nil) } ?? MagnetLink()
    if let infohash = head?.infohashV2 { (link.v1Infohash, link.v2Infohash) = (nil, infohash) }
    let isNamed = link.v1Infohash != nil || link.v2Infohash != nil
    let first = try isNamed ? version(link, head, known, state, display) : nil
    let plan = TransferSession.Plan(
      subject: first,
      dataset: dataset.map { follow($0, head, link, state, display) },
      peers: link.peers + options.peers.map(\.address), isSeed: false, endsWhenFinished: once
    ) { display, endpoints in
      display.event(
        "started",
        [
          ("name", .text(orNull: (known?.info.name.bytes ?? link.shownName).map { printable($0) })),
          ("infohash_v2", .text(orNull: link.v2Infohash?.hex)),
          ("infohash_v1", .text(orNull: link.v1Infohash?.hex)),
          ("dataset_key", .text(orNull: link.datasetKey?.hex)),
          ("magnet", .text(link.uri)),
          ("listening", .list(endpoints.map { .text("\($0)") })),
        ])
      display.note(
        "joining \((known?.info.name.bytes ?? link.shownName).map { printable($0) } ?? link.uri), "
          + "listening at " + endpoints.map(\.description).joined(separator: ", "))
    }
    try TransferSession(plan, options: options, display: display).run()
  }

  /// One torrent: where there is a key, a version of its dataset.
  private func version(
    _ link: MagnetLink, _ head: Head?, _ known: KnownTorrent?, _ state: StateFolder,
    _ display: StatusDisplay
  ) throws(Failure) -> TransferSession.Subject {
    let place = try JoinPlace(
      in: folder?.bytes ?? Array(".".utf8), globs: globs, selection: subjectSelection(link),
      torrent: known, dataset: link.datasetKey, head: head, state: state, display: display)
    return TransferSession.Subject(
      request: {
        let source: TorrentRequest.Source =
          place.torrent.map { .torrent($0.info, $0.pieceLayers) }
          ?? .infohash(v1: link.v1Infohash, v2: link.v2Infohash)
        var request = TorrentRequest(source: source, content: .owned)
        request.wanted = place.wanted
        request.dataset = link.datasetKey
        return request
      }, folders: place.prepare, content: { place.content }, keep: place.keep,
      onFinished: place.finish)
  }

  /// A link's numbers mean files of the version that it names, not of others.
  private func subjectSelection(_ link: MagnetLink) -> FileSelection? { link.selection }

  /// Newer versions are fetched as they come.
  private func follow(
    _ dataset: KeyedDataset, _ head: Head?, _ link: MagnetLink, _ state: StateFolder,
    _ display: StatusDisplay
  ) -> TransferSession.Dataset {
    var joined = link.v2Infohash
    return TransferSession.Dataset(
      key: dataset.key, salt: link.salt, head: head, isOurs: false,
      version: { newer in
        _ = try Failure.wrap { try dataset.keep(head: newer) }
        if let infohash = newer.infohashV2, infohash == joined { return nil }
        var named = link
        named.selection = nil
        named.v2Infohash = newer.infohashV2
        named.v1Infohash = newer.infohashV2 == nil ? newer.infohash : nil
        let known = try Failure.wrap {
          try DatasetName(v1: named.v1Infohash, v2: named.v2Infohash).flatMap {
            try state.knownTorrent($0)
          }
        }
        let next = try version(named, newer, known, state, display)
        joined = newer.infohashV2
        return next
      }, watch: { nil })
  }

  /// The torrent, if it is here: in the file that was named, or from an earlier time.
  private func known(
    _ subject: JoinSubject, _ head: Head?, _ state: StateFolder
  ) throws(Failure) -> KnownTorrent? {
    switch subject {
    case .link(let link):
      let name =
        head?.infohashV2.map { DatasetName(v1: nil, v2: $0) }
        ?? DatasetName(v1: link.v1Infohash, v2: link.v2Infohash)
      guard let name else { return nil }
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
  fileprivate var shownName: [UInt8]? { name.isEmpty ? nil : name }
}
