import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// Peers of all kinds around one fetch, in virtual time.
private struct MetadataSwarm {
  enum Kind: CaseIterable {
    /// Answers, slowly or fast.
    case honest
    /// Answers with other bytes, always or now and then.
    case liar
    /// Claims another size and answers as if it had that.
    case sizer
    /// Answers blocks of wrong lengths.
    case cutter
    case silent, rejecting
    /// Answers right for a while, and goes; its slot gets another peer.
    case leaver
    /// Sends what nobody asked for, besides right answers.
    case babbler
  }

  struct Peer {
    var kind: Kind
    var size: Int
    var delay: Int
    var isExcluded = false
    var outstanding: [UInt32: Int] = [:]
  }

  let right: [UInt8]
  var fetch: MetadataFetch
  var peers: [UInt32: Peer] = [:]
  var rng: SplitMix64
  var now = Duration.zero
  /// Answers on their way: when, to which request.
  var answers: [(at: Duration, slot: UInt32, piece: UInt32, birth: Int)] = []
  /// How often a slot got a new peer: answers to the one before are void.
  var births: [UInt32: Int] = [:]
  var accused: [(slot: UInt32, kind: Kind)] = []
  var result: [UInt8]?

  init(seed: UInt64) {
    rng = SplitMix64(seed: seed)
    let size = Int.random(in: 1...(rng.oneIn(3) ? 400_000 : 40_000), using: &rng)
    right = rng.bytes(size)
    let knows = Int.random(in: 0..<3, using: &rng)
    fetch = MetadataFetch(
      v1: knows != 1 ? SHA1Digest(hashing: right) : nil,
      v2: knows != 0 ? SHA256Digest(hashing: right) : nil)
  }

  mutating func join(_ slot: UInt32, _ kind: Kind) {
    var size = right.count
    if kind == .sizer { size = Int.random(in: 1...100_000, using: &rng) }
    let delay = Int.random(in: 1...(rng.oneIn(4) ? 14_000 : 500), using: &rng)
    peers[slot] = Peer(kind: kind, size: size, delay: delay)
    births[slot, default: 0] += 1
    fetch.peerOffers(slot, size: size)
  }

  mutating func ask() {
    for slot in peers.keys.sorted() {
      while let piece = fetch.nextRequest(for: slot, now: now) {
        #expect(peers[slot]?.isExcluded == false, "a liar is asked")
        peers[slot]?.outstanding[piece, default: 0] += 1
        let delay = peers[slot]?.delay ?? 0
        let wait = Duration.milliseconds(Int.random(in: 1...(2 * delay), using: &rng))
        if peers[slot]?.kind == .silent { continue }
        answers.append((now + wait, slot, piece, births[slot] ?? 0))
      }
    }
  }

  mutating func answer(_ slot: UInt32, _ piece: UInt32) {
    guard let peer = peers[slot] else { return }
    peers[slot]?.outstanding[piece, default: 1] -= 1
    let start = Int(piece) * 16_384
    var bytes = Array(right.dropFirst(start).prefix(16_384))
    switch peer.kind {
    case .rejecting:
      fetch.rejected(piece: piece, by: slot)
      return
    case .liar where !rng.oneIn(3): bytes[Int.random(in: bytes.indices, using: &rng)] ^= 1
    case .cutter: bytes.removeLast()
    case .sizer: bytes = rng.bytes(min(16_384, peer.size - start))
    case .babbler:
      let outcome = fetch.received(
        piece: 5_000, totalSize: peer.size, bytes: bytes.span.bytes, from: slot, now: now)
      #expect(outcome == .unasked)
    case .leaver where rng.oneIn(3):
      peers[slot] = nil
      fetch.peerLeft(slot)
      join(slot, rng.oneIn(2) ? .honest : .liar)
      return
    default: break
    }
    let outcome = fetch.received(
      piece: piece, totalSize: peer.size, bytes: bytes.span.bytes, from: slot, now: now)
    switch outcome {
    case .more: break
    case .complete(let whole): result = whole
    case .corrupt(let liars):
      for liar in liars {
        accused.append((liar, peers[liar]?.kind ?? .honest))
        peers[liar]?.isExcluded = true
      }
    case .unasked: Issue.record("an answer counts as unasked")
    }
  }

  mutating func run(upTo end: Duration) {
    while result == nil, now < end {
      ask()
      answers.sort { $0.at < $1.at }
      let times = [answers.first?.at, fetch.deadline].compactMap(\.self)
      guard let next = times.min() else { return }
      now = max(now, next)
      if let first = answers.first, first.at <= now {
        answers.removeFirst()
        if births[first.slot] == first.birth { answer(first.slot, first.piece) }
      }
      if let deadline = fetch.deadline, deadline <= now { fetch.handleTimeout(now: now) }
    }
  }
}

@Suite struct PolicyMetadataSimulation {
  /// With one honest peer that stays, the dictionary comes, and only liars are accused.
  @Test(arguments: UInt64(0)..<150)
  func oneHonestPeerIsEnough(seed: UInt64) {
    var swarm = MetadataSwarm(seed: seed)
    swarm.join(0, .honest)
    for slot in 1...UInt32.random(in: 1...9, using: &swarm.rng) {
      swarm.join(slot, MetadataSwarm.Kind.allCases.randomElement(using: &swarm.rng) ?? .liar)
    }
    swarm.run(upTo: .seconds(3_600))
    #expect(swarm.result == swarm.right, "seed \(seed) at \(swarm.now)")
    let guilty: [MetadataSwarm.Kind] = [.liar, .sizer, .cutter]
    for (slot, kind) in swarm.accused {
      #expect(guilty.contains(kind), "seed \(seed): \(kind) at \(slot)")
    }
    for slot in swarm.fetch.culprits {
      #expect(swarm.peers[slot]?.kind == .liar, "seed \(seed): culprit \(slot)")
    }
  }

  /// With no honest peer nothing comes, and it goes on waiting without a storm.
  @Test(arguments: UInt64(0)..<20)
  func liarsAloneGetNothingThrough(seed: UInt64) {
    var swarm = MetadataSwarm(seed: seed)
    let kinds: [MetadataSwarm.Kind] = [.sizer, .cutter, .silent, .rejecting]
    for slot: UInt32 in 0..<8 { swarm.join(slot, kinds[Int(slot) % 4]) }
    swarm.run(upTo: .seconds(600))
    #expect(swarm.result == nil, "seed \(seed)")
    #expect(swarm.accused.count == 4, "seed \(seed): \(swarm.accused)")
  }
}
