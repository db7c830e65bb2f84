import TestSupport
import Testing

@testable import Swarm

/// Some minutes of a torrent's upload, second by second.
private struct Upload {
  /// A peer and what it can do, in bytes a second.
  struct Peer {
    var takes: UInt64
    /// What it gives while we have it unchoked, and 15 s beyond.
    var gives: UInt64 = 0
    /// It stops to give at this second, and has our requests.
    var stops = Int.max
    var received: UInt64 = 0
    var seconds = 0
    var lastUnchoked = Int.min
    /// Seconds as optimistic one.
    var optimistic = 0
  }

  var peers: [Peer]
  var candidates: [Choker.Candidate]
  var choker = Choker()
  var changes = 0
  /// Choked after less than 10 s.
  var flutters = 0
  let isSeed: Bool
  let slots: Int
  let capacity: UInt64
  var second = 0
  var rng: SplitMix64

  init(_ peers: [Peer], isSeed: Bool, slots: Int, capacity: UInt64, seed: UInt64) {
    self.peers = peers
    rng = SplitMix64(seed: seed)
    self.isSeed = isSeed
    self.slots = slots
    self.capacity = capacity
    candidates = peers.indices.map {
      Choker.Candidate(slot: UInt32($0), isInterested: true, isChoked: true)
    }
  }

  mutating func run(seconds: Int) {
    for _ in 0..<seconds {
      defer { second += 1 }
      let now = Duration.seconds(second)
      if now >= choker.deadline { review(now) }
      let served = candidates.indices.filter { !candidates[$0].isChoked }
      for index in peers.indices {
        let isServed = !candidates[index].isChoked
        candidates[index].isNew = second < 60
        if isServed {
          let share = min(peers[index].takes, capacity / UInt64(served.count))
          peers[index].received += share
          peers[index].seconds += 1
          peers[index].lastUnchoked = second
          candidates[index].uploadedSinceUnchoke += share
          candidates[index].uploadRate = share
        }
        if choker.optimistic == UInt32(index) {
          peers[index].optimistic += 1
          candidates[index].lastOptimistic = now
        }
        let isGiving = peers[index].lastUnchoked > second - 15 && second < peers[index].stops
        candidates[index].downloadRate = isGiving ? peers[index].gives : 0
        candidates[index].isSnubbing =
          second >= peers[index].stops &+ 60 && peers[index].stops < .max
      }
    }
  }

  private mutating func review(_ now: Duration) {
    let chosen = choker.choose(candidates, isSeed: isSeed, slots: slots, now: now, using: &rng)
    changes += chosen.unchoke.count
    for slot in chosen.choke {
      guard let since = candidates[Int(slot)].unchokedSince else { continue }
      if now - since < .seconds(10) { flutters += 1 }
    }
    apply(chosen, to: &candidates, now)
  }
}

