import Metainfo
import Wire

/// Collects the info dictionary of a torrent from several peers, of whom any may lie. BEP 9.
///
/// Peers say how large it is, and may lie in that as well: for each claimed size there is a
/// collection of its own, so that a wrong claim delays nobody else. Only the whole can be judged, by its
/// infohash. If a wrong one came from one peer, that peer lied. If it came from several, from then on
/// one at a time is asked for everything, until one is right; then whoever sent something else before
/// is known as well.
struct MetadataFetch: Sendable {
  /// What became of a block.
  enum Outcome: Equatable, Sendable {
    /// It was taken, or nothing was wrong with it; ask on.
    case more
    /// The dictionary: its hash is the infohash. `culprits` has who gave wrong blocks before.
    case complete([UInt8])
    /// It was wrong, or all of it together was. These lied: they are not asked any more. Empty: one of
    /// several lied.
    case corrupt([UInt32])
    /// Nobody asked the peer for this.
    case unasked
  }

  /// After `.complete`: peers that are proven to have sent wrong blocks, other than those that a
  /// `.corrupt` named.
  private(set) var culprits: [UInt32] = []

  private let v1: SHA1Digest?
  private let v2: SHA256Digest?
  private var peers: [UInt32: Peer] = [:]
  private var collections: [Int: MetadataCollection] = [:]
  private var isComplete = false
  /// The latest time that we were told.
  private var clock = Duration.zero

  /// Of all infohashes that are given, each must be right.
  init(v1: SHA1Digest?, v2: SHA256Digest?) {
    self.v1 = v1
    self.v2 = v2
  }

  // MARK: Peers

  /// The peer says that it has the dictionary, of so many bytes. It may say so again: then it is asked
  /// again at once. A size that no dictionary has is none.
  mutating func peerOffers(_ slot: UInt32, size: Int) {
    guard !isComplete, (1...PolicyLimits.metadataBytes).contains(size) else { return }
    if let old = peers[slot], old.size != size { endTurn(of: slot, old.size) }
    var peer = peers[slot] ?? Peer(size: size)
    if peer.isLiar { return }
    if peer.size != size {
      peer.giveUp { _ in true }
    }
    peer.size = size
    peer.notBefore = .zero
    peer.failures = 0
    peers[slot] = peer
    if collections[size] == nil { collections[size] = MetadataCollection(size: size) }
    dropUnclaimed()
  }

  /// The peer is gone; its slot may be another's soon.
  mutating func peerLeft(_ slot: UInt32) {
    guard peers.removeValue(forKey: slot) != nil else { return }
    for size in collections.keys { collections[size]?.forget(slot) }
    culprits.removeAll { $0 == slot }
    dropUnclaimed()
  }

  // MARK: Requests

  /// A block to request of this peer, which counts as requested; nil for none now. To be called until
  /// nil when the peer offers, after each of its answers, and for all peers after anything else
  /// changed and at `deadline`.
  mutating func nextRequest(for slot: UInt32, now: Duration) -> UInt32? {
    clock = max(clock, now)
    guard !isComplete, var peer = peers[slot], peer.mayBeAsked(now),
      activeSizes.contains(peer.size), var collection = collections[peer.size]
    else { return nil }
    if collection.isStrict {
      collection.beginTurn(of: candidates(of: peer.size, now), now: now)
      collections[peer.size] = collection
      guard collection.alone?.slot == slot else { return nil }
    }
    guard let piece = missing(in: collection, for: peer) else { return nil }
    peer.requests.append(.init(piece: piece, until: now + PolicyLimits.metadataTimeout))
    peers[slot] = peer
    return piece
  }

  /// The peer sends this block without having been asked, as it may where that was agreed on: it counts
  /// as requested, if it could be now. Only of a dictionary of one block.
  mutating func expect(_ piece: UInt32, from slot: UInt32, now: Duration) {
    guard piece == 0, let peer = peers[slot], peer.size <= WireBlock.byteCount,
      peer.requests.isEmpty
    else { return }
    _ = nextRequest(for: slot, now: now)
  }

