import Metainfo
import Wire

/// A query on its way.
struct Transaction {
  enum Purpose {
    /// Whoever is there: a node that was told of, or that has asked us.
    case probe
    /// Whether a node of the table is alive.
    case check
    /// A step of a lookup.
    case visit(DHTLookupID, traversal: Int)
    /// An announce or a put.
    case store(DHTLookupID, traversal: Int)
  }

  enum Stage {
    /// Too early to say.
    case early
    /// Late: others are asked meanwhile.
    case late
    /// Asked once more.
    case repeated
    /// Not waited for any longer; a late answer still tells that the node is alive.
    case over
  }

  let id: UInt32
  let endpoint: PeerEndpoint
  /// Who should be there; nil where that is not known.
  let node: NodeID?
  let purpose: Purpose
  let method: KRPCMethod
  let sent: DHTTime
  /// When it was sent once more.
  var repeated: DHTTime?
  var stage: Stage
  /// When the next stage comes.
  var next: DHTTime
  /// How long after `sent` it is late, and is not waited for any longer.
  let wait: DHTTime
  let patience: DHTTime
}

/// Queries on their way. Few as a rule, so that looking through them costs less than a dictionary.
struct Transactions {
  private(set) var all: [Transaction] = []
  /// Not after the earliest `next`.
  private(set) var earliest: DHTTime?

  var isFull: Bool { all.count >= DHTLimits.transactions }

  mutating func add(_ transaction: Transaction) {
    all.append(transaction)
    earliest = min(earliest ?? .max, transaction.next)
  }

  /// Takes out the one that an answer is to: with its id, from the place that was asked.
  mutating func take(_ id: UInt32, from endpoint: PeerEndpoint) -> Transaction? {
    guard let index = all.firstIndex(where: { $0.id == id && $0.endpoint == endpoint }) else {
      return nil
    }
    let transaction = all[index]
    all.remove(at: index)
    if all.isEmpty {
      all = []
      earliest = nil
    }
    return transaction
  }

  func contains(id: UInt32) -> Bool { all.contains { $0.id == id } }

  /// Whether something is on its way there that is still waited for.
  func contains(endpoint: PeerEndpoint) -> Bool {
    all.contains {
      guard $0.endpoint == endpoint else { return false }
      if case .over = $0.stage { return false }
      return true
    }
  }

  /// Takes out those whose time has come.
  mutating func takeDue(now: DHTTime) -> [Transaction] {
    guard let earliest, earliest <= now else { return [] }
    let due = all.filter { $0.next <= now }
    all.removeAll { $0.next <= now }
    self.earliest = all.lazy.map(\.next).min()
    return due
  }
}