@Suite struct PolicyChokerSimulation {
  @Test(arguments: UInt64(0)..<5)
  func freeRidersGetTheOptimisticPlaceAlone(seed: UInt64) {
    let givers = Array(repeating: Upload.Peer(takes: 1_000_000, gives: 100_000), count: 6)
    let riders = Array(repeating: Upload.Peer(takes: 1_000_000), count: 10)
    var upload = Upload(givers + riders, isSeed: false, slots: 4, capacity: 1_000_000, seed: seed)
    upload.run(seconds: 300)
    let start = upload.peers
    upload.run(seconds: 1_200)
    for index in 6..<16 {
      let (before, after) = (start[index], upload.peers[index])
      // Since the first minutes, in which nobody is known to give.
      #expect(
        after.seconds - before.seconds <= after.optimistic - before.optimistic, "seed \(seed)")
    }
    let given = upload.peers[..<6].reduce(0) { $0 + $1.received }
    let lost = upload.peers[6...].reduce(0) { $0 + $1.received }
    #expect(given > 3 * lost, "seed \(seed): \(given) and \(lost)")
    #expect(upload.flutters == 0)
  }

  @Test(arguments: UInt64(0)..<5)
  func betterGiversAreFoundAndKept(seed: UInt64) {
    let peers = (0..<20).map { Upload.Peer(takes: 1_000_000, gives: UInt64($0 + 1) * 1_000) }
    var upload = Upload(peers, isSeed: false, slots: 4, capacity: 1_000_000, seed: seed)
    upload.run(seconds: 3_600)
    let served = upload.candidates.filter { !$0.isChoked && $0.slot != upload.choker.optimistic }
    #expect(Set(served.map(\.slot)).isSubset(of: 14..<20), "seed \(seed)")
    #expect(upload.flutters == 0, "seed \(seed)")
  }

  @Test(arguments: UInt64(0)..<5)
  func whoStopsToGiveIsServedNoMore(seed: UInt64) {
    var peers = Array(repeating: Upload.Peer(takes: 1_000_000, gives: 100_000), count: 8)
    for index in 0..<3 {
      peers[index].gives = 900_000
      peers[index].stops = 600
    }
    var upload = Upload(peers, isSeed: false, slots: 4, capacity: 1_000_000, seed: seed)
    upload.run(seconds: 600)
    let before = upload.peers
    #expect(before[..<3].allSatisfy { $0.seconds > 200 }, "seed \(seed)")
    upload.run(seconds: 900)
    for index in 0..<3 {
      let extra = upload.peers[index].seconds - before[index].seconds
      let tried = upload.peers[index].optimistic - before[index].optimistic
      #expect(extra <= tried + 20, "seed \(seed): \(extra) s, \(tried) s tried out")
    }
  }

  @Test(arguments: UInt64(0)..<5)
  func aSeedIsFairInTime(seed: UInt64) {
    // Too slow for the share: 60 s each, by turns.
    let peers = Array(repeating: Upload.Peer(takes: 50_000), count: 23)
    var upload = Upload(peers, isSeed: true, slots: 4, capacity: 10_000_000, seed: seed)
    upload.run(seconds: 2_760)
    let times = upload.peers.map(\.seconds)
    // 2,760 s in 5 places for 23 peers: 600 s each.
    #expect(times.allSatisfy { abs($0 - 600) <= 60 }, "seed \(seed): \(times)")
    #expect(upload.flutters == 0)
  }

  @Test(arguments: UInt64(0)..<5)
  func aSeedIsFairInBytesToTheFast(seed: UInt64) {
    let fast = Array(repeating: Upload.Peer(takes: 8 << 20), count: 10)
    let slow = Array(repeating: Upload.Peer(takes: 64 << 10), count: 10)
    var upload = Upload(fast + slow, isSeed: true, slots: 4, capacity: 100 << 20, seed: seed)
    upload.run(seconds: 3_600)
    let bytes = upload.peers[..<10].map { Double($0.received) }
    let mean = bytes.reduce(0, +) / 10
    #expect(bytes.allSatisfy { abs($0 - mean) < 0.15 * mean }, "seed \(seed): \(bytes)")
    // All wait equally long; the slow have turns six times as long, so a few less of them.
    let slowTurns = upload.peers[10...].map { Double($0.seconds) / 60 }
    let fastTurns = Double(upload.peers[..<10].reduce(0) { $0 + $1.seconds }) / 100
    #expect(slowTurns.allSatisfy { $0 > 0.6 * fastTurns && $0 < fastTurns }, "seed \(seed)")
  }

  @Test func whereNobodyWaitsNothingChanges() {
    let peers = Array(repeating: Upload.Peer(takes: 8 << 20), count: 5)
    var upload = Upload(peers, isSeed: true, slots: 4, capacity: 100 << 20, seed: 1)
    upload.run(seconds: 600)
    #expect(upload.changes == 5)
    #expect(upload.peers.allSatisfy { $0.seconds == 600 })
  }
}
