import Metainfo
import Wire

/// Peers that have been announced to us. BEP 5; BEP 33, "Changed announce accounting".
///
/// Invariants: an address is in a torrent once; no bound of `DHTConfiguration.Storage` is passed;
/// `quota` counts the entries of each source.
struct PeerStore {
  struct Peer {
    var endpoint: PeerEndpoint
    var isSeed: Bool
    var expires: DHTTime
    /// Where the announcement came from.
    let source: DHTSource
  }

  private let limits: DHTConfiguration.Storage
  private var torrents: [NodeID: [Peer]] = [:]
  /// Peers of all torrents.
  private(set) var count = 0

  init(limits: DHTConfiguration.Storage) { self.limits = limits }

  var torrentCount: Int { torrents.count }

  var isEmpty: Bool { torrents.isEmpty }

  /// Whether another peer of the torrent would be taken.
  func hasRoom(in infohash: NodeID) -> Bool {
    (torrents[infohash]?.count ?? 0) < limits.peersOfTorrent
  }

  /// A peer is announced, or announced again. Where all is full the torrent farthest from our id goes:
  /// others are nearer to it.
  mutating func announce(
    _ endpoint: PeerEndpoint, of infohash: NodeID, isSeed: Bool, from sender: PeerEndpoint,
    near id: NodeID, quota: inout SourceQuota, now: DHTTime
  ) {
    let expires = now + DHTLimits.peerLife
    // In a local network many peers share a machine, and that they are many is of no harm there.
    let isLocal = NodeID.isExempt(endpoint.address)
    let known = torrents[infohash]?.firstIndex {
      $0.endpoint.address == endpoint.address && (!isLocal || $0.endpoint.port == endpoint.port)
    }
    if let known {
      torrents[infohash]?[known].endpoint = endpoint
      torrents[infohash]?[known].isSeed = isSeed
      torrents[infohash]?[known].expires = expires
      return
    }
    let source = DHTSource(sender)
    guard hasRoom(in: infohash), quota.allows(source) else { return }
    while count >= limits.peers || torrents[infohash] == nil && torrents.count >= limits.torrents {
      guard
        let farthest = torrents.keys.max(by: { $0.distance(to: id) < $1.distance(to: id) }),
        infohash.distance(to: id) < farthest.distance(to: id)
      else { return }
      remove(farthest, quota: &quota)
    }
    let peer = Peer(endpoint: endpoint, isSeed: isSeed, expires: expires, source: source)
    torrents[infohash, default: []].append(peer)
    quota.add(source)
    count += 1
  }

  /// Some peers of a torrent, of one family, at random.
  func peers(
    of infohash: NodeID, family: NodeFamilies, atMost limit: Int, noSeeds: Bool,
    using random: inout DHTRandom, now: DHTTime
  ) -> [PeerEndpoint] {
    guard limit > 0, let all = torrents[infohash] else { return [] }
    var chosen: [PeerEndpoint] = []
    var others: [PeerEndpoint] = []
    for peer in all where peer.endpoint.family == family && peer.expires > now {
      if noSeeds, peer.isSeed { others.append(peer.endpoint) } else { chosen.append(peer.endpoint) }
    }
    chosen = sample(chosen, atMost: limit, using: &random)
    if chosen.count < limit {
      chosen += sample(others, atMost: limit - chosen.count, using: &random)
    }
    return chosen
  }

  /// The filters of seeds and of other peers, of one family; nil where nothing is known. BEP 33.
  func filters(
    of infohash: NodeID, family: NodeFamilies, now: DHTTime
  ) -> (seeds: ScrapeFilter, peers: ScrapeFilter)? {
    guard let all = torrents[infohash] else { return nil }
    var seeds = ScrapeFilter()
    var peers = ScrapeFilter()
    for peer in all where peer.endpoint.family == family && peer.expires > now {
      if peer.isSeed {
        seeds.insert(peer.endpoint.address)
      } else {
        peers.insert(peer.endpoint.address)
      }
    }
    return (seeds, peers)
  }

  /// Some infohashes at random. BEP 51.
  func samples(atMost limit: Int, using random: inout DHTRandom) -> [NodeID] {
    // A dictionary's order is not the same in every run.
    let all = torrents.keys.sorted { $0.distance(to: .zero) < $1.distance(to: .zero) }
    return sample(all, atMost: limit, using: &random)
  }

  mutating func removeExpired(now: DHTTime, quota: inout SourceQuota) {
    for infohash in Array(torrents.keys) {
      guard let peers = torrents[infohash], peers.contains(where: { $0.expires <= now }) else {
        continue
      }
      let kept = peers.filter { $0.expires > now }
      for peer in peers where peer.expires <= now { quota.remove(peer.source) }
      count -= peers.count - kept.count
      torrents[infohash] = kept.isEmpty ? nil : kept
    }
  }

  private mutating func remove(_ infohash: NodeID, quota: inout SourceQuota) {
    guard let peers = torrents.removeValue(forKey: infohash) else { return }
    for peer in peers { quota.remove(peer.source) }
    count -= peers.count
  }
}

/// Some of `all` at random: all of them in their order where they are few.
private func sample<Element>(
  _ all: [Element], atMost limit: Int, using random: inout DHTRandom
) -> [Element] {
  if all.count <= limit { return all }
  var rest = all
  for index in 0..<limit {
    rest.swapAt(index, Int.random(in: index..<rest.count, using: &random))
  }
  return Array(rest.prefix(limit))
}
