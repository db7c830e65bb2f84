import Metainfo
import Store
import Swarm
import SwarmNode
import Wire

/// What somebody wants to take part in, to have it here.
struct JoinRequest {
  /// What it is.
  var subject: JoinSubject
  /// The folder in which it gets its own.
  var directory: [UInt8]
  /// Only files that match one of these; empty for all.
  var globs: [Glob] = []
  /// How many old versions stay beside the newest; nil for all.
  var keep: Int?
  /// What is fetched for the sake of reads; where it is sparse, nothing else is.
  var reading = ReadingPolicy()
  /// Whether the version whose files are known is stayed with, and newer ones are only remembered.
  var stays = false
  /// Versions that somebody reads: they are taken part in as well.
  var needed: Set<UInt64> = []
  /// Peers that are known, besides those that the link names.
  var peers: [PeerAddress] = []

  /// How it is taken part in.
  ///
  /// - Returns: the plan, a link to the same, and its name if that is known.
  func plan(
    in state: StateFolder, _ teller: any Teller
  ) throws -> (Member.Plan, MagnetLink, [UInt8]?) {
    let subject = try subject.unlocked(in: state)
    if let link = subject.link, let key = link.datasetKey, let number = link.version {
      return try version(number, of: state.dataset(key), link, state, teller)
    }
    let dataset = subject.link?.datasetKey.map { state.dataset($0) }
    let head = try Failure.wrap { try dataset?.followedHead(teller.warn) } ?? nil
    let known = try known(subject, head, state)
    let isPrivate = subject.link?.readKey != nil
    if let info = known?.info, !isPrivate {
      try state.refusePrivate(v1: info.infohashV1, v2: info.infohashV2)
    }
    var link = subject.link ?? known.map { MagnetLink($0.info, key: nil) } ?? MagnetLink()
    if let infohash = head?.infohashV2 { (link.v1Infohash, link.v2Infohash) = (nil, infohash) }
    if !isPrivate { try state.refusePrivate(v1: link.v1Infohash, v2: link.v2Infohash) }
    let isNamed = link.v1Infohash != nil || link.v2Infohash != nil
    let newest = head?.infohashV2 == nil ? nil : head.map { UInt64(clamping: $0.version) }
    let place = try isNamed ? place(link, known, number: newest, state, teller) : nil
    var followed: Member.Dataset?
    if let dataset { followed = try follow(dataset, head, link, place, state, teller) }
    var others = place?.older(atMost: Member.mostOlder, needed: needed, reading: reading) ?? []
    if let dataset {
      others += MetadataShare.versions(
        of: dataset, except: Set(others.compactMap(\.version)), state: state)
    }
    let plan = Member.Plan(
      subject: place.map { part(in: link, at: $0) }, dataset: followed, peers: link.peers + peers,
      others: others, readKey: link.readKey, isSeed: false)
    return (plan, link, known?.info.name.bytes ?? link.shownName)
  }

  /// One version, whichever is the newest; nothing is followed.
  private func version(
    _ number: UInt64, of dataset: KeyedDataset, _ link: MagnetLink, _ state: StateFolder,
    _ teller: any Teller
  ) throws -> (Member.Plan, MagnetLink, [UInt8]?) {
    if keep != nil {
      throw Failure("--keep is for following a dataset, not for one version of it")
    }
    let search = VersionSearch(
      .version(number), of: dataset, salt: link.salt, readKey: link.readKey, state: state,
      asking: link.peers + peers)
    search.warn = teller.warn
    let here = try Failure.wrap { try search.findHere() }
    func found(_ version: VersionSearch.Found) throws -> Member.Subject {
      var named = link
      (named.v1Infohash, named.v2Infohash) = (nil, version.torrent.info.infohashV2)
      // A link's numbers mean files of the version whose infohash it has.
      if let whole = link.v2Infohash, whole != named.v2Infohash { named.selection = nil }
      return part(
        in: named,
        at: try place(
          named, version.torrent, number: version.number, isPinned: true, state, teller))
    }
    let plan = Member.Plan(
      subject: try here?.first.map(found),
      search: here == nil ? .init(key: dataset.key, versions: search, found: found) : nil,
      peers: link.peers + peers, readKey: link.readKey, isSeed: false)
    return (plan, link, here?.first?.torrent.info.name.bytes ?? link.shownName)
  }

  /// Where a torrent goes. `number` is which version of its dataset it is, where that is vouched for.
  private func place(
    _ link: MagnetLink, _ known: KnownTorrent?, number: UInt64?, isPinned: Bool = false,
    _ state: StateFolder, _ teller: any Teller
  ) throws(Failure) -> JoinPlace {
    try JoinPlace(
      in: directory, globs: globs, selection: link.selection,
      torrent: known, dataset: link.datasetKey, number: number, isPinned: isPinned, state: state,
      teller: teller)
  }

  /// One torrent: where there is a key, a version of its dataset.
  private func part(in link: MagnetLink, at place: JoinPlace) -> Member.Subject {
    Member.Subject(
      request: {
        let source: TorrentRequest.Source =
          place.torrent.map { .torrent($0.info, $0.pieceLayers) }
          ?? .infohash(v1: link.v1Infohash, v2: link.v2Infohash)
        var request = TorrentRequest(source: source, content: .owned)
        request.wanted = reading.isSparse ? nil : place.wanted
        request.reading = reading
        request.dataset = link.datasetKey
        return request
      }, folders: place.prepare, content: { place.content }, keep: place.keep,
      version: { place.versionNumber },
      wasWhole: { place.wasWhole }, onFinished: place.finish)
  }

  /// Newer versions are fetched as they come.
  private func follow(
    _ dataset: KeyedDataset, _ head: Head?, _ link: MagnetLink, _ first: JoinPlace?,
    _ state: StateFolder, _ teller: any Teller
  ) throws(Failure) -> Member.Dataset {
    var joined = link.v2Infohash
    var newest = first
    var followed = Member.Dataset(
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
        // A head can lead to anything: not to what somebody was told in confidence.
        if link.readKey == nil {
          try state.refusePrivate(v1: newer.infohash, v2: newer.infohashV2)
        }
        // Until its files are known it may be none of the dataset's: 64 digits can be a key, too.
        if stays, newest?.torrent != nil {
          teller.note("version \(number) is published; the next start will use it")
          return nil
        }
        var named = link
        named.selection = nil
        named.v2Infohash = newer.infohashV2
        named.v1Infohash = newer.infohashV2 == nil ? newer.infohash : nil
        let known = try Failure.wrap {
          try DatasetName(v1: named.v1Infohash, v2: named.v2Infohash).flatMap {
            try state.knownTorrent($0)
          }
        }
        let next = try place(named, known, number: number, state, teller)
        joined = newer.infohashV2
        newest = next
        return part(in: named, at: next)
      }, watch: { nil })
    followed.older = { number in
      guard let infohash = dataset.version(number), let kept = state.keptVersion(infohash) else {
        return nil
      }
      var request = self
      request.reading.isSparse = true
      var named = link
      named.selection = nil
      (named.v1Infohash, named.v2Infohash) = (nil, infohash)
      return request.part(
        in: named,
        at: try request.place(named, kept.torrent, number: number, state, teller))
    }
    if let keep {
      followed.removal = { newest?.removal.map { ($0, keeping: keep) } }
    }
    return followed
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
      try LinkAdvice.refuseWhatIsNoFile(path)
      let bytes = try TorrentFile.read(path)
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
