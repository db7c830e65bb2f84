import Metainfo
import Wire

/// A node in the table, or one that waits for a place.
struct RoutingNode {
  let contact: NodeContact
  /// When it last answered; nil if it never has in this run.
  var answered: DHTTime?
  /// When it last asked us something, or answered.
  var heard: DHTTime
  /// Answers it has missed in a row.
  var misses: UInt8 = 0

  /// BEP 5, "Routing Table".
  func isGood(at now: DHTTime) -> Bool {
    answered != nil && misses == 0 && now - heard < DHTLimits.goodFor
  }
}

/// The nodes of one family that we know: dense next to our own id, sparse far from it. BEP 5,
/// "Routing Table".
///
/// Invariants: bucket i holds nodes that share exactly i leading bits with our id, the last bucket
/// those that share at least so many; no bucket has more than `bucketSize`; no id and no place is in
/// the table twice; `networks` counts the nodes of each /24 or /64.
struct RoutingTable {
  struct Bucket {
    var nodes: [RoutingNode] = []
    /// Nodes that have answered and found no place, the newest last.
    var spares: [RoutingNode] = []
    /// When a node last came or answered.
    var changed: DHTTime
  }

  private(set) var id: NodeID
  private(set) var buckets: [Bucket]
  private(set) var count = 0
  private let limitsNetworks: Bool

  init(id: NodeID, limitsNetworks: Bool, now: DHTTime) {
    self.id = id
    self.limitsNetworks = limitsNetworks
    buckets = [Bucket(changed: now)]
  }

  /// Which bucket is a node's.
  private func bucket(of node: NodeID) -> Int { min(id.sharedBits(with: node), buckets.count - 1) }

  /// The node with this id.
  func node(_ node: NodeID) -> RoutingNode? {
    buckets[bucket(of: node)].nodes.first { $0.contact.id == node }
  }

  /// All nodes, nearest buckets last.
  var nodes: some Sequence<RoutingNode> { buckets.lazy.flatMap(\.nodes) }

  // MARK: What nodes do

  /// A node has answered: it comes in if there is a place, or waits for one.
  /// Returns whether it is in the table now.
  @discardableResult
  mutating func answered(_ contact: NodeContact, now: DHTTime) -> Bool {
    let home = bucket(of: contact.id)
    if let index = buckets[home].nodes.firstIndex(where: { $0.contact.id == contact.id }) {
      if buckets[home].nodes[index].contact.endpoint == contact.endpoint {
        buckets[home].nodes[index].answered = now
        buckets[home].nodes[index].heard = now
        buckets[home].nodes[index].misses = 0
        buckets[home].changed = now
        return true
      }
      // Whoever has the id first keeps it for as long as it answers.
      if buckets[home].nodes[index].misses == 0 { return false }
      remove(at: index, in: home)
    }
    evict(contact.endpoint, now: now)
    let node = RoutingNode(contact: contact, answered: now, heard: now)
    return insert(node, now: now)
  }

  /// A node of an earlier run: taken for questionable until it answers.
  mutating func restore(_ contact: NodeContact, now: DHTTime) {
    guard contact.id != id, contact.endpoint.isReachable, node(contact.id) == nil,
      place(of: contact.endpoint) == nil
    else { return }
    insert(RoutingNode(contact: contact, heard: now), now: now)
  }

  /// A node has asked us something: if we know it, it is alive. BEP 5. Returns whether we know it.
  mutating func asked(_ contact: NodeContact, now: DHTTime) -> Bool {
    let home = bucket(of: contact.id)
    guard let index = buckets[home].nodes.firstIndex(where: { $0.contact.id == contact.id }) else {
      return false
    }
    guard buckets[home].nodes[index].contact.endpoint == contact.endpoint else { return true }
    if buckets[home].nodes[index].answered != nil { buckets[home].nodes[index].heard = now }
    return true
  }

  /// A node has missed an answer. A bad one goes as soon as another takes its place; one that has
  /// never answered goes at once.
  mutating func missed(_ contact: NodeContact) {
    let home = bucket(of: contact.id)
    buckets[home].spares.removeAll { $0.contact == contact }
    guard let index = buckets[home].nodes.firstIndex(where: { $0.contact == contact }) else {
      return
    }
    let misses = buckets[home].nodes[index].misses + 1
    buckets[home].nodes[index].misses = misses
    let isNew = buckets[home].nodes[index].answered == nil
    if misses >= DHTLimits.badAfter, isNew || !buckets[home].spares.isEmpty {
      remove(at: index, in: home)
      promoteSpare(in: home)
    } else if misses >= DHTLimits.goneAfter {
      remove(at: index, in: home)
    }
  }

