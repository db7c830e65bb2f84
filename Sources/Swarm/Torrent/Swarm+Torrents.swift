import Metainfo
import Store
import Wire

/// Names for the hash jobs of one torrent.
private final class JobCounter {
  private var count: UInt64 = 0

  func next() -> HashJobID {
    count += 1
    return HashJobID(count)
  }
}

/// Torrents: how they begin and end.
extension Swarm {
  func torrent(_ id: TorrentID) -> Torrent? {
    Int(id.rawValue) < torrents.count ? torrents[Int(id.rawValue)] : nil
  }

  /// Whether there is a torrent that everybody may take part in.
  public var hasPublicTorrents: Bool { publicTorrents > 0 }

  /// Takes part in a torrent. The same infohash twice is an error, also in different private groups.
  public mutating func add(
    _ request: TorrentRequest, now: Duration
  ) throws(SwarmError) -> TorrentID {
    advance(to: now)
    let hashes: (v1: SHA1Digest?, v2: SHA256Digest?)
    switch request.source {
    case .infohash(let v1, let v2): hashes = (v1, v2)
    case .torrent(let info, _): hashes = (info.infohashV1, info.infohashV2)
    case .dataset: hashes = (nil, nil)
    }
    let torrent = Torrent(
      id: TorrentID(UInt32(torrents.count)), request: request, phase: .fetching)
    torrent.v1 = hashes.v1
    torrent.v2 = hashes.v2
    guard !torrent.infohashes.isEmpty else { throw .nothingNamed }
    guard torrent.infohashes.allSatisfy({ torrentsByInfohash[$0] == nil }) else {
      throw .alreadyThere
    }
    if let group = torrent.group, groups[group] == nil, groups.count >= PrivateLimits.readKeys {
      throw .tooManyGroups
    }
    if case .torrent(let info, let layers) = request.source {
      do throws(GeometryError) {
        try open(torrent, info, layers)
      } catch {
        throw .geometry(error)
      }
    } else if torrent.isForHeads {
      torrent.phase = .meeting
      headTorrents += 1
    } else {
      torrent.metadata = MetadataFetch(v1: hashes.v1, v2: hashes.v2)
    }
    // Who has one version or the key alone wants the next one or has it, and is found here sooner than in
    // the DHT, where all who begin with a version at once look for it before anybody is announced.
    if let key = torrent.dataset {
      for peer in torrents(of: key, in: torrent.group).flatMap(\.peers) {
        if let place = peer.listening { torrent.known.add(place, source: .incoming, now: self.now) }
      }
    }
    torrents.append(torrent)
    if let group = torrent.group { groups[group, default: 0] += 1 } else { publicTorrents += 1 }
    for infohash in torrent.infohashes { torrentsByInfohash[infohash] = torrent.id }
    if let key = torrent.dataset { torrentsByDataset[key, default: []].append(torrent.id) }
    for endpoint in ownEndpoints.elements { torrent.known.exclude(endpoint) }
    for endpoint in request.peers { torrent.known.add(endpoint, source: .user, now: self.now) }
    touch(torrent)
    settle()
    return torrent.id
  }

  /// Stops to take part: connections end, what is on its way to disk gets there, then
  /// `Notice.closed` comes. After it the torrent's id is not used any more.
  public mutating func remove(_ id: TorrentID, now: Duration) {
    advance(to: now)
    guard let torrent = torrent(id) else { return }
    if case .closing = torrent.phase { return }
    torrent.phase = .closing
    torrent.metadata = nil
    for peer in torrent.peers { close(peer, .stopping) }
    for case let peer? in slots where peer.torrent === torrent { close(peer, .stopping) }
    endReads(of: torrent.id)
    if let content = torrent.data?.content {
      keepLayers(torrent)
      content.close(now: self.now)
      touch(torrent)
    } else {
      removed(torrent)
    }
    settle()
  }

  /// Nothing of the torrent is under way any more.
  mutating func removed(_ torrent: Torrent) {
    for infohash in torrent.infohashes where torrentsByInfohash[infohash] == torrent.id {
      torrentsByInfohash[infohash] = nil
    }
    torrents[Int(torrent.id.rawValue)] = nil
    if torrent.isForHeads { headTorrents -= 1 }
    if let group = torrent.group {
      groups[group] = groups[group].flatMap { $0 > 1 ? $0 - 1 : nil }
    } else {
      publicTorrents -= 1
    }
    if let key = torrent.dataset {
      torrentsByDataset[key]?.removeAll { $0 == torrent.id }
      if torrentsByDataset[key]?.isEmpty == true { torrentsByDataset[key] = nil }
    }
    torrent.deadline = nil
    effects.append(.notice(.closed(torrent.id)))
  }

