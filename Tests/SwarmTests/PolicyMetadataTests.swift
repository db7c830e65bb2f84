import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// A dictionary of `size` bytes, and the fetch that wants it.
private struct Bench {
  let right: [UInt8]
  var fetch: MetadataFetch

  init(size: Int, seed: UInt64 = 1) {
    var rng = SplitMix64(seed: seed)
    right = rng.bytes(size)
    fetch = MetadataFetch(v1: SHA1Digest(hashing: right), v2: SHA256Digest(hashing: right))
  }

  func block(_ piece: UInt32) -> [UInt8] {
    Array(right.dropFirst(Int(piece) * 16_384).prefix(16_384))
  }

  mutating func give(
    _ piece: UInt32, _ bytes: [UInt8]? = nil, total: Int? = nil, from slot: UInt32,
    at now: Duration = .zero
  ) -> MetadataFetch.Outcome {
    let bytes = bytes ?? block(piece)
    return fetch.received(
      piece: piece, totalSize: total ?? right.count, bytes: bytes.span.bytes, from: slot, now: now)
  }

  mutating func requests(of slot: UInt32, at now: Duration = .zero) -> [UInt32] {
    var all: [UInt32] = []
    while let piece = fetch.nextRequest(for: slot, now: now) { all.append(piece) }
    return all
  }
}

private func expect(
  _ bench: inout Bench, of slot: UInt32, at now: Duration = .zero, asks pieces: [UInt32],
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let asked = bench.requests(of: slot, at: now)
  #expect(asked == pieces, sourceLocation: sourceLocation)
}

@Suite struct PolicyMetadataTests {
  @Test(arguments: [1, 16_383, 16_384, 16_385, 100_000])
  func onePeerGivesAll(size: Int) {
    var bench = Bench(size: size)
    bench.fetch.peerOffers(7, size: size)
    var outcome = MetadataFetch.Outcome.more
    var asked: [UInt32] = []
    while outcome == .more, let piece = bench.fetch.nextRequest(for: 7, now: .zero) {
      asked.append(piece)
      outcome = bench.give(piece, from: 7)
    }
    #expect(outcome == .complete(bench.right))
    #expect(asked == Array(0..<UInt32((size + 16_383) / 16_384)))
    #expect(bench.fetch.culprits == [])
    expect(&bench, of: 7, asks: [])
    #expect(bench.fetch.deadline == nil)
  }

  @Test func eachInfohashMustBeRight() {
    let right: [UInt8] = Array("d1:ai1ee".utf8)
    let (v1, v2) = (SHA1Digest(hashing: right), SHA256Digest(hashing: right))
    let (no1, no2) = (SHA1Digest(hashing: []), SHA256Digest(hashing: []))
    for (one, two, isRight) in [
      (v1, nil, true), (nil, v2, true), (v1, v2, true), (no1, v2, false), (v1, no2, false),
      (no1, nil, false), (nil, no2, false), (nil, nil, false),
    ] as [(SHA1Digest?, SHA256Digest?, Bool)] {
      var fetch = MetadataFetch(v1: one, v2: two)
      fetch.peerOffers(1, size: right.count)
      _ = fetch.nextRequest(for: 1, now: .zero)
      let outcome = fetch.received(
        piece: 0, totalSize: right.count, bytes: right.span.bytes, from: 1, now: .zero)
      #expect(outcome == (isRight ? .complete(right) : .corrupt([1])))
    }
  }

  @Test func blocksAreSharedOutTwoToAPeer() {
    var bench = Bench(size: 16_384 * 5)
    for slot: UInt32 in 1...3 { bench.fetch.peerOffers(slot, size: bench.right.count) }
    let asked = (1...3).map { bench.requests(of: $0) }
    // The third has one that is free, and one to help with.
    #expect(asked == [[0, 1], [2, 3], [4, 0]])
  }

  @Test func whatWasNotAskedIsNotTaken() {
    var bench = Bench(size: 40_000)
    let stranger = bench.give(0, from: 5)
    #expect(stranger == .unasked)
    bench.fetch.peerOffers(5, size: 40_000)
    let early = bench.give(0, from: 5)
    #expect(early == .unasked)
    expect(&bench, of: 5, asks: [0, 1])
    let other = bench.give(2, from: 5)
    #expect(other == .unasked)
    let beyond = bench.give(8_000, from: 5)
    #expect(beyond == .unasked)
    let asked = bench.give(0, from: 5)
    #expect(asked == .more)
    let twice = bench.give(0, from: 5)
    #expect(twice == .unasked)
  }