  /// Whether a node of this id, not known yet, would find a place.
  func hasRoom(for contact: NodeContact, now: DHTTime) -> Bool {
    let home = bucket(of: contact.id)
    guard allowsNetwork(of: contact, in: home) else { return false }
    return buckets[home].nodes.count < DHTLimits.bucketSize || home == buckets.count - 1
      || buckets[home].nodes.contains { !$0.isGood(at: now) }
  }

  // MARK: Places

  @discardableResult
  private mutating func insert(_ node: RoutingNode, now: DHTTime) -> Bool {
    guard node.contact.id != id else { return false }
    var home = bucket(of: node.contact.id)
    while buckets[home].nodes.count >= DHTLimits.bucketSize, home == buckets.count - 1,
      home < 159
    {
      split(now: now)
      home = bucket(of: node.contact.id)
    }
    guard allowsNetwork(of: node.contact, in: home) else { return false }
    if buckets[home].nodes.count >= DHTLimits.bucketSize {
      let worst = buckets[home].nodes.indices.max {
        buckets[home].nodes[$0].misses < buckets[home].nodes[$1].misses
      }
      if let worst, buckets[home].nodes[worst].misses >= DHTLimits.badAfter {
        remove(at: worst, in: home)
      } else {
        addSpare(node, in: home)
        return false
      }
    }
    buckets[home].nodes.append(node)
    buckets[home].changed = now
    count += 1
    return true
  }

  /// Divides the bucket that our own id is in. BEP 5.
  private mutating func split(now: DHTTime) {
    let depth = buckets.count - 1
    let all = buckets[depth].nodes
    let spares = buckets[depth].spares
    buckets.append(Bucket(changed: buckets[depth].changed))
    buckets[depth].nodes = all.filter { id.sharedBits(with: $0.contact.id) == depth }
    buckets[depth].spares = spares.filter { id.sharedBits(with: $0.contact.id) == depth }
    buckets[depth + 1].nodes = all.filter { id.sharedBits(with: $0.contact.id) > depth }
    buckets[depth + 1].spares = spares.filter { id.sharedBits(with: $0.contact.id) > depth }
  }

  private mutating func addSpare(_ node: RoutingNode, in home: Int) {
    buckets[home].spares.removeAll {
      $0.contact.id == node.contact.id || $0.contact.endpoint == node.contact.endpoint
    }
    if buckets[home].spares.count >= DHTLimits.spares { buckets[home].spares.removeFirst() }
    buckets[home].spares.append(node)
  }

  private mutating func promoteSpare(in home: Int) {
    while let spare = buckets[home].spares.popLast() {
      guard allowsNetwork(of: spare.contact, in: home), place(of: spare.contact.endpoint) == nil,
        !buckets[home].nodes.contains(where: { $0.contact.id == spare.contact.id })
      else { continue }
      buckets[home].nodes.append(spare)
      count += 1
      return
    }
  }

  private mutating func remove(at index: Int, in home: Int) {
    buckets[home].nodes.remove(at: index)
    count -= 1
  }

  /// Whoever has answered from a place under another id is gone from it. BEP 45.
  private mutating func evict(_ endpoint: PeerEndpoint, now: DHTTime) {
    guard let (home, index) = place(of: endpoint) else { return }
    remove(at: index, in: home)
  }

  private func place(of endpoint: PeerEndpoint) -> (bucket: Int, index: Int)? {
    for home in buckets.indices {
      if let index = buckets[home].nodes.firstIndex(where: { $0.contact.endpoint == endpoint }) {
        return (home, index)
      }
    }
    return nil
  }