  /// The peer declines a request.
  mutating func rejected(piece: UInt32, by slot: UInt32) {
    guard var peer = peers[slot] else { return }
    guard let index = peer.requests.firstIndex(where: { $0.piece == piece }) else {
      if peer.takeLate(piece) { peers[slot] = peer }
      return
    }
    peer.requests.remove(at: index)
    peer.fail(clock)
    peers[slot] = peer
    passTurn(of: slot)
  }

  // MARK: Answers

  /// A block came. `totalSize` as the message has it.
  mutating func received(
    piece: UInt32, totalSize: Int, bytes: RawSpan, from slot: UInt32, now: Duration
  ) -> Outcome {
    clock = max(clock, now)
    guard var peer = peers[slot] else { return .unasked }
    if let index = peer.requests.firstIndex(where: { $0.piece == piece }) {
      peer.requests.remove(at: index)
    } else if !peer.takeLate(piece) {
      return .unasked
    }
    peers[slot] = peer
    // What was asked under another size, or before a turn ended, has no place any more.
    guard !isComplete, !peer.isLiar, let collection = collections[peer.size],
      Int(piece) < collection.count
    else { return .more }
    // I2PSnark gives the block's size for the whole's.
    guard bytes.byteCount == collection.length(of: piece),
      totalSize == peer.size || totalSize == bytes.byteCount
    else {
      exclude(slot)
      return .corrupt([slot])
    }
    if collection.has(piece) || collection.isStrict && collection.alone?.slot != slot {
      return .more
    }
    if !activeSizes.contains(peer.size) { return .more }
    peer.failures = 0
    peers[slot] = peer
    let isLast = collection.held + 1 == collection.count
    collections[peer.size]?.insert(bytes.withUnsafeBytes { Array($0) }, piece, from: slot)
    return isLast ? judge(peer.size) : .more
  }

  // MARK: Time

  /// When `handleTimeout` is to be called; nil for never.
  var deadline: Duration? {
    if isComplete { return nil }
    var earliest: Duration?
    func consider(_ time: Duration) { earliest = min(earliest ?? time, time) }
    for peer in peers.values where !peer.isLiar {
      for request in peer.requests { consider(request.until) }
      if peer.notBefore > clock { consider(peer.notBefore) }
    }
    for collection in collections.values {
      if let alone = collection.alone { consider(alone.until) }
    }
    return earliest
  }

  /// Time passed: who was silent too long is not waited for. Then `nextRequest` may have something for
  /// any peer.
  mutating func handleTimeout(now: Duration) {
    clock = max(clock, now)
    for slot in peers.keys.sorted() {
      guard var peer = peers[slot] else { continue }
      guard peer.requests.contains(where: { $0.until <= now }) else { continue }
      peer.giveUp { $0.until <= now }
      peer.fail(now)
      peers[slot] = peer
      passTurn(of: slot)
    }
    for (size, collection) in collections {
      guard let alone = collection.alone, alone.until <= now else { continue }
      endTurn(of: alone.slot, size)
    }
  }
}

// MARK: - What is inside

extension MetadataFetch {
  private struct Request: Sendable {
    let piece: UInt32
    let until: Duration
  }

  private struct Peer: Sendable {
    var size: Int
    var requests: [Request] = []
    /// Blocks that were asked and given up: so many answers may still come. A block that was asked
    /// twice is answered twice. At most one entry for each block of a dictionary.
    var late: [UInt32: Int] = [:]
    var notBefore = Duration.zero
    /// In a row.
    var failures = 0
    var isLiar = false

    init(size: Int) { self.size = size }

    func mayBeAsked(_ now: Duration) -> Bool {
      !isLiar && notBefore <= now && requests.count < PolicyLimits.metadataRequests
    }

    /// Waits no more for these requests.
    mutating func giveUp(_ isGivenUp: (Request) -> Bool) {
      for request in requests where isGivenUp(request) { late[request.piece, default: 0] += 1 }
      requests.removeAll(where: isGivenUp)
    }

