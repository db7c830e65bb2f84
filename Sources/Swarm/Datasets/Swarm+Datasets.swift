import Metainfo
import Store
import Wire

/// Datasets that are followed by their keys.
extension Swarm {
  /// Follows a dataset: newer heads come as `Notice.head`, and go to all peers of its torrents. `head`
  /// is what is known of it already, for example from the last run; about it there is no notice.
  ///
  /// A key is followed with one salt, and in one private group or in none: others hear nothing of it. Whoever
  /// follows one again offers another head, and with another salt or group the answer is `.notFollowed`.
  @discardableResult
  public mutating func follow(
    _ key: DatasetKey, salt: [UInt8] = [], group: PrivateGroup? = nil,
    head: MutableItem? = nil, now: Duration
  ) -> HeadVerdict? {
    advance(to: now)
    if let dataset = datasets[key] {
      guard dataset.salt == salt, dataset.group == group else { return .notFollowed }
      return head.map { offer($0, now: now) }
    }
    let dataset = FollowedDataset(key: key, salt: salt, group: group)
    datasets[key] = dataset
    let verdict = head.map(dataset.judge)
    for torrent in torrents(of: key, in: group) { tellOfHeads(torrent, isFollowed: true) }
    settle()
    return verdict
  }

  /// A head that came from elsewhere: from the DHT, or from its publisher on this machine.
  @discardableResult
  public mutating func offer(_ head: MutableItem, now: Duration) -> HeadVerdict {
    advance(to: now)
    guard let dataset = datasets[head.key] else { return .notFollowed }
    let verdict = take(head, dataset)
    settle()
    return verdict
  }

  /// Follows a dataset no more. Its torrents stay.
  public mutating func unfollow(_ key: DatasetKey, now: Duration) {
    advance(to: now)
    guard let dataset = datasets.removeValue(forKey: key) else { return }
    for torrent in torrents(of: key, in: dataset.group) { tellOfHeads(torrent, isFollowed: false) }
    settle()
  }

  /// The newest head known of a dataset; nil when there is none, or it is not followed.
  public borrowing func head(of key: DatasetKey) -> Head? { datasets[key]?.head }

  /// How a dataset is doing; nil when it is not followed.
  public borrowing func status(of key: DatasetKey) -> DatasetStatus? {
    guard let dataset = datasets[key] else { return nil }
    var status = DatasetStatus()
    status.head = dataset.head
    status.isKeyUsedTwice = dataset.head.map { dataset.toldTwice == $0.version } ?? false
    var peers: [PeerID: Bool] = [:]
    for torrent in torrents(of: key, in: dataset.group) {
      status.refusingPeers = max(status.refusingPeers, torrent.known.refusing)
      for peer in torrent.peers where peer.headID != 0 {
        guard let id = peer.peerID else { continue }
        let hasHead =
          dataset.head.map { peer.knownHead >= $0.version && peer.otherHead != $0.version } ?? false
        peers[id] = peers[id, default: false] || hasHead
      }
    }
    status.peers = peers.count
    status.peersWithHead = peers.values.count { $0 }
    return status
  }

  /// Those of the dataset in which these take part.
  func torrents(of key: DatasetKey, in group: PrivateGroup?) -> [Torrent] {
    (torrentsByDataset[key] ?? []).compactMap { torrents[Int($0.rawValue)] }
      .filter { $0.group == group }
  }

  /// The dataset whose heads the torrent's peers are told; nil if there is none that is followed.
  func followed(by torrent: Torrent) -> FollowedDataset? {
    guard let dataset = torrent.dataset.flatMap({ datasets[$0] }), dataset.group == torrent.group
    else { return nil }
    return dataset
  }

  // MARK: Connections

  /// How many connections the torrent may have.
  func connectionLimit(_ torrent: Torrent) -> Int {
    guard torrent.isForHeads else { return configuration.connectionsPerTorrent }
    let share = headShare / max(1, headTorrents)
    return min(
      configuration.connectionsPerDataset, configuration.connectionsPerTorrent,
      max(SwarmLimits.leastForHeads, share))
  }

  /// Connections that all swarms for heads together begin.
  private var headShare: Int { configuration.connections / SwarmLimits.headShare }

  /// Whether swarms for heads may have one connection more, if that is what the torrent is.
  func hasRoomForHeads(_ torrent: Torrent) -> Bool {
    guard torrent.isForHeads, connectionCount >= headShare else { return true }
    return slots.count { $0?.torrent?.isForHeads ?? false } < headShare
  }

  /// Why a connection of a swarm for heads is of no use; nil if it is. Who came when all places were
  /// taken stays until it was told the head, and of others.
  func uselessForHeads(_ peer: Peer, _ torrent: Torrent) -> Notice.PeerEnd? {
    if peer.headID == 0 { return .useless }
    let place = torrent.peers.firstIndex { $0 === peer } ?? 0
    return place < connectionLimit(torrent) ? nil : .tooMany
  }

  /// Whether two that have nothing else for each other stay connected so that heads get around: over
  /// one torrent alone, and both sides choose the same one.
  func isKeptForHeads(_ peer: Peer, _ torrent: Torrent) -> Bool {
    guard peer.headID != 0, let dataset = followed(by: torrent) else { return false }
    var kept = 0
    for other in torrents(of: dataset.key, in: dataset.group) {
      for twin in other.peers where twin !== peer && twin.headID != 0 {
        if twin.peerID == peer.peerID, other.carriesHeads(before: torrent) { return false }
        if twin.isUselessSince != nil { kept += 1 }
      }
    }
    return kept < configuration.connectionsPerDataset
  }
}

extension Torrent {
  /// Whether heads go over this torrent's connection where there is one of `other`, too.
  fileprivate func carriesHeads(before other: Torrent) -> Bool {
    if isForHeads != other.isForHeads { return isForHeads }
    guard let own = infohashes.last?.bytes, let others = other.infohashes.last?.bytes else {
      return false
    }
    return own.lexicographicallyPrecedes(others)
  }
}