  private func allowsNetwork(of contact: NodeContact, in home: Int) -> Bool {
    guard limitsNetworks, let network = contact.endpoint.address.network else { return true }
    var inTable = 0
    for bucket in buckets.indices {
      var inBucket = 0
      for node in buckets[bucket].nodes where node.contact.endpoint.address.network == network {
        // One machine is one node, whatever its ports.
        if node.contact.endpoint.address == contact.endpoint.address { return false }
        inBucket += 1
      }
      if bucket == home, inBucket >= DHTLimits.networkInBucket { return false }
      inTable += inBucket
    }
    return inTable < DHTLimits.networkInTable
  }
}

// MARK: - Asking the table

extension RoutingTable {
  /// The nodes nearest to a target, nearest first: good ones, and where there are too few of them
  /// those that have missed nothing.
  func closest(
    to target: NodeID, count limit: Int, now: DHTTime, except: NodeID? = nil
  ) -> [NodeContact] {
    var good = NearestNodes(target: target, limit: limit)
    var rest = NearestNodes(target: target, limit: limit)
    for bucket in buckets {
      for node in bucket.nodes where node.contact.id != except {
        if node.isGood(at: now) {
          good.offer(node.contact)
        } else if node.answered != nil, node.misses == 0 {
          rest.offer(node.contact)
        }
      }
    }
    if good.contacts.count < limit {
      good.contacts += rest.contacts.prefix(limit - good.contacts.count)
    }
    return good.contacts
  }

  /// The nodes to begin a lookup with, nearest first: all that may be alive.
  func seeds(for target: NodeID, count limit: Int) -> [NodeContact] {
    var alive = NearestNodes(target: target, limit: limit)
    var doubtful = NearestNodes(target: target, limit: limit)
    for bucket in buckets {
      for node in bucket.nodes {
        if node.misses == 0 { alive.offer(node.contact) } else { doubtful.offer(node.contact) }
      }
    }
    if alive.contacts.count < limit {
      alive.contacts += doubtful.contacts.prefix(limit - alive.contacts.count)
    }
    return alive.contacts
  }

  /// Nodes of which it should be seen whether they are alive: those not heard of for longest.
  func questionable(atMost limit: Int, now: DHTTime) -> [NodeContact] {
    var found: [RoutingNode] = []
    for bucket in buckets {
      for node in bucket.nodes where !node.isGood(at: now) { found.append(node) }
    }
    found.sort { $0.heard < $1.heard }
    return found.prefix(limit).map(\.contact)
  }

  /// Good nodes, and others.
  func counts(at now: DHTTime) -> (good: Int, questionable: Int, spares: Int) {
    var good = 0
    var spares = 0
    for bucket in buckets {
      for node in bucket.nodes where node.isGood(at: now) { good += 1 }
      spares += bucket.spares.count
    }
    return (good, count - good, spares)
  }

  /// The bucket that has been unchanged for longest, if that is too long; it counts as changed then.
  /// With it a place in it, to look for.
  mutating func staleTarget(
    now: DHTTime, using random: inout DHTRandom
  ) -> NodeID? {
    guard let stalest = buckets.indices.min(by: { buckets[$0].changed < buckets[$1].changed }),
      now - buckets[stalest].changed >= DHTLimits.refreshAfter
    else { return nil }
    buckets[stalest].changed = now
    if stalest == buckets.count - 1 { return id }
    // The bits of our id up to the bucket's, and the next one turned.
    let near = NodeID.random(near: id, bits: stalest, using: &random)
    return near.sharedBits(with: id) == stalest ? near : near.turned(bit: stalest)
  }

  /// The same nodes around another id.
  func moved(to id: NodeID, now: DHTTime) -> RoutingTable {
    var table = RoutingTable(id: id, limitsNetworks: limitsNetworks, now: now)
    for node in nodes { table.insert(node, now: now) }
    return table
  }
}

/// The few nearest of many, kept in order.
struct NearestNodes {
  let target: NodeID
  let limit: Int
  var contacts: [NodeContact] = []
  private var distances: [NodeDistance] = []

  init(target: NodeID, limit: Int) {
    self.target = target
    self.limit = limit
  }

  mutating func offer(_ contact: NodeContact) {
    let distance = contact.id.distance(to: target)
    if distances.count == limit {
      guard let last = distances.last, distance < last else { return }
      distances.removeLast()
      contacts.removeLast()
    }
    var place = distances.count
    while place > 0, distance < distances[place - 1] { place -= 1 }
    distances.insert(distance, at: place)
    contacts.insert(contact, at: place)
  }
}
