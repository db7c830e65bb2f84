import Metainfo
import Wire

/// One search: by asking the nodes nearest to a target that are known for nearer ones, until the
/// nearest have answered; then perhaps storing on them. BEP 5, BEP 44.
struct Lookup {
  enum Kind {
    /// Our own upkeep: for the nodes on the way.
    case refresh
    case peers(port: UInt16?, isSeed: Bool)
    case mutable(key: DatasetKey, salt: [UInt8], newerThan: Int64?)
    case immutable
    case putMutable(MutableItem, cas: Int64?)
    case putImmutable(ImmutableItem)
  }

  let id: DHTLookupID
  let kind: Kind
  let target: NodeID
  var started: DHTTime = 0
  /// One for each family that we take part in.
  var traversals: [Traversal] = []
  var outcome = DHTOutcome()
  /// Peers that were told of.
  var told: Set<PeerEndpoint> = []
  /// The newest value that was found.
  var newest: MutableItem?
  /// Another value with the number of the newest was told as well.
  var toldConflict = false
  /// Signatures that were checked.
  var checked = 0
  /// Something has changed since nodes were last asked.
  var needsStep = true

  init(id: DHTLookupID, kind: Kind, target: NodeID) {
    self.id = id
    self.kind = kind
    self.target = target
  }

  var isRefresh: Bool {
    if case .refresh = kind { true } else { false }
  }

  /// Whether it stores something at its end.
  var stores: Bool {
    switch kind {
    case .refresh, .mutable, .immutable, .peers(port: nil, isSeed: _): false
    case .peers, .putMutable, .putImmutable: true
    }
  }

  /// Whether in one network the nearest nodes have answered.
  var hasSettled: Bool {
    traversals.contains { $0.answered > 0 && ($0.stage != .searching || $0.isSettled) }
  }

  var isDone: Bool { traversals.allSatisfy { $0.stage == .done } }

  /// How many nodes keep what it is about, and whether all of the nearest do.
  var spread: (copies: Int, isAtAllClosest: Bool) {
    let number: Int64?
    switch kind {
    case .mutable(_, _, let newerThan):
      number = newest.map { max($0.sequence, newerThan ?? $0.sequence) } ?? newerThan
    case .putMutable(let item, _): number = item.sequence
    case .refresh, .peers, .immutable, .putImmutable: number = nil
    }
    let spreads = traversals.filter { $0.answered > 0 }.map { $0.spread(of: number) }
    return (
      spreads.reduce(0) { $0 + $1.copies },
      !spreads.isEmpty && spreads.allSatisfy(\.isAtAllClosest)
    )
  }
}

/// The search in one of the two networks.
///
/// Invariant: `candidates` are in order of their distance, no id and no place among them twice;
/// `waiting` and `late` count those in these states.
struct Traversal {
  enum Stage: Equatable {
    case searching
    /// Announced or put to some nodes, of which so many have not answered.
    case storing(Int)
    case done
  }

  struct Candidate {
    enum State {
      case fresh
      /// Asked.
      case waiting
      /// Asked, and the next one is asked meanwhile.
      case late
      case answered
      /// Without an answer, or with a wrong one.
      case failed
    }

    let contact: NodeContact
    let distance: NodeDistance
    var state = State.fresh
    /// Nodes that told of each other until we knew this one.
    let hops: Int
    /// Whether its id fits its address, if that matters. BEP 42, "Enforcement".
    let isEligible: Bool
    var token: [UInt8]?
    /// Number of the value that it keeps.
    var sequence: Int64?
    /// It has taken what was put or announced.
    var hasStored = false
  }

  let family: NodeFamilies
  let target: NodeID
  private(set) var candidates: [Candidate] = []
  var stage = Stage.searching
  private(set) var asked = 0
  private(set) var answered = 0
  private var waiting = 0
  private var late = 0

  init(family: NodeFamilies, target: NodeID) {
    self.family = family
    self.target = target
  }

