import Discovery
import Metainfo
import Swarm
import Wire

/// How the node is found and finds others: what the core and discovery tell each other.
extension Node {
  /// How discovery is doing; nil where nobody is looked for.
  public var discoveryStatus: DiscoveryStatus? { discovery?.status }

  /// Follows a dataset: its newest head comes as `Notice.head`. `head` is what is known already.
  public func follow(_ key: DatasetKey, salt: [UInt8] = [], head: MutableItem?) {
    guard !isStopping else { return }
    swarm.follow(key, salt: salt, head: head, now: now)
    discovery?.follow(key, salt: salt, head: head)
    needsTurn = true
  }

  /// Follows a dataset no more; its torrents stay.
  public func unfollow(_ key: DatasetKey) {
    guard !isStopping else { return }
    swarm.unfollow(key, now: now)
    discovery?.unfollow(key)
    needsTurn = true
  }

  /// There is a newer head, from elsewhere; `isOurs` if it was published on this machine.
  public func offer(_ head: MutableItem, isOurs: Bool) {
    guard !isStopping else { return }
    swarm.offer(head, now: now)
    discovery?.setHead(head, isOurs: isOurs)
    needsTurn = true
  }

  /// How a dataset is doing that is followed; nil for others.
  public func status(of key: DatasetKey) -> DatasetStatus? { swarm.status(of: key) }

  func listenToDiscovery() {
    discovery?.onPeers = { [unowned self] infohash, peers, origin in
      for (torrent, state) in torrents where state.infohashes.contains(infohash) {
        add(peers: peers, from: origin, to: torrent)
      }
    }
    discovery?.onHead = { [unowned self] head in
      guard !isStopping else { return }
      swarm.offer(head, now: now)
      needsTurn = true
    }
    discovery?.onStored = { [unowned self] in onHeadStored($0, $1) }
    discovery?.onMappings = { [unowned self] in onMappings($0) }
    discovery?.onLinkLocal = { [unowned self] in scopes.met($0, on: $1) }
    discovery?.onOwnAddress = { [unowned self] in swarm.learned(ownAddress: $0, now: now) }
    discovery?.onOwnEndpoint = { [unowned self] in
      mappedPlaces.insert($0)
      swarm.learned(ownEndpoint: $0, now: now)
    }
  }

  /// A torrent was added: it is looked for, unless it is known to be private. BEP 27.
  func discover(_ torrent: TorrentID, _ request: TorrentRequest) {
    switch request.source {
    case .infohash(let v1, let v2): look(for: torrent, [v1, v2?.truncated], isUrgent: true)
    case .torrent(let info, _): discover(torrent, info)
    case .dataset(let key, let salt):
      look(for: torrent, [MutableItem.target(of: key, salt: salt)], isUrgent: true)
    }
  }

  /// What the torrent is has become known: its other name, or that it is private.
  func discover(_ torrent: TorrentID, _ info: InfoDictionary) {
    if info.isPrivate { return forget(torrent) }
    look(for: torrent, [info.infohashV1, info.infohashV2?.truncated], isUrgent: false)
  }

  private func look(for torrent: TorrentID, _ names: [SHA1Digest?], isUrgent: Bool) {
    guard let discovery, torrents[torrent]?.isAnnounced == true else { return }
    for name in names.compactMap({ $0 })
    where torrents[torrent]?.infohashes.contains(name) == false {
      torrents[torrent]?.infohashes.append(name)
      discovery.add(name, isUrgent: isUrgent)
    }
  }

  /// Whether it is a seed may have changed.
  private func weigh(_ torrent: TorrentID) {
    guard let discovery else { return }
    let isSeed = swarm.status(of: torrent)?.isSeed ?? false
    for name in torrents[torrent]?.infohashes ?? [] { discovery.setIsSeed(isSeed, of: name) }
  }

  private func forget(_ torrent: TorrentID) {
    for name in torrents[torrent]?.infohashes ?? [] { discovery?.remove(name) }
    torrents[torrent]?.infohashes = []
  }

  func take(_ notice: Notice) {
    switch notice {
    case .closed(let torrent):
      forget(torrent)
      if let group = torrents[torrent]?.group { privateGroups.remove(group) }
      torrents[torrent] = nil
    case .peerConnected(let torrent, _, _), .peerGone(let torrent?, _, _, _):
      let hasPeers = swarm.status(of: torrent).map { $0.peers > 0 } ?? false
      for name in torrents[torrent]?.infohashes ?? [] {
        discovery?.setHasPeers(hasPeers, of: name)
      }
    case .opened(let torrent), .finished(let torrent), .lost(let torrent, _): weigh(torrent)
    case .head(_, let item): discovery?.setHead(item, isOurs: false)
    case .dhtNode(let endpoint):
      discovery?.add(dhtNode: endpoint)
      return
    default: break
    }
    onNotice(notice)
  }
}