  /// What the peer says of its own words: whole size, block's length, and whether it contradicts itself.
  @Test(arguments: [
    (40_000, 16_384, false), (16_384, 16_384, false), (40_001, 16_384, true),
    (40_000, 16_383, true), (40_000, 0, true), (16_383, 16_383, true),
  ])
  func sizesMustBeAsOffered(total: Int, length: Int, isLie: Bool) {
    var bench = Bench(size: 40_000)
    bench.fetch.peerOffers(5, size: 40_000)
    _ = bench.requests(of: 5)
    let outcome = bench.give(0, Array(bench.right.prefix(length)), total: total, from: 5)
    #expect(outcome == (isLie ? .corrupt([5]) : .more))
    // A liar is not asked again, whatever it offers.
    bench.fetch.peerOffers(5, size: 40_000)
    let again = bench.requests(of: 5)
    #expect(again.isEmpty == isLie)
  }

  @Test func sizesOfNoDictionaryAreNotAskedFor() {
    var bench = Bench(size: 40_000)
    for size in [0, -1, .min, .max, PolicyLimits.metadataBytes + 1] {
      bench.fetch.peerOffers(5, size: size)
      expect(&bench, of: 5, asks: [])
    }
    bench.fetch.peerOffers(5, size: PolicyLimits.metadataBytes)
    expect(&bench, of: 5, asks: [0, 1])
  }

  @Test func smallClaimsComeFirstWithinTheBudget() {
    var bench = Bench(size: 40_000)
    bench.fetch.peerOffers(1, size: 32 << 20)
    bench.fetch.peerOffers(2, size: 31 << 20)
    expect(&bench, of: 1, asks: [])
    expect(&bench, of: 2, asks: [0, 1])
    bench.fetch.peerOffers(3, size: 40_000)
    expect(&bench, of: 3, asks: [0, 1])
    bench.fetch.peerLeft(2)
    expect(&bench, of: 1, asks: [0, 1])
  }

  @Test func rejectsAndSilenceGoToOthersAndAreTriedLater() {
    var bench = Bench(size: 10_000)
    bench.fetch.peerOffers(1, size: 10_000)
    expect(&bench, of: 1, asks: [0])
    bench.fetch.rejected(piece: 0, by: 1)
    expect(&bench, of: 1, asks: [])
    #expect(bench.fetch.deadline == .seconds(5))
    bench.fetch.handleTimeout(now: .seconds(5))
    expect(&bench, of: 1, at: .seconds(5), asks: [0])
    #expect(bench.fetch.deadline == .seconds(15))
    bench.fetch.handleTimeout(now: .seconds(15))
    expect(&bench, of: 1, at: .seconds(15), asks: [])
    #expect(bench.fetch.deadline == .seconds(25))
    // It says that it has it now: at once.
    bench.fetch.peerOffers(1, size: 10_000)
    expect(&bench, of: 1, at: .seconds(16), asks: [0])
  }

  @Test func aLateAnswerIsStillGood() {
    var bench = Bench(size: 10_000)
    bench.fetch.peerOffers(1, size: 10_000)
    _ = bench.requests(of: 1)
    bench.fetch.handleTimeout(now: .seconds(10))
    let outcome = bench.give(0, from: 1, at: .seconds(12))
    #expect(outcome == .complete(bench.right))
  }

  @Test func ofSeveralTheLiarIsFoundByTheRightOne() {
    var bench = Bench(size: 16_384 * 3)
    for slot: UInt32 in 1...2 { bench.fetch.peerOffers(slot, size: bench.right.count) }
    expect(&bench, of: 1, asks: [0, 1])
    expect(&bench, of: 2, asks: [2, 0])
    let wrong = [UInt8](repeating: 9, count: 16_384)
    var outcomes = [bench.give(0, from: 1), bench.give(1, from: 1), bench.give(2, wrong, from: 2)]
    #expect(outcomes == [.more, .more, .corrupt([])])
    // An answer of before has no place any more, and is no fault.
    outcomes = [bench.give(0, from: 2)]
    #expect(outcomes == [.more])
    expect(&bench, of: 2, asks: [])
    for piece: UInt32 in 0..<3 {
      _ = bench.requests(of: 1)
      outcomes.append(bench.give(piece, from: 1))
    }
    #expect(outcomes.last == .complete(bench.right))
    #expect(bench.fetch.culprits == [2])
  }

  @Test func nobodyIsBlamedForWhoHadTheSlotBefore() {
    var bench = Bench(size: 16_384 * 2)
    bench.fetch.peerOffers(1, size: bench.right.count)
    _ = bench.requests(of: 1)
    _ = bench.give(0, [UInt8](repeating: 9, count: 16_384), from: 1)
    bench.fetch.peerLeft(1)
    bench.fetch.peerOffers(1, size: bench.right.count)
    bench.fetch.peerOffers(2, size: bench.right.count)
    expect(&bench, of: 1, asks: [0, 1])
    let outcome = bench.give(1, from: 1)
    // Nothing of the one who left is kept when nobody else claimed its size.
    #expect(outcome == .more)
    _ = bench.requests(of: 1)
    let end = bench.give(0, from: 1)
    #expect(end == .complete(bench.right))
    #expect(bench.fetch.culprits == [])
  }
}
