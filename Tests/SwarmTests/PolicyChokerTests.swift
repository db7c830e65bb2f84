import TestSupport
import Testing

@testable import Swarm

/// A peer in one row: slot, whether it is choked, rate from it.
private func peer(
  _ slot: UInt32, choked: Bool = true, interested: Bool = true, rate: UInt64 = 0,
  since: Duration? = nil, _ change: (inout Choker.Candidate) -> Void = { _ in }
) -> Choker.Candidate {
  var candidate = Choker.Candidate(slot: slot, isInterested: interested, isChoked: choked)
  candidate.downloadRate = rate
  candidate.unchokedSince = choked ? nil : since ?? .zero
  change(&candidate)
  return candidate
}

@Suite struct PolicyChokerTests {
  @Test(arguments: [true, false], [1, 4, 8])
  func whereThereIsRoomAllAreUnchoked(isSeed: Bool, slots: Int) {
    var rng = SplitMix64(seed: 1)
    var choker = Choker()
    var peers = (0...UInt32(slots)).map { peer($0) { $0.isSnubbing = true } }
    peers.append(peer(99, interested: false))
    let changes = choker.choose(peers, isSeed: isSeed, slots: slots, now: .zero, using: &rng)
    #expect(changes.unchoke == Array(0...UInt32(slots)))
    #expect(changes.choke == [])
    #expect(choker.deadline == .seconds(10))
  }

  @Test(arguments: [true, false])
  func noSlotsAreForNobody(isSeed: Bool) {
    var rng = SplitMix64(seed: 1)
    var choker = Choker()
    let peers = [
      peer(1, choked: false, rate: 5), peer(2), peer(3, choked: false, interested: false),
    ]
    let changes = choker.choose(peers, isSeed: isSeed, slots: 0, now: .zero, using: &rng)
    #expect(changes.unchoke == [])
    #expect(changes.choke == [1, 3])
    #expect(choker.optimistic == nil)
  }

  @Test func whoGivesMostIsServedAndOneIsTriedOut() {
    var rng = SplitMix64(seed: 3)
    var choker = Choker()
    let peers = (0..<10).map { peer($0, rate: UInt64($0) * 100) }
    let changes = choker.choose(peers, isSeed: false, slots: 3, now: .zero, using: &rng)
    #expect(changes.unchoke.count == 4)
    #expect(Set(changes.unchoke).isSuperset(of: [7, 8, 9]))
    #expect(choker.optimistic.map { $0 < 7 && changes.unchoke.contains($0) } == true)
  }

  @Test func snubbersLoseTheirPlaceWhateverTheyGave() {
    var rng = SplitMix64(seed: 3)
    var choker = Choker()
    var peers = (0..<10).map { peer($0, choked: $0 < 6, rate: UInt64($0) * 100) }
    peers[9].isSnubbing = true
    let changes = choker.choose(peers, isSeed: false, slots: 3, now: .zero, using: &rng)
    #expect(changes.choke.contains(9) || choker.optimistic == 9)
    #expect(Set(changes.choke).isDisjoint(with: [6, 7, 8]))
  }

  @Test func betweenRoundsNobodyHasToGo() {
    var rng = SplitMix64(seed: 4)
    for isSeed in [true, false] {
      var choker = Choker()
      let served = (0..<5).map {
        peer($0, choked: false, rate: 10) { $0.uploadedSinceUnchoke = 1 << 40 }
      }
      _ = choker.choose(served, isSeed: isSeed, slots: 4, now: .zero, using: &rng)
      let better = served + [peer(7, rate: 1_000_000)]
      let early = choker.choose(better, isSeed: isSeed, slots: 4, now: .seconds(9), using: &rng)
      #expect(early.unchoke == [] && early.choke == [])
      let round = choker.choose(better, isSeed: isSeed, slots: 4, now: .seconds(10), using: &rng)
      #expect(round.unchoke == [7])
      #expect(round.choke.count == 1)
    }
  }