  /// A node that was told of.
  mutating func add(_ contact: NodeContact, hops: Int, isEligible: Bool, limitsNetworks: Bool) {
    let distance = contact.id.distance(to: target)
    let network = limitsNetworks ? contact.endpoint.address.network : nil
    var place = candidates.count
    var neighbours = 0
    for (index, other) in candidates.enumerated() {
      if other.distance == distance || other.contact.endpoint == contact.endpoint { return }
      if place == candidates.count, distance < other.distance { place = index }
      if let network, other.contact.endpoint.address.network == network {
        // One machine is one node, whatever its ports.
        if other.contact.endpoint.address == contact.endpoint.address { return }
        neighbours += 1
      }
    }
    if neighbours >= DHTLimits.networkInLookup { return }
    if candidates.count >= DHTLimits.candidates {
      guard place < candidates.count,
        let last = candidates.lastIndex(where: { $0.state == .fresh }),
        last >= place
      else { return }
      candidates.remove(at: last)
    }
    candidates.insert(
      Candidate(contact: contact, distance: distance, hops: hops, isEligible: isEligible), at: place
    )
  }

  /// The node to ask now, which counts as asked from then; nil if there is none. Those that are in
  /// doubt are asked too, and not waited for.
  mutating func next(_ suspects: Suspects, now: DHTTime) -> (contact: NodeContact, isSuspect: Bool)?
  {
    guard asked < DHTLimits.asked, waiting < DHTLimits.concurrency,
      waiting + late < DHTLimits.outstanding
    else { return nil }
    var nearer = 0
    for index in candidates.indices {
      switch candidates[index].state {
      case .answered where candidates[index].isEligible:
        nearer += 1
        if nearer == DHTLimits.bucketSize { return nil }
      case .fresh:
        let contact = candidates[index].contact
        let isSuspect = suspects.contains(contact.endpoint, now: now)
        asked += 1
        candidates[index].state = isSuspect ? .late : .waiting
        if isSuspect { late += 1 } else { waiting += 1 }
        return (contact, isSuspect)
      case .answered, .waiting, .late, .failed: continue
      }
    }
    return nil
  }

  /// Whether the nearest nodes have answered, and nothing nearer can be asked or waited for.
  var isSettled: Bool {
    var nearer = 0
    for candidate in candidates {
      switch candidate.state {
      case .answered where candidate.isEligible:
        nearer += 1
        if nearer == DHTLimits.bucketSize { return true }
      case .waiting, .late: return false
      case .fresh: if asked < DHTLimits.asked { return false }
      case .answered, .failed: continue
      }
    }
    return true
  }

  /// The nodes to store on: the nearest that gave a token.
  var storeTargets: [Candidate] {
    Array(
      candidates.lazy.filter { $0.state == .answered && $0.isEligible && $0.token != nil }
        .prefix(DHTLimits.bucketSize))
  }

  /// The same in one network; `number` is that of the value.
  func spread(of number: Int64?) -> (copies: Int, isAtAllClosest: Bool) {
    var copies = 0
    var nearest = 0
    var isAtAllClosest = true
    for candidate in candidates where candidate.state == .answered {
      let isCopy =
        candidate.hasStored || number.map { candidate.sequence == $0 } ?? false
      if isCopy { copies += 1 }
      guard candidate.isEligible, nearest < DHTLimits.bucketSize else { continue }
      nearest += 1
      if !isCopy { isAtAllClosest = false }
    }
    return (copies, isAtAllClosest && nearest > 0)
  }

  /// A node has taken what was put or announced.
  mutating func stored(_ id: NodeID) {
    if let index = index(of: id) { candidates[index].hasStored = true }
  }

  mutating func becameLate(_ id: NodeID) {
    guard let index = index(of: id), candidates[index].state == .waiting else { return }
    set(.late, at: index)
  }

  mutating func failed(_ id: NodeID) {
    guard let index = index(of: id) else { return }
    if candidates[index].state == .answered { answered -= 1 }
    set(.failed, at: index)
  }

  /// A node has answered, perhaps after it was given up. Returns its number of hops.
  mutating func answered(_ id: NodeID, token: [UInt8]?, sequence: Int64?) -> Int? {
    guard let index = index(of: id), candidates[index].state != .answered else { return nil }
    set(.answered, at: index)
    answered += 1
    candidates[index].token = token
    candidates[index].sequence = sequence
    return candidates[index].hops
  }

  private func index(of id: NodeID) -> Int? { candidates.firstIndex { $0.contact.id == id } }

  private mutating func set(_ state: Candidate.State, at index: Int) {
    switch candidates[index].state {
    case .waiting: waiting -= 1
    case .late: late -= 1
    case .fresh, .answered, .failed: break
    }
    if state == .late { late += 1 }
    candidates[index].state = state
  }
}
