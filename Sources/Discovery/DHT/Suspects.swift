import Wire

/// Places that have missed an answer of late: lookups ask them, but do not wait for them.
struct Suspects {
  /// The newest last.
  private var places: [(endpoint: PeerEndpoint, since: DHTTime)] = []

  func contains(_ endpoint: PeerEndpoint, now: DHTTime) -> Bool {
    places.contains { $0.endpoint == endpoint && now - $0.since < DHTLimits.suspectFor }
  }

  mutating func insert(_ endpoint: PeerEndpoint, now: DHTTime) {
    remove(endpoint)
    if places.count >= DHTLimits.suspects { places.removeFirst() }
    places.append((endpoint, now))
  }

  /// It has answered after all.
  mutating func remove(_ endpoint: PeerEndpoint) {
    if places.isEmpty { return }
    places.removeAll { $0.endpoint == endpoint }
  }

  /// Forgets those of long ago, and the memory they took.
  mutating func removeOld(now: DHTTime) {
    guard let first = places.first, now - first.since >= DHTLimits.suspectFor else { return }
    places = places.filter { now - $0.since < DHTLimits.suspectFor }
  }
}