  @Test func betweenRoundsFreePlacesAreFilled() {
    var rng = SplitMix64(seed: 5)
    for isSeed in [true, false] {
      var choker = Choker()
      let full = (0..<5).map { peer($0, choked: false, rate: 10) } + [peer(7), peer(8)]
      _ = choker.choose(full, isSeed: isSeed, slots: 4, now: .zero, using: &rng)
      let left = Array(full.dropFirst(2))
      let changes = choker.choose(left, isSeed: isSeed, slots: 4, now: .seconds(1), using: &rng)
      #expect(Set(changes.unchoke) == [7, 8])
      #expect(changes.choke == [])
    }
  }

  @Test func whoLostInterestStaysWhileThereIsRoom() {
    var rng = SplitMix64(seed: 6)
    var choker = Choker()
    let idle = (0..<3).map { peer($0, choked: false, interested: false) }
    let wanting = (10..<13).map { peer($0) }
    let quiet = choker.choose(idle, isSeed: true, slots: 3, now: .zero, using: &rng)
    #expect(quiet.choke == [] && quiet.unchoke == [])
    let changes = choker.choose(idle + wanting, isSeed: true, slots: 3, now: .zero, using: &rng)
    #expect(changes.unchoke == [10, 11, 12])
    #expect(changes.choke == [1, 2])
  }

