import Metainfo
import Wire

/// Values that have been put to us. BEP 44.
///
/// Invariants: every value is under the hash that it has; no bound of `DHTConfiguration.Storage` is
/// passed; a mutable value's number never goes down.
struct ItemStore {
  enum Content {
    case mutable(MutableItem)
    case immutable(ImmutableItem)
  }

  struct Item {
    var content: Content
    var expires: DHTTime
    let source: DHTSource
  }

  private let limit: Int
  private var items: [NodeID: Item] = [:]

  init(limits: DHTConfiguration.Storage) { limit = limits.items }

  var count: Int { items.count }

  var isEmpty: Bool { items.isEmpty }

  func content(of target: NodeID, now: DHTTime) -> Content? {
    guard let item = items[target], item.expires > now else { return nil }
    return item.content
  }

  /// Keeps a value in place of what is there. Where all is full the value farthest from our id goes.
  /// Returns whether it is kept.
  mutating func keep(
    _ content: Content, at target: NodeID, from sender: PeerEndpoint, near id: NodeID,
    quota: inout SourceQuota, now: DHTTime
  ) -> Bool {
    let expires = now + DHTLimits.itemLife
    if items[target] != nil {
      items[target]?.content = content
      items[target]?.expires = expires
      return true
    }
    let source = DHTSource(sender)
    guard quota.allows(source) else { return false }
    if items.count >= limit {
      guard let farthest = items.keys.max(by: { $0.distance(to: id) < $1.distance(to: id) }),
        target.distance(to: id) < farthest.distance(to: id)
      else { return false }
      remove(farthest, quota: &quota)
    }
    items[target] = Item(content: content, expires: expires, source: source)
    quota.add(source)
    return true
  }

  /// The value was put again.
  mutating func renew(_ target: NodeID, now: DHTTime) {
    items[target]?.expires = now + DHTLimits.itemLife
  }

  mutating func removeExpired(now: DHTTime, quota: inout SourceQuota) {
    for (target, item) in items where item.expires <= now { remove(target, quota: &quota) }
  }

  private mutating func remove(_ target: NodeID, quota: inout SourceQuota) {
    guard let item = items.removeValue(forKey: target) else { return }
    quota.remove(item.source)
  }
}
