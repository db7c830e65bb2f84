import Metainfo
import Swarm
import SwarmNode
import Wire

/// What `swarm boot` takes part in: one torrent, sparsely. Of a dataset, the newest version that is known,
/// or else the first one that is told of: a machine that runs stays with it.
struct BootSubject {
  private let link: MagnetLink
  private let known: KnownTorrent?
  private let head: Head?
  private let state: StateFolder
  private let directory: [UInt8]
  private let peers: [PeerAddress]
  private let display: StatusDisplay

  /// - Parameter folder: where what is fetched is kept; nil for a folder below the state folder.
  init(
    _ subject: JoinSubject, folder: [UInt8]?, state: StateFolder, peers: [PeerAddress],
    display: StatusDisplay
  ) throws(Failure) {
    var link = MagnetLink()
    var head: Head?
    switch subject {
    case .link(let named):
      link = named
      head = try Failure.wrap { try link.datasetKey.map { state.dataset($0) }?.head() } ?? nil
      if link.version == nil, let infohash = head?.infohashV2 {
        (link.v1Infohash, link.v2Infohash) = (nil, infohash)
      }
      let name = DatasetName(v1: link.v1Infohash, v2: link.v2Infohash)
      known = try Failure.wrap { try name.flatMap { try state.knownTorrent($0) } }
    case .torrent(let path):
      let bytes = try Failure.wrap { try WholeFile.read(path, limit: BencodeLimits.torrent.bytes) }
      // Piece layers that are wrong can be had from peers.
      let torrent = try Failure.wrap("\(printable(path)): ") { try Torrent.inspect(bytes).torrent }
      known = KnownTorrent(info: torrent.info, pieceLayers: torrent.pieceLayers)
      link = MagnetLink(torrent.info, key: nil)
    }
    // Its numbers choose files to download.
    link.selection = nil
    self.link = link
    self.head = head
    self.state = state
    self.peers = link.peers + peers
    self.display = display
    let name = link.datasetKey?.hex ?? link.v2Infohash?.hex ?? link.v1Infohash?.hex ?? "other"
    directory =
      folder ?? state.path + Array("/machines/".utf8) + Array(name.utf8)
    // The folder for all of them first.
    if folder == nil { try Failure.wrap { try StateFolder.make(state.path + Array("/machines".utf8), mode: 0o700) } }
  }

  /// What the session is to do.
  func plan(_ exports: TransferSession.Exports) throws -> TransferSession.Plan {
    var plan = TransferSession.Plan(
      peers: peers, exports: exports, isSeed: false, endsWhenFinished: false
    ) { [link, display] _, endpoints in
      display.event(
        "started",
        [
          ("name", .text(orNull: link.name.isEmpty ? nil : printable(link.name))),
          ("infohash_v2", .text(orNull: link.v2Infohash?.hex)),
          ("infohash_v1", .text(orNull: link.v1Infohash?.hex)),
          ("dataset_key", .text(orNull: link.datasetKey?.hex)), ("magnet", .text(link.uri)),
          ("listening", .list(endpoints.map { .text("\($0)") })),
        ])
    }
    guard let key = link.datasetKey, let number = link.version else {
      var first: JoinPlace?
      if link.v1Infohash != nil || link.v2Infohash != nil {
        let number = head?.infohashV2 == nil ? nil : head.map { UInt64(clamping: $0.version) }
        first = try place(link, known, number: number)
      }
      plan.subject = first.map { part(in: link, at: $0) }
      if let key = link.datasetKey { plan.dataset = follow(state.dataset(key), first) }
      return plan
    }
    let search = VersionSearch(
      .version(number), of: state.dataset(key), salt: link.salt, state: state, asking: peers)
    let here = try Failure.wrap { try search.findHere() }
    func found(_ version: VersionSearch.Found) throws -> TransferSession.Subject {
      var named = link
      (named.v1Infohash, named.v2Infohash) = (nil, version.torrent.info.infohashV2)
      return part(
        in: named, at: try place(named, version.torrent, number: version.number))
    }
    plan.subject = try here?.first.map(found)
    if here == nil { plan.search = .init(key: key, versions: search, found: found) }
    return plan
  }

  /// Newer heads are kept for the next boot.
  private func follow(_ dataset: KeyedDataset, _ first: JoinPlace?) -> TransferSession.Dataset {
    var joined = first
    var infohash = link.v2Infohash
    return TransferSession.Dataset(
      key: dataset.key, salt: link.salt, head: head, isOurs: false,
      version: { newer in
        let number = UInt64(clamping: newer.version)
        try Failure.wrap {
          _ = try dataset.keep(head: newer)
          if let infohash = newer.infohashV2 {
            try dataset.keep(version: number, infohash: infohash)
          }
        }
        if let known = newer.infohashV2, known == infohash { return nil }
        // Until its description is here it may be none of the dataset's: 64 digits are a key, too.
        if let torrent = joined?.torrent {
          if torrent.info.infohashV2 != newer.infohashV2 {
            display.note("version \(number) is published: the next boot takes it")
          }
          return nil
        }
        var named = link
        named.v2Infohash = newer.infohashV2
        named.v1Infohash = newer.infohashV2 == nil ? newer.infohash : nil
        let known = try Failure.wrap {
          try DatasetName(v1: named.v1Infohash, v2: named.v2Infohash).flatMap {
            try state.knownTorrent($0)
          }
        }
        let place = try place(named, known, number: number)
        (joined, infohash) = (place, newer.infohashV2)
        return part(in: named, at: place)
      }, watch: { nil })
  }

  private func place(
    _ link: MagnetLink, _ torrent: KnownTorrent?, number: UInt64?
  ) throws(Failure) -> JoinPlace {
    try JoinPlace(
      in: directory, globs: [], selection: nil, torrent: torrent, dataset: link.datasetKey,
      number: number, isPinned: true, state: state, display: display)
  }

  private func part(in link: MagnetLink, at place: JoinPlace) -> TransferSession.Subject {
    TransferSession.Subject(
      request: {
        let source: TorrentRequest.Source =
          place.torrent.map { .torrent($0.info, $0.pieceLayers) }
          ?? .infohash(v1: link.v1Infohash, v2: link.v2Infohash)
        var request = TorrentRequest(source: source, content: .owned)
        request.reading = .sparse
        request.dataset = link.datasetKey
        return request
      }, folders: place.prepare, content: { place.content }, keep: place.keep,
      version: { place.versionNumber }, wasWhole: { place.wasWhole }, onFinished: place.finish)
  }
}
