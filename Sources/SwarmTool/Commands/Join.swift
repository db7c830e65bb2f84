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

      A dataset's key is followed: each version gets a folder of its own, NAME@1, NAME@2 and so on, and \
      NAME leads to the newest. KEY@3, or a link with x.v=3, takes version 3 and follows nothing.
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

  @Option(
    help: """
      How many old versions stay beside the newest: others that the program made are removed when a \
      newer one is whole, but for what was changed in them. (default: all)
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
    let subject = try JoinSubject(parsing: self.subject.bytes)
    let state = try options.stateFolder()
    if let link = subject.link, let key = link.datasetKey, let number = link.version {
      return try joinVersion(number, of: state.dataset(key), link, state, display)
    }
    let dataset = subject.link?.datasetKey.map { state.dataset($0) }
    let head = try Failure.wrap { try dataset?.head() } ?? nil
    let known = try known(subject, head, state)
    var link = subject.link ?? known.map { MagnetLink($0.info, key: nil) } ?? MagnetLink()
    if let infohash = head?.infohashV2 { (link.v1Infohash, link.v2Infohash) = (nil, infohash) }
    let isNamed = link.v1Infohash != nil || link.v2Infohash != nil
    let newest = head?.infohashV2 == nil ? nil : head.map { UInt64(clamping: $0.version) }
    let place = try isNamed ? place(link, known, number: newest, state, display) : nil
    var followed: TransferSession.Dataset?
    if let dataset { followed = try follow(dataset, head, link, place, state, display) }
    var others = place?.older(atMost: Self.mostOlder) ?? []
    if let dataset {
      others += MetadataShare.versions(
        of: dataset, except: Set(others.compactMap(\.version)), state: state)
    }
    let plan = TransferSession.Plan(
      subject: place.map { part(in: link, at: $0) }, dataset: followed, peers: peers(link),
      others: others, exports: offered, isSeed: false, endsWhenFinished: once
    ) { display, endpoints in
      announce(link, known?.info.name.bytes ?? link.shownName, endpoints, display)
    }
    try TransferSession(plan, options: options, display: display).run()
  }

  /// One version, whichever is the newest; nothing is followed.
  private func joinVersion(
    _ number: UInt64, of dataset: KeyedDataset, _ link: MagnetLink, _ state: StateFolder,
    _ display: StatusDisplay
  ) throws {
    if keep != nil {
      throw Failure("--keep is for who follows a dataset, not for one version of it")
    }
    let search = VersionSearch(
      .version(number), of: dataset, salt: link.salt, state: state, asking: peers(link))
    let here = try Failure.wrap { try search.findHere() }
    func found(_ version: VersionSearch.Found) throws -> TransferSession.Subject {
      var named = link
      (named.v1Infohash, named.v2Infohash) = (nil, version.torrent.info.infohashV2)
      // A link's numbers mean files of the version whose infohash it has.
      if let whole = link.v2Infohash, whole != named.v2Infohash { named.selection = nil }
      return part(
        in: named,
        at: try place(
          named, version.torrent, number: version.number, isPinned: true, state, display))
    }
    let plan = TransferSession.Plan(
      subject: try here?.first.map(found),
      search: here == nil ? .init(key: dataset.key, versions: search, found: found) : nil,
      peers: peers(link), exports: offered, isSeed: false, endsWhenFinished: once
    ) { display, endpoints in
      let name = here?.first?.torrent.info.name.bytes ?? link.shownName
      announce(link, name, endpoints, display)
    }
    try TransferSession(plan, options: options, display: display).run()
  }

  private var offered: TransferSession.Exports? {
    exports.socket.map {
      TransferSession.Exports(
        socket: $0.bytes, readTimeout: exports.readTimeout.map { .seconds(Int($0)) },
        usesTraces: !exports.hasNoTrace && !exports.hasNoReadAhead)
    }
  }

  private func peers(_ link: MagnetLink) -> [PeerAddress] {
    link.peers + options.network.peers.map(\.address)
  }

  private func announce(
    _ link: MagnetLink, _ name: [UInt8]?, _ endpoints: [PeerEndpoint], _ display: StatusDisplay
  ) {
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
      "joining \(name.map { printable($0) } ?? link.uri), "
        + "listening at " + endpoints.map(\.description).joined(separator: ", "))
  }

  /// Where a torrent goes. `number` is which version of its dataset it is, where that is vouched for.
  private func place(
    _ link: MagnetLink, _ known: KnownTorrent?, number: UInt64?, isPinned: Bool = false,
    _ state: StateFolder, _ display: StatusDisplay
  ) throws(Failure) -> JoinPlace {
    try JoinPlace(
      in: folder?.bytes ?? Array(".".utf8), globs: globs, selection: link.selection,
      torrent: known, dataset: link.datasetKey, number: number, isPinned: isPinned, state: state,
      display: display)
  }

  /// One torrent: where there is a key, a version of its dataset.
  private func part(in link: MagnetLink, at place: JoinPlace) -> TransferSession.Subject {
    TransferSession.Subject(
      request: {
        let source: TorrentRequest.Source =
          place.torrent.map { .torrent($0.info, $0.pieceLayers) }
          ?? .infohash(v1: link.v1Infohash, v2: link.v2Infohash)
        var request = TorrentRequest(source: source, content: .owned)
        request.wanted = exports.sparse ? nil : place.wanted
        request.reading = exports.reading
        request.dataset = link.datasetKey
        return request
      }, folders: place.prepare, content: { place.content }, keep: place.keep,
      version: { place.versionNumber },
      wasWhole: { place.wasWhole }, onFinished: place.finish)
  }

  /// Newer versions are fetched as they come.
  private func follow(
    _ dataset: KeyedDataset, _ head: Head?, _ link: MagnetLink, _ first: JoinPlace?,
    _ state: StateFolder, _ display: StatusDisplay
  ) throws(Failure) -> TransferSession.Dataset {
    var joined = link.v2Infohash
    var newest = first
    var followed = TransferSession.Dataset(
      key: dataset.key, salt: link.salt, head: head, isOurs: false,
      version: { newer in
        let number = UInt64(clamping: newer.version)
        try Failure.wrap {
          _ = try dataset.keep(head: newer)
          if let infohash = newer.infohashV2 {
            try dataset.keep(version: number, infohash: infohash)
          }
        }
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
        let next = try place(named, known, number: number, state, display)
        joined = newer.infohashV2
        newest = next
        return part(in: named, at: next)
      }, watch: { nil })
    if let keep {
      followed.removal = { newest?.removal.map { ($0, keeping: Int(keep)) } }
    }
    return followed
  }

  /// How many older versions that are whole here are shared on: each is a swarm of its own.
  private static let mostOlder = 4

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
