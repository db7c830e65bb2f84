import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// When the DHT is asked and told what.
@Suite struct RendezvousTests {
  static let secret = DatasetSecret(seed: [UInt8](repeating: 4, count: 32))!

  static func infohash(_ number: Int) -> SHA1Digest {
    SHA1Digest(hashing: Array("\(number)".utf8))
  }

  static func head(_ version: Int64) throws -> MutableItem {
    try Head(version: version, infohash: .zero, signedBy: secret).item
  }

  /// A DHT that answers after a while, and writes down what it was asked for.
  private final class Harness {
    var schedule: Rendezvous
    var now = Duration.zero
    var answerTime = Duration.seconds(2)
    var outcome = RendezvousOutcome()
    /// Whether lookups end at all.
    var isSilent = false
    var asked: [(at: Duration, effect: RendezvousEffect)] = []
    var cancelled: Set<RendezvousJob> = []
    private var pending: [(at: Duration, job: RendezvousJob)] = []
    private(set) var mostAtOnce = 0

    init(port: UInt16? = 6_881, seed: UInt64 = 1) {
      schedule = Rendezvous(port: port, seed: seed)
      outcome.answers = 20
      outcome.stored = 8
    }

    func drain() {
      while let effect = schedule.nextEffect() {
        switch effect {
        case .lookup(let job, _, _), .getHead(let job, _, _, _), .putHead(let job, _):
          asked.append((now, effect))
          pending.append((now + answerTime, job))
        case .cancel(let job):
          cancelled.insert(job)
          pending.removeAll { $0.job == job }
        }
      }
      mostAtOnce = max(mostAtOnce, pending.count)
    }

    func pass(_ time: Duration) {
      let end = now + time
      drain()
      var calls = 0
      while true {
        let answer = isSilent ? nil : pending.map(\.at).min()
        guard let due = [schedule.deadline, answer].compactMap({ $0 }).min(), due <= end else {
          break
        }
        calls += 1
        precondition(calls < 1_000_000, "the deadline stays at \(due)")
        now = max(now, due)
        for (at, job) in pending where at <= now && !isSilent {
          pending.removeAll { $0.job == job }
          schedule.ended(job, outcome, now: now)
        }
        schedule.handleTimeout(now: now)
        drain()
      }
      now = end
    }

    func times(_ isMeant: (RendezvousEffect) -> Bool) -> [Double] {
      asked.filter { isMeant($0.effect) }.map { $0.at / .seconds(1) }
    }

    var lookups: [Double] { times { if case .lookup = $0 { true } else { false } } }
    var gets: [Double] { times { if case .getHead = $0 { true } else { false } } }
    var puts: [Double] { times { if case .putHead = $0 { true } else { false } } }
  }

  private func gaps(_ times: [Double]) -> [Double] { zip(times, times.dropFirst()).map { $1 - $0 } }

  // MARK: Torrents

  @Test func torrentsAreAnnouncedAtOnceAndAgain() {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.schedule.setHasPeers(true, of: Self.infohash(1), now: .zero)
    harness.pass(.seconds(6 * 3_600))
    #expect(harness.lookups.first == 0)
    let gaps = gaps(harness.lookups)
    #expect(gaps.count >= 21 && gaps.count <= 27)
    #expect(gaps.allSatisfy { $0 >= 809 && $0 <= 991 }, "\(gaps)")
    #expect(Set(gaps.map { Int($0) }).count > 10, "all at the same distance")
    guard case .lookup(_, Self.infohash(1), announcing: 6_881) = harness.asked[0].effect else {
      Issue.record("\(harness.asked[0])")
      return
    }
  }

  @Test func lonelyTorrentsAreLookedUpSooner() {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.pass(.seconds(3_600))
    for (gap, wanted) in zip(gaps(harness.lookups), [60.0, 120, 240, 480, 900, 900]) {
      #expect(gap >= wanted * 0.9 - 1 && gap <= wanted * 1.1 + 1, "\(harness.lookups)")
    }
    #expect(harness.lookups.count >= 6)
    // Peers come and go: neither put off for ever nor asked for all the time.
    let before = harness.lookups.count
    for _ in 0..<600 {
      harness.schedule.setHasPeers(true, of: Self.infohash(1), now: harness.now)
      harness.pass(.seconds(3))
      harness.schedule.setHasPeers(false, of: Self.infohash(1), now: harness.now)
      harness.pass(.seconds(3))
    }
    // Not oftener than if there were none, or always some.
    let during = harness.lookups.count - before
    #expect(during >= 3 && during <= 6, "\(during) in an hour")
  }