    /// Whether an answer was still to come; it has.
    mutating func takeLate(_ piece: UInt32) -> Bool {
      guard let count = late[piece] else { return false }
      late[piece] = count > 1 ? count - 1 : nil
      return true
    }

    mutating func fail(_ now: Duration) {
      let wait = PolicyLimits.metadataRetry * (1 << min(failures, 10))
      notBefore = now + min(wait, PolicyLimits.longestMetadataRetry)
      failures += 1
    }
  }

  /// The sizes that are collected now: the smallest that fit the budget together.
  private var activeSizes: Set<Int> {
    var sum = 0
    var active: Set<Int> = []
    for size in collections.keys.sorted() {
      sum += size
      if sum > PolicyLimits.metadataBudget { break }
      active.insert(size)
    }
    return active
  }

  /// Peers that claim this size and may be asked.
  private func candidates(of size: Int, _ now: Duration) -> [UInt32] {
    peers.filter { $0.value.size == size && !$0.value.isLiar && $0.value.notBefore <= now }
      .keys.sorted()
  }

  /// The first block that is missing and asked of nobody; else, so that a slow peer holds nobody up,
  /// the first that is asked of one other.
  private func missing(in collection: MetadataCollection, for peer: Peer) -> UInt32? {
    var askers: [UInt32: Int] = [:]
    for other in peers.values where other.size == peer.size && !other.isLiar {
      for request in other.requests { askers[request.piece, default: 0] += 1 }
    }
    let open = (0..<UInt32(collection.count)).lazy.filter { !collection.has($0) }
    if let piece = open.first(where: { askers[$0] == nil }) { return piece }
    return open.first { piece in
      askers[piece] == 1 && !peer.requests.contains { $0.piece == piece }
    }
  }

  /// All blocks are here.
  private mutating func judge(_ size: Int) -> Outcome {
    guard var collection = collections[size] else { return .more }
    let whole = collection.joined()
    if isRight(whole) {
      isComplete = true
      let known = peers.filter(\.value.isLiar).keys
      culprits = collection.culprits(right: whole).filter { !known.contains($0) }
      collections = [:]
      return .complete(whole)
    }
    let liar = collection.wasWrong()
    collections[size] = collection
    guard let liar else {
      forgetRequests(size)
      return .corrupt([])
    }
    exclude(liar)
    return .corrupt([liar])
  }

  private func isRight(_ bytes: [UInt8]) -> Bool {
    if v1 == nil && v2 == nil { return false }
    if let v2, SHA256Digest(hashing: bytes) != v2 { return false }
    if let v1, SHA1Digest(hashing: bytes) != v1 { return false }
    return true
  }

  /// What is under way belongs to a try that has ended.
  private mutating func forgetRequests(_ size: Int) {
    for slot in peers.filter({ $0.value.size == size }).keys {
      peers[slot]?.giveUp { _ in true }
    }
  }

  private mutating func exclude(_ slot: UInt32) {
    guard let peer = peers[slot] else { return }
    peers[slot]?.isLiar = true
    endTurn(of: slot, peer.size)
    dropUnclaimed()
  }

  /// The peer failed to answer: if it was asked alone, another is next.
  private mutating func passTurn(of slot: UInt32) {
    guard let peer = peers[slot] else { return }
    endTurn(of: slot, peer.size)
  }

  private mutating func endTurn(of slot: UInt32, _ size: Int) {
    guard collections[size]?.alone?.slot == slot else { return }
    peers[slot]?.giveUp { _ in true }
    collections[size]?.endTurn()
  }

  /// Drops sizes that nobody claims any more who may be believed, and what was collected of those
  /// beyond the budget.
  private mutating func dropUnclaimed() {
    let claimed = Set(peers.values.lazy.filter { !$0.isLiar }.map(\.size))
    collections = collections.filter { claimed.contains($0.key) }
    let active = activeSizes
    for size in collections.keys where !active.contains(size) { collections[size]?.clear() }
  }
}
