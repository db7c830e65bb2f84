import Discovery
import Metainfo
import Swarm
import Wire

/// How the node is found and finds others: what the core and discovery tell each other.
extension Node {
  /// How discovery is doing; nil where nobody is looked for.
  public var discoveryStatus: DiscoveryStatus? { discovery?.status }

  /// Follows a dataset: its newest head comes as `Notice.head`. `head` is what is known already. With a
  /// read key the dataset is private: nothing of it is asked for or told but what follows from that key; and
  /// `sealedHead` is what `onSealedHead` was told in an earlier run, which is stored in the DHT again.
  public func follow(
    _ key: DatasetKey, salt: [UInt8] = [], head: MutableItem?, readKey: ReadKey? = nil,
    sealedHead: MutableItem? = nil
  ) {
    guard !isStopping else { return }
    let group = readKey.map { PrivateGroup(discoveryID: PrivateKeys($0).discoveryID) }
    swarm.follow(key, salt: salt, group: group, head: head, now: now)
    discovery?.follow(key, salt: salt, head: head, readKey: readKey, sealedHead: sealedHead)
    needsTurn = true
  }

  /// Follows a dataset no more; its torrents stay.
  public func unfollow(_ key: DatasetKey) {
    guard !isStopping else { return }
    swarm.unfollow(key, now: now)
    discovery?.unfollow(key)
    needsTurn = true
  }

  /// There is a newer head, from elsewhere; `isOurs` if it was published on this machine. Of a private
  /// dataset the DHT is told only with the dataset's `secret`: else by whoever has it from there.
  public func offer(_ head: MutableItem, isOurs: Bool, secret: DatasetSecret? = nil) {
    guard !isStopping else { return }
    swarm.offer(head, now: now)
    discovery?.setHead(head, isOurs: isOurs, secret: secret)
    needsTurn = true
  }

  /// How a dataset is doing that is followed; nil for others.
  public func status(of key: DatasetKey) -> DatasetStatus? { swarm.status(of: key) }

  func listenToDiscovery() {
    discovery?.onPeers = { [unowned self] infohash, peers, origin in
      rememberGroup(infohash, peers, origin)
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
    discovery?.onSealedHead = { [unowned self] in onSealedHead($0, $1) }
    discovery?.onMappings = { [unowned self] in onMappings($0) }
    discovery?.onLinkLocal = { [unowned self] in scopes.met($0, on: $1) }
    discovery?.onOwnAddress = { [unowned self] in swarm.learned(ownAddress: $0, now: now) }
    discovery?.onOwnEndpoint = { [unowned self] in
      mappedPlaces.insert($0)
      swarm.learned(ownEndpoint: $0, now: now)
    }
  }

  /// A torrent was added: it is looked for, unless it is known to be private. BEP 27. One of a private
  /// dataset by the dataset's discovery id and nothing else. docs/private.md.
  func discover(_ torrent: TorrentID, _ request: TorrentRequest) {
    if case .dataset = request.source { torrents[torrent]?.isMeeting = true }
    if let readKey = request.readKey {
      let name = PrivateKeys(readKey).discoveryInfohash
      torrents[torrent]?.discoveryInfohash = name
      look(for: torrent, [name], isUrgent: true)
      guard request.isAnnounced else { return }
      // They were found for others of the dataset, and are not told again.
      for (origin, peers) in groupPeers[name] ?? [:] {
        add(peers: Array(peers), from: origin, to: torrent)
      }
      return
    }
    switch request.source {
    case .infohash(let v1, let v2): look(for: torrent, [v1, v2?.truncated], isUrgent: true)
    case .torrent(let info, _): discover(torrent, info)
    case .dataset(let key, let salt):
      look(for: torrent, [MutableItem.target(of: key, salt: salt)], isUrgent: true)
    }
  }

  /// What the torrent is has become known: its other name, or that it is private.
  func discover(_ torrent: TorrentID, _ info: InfoDictionary) {
    // Its infohashes are for nobody outside.
    if torrents[torrent]?.discoveryInfohash != nil { return }
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
    guard let discovery, let state = torrents[torrent] else { return }
    if let name = state.discoveryInfohash { return weigh(group: name) }
    let isSeed = swarm.status(of: torrent)?.isSeed ?? false
    for name in state.infohashes { discovery.setIsSeed(isSeed, of: name) }
  }

  /// Whether it has peers may have changed.
  private func weighPeers(_ torrent: TorrentID) {
    guard let discovery, let state = torrents[torrent] else { return }
    if let name = state.discoveryInfohash { return weigh(group: name) }
    let hasPeers = (swarm.status(of: torrent)?.peers ?? 0) > 0
    for name in state.infohashes { discovery.setHasPeers(hasPeers, of: name) }
  }

  /// Under one name many torrents are looked for: as often as the one in the most need.
  private func weigh(group name: SHA1Digest) {
    let all = torrents.filter { $0.value.infohashes.contains(name) }
    let content = all.filter { !$0.value.isMeeting }.keys.compactMap { swarm.status(of: $0) }
    let lacking = content.filter { !$0.isSeed }
    discovery?.setIsSeed(!content.isEmpty && lacking.isEmpty, of: name, isTold: false)
    let hasPeers =
      lacking.isEmpty
      ? all.keys.contains { (swarm.status(of: $0)?.peers ?? 0) > 0 }
      : lacking.allSatisfy { $0.peers > 0 }
    discovery?.setHasPeers(hasPeers, of: name)
  }

  /// Keeps who was found for a private dataset, for those of its torrents that are added later.
  private func rememberGroup(_ name: SHA1Digest, _ peers: [PeerEndpoint], _ origin: PeerOrigin) {
    guard torrents.values.contains(where: { $0.discoveryInfohash == name }) else { return }
    var known = groupPeers[name]?[origin] ?? []
    known.formUnion(peers)
    // Whoever is still there is found again.
    if known.count > NetLimits.groupPeers { known = Set(peers.prefix(NetLimits.groupPeers)) }
    groupPeers[name, default: [:]][origin] = known
  }

  private func forget(_ torrent: TorrentID) {
    for name in torrents[torrent]?.infohashes ?? [] { discovery?.remove(name) }
    torrents[torrent]?.infohashes = []
    if let name = torrents[torrent]?.discoveryInfohash {
      let isLast = !torrents.contains { $0.key != torrent && $0.value.discoveryInfohash == name }
      if isLast { groupPeers[name] = nil } else { weigh(group: name) }
    }
  }

  func take(_ notice: Notice) {
    switch notice {
    case .closed(let torrent):
      forget(torrent)
      if let group = torrents[torrent]?.group { privateGroups.remove(group) }
      torrents[torrent] = nil
    case .peerConnected(let torrent, _, _), .peerGone(let torrent?, _, _, _): weighPeers(torrent)
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