  /// Peers that come and go from the start on: the lookups become as rare as without any.
  @Test(arguments: [3.0, 40, 70, 200])
  func peersThatComeAndGoDoNotMakeItAskMore(seconds: Double) {
    let harness = Harness(seed: UInt64(seconds))
    harness.schedule.add(Self.infohash(1), now: .zero)
    for count in 0..<Int(4 * 3_600 / seconds) {
      harness.pass(.seconds(seconds))
      harness.schedule.setHasPeers(count % 2 == 0, of: Self.infohash(1), now: harness.now)
    }
    // 1, 3, 7 minutes, then every 15; and some for the first peers.
    #expect(harness.lookups.count >= 14 && harness.lookups.count <= 24, "\(harness.lookups)")
  }

  /// Somebody waits, and one peer comes and goes at once, again and again: others are looked for as if it
  /// were not there.
  @Test func aPeerThatIsOfNoUseDoesNotEndTheHurry() {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), isUrgent: true, now: .zero)
    for _ in 0..<100 {
      harness.pass(.milliseconds(2_900))
      harness.schedule.setHasPeers(true, of: Self.infohash(1), now: harness.now)
      harness.pass(.milliseconds(100))
      harness.schedule.setHasPeers(false, of: Self.infohash(1), now: harness.now)
    }
    // 4, 8, 16, 32, 64, 128 seconds.
    #expect((6...8).contains(harness.lookups.count), "\(harness.lookups)")
  }

  /// Peers that had stayed are missed: they are looked for again soon.
  @Test func whenPeersAreGoneThatHadStayedItBeginsAnew() {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.pass(.seconds(3_600))
    harness.schedule.setHasPeers(true, of: Self.infohash(1), now: harness.now)
    harness.pass(.seconds(3_600))
    harness.schedule.setHasPeers(false, of: Self.infohash(1), now: harness.now)
    let gone = harness.now / .seconds(1)
    harness.pass(.seconds(600))
    let after = harness.lookups.filter { $0 >= gone }
    #expect(after.count >= 3, "\(after)")
  }

  // MARK: Nothing to gain

  /// Who has everything and can be reached waits to be found; others who look, look as before.
  @Test(arguments: [(true, true), (true, false), (false, true)])
  func completeTorrentsThatCanBeReachedAreOnlyAnnounced(isComplete: Bool, isReachable: Bool) {
    let harness = Harness()
    harness.schedule.setIsReachable(isReachable, now: .zero)
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.schedule.setIsComplete(isComplete, of: Self.infohash(1), now: .zero)
    harness.pass(.seconds(3_600))
    let isQuiet = isComplete && isReachable
    #expect(isQuiet ? (4...5).contains(harness.lookups.count) : harness.lookups.count >= 6)
    // As soon as it is so, and no longer.
    harness.schedule.setIsReachable(true, now: harness.now)
    harness.schedule.setIsComplete(true, of: Self.infohash(1), now: harness.now)
    let before = harness.lookups.count
    harness.pass(.seconds(3_600))
    #expect((3...5).contains(harness.lookups.count - before))
  }

  /// An announcement that nobody has kept is tried again, whoever could be reached.
  @Test func whatNobodyKeptIsAnnouncedAgain() {
    let harness = Harness()
    harness.outcome.stored = 0
    harness.schedule.setIsReachable(true, now: .zero)
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.schedule.setIsComplete(true, of: Self.infohash(1), now: .zero)
    harness.pass(.seconds(200))
    #expect(harness.lookups.count == 3)
  }

  /// That others reach us is known only after the first lookups: those that would follow soon are put off.
  @Test func whatIsLearnedLaterCounts() throws {
    let harness = Harness()
    for number in 0..<100 {
      harness.schedule.add(Self.infohash(number), now: .zero)
      harness.schedule.setIsComplete(true, of: Self.infohash(number), now: .zero)
    }
    harness.schedule.follow(Self.secret.key, head: try Self.head(1), now: .zero)
    harness.pass(.seconds(40))
    #expect(harness.lookups.count == 101)
    harness.schedule.setIsReachable(true, now: harness.now)
    harness.pass(.seconds(700))
    #expect(harness.lookups.count == 101)
    harness.schedule.setIsReachable(false, now: harness.now)
    harness.pass(.seconds(60))
    #expect(harness.lookups.count > 180)
  }

  /// A network that changes all the time does not make everything due all the time.
  @Test func changesThatFollowEachOtherCountTogether() {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.schedule.setHasPeers(true, of: Self.infohash(1), now: .zero)
    harness.pass(.seconds(100))
    for _ in 0..<120 {
      harness.schedule.networkChanged(now: harness.now)
      harness.pass(.seconds(5))
    }
    #expect((10...12).contains(harness.lookups.count), "\(harness.lookups)")
    // The last one counts, too.
    let before = harness.lookups.count
    harness.pass(.seconds(61))
    #expect(harness.lookups.count - before <= 1 && (harness.lookups.last ?? 0) >= 695)
  }

  /// Two that begin at the same moment, of whom each asks before the other has told.
  @Test func whoIsWaitedForIsLookedUpAgainAtOnce() throws {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), isUrgent: true, now: .zero)
    harness.pass(.seconds(300))
    for (gap, wanted) in zip(gaps(harness.lookups), [4.0, 8, 16, 32, 64, 128]) {
      #expect(gap >= wanted * 0.9 - 1 && gap <= wanted * 1.1 + 1, "\(harness.lookups)")
    }
    #expect(harness.lookups.count >= 7)
    // The swarm of a dataset: until there is a head; who publishes has one from the start.
    let publisher = Harness()
    publisher.schedule.follow(Self.secret.key, isUrgent: true, now: .zero)
    publisher.schedule.setHead(try Self.head(1), isOurs: true, now: .zero)
    publisher.schedule.add(MutableItem.target(of: Self.secret.key), isUrgent: true, now: .zero)
    publisher.pass(.seconds(50))
    #expect(publisher.lookups.count == 1)
    let follower = Harness()
    follower.schedule.follow(Self.secret.key, isUrgent: true, now: .zero)
    follower.pass(.seconds(16))
    #expect(follower.lookups.count == 3)
    follower.schedule.setHead(try Self.head(1), isOurs: false, now: follower.now)
    follower.pass(.seconds(16))
    let before = follower.lookups.count
    follower.pass(.seconds(120))
    #expect(follower.lookups.count == before)
  }

  @Test func whoCannotReachTheDHTAsksAgainSoon() {
    let harness = Harness()
    harness.outcome = RendezvousOutcome()
    harness.answerTime = .zero
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.pass(.seconds(3_600))
    let gaps = gaps(harness.lookups)
    for (gap, wanted) in zip(gaps, [5.0, 10, 20, 40, 80, 160, 300, 300]) {
      #expect(gap >= wanted * 0.9 - 0.2 && gap <= wanted * 1.1 + 0.2, "\(gaps)")
    }
    harness.outcome.answers = 5
    let before = harness.lookups.count
    harness.schedule.networkChanged(now: harness.now)
    harness.pass(.seconds(1))
    #expect(harness.lookups.count == before + 1)
  }

  /// A lookup that never ends is not waited for without end.
  @Test func lostLookupsAreGivenUp() {
    let harness = Harness()
    harness.isSilent = true
    for number in 0..<40 { harness.schedule.add(Self.infohash(number), now: .zero) }
    harness.pass(.seconds(600))
    #expect(harness.lookups.count >= 32 && harness.mostAtOnce <= 8)
    #expect(harness.cancelled.count >= 32)
  }

  @Test func privateTorrentsAreNeverAnnounced() {
    let harness = Harness()
    harness.schedule.add(Self.infohash(1), isPrivate: true, now: .zero)
    harness.schedule.setHasPeers(false, of: Self.infohash(1), now: .zero)
    harness.pass(.seconds(3_600))
    harness.schedule.networkChanged(now: harness.now)
    harness.schedule.setPort(7_000, now: harness.now)
    harness.pass(.seconds(3_600))
    #expect(harness.asked.isEmpty && harness.schedule.deadline == nil)
    // One that turns out to be private: what is under way ends.
    harness.schedule.add(Self.infohash(2), now: harness.now)
    harness.pass(.milliseconds(10))
    harness.schedule.remove(Self.infohash(2), now: harness.now)
    harness.pass(.seconds(3_600))
    #expect(harness.lookups.count == 1 && harness.cancelled.count == 1)
    #expect(harness.schedule.deadline == nil && harness.schedule.progress.isEmpty)
  }

  @Test func portsAreAnnouncedAnewWhenTheyChange() {
    let harness = Harness(port: nil)
    harness.schedule.add(Self.infohash(1), now: .zero)
    harness.schedule.setHasPeers(true, of: Self.infohash(1), now: .zero)
    harness.pass(.seconds(60))
    harness.schedule.setPort(9_000, now: harness.now)
    harness.pass(.seconds(1))
    harness.schedule.setPort(9_000, now: harness.now)
    harness.pass(.seconds(1))
    let ports = harness.asked.map {
      if case .lookup(_, _, let port) = $0.effect { port } else { UInt16?.none }
    }
    #expect(ports == [nil, 9_000])
  }

  // MARK: Many

  @Test func manyTorrentsAreSpreadOverTime() {
    let harness = Harness()
    let count = 3_000
    for number in 0..<count {
      harness.schedule.add(Self.infohash(number), now: .zero)
      harness.schedule.setHasPeers(true, of: Self.infohash(number), now: .zero)
    }
    harness.pass(.seconds(800))
    #expect(harness.lookups.count == count, "each once")
    #expect(harness.mostAtOnce <= 8)
    // Of the routine, at most four a second with answers that take two.
    var perSecond: [Int: Int] = [:]
    for time in harness.lookups { perSecond[Int(time), default: 0] += 1 }
    #expect(perSecond.values.allSatisfy { $0 <= 10 })
    // Somebody who waits does not wait for all those.
    let other = Harness()
    for number in 0..<count { other.schedule.add(Self.infohash(number), now: .zero) }
    other.pass(.seconds(5))
    other.schedule.follow(Self.secret.key, isUrgent: true, now: other.now)
    other.drain()
    #expect(other.gets == [5] && other.mostAtOnce <= 16)
    let own = other.asked.contains {
      if case .lookup(_, MutableItem.target(of: Self.secret.key), _) = $0.effect {
        true
      } else {
        false
      }
    }
    #expect(own)
  }

  /// A machine that slept for days has everything due at once, and does it in turn. A clock that goes
  /// back changes nothing.
  @Test func jumpsInTimeMakeNoBurst() {
    let harness = Harness()
    for number in 0..<500 { harness.schedule.add(Self.infohash(number), now: .zero) }
    harness.pass(.seconds(300))
    let before = harness.asked.count
    harness.now += .seconds(3 * 86_400)
    harness.schedule.handleTimeout(now: harness.now)
    harness.drain()
    #expect(harness.asked.count <= before + 8)
    harness.pass(.seconds(20))
    let after = harness.asked.count
    #expect(after - before <= 8 * 11 && harness.mostAtOnce <= 8)
    let deadline = harness.schedule.deadline
    harness.schedule.handleTimeout(now: .seconds(5))
    harness.drain()
    #expect(harness.schedule.deadline == deadline && harness.asked.count == after)
  }

  @Test func theSameSeedIsTheSameSchedule() {
    func run(_ seed: UInt64) -> [String] {
      let harness = Harness(seed: seed)
      for number in 0..<50 { harness.schedule.add(Self.infohash(number), now: .zero) }
      harness.pass(.seconds(1_000))
      harness.schedule.networkChanged(now: harness.now)
      harness.pass(.seconds(1_000))
      return harness.asked.map { "\($0.at) \($0.effect)" }
    }
    #expect(run(1) == run(1))
    #expect(run(1) != run(2))
  }

  // MARK: Heads

  @Test func whoHasNoHeadAsksOftenAndWhoHasOneSeldom() throws {
    let harness = Harness()
    harness.schedule.follow(Self.secret.key, now: .zero)
    harness.pass(.seconds(200))
    let early = gaps(harness.gets)
    for (gap, wanted) in zip(early, [4.0, 8, 16, 32]) {
      #expect(gap >= wanted * 0.9 - 0.2 && gap <= wanted * 1.1 + 0.2, "\(harness.gets)")
    }
    #expect(early.count >= 3 && harness.puts.isEmpty)
    harness.schedule.setHead(try Self.head(3), isOurs: false, now: harness.now)
    let learned = harness.now / .seconds(1)
    harness.pass(.seconds(5 * 3_600))
    // Stored within two minutes, and every hour.
    let puts = harness.puts
    #expect(puts.count >= 5 && puts[0] >= learned && puts[0] <= learned + 121)
    #expect(gaps(puts).allSatisfy { $0 >= 3_239 && $0 <= 3_961 }, "\(puts)")
    let late = gaps(harness.gets.filter { $0 > learned + 600 })
    #expect(late.allSatisfy { $0 >= 539 && $0 <= 661 } && late.count > 20, "\(late)")
    guard
      case .getHead(_, _, _, newerThan: 3) = harness.asked.last(where: {
        if case .getHead = $0.effect { true } else { false }
      })?.effect
    else {
      Issue.record("not asked for newer ones")
      return
    }
  }

  @Test func ownHeadsAreStoredAtOnceAndOthersOnlyWhereTheyAreFew() throws {
    let harness = Harness()
    harness.outcome.copies = 9
    harness.outcome.isAtAllClosest = true
    harness.schedule.follow(Self.secret.key, head: try Self.head(1), now: .zero)
    harness.pass(.seconds(4 * 3_600))
    #expect(harness.puts.isEmpty, "enough others keep it")
    harness.schedule.setHead(try Self.head(2), isOurs: true, now: harness.now)
    harness.drain()
    #expect(harness.puts == [4 * 3_600])
    harness.schedule.setHead(try Self.head(1), isOurs: true, now: harness.now)
    harness.schedule.setHead(try Self.head(2), isOurs: true, now: harness.now)
    harness.pass(.seconds(30))
    #expect(harness.puts.count == 1, "an old head is none")
    harness.outcome.copies = 8
    harness.pass(.seconds(3 * 3_600))
    #expect(harness.puts.count >= 3)
  }

  /// A store that reached nobody is tried again, and one by its publisher even where copies are said to
  /// be many.
  @Test func storesThatFailAreRepeated() throws {
    let harness = Harness()
    harness.schedule.follow(Self.secret.key, now: .zero)
    harness.outcome.stored = 0
    harness.outcome.copies = 20
    harness.outcome.isAtAllClosest = true
    harness.schedule.setHead(try Self.head(1), isOurs: true, now: .zero)
    harness.pass(.seconds(1_000))
    let gaps = gaps(harness.puts)
    for (gap, wanted) in zip(gaps, [60.0, 120, 240, 480]) {
      #expect(gap >= wanted * 0.9 - 0.2 && gap <= wanted * 1.1 + 0.2, "\(gaps)")
    }
    #expect(gaps.count >= 3)
  }

  @Test func unfollowingEndsAll() throws {
    let harness = Harness()
    harness.schedule.follow(Self.secret.key, head: try Self.head(1), now: .zero)
    harness.pass(.milliseconds(500))
    harness.schedule.unfollow(Self.secret.key, now: harness.now)
    let before = harness.asked.count
    harness.pass(.seconds(10_000))
    #expect(harness.asked.count == before && harness.schedule.deadline == nil)
    #expect(harness.cancelled.count == 2)
    // A torrent and a dataset that want the same announced each count.
    let place = MutableItem.target(of: Self.secret.key)
    harness.schedule.add(place, now: harness.now)
    harness.schedule.follow(Self.secret.key, now: harness.now)
    harness.pass(.seconds(5))
    harness.schedule.unfollow(Self.secret.key, now: harness.now)
    #expect(harness.schedule.deadline != nil)
    harness.schedule.remove(place, now: harness.now)
    #expect(harness.schedule.deadline == nil)
  }

  /// A private dataset is followed by a disguise of its key, and its peers are sought elsewhere.
  @Test func aDatasetWithoutASwarmIsNotLookedUp() throws {
    let harness = Harness()
    harness.schedule.follow(Self.secret.key, head: try Self.head(1), hasSwarm: false, now: .zero)
    harness.schedule.setHead(try Self.head(2), isOurs: true, now: .zero)
    harness.pass(.seconds(10_000))
    #expect(harness.lookups.isEmpty && !harness.gets.isEmpty && !harness.puts.isEmpty)
    harness.schedule.unfollow(Self.secret.key, now: harness.now)
    #expect(harness.schedule.deadline == nil)
  }

  /// Queues against the obvious: a sorted array.
  @Test(arguments: UInt64(0)..<10)
  func queueIsInOrder(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var queue = DueQueue<Int>()
    var reference: [(Duration, UInt64, Int)] = []
    for number in 0..<300 {
      if random.oneIn(3), !reference.isEmpty {
        let first = reference.min { ($0.0, $0.1) < ($1.0, $1.1) }
        #expect(queue.first?.element == first?.2, "seed \(seed)")
        queue.removeFirst()
        reference.removeAll { $0.1 == first?.1 }
      } else {
        let due = Duration.seconds(Int.random(in: 0..<20, using: &random))
        queue.add(number, due: due, number: UInt64(number))
        reference.append((due, UInt64(number), number))
      }
      #expect(queue.count == reference.count)
    }
  }
}