  @Test func theOptimisticOneHasThreeRounds() {
    var rng = SplitMix64(seed: 7)
    var choker = Choker()
    var peers = (0..<3).map { peer($0, rate: 1_000) } + (3..<12).map { peer($0) }
    var held: [UInt32?] = []
    for round in 0..<30 {
      let now = Duration.seconds(10 * round)
      let changes = choker.choose(peers, isSeed: false, slots: 3, now: now, using: &rng)
      apply(changes, to: &peers, now)
      for index in peers.indices where peers[index].slot == choker.optimistic {
        peers[index].lastOptimistic = now
      }
      held.append(choker.optimistic)
    }
    for start in stride(from: 0, to: 30, by: 3) {
      #expect(Set(held[start..<(start + 3)]).count == 1)
      if start > 0 { #expect(held[start] != held[start - 1]) }
    }
    // Ten turns for nine peers: it goes round, those before the last half are not drawn again.
    #expect(Set(held).count >= 6)
  }

  @Test func aPlaceOfWhoLeftIsTriedWithAnother() {
    var rng = SplitMix64(seed: 8)
    var choker = Choker()
    var peers = (0..<3).map { peer($0, rate: 1_000) } + (3..<12).map { peer($0) }
    apply(choker.choose(peers, isSeed: false, slots: 3, now: .zero, using: &rng), to: &peers, .zero)
    let gone = choker.optimistic
    // A new connection has the slot; it is choked, as all begin.
    for index in peers.indices where peers[index].slot == gone {
      peers[index] = peer(peers[index].slot)
    }
    let now = Duration.seconds(1)
    apply(choker.choose(peers, isSeed: false, slots: 3, now: now, using: &rng), to: &peers, now)
    #expect(peers.filter { !$0.isChoked }.count == 4)
    #expect(peers.contains { $0.slot == choker.optimistic && !$0.isChoked })
  }

  @Test func newPeersAreTriedThriceAsOften() {
    var rng = SplitMix64(seed: 9)
    var new = 0
    let trials = 4_000
    let peers =
      (0..<2).map { peer($0, rate: 1_000) } + (2..<5).map { peer($0) }
      + [peer(5) { $0.isNew = true }]
    for _ in 0..<trials {
      var choker = Choker()
      _ = choker.choose(peers, isSeed: false, slots: 2, now: .zero, using: &rng)
      if choker.optimistic == 5 { new += 1 }
    }
    // Three in six; four deviations are 127.
    #expect(abs(new - trials / 2) < 130, "\(new)")
  }

  @Test func fewerSlotsTakeEffect() {
    var rng = SplitMix64(seed: 10)
    for isSeed in [true, false] {
      for isRound in [true, false] {
        var choker = Choker()
        let peers = (0..<9).map { peer($0, choked: false, rate: UInt64($0)) }
        _ = choker.choose(peers, isSeed: isSeed, slots: 8, now: .zero, using: &rng)
        let now = Duration.seconds(isRound ? 10 : 1)
        let changes = choker.choose(peers, isSeed: isSeed, slots: 2, now: now, using: &rng)
        #expect(changes.choke.count == 6)
        #expect(changes.unchoke == [])
      }
    }
  }

  /// Whatever it is told, it serves no more than it may, only who wants, and leaves no place empty.
  @Test(arguments: UInt64(0)..<60)
  func placesAreFilledAndNotExceeded(seed: UInt64) {
    var rng = SplitMix64(seed: seed)
    var choker = Choker()
    var peers: [Choker.Candidate] = []
    var now = Duration.zero
    let slots = Int.random(in: 1...8, using: &rng)
    var isSeed = rng.oneIn(2)
    for _ in 0..<200 {
      now += .milliseconds(Int.random(in: 0...12_000, using: &rng))
      if rng.oneIn(50) { isSeed.toggle() }
      if rng.oneIn(3), peers.count < 30 {
        let slot = UInt32((0..<40).first { slot in !peers.contains { $0.slot == slot } } ?? 40)
        peers.append(peer(slot, interested: false) { $0.isNew = true })
      }
      if rng.oneIn(5), !peers.isEmpty {
        peers.remove(at: Int.random(in: peers.indices, using: &rng))
      }
      for index in peers.indices where rng.oneIn(4) {
        peers[index].isInterested = !rng.oneIn(3)
        peers[index].downloadRate = rng.oneIn(2) ? 0 : UInt64.random(in: 0...9, using: &rng)
        peers[index].uploadRate = UInt64.random(in: 0...9, using: &rng)
        peers[index].uploadedSinceUnchoke = UInt64.random(in: 0...(32 << 20), using: &rng)
        peers[index].isSnubbing = rng.oneIn(5)
        peers[index].isNew = rng.oneIn(5)
      }
      peers.shuffle(using: &rng)
      let changes = choker.choose(peers, isSeed: isSeed, slots: slots, now: now, using: &rng)
      let choked = Set(peers.filter(\.isChoked).map(\.slot))
      #expect(choked.isSuperset(of: changes.unchoke), "seed \(seed)")
      #expect(choked.isDisjoint(with: changes.choke), "seed \(seed)")
      apply(changes, to: &peers, now)
      let served = peers.filter { !$0.isChoked && $0.isInterested }.count
      let wanting = peers.filter(\.isInterested).count
      #expect(served == min(wanting, slots + 1), "seed \(seed)")
      #expect(peers.filter { !$0.isChoked }.count <= slots + 1, "seed \(seed)")
      for slot in changes.unchoke {
        #expect(peers.contains { $0.slot == slot && $0.isInterested }, "seed \(seed)")
      }
      if let optimistic = choker.optimistic {
        #expect(peers.contains { $0.slot == optimistic && !$0.isChoked }, "seed \(seed)")
      }
    }
  }
}

/// Carries out what the choker chose.
func apply(
  _ changes: (unchoke: [UInt32], choke: [UInt32]), to peers: inout [Choker.Candidate],
  _ now: Duration
) {
  for index in peers.indices {
    if changes.unchoke.contains(peers[index].slot) {
      peers[index].isChoked = false
      peers[index].unchokedSince = now
      peers[index].uploadedSinceUnchoke = 0
    } else if changes.choke.contains(peers[index].slot) {
      peers[index].isChoked = true
      peers[index].unchokedSince = nil
      peers[index].uploadedSinceUnchoke = 0
    }
  }
}