  /// Tells of peers of the torrent, and who named them.
  public mutating func add(
    peers: [PeerEndpoint], from origin: PeerOrigin = .user, to id: TorrentID, now: Duration
  ) {
    advance(to: now)
    guard let torrent = torrent(id) else { return }
    for endpoint in peers { torrent.known.add(endpoint, source: .init(origin), now: self.now) }
    lookForPeers(torrent)
    settle()
  }

  /// Hands out piece layers that came from peers: without them the content could neither be judged
  /// nor shared after a restart.
  mutating func keepLayers(_ torrent: Torrent) {
    guard let data = torrent.data else { return }
    let learned = data.content.pieceLayers(besides: data.keptLayers)
    guard !learned.isEmpty else { return }
    data.keptLayers.merge(learned) { old, _ in old }
    effects.append(.keep(torrent.id, learned))
  }

  // MARK: Priorities

  /// What bytes of a file are worth from now on, in whole pieces: of v1 torrents the pieces at both
  /// ends can hold bytes of neighbours too. nil for all of the file. False if there are no such bytes.
  @discardableResult
  public mutating func setPriority(
    _ priority: PiecePriority, ofFile file: Int, bytes: Range<UInt64>? = nil, in id: TorrentID,
    now: Duration
  ) -> Bool {
    advance(to: now)
    guard let torrent = torrent(id), let data = torrent.data, let number = UInt32(exactly: file),
      let index = data.geometry.file(number),
      let blocks = data.geometry.blocks(
        of: index, bytes: bytes ?? 0..<data.geometry.length(of: index))
    else { return false }
    var last: PieceIndex?
    for block in blocks {
      let piece = data.geometry.piece(of: block)
      if piece == last { continue }
      last = piece
      data.picker.setPriority(.init(priority), of: piece)
    }
    prioritiesChanged(torrent)
    settle()
    return true
  }

  // MARK: Metadata

  /// The info dictionary is known: its content is opened.
  private mutating func open(
    _ torrent: Torrent, _ info: InfoDictionary, _ layers: PieceLayers
  ) throws(GeometryError) {
    let jobs = JobCounter()
    let content = try Content(
      info: info, pieceLayers: layers, mode: torrent.request.content, pool: pool, hasher: hasher,
      budget: budget,
      takeJobID: jobs.next)
    let geometry = content.geometry
    var picker = PiecePicker(geometry: geometry)
    let isSparse = torrent.reading.isSparse
    if isSparse || torrent.request.wanted != nil {
      let wanted = torrent.request.wanted ?? { _, _ in false }
      for piece in geometry.pieces { picker.setPriority(.skip, of: piece) }
      for (file, entry) in zip(geometry.files, info.files)
      where wanted(Int(file.rawValue), entry) {
        for piece in geometry.pieces(of: file) { picker.setPriority(.normal, of: piece) }
      }
    }
    let data = Torrent.Data(
      info: info, layers: layers, content: content, picker: picker, isSparse: isSparse)
    for piece in geometry.pieces where picker.isWanted(piece) {
      data.wantedBytes += UInt64(geometry.dataLength(of: piece))
    }
    torrent.data = data
    torrent.metadata = nil
    torrent.phase = .opening
    effects.append(.prepare(torrent.id, info, layers))
    content.open(now: now)
    touch(torrent)
  }

  /// The info dictionary came from peers, and is the one that was asked for. BEP 9.
  mutating func takeInfo(_ bytes: [UInt8], _ torrent: Torrent) {
    let reason: String
    do throws(MetainfoError) {
      let info = try InfoDictionary(parsing: bytes)
      let names = [info.infohashV1, info.infohashV2?.truncated].compactMap { $0 }
      guard names.allSatisfy({ (torrentsByInfohash[$0] ?? torrent.id) == torrent.id }) else {
        giveUp(torrent, "it is here already, by its other infohash")
        return
      }
      do throws(GeometryError) {
        torrent.v1 = torrent.v1 ?? info.infohashV1
        torrent.v2 = torrent.v2 ?? info.infohashV2
        for infohash in torrent.infohashes where torrentsByInfohash[infohash] == nil {
          torrentsByInfohash[infohash] = torrent.id
        }
        try open(torrent, info, [:])
        effects.append(.notice(.metadata(torrent.id)))
        for peer in torrent.peers { learnEarly(peer, torrent) }
        return
      } catch {
        reason = "\(error)"
      }
    } catch {
      reason = "\(error)"
    }
    giveUp(torrent, reason)
  }

  private mutating func giveUp(_ torrent: Torrent, _ reason: String) {
    torrent.phase = .unusable
    torrent.metadata = nil
    for peer in torrent.peers { close(peer, .stopping) }
    effects.append(.notice(.unusable(torrent.id, reason)))
  }
}
