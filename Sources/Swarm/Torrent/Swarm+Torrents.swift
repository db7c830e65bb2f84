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

  /// Takes part in a torrent. The same infohash twice is an error.
  public mutating func add(
    _ request: TorrentRequest, now: Duration
  ) throws(SwarmError) -> TorrentID {
    advance(to: now)
    let hashes: (v1: SHA1Digest?, v2: SHA256Digest?)
    switch request.source {
    case .infohash(let v1, let v2): hashes = (v1, v2)
    case .torrent(let info, _): hashes = (info.infohashV1, info.infohashV2)
    }
    let torrent = Torrent(
      id: TorrentID(UInt32(torrents.count)), request: request, phase: .fetching)
    torrent.v1 = hashes.v1
    torrent.v2 = hashes.v2
    guard !torrent.infohashes.isEmpty else { throw .nothingNamed }
    guard torrent.infohashes.allSatisfy({ torrentsByInfohash[$0] == nil }) else {
      throw .alreadyThere
    }
    if case .torrent(let info, let layers) = request.source {
      do throws(GeometryError) {
        try open(torrent, info, layers)
      } catch {
        throw .geometry(error)
      }
    } else {
      torrent.metadata = MetadataFetch(v1: hashes.v1, v2: hashes.v2)
    }
    torrents.append(torrent)
    for infohash in torrent.infohashes { torrentsByInfohash[infohash] = torrent.id }
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
    torrent.deadline = nil
    effects.append(.notice(.closed(torrent.id)))
  }

  /// Tells of peers of the torrent, from wherever.
  public mutating func add(peers: [PeerEndpoint], to id: TorrentID, now: Duration) {
    advance(to: now)
    guard let torrent = torrent(id) else { return }
    for endpoint in peers { torrent.known.add(endpoint, source: .user, now: self.now) }
    lookForPeers(torrent)
    settle()
  }

  // MARK: Metadata

  /// The info dictionary is known: its content is opened.
  private mutating func open(
    _ torrent: Torrent, _ info: InfoDictionary, _ layers: PieceLayers
  ) throws(GeometryError) {
    let jobs = JobCounter()
    let content = try Content(
      info: info, pieceLayers: layers, mode: torrent.request.content, pool: pool, hasher: hasher,
      takeJobID: jobs.next)
    let geometry = content.geometry
    var picker = PiecePicker(geometry: geometry)
    if let wanted = torrent.request.wanted {
      for piece in geometry.pieces { picker.setPriority(.skip, of: piece) }
      for (file, entry) in zip(geometry.files, info.files)
      where wanted(Int(file.rawValue), entry) {
        for piece in geometry.pieces(of: file) { picker.setPriority(.normal, of: piece) }
      }
    }
    let data = Torrent.Data(info: info, content: content, picker: picker)
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
    torrent.phase = .unusable
    torrent.metadata = nil
    for peer in torrent.peers { close(peer, .stopping) }
    effects.append(.notice(.unusable(torrent.id, reason)))
  }
}
