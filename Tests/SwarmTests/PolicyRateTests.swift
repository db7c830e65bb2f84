import Metainfo
import TestSupport
import Testing

@testable import Swarm

@Suite struct PolicyRateMeterTests {
  /// Rate in bytes a second, time between two adds in ms, how long in ms, all of it constant.
  @Test(arguments: [
    (rate: 1_000, step: 100, time: 1_000), (1_000_000, 1, 1_000), (1_000_000, 1, 2_500),
    (50_000, 200, 5_000), (16_384, 1_000, 20_000), (100_000_000, 7, 60_000),
  ])
  func constantStreamsAreExact(rate: Int, step: Int, time: Int) {
    var meter = RateMeter()
    let from = Duration.seconds(12_345)
    for at in stride(from: 0, to: time, by: step) {
      meter.add(rate * step / 1_000, now: from + .milliseconds(at))
    }
    let measured = Double(meter.rate(now: from + .milliseconds(time)))
    // One add more or less may lie in the window.
    let slack = Double(rate) * 0.02 + Double(rate * step) / 1_000 / Double(min(time, 4_500)) * 1_000
    #expect(abs(measured - Double(rate)) <= slack, "\(measured)")
    #expect(meter.total == UInt64((time + step - 1) / step * (rate * step / 1_000)))
  }

  @Test func nothingIsNoRate() {
    var meter = RateMeter()
    #expect(meter.rate(now: .seconds(5)) == 0)
    meter.add(5_000, now: .seconds(5))
    // One block is no gigabyte a second.
    #expect(meter.rate(now: .seconds(5)) == 5_000)
    #expect(meter.rate(now: .seconds(7)) == 2_500)
    #expect(meter.rate(now: .seconds(9)) == 1_250)
    #expect(meter.rate(now: .seconds(10)) == 0)
    #expect(meter.rate(now: .seconds(10_000)) == 0)
    #expect(meter.total == 5_000)
    meter.add(4_500, now: .seconds(10_000))
    #expect(meter.rate(now: .seconds(10_000)) == 1_000)
  }

  @Test func timeThatGoesBackHarmsNothing() {
    var meter = RateMeter()
    meter.add(1_000, now: .seconds(10))
    meter.add(1_000, now: .seconds(3))
    #expect(meter.rate(now: .seconds(2)) == 2_000)
    #expect(meter.total == 2_000)
  }

  /// Beside the list of all adds: what came in the last 4.5 s counts, what came before the last 5 s
  /// does not.
  @Test(arguments: UInt64(0)..<10)
  func staysBetweenItsBounds(seed: UInt64) {
    var rng = SplitMix64(seed: seed)
    var meter = RateMeter()
    var adds: [(at: Duration, bytes: Int)] = []
    var now = Duration.milliseconds(Int.random(in: 0...5_000, using: &rng))
    let start = now
    for _ in 0..<1_000 {
      let bytes = Int.random(in: 0...16_384, using: &rng)
      meter.add(bytes, now: now)
      adds.append((now, bytes))
      now += .microseconds(Int.random(in: 0...(rng.oneIn(100) ? 7_000_000 : 100_000), using: &rng))
      adds.removeAll { $0.at <= now - .seconds(5) }
      guard now - start > .seconds(5) else { continue }
      func sum(_ window: Duration) -> Double {
        Double(adds.reduce(0) { $0 + ($1.at > now - window ? $1.bytes : 0) })
      }
      let rate = Double(meter.rate(now: now))
      #expect(rate >= (sum(.milliseconds(4_500)) / 5).rounded(.down), "seed \(seed)")
      #expect(rate <= sum(.seconds(5)) / 4.5, "seed \(seed)")
    }
  }
}

private func expect(
  _ bucket: inout TokenBucket, passes bytes: Int, at now: Duration,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let passes = bucket.take(bytes, now: now)
  #expect(passes, sourceLocation: sourceLocation)
}

private func expect(
  _ bucket: inout TokenBucket, refuses bytes: Int, at now: Duration,
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let passes = bucket.take(bytes, now: now)
  #expect(!passes, sourceLocation: sourceLocation)
}

@Suite struct PolicyTokenBucketTests {
  @Test func noLimitIsNoLimit() {
    var bucket = TokenBucket(rate: nil)
    for _ in 0..<1_000 { expect(&bucket, passes: 1 << 40, at: .zero) }
    #expect(bucket.nextFill(now: .zero) == nil)
  }

  @Test func zeroIsNothing() {
    var bucket = TokenBucket(rate: 0)
    expect(&bucket, refuses: 1, at: .zero)
    expect(&bucket, refuses: 1, at: .seconds(1_000_000))
    #expect(bucket.nextFill(now: .seconds(9)) == .seconds(9) + PolicyLimits.longestWait)
  }

  @Test func aBlockPassesAtAnyRateAndIsPaidFor() {
    var bucket = TokenBucket(rate: 1_024, burst: 0)
    expect(&bucket, passes: 16_384, at: .seconds(1))
    expect(&bucket, refuses: 1, at: .seconds(1))
    #expect(bucket.nextFill(now: .seconds(1)) == .seconds(17))
    #expect(bucket.nextFill(now: .seconds(10)) == .seconds(17))
    expect(&bucket, refuses: 1, at: .seconds(17) - .nanoseconds(1))
    #expect(bucket.nextFill(now: .seconds(17)) == nil)
    expect(&bucket, passes: 16_384, at: .seconds(17))
  }

  @Test func theBurstIsAQuarterOfASecondAndABlockAtLeast() {
    var slow = TokenBucket(rate: 1_000)
    expect(&slow, passes: 16_384, at: .zero)
    expect(&slow, passes: 1, at: .zero)
    expect(&slow, refuses: 1, at: .zero)
    var fast = TokenBucket(rate: 4_000_000)
    expect(&fast, passes: 1_000_000, at: .zero)
    expect(&fast, passes: 1, at: .zero)
    expect(&fast, refuses: 1, at: .zero)
  }

  @Test func hugeNumbersDoNotOverflow() {
    var bucket = TokenBucket(rate: .max, burst: .max)
    expect(&bucket, passes: 16_384, at: .zero)
    expect(&bucket, passes: .max, at: .seconds(1 << 40))
    expect(&bucket, passes: .max, at: .seconds(1 << 40))
    expect(&bucket, passes: .max, at: .seconds(1 << 41))
    var idle = TokenBucket(rate: 1, burst: 1)
    expect(&idle, passes: 1, at: .zero)
    expect(&idle, passes: 1, at: .seconds(Int64.max))
    expect(&idle, passes: 1, at: .seconds(5))
    expect(&idle, refuses: 1, at: .seconds(5))
  }

  /// In no stretch of time more passes than rate · t + burst + one block, and with always something to
  /// send not less than rate · t.
  @Test(arguments: UInt64(0)..<30)
  func holdsTheRate(seed: UInt64) {
    var rng = SplitMix64(seed: seed)
    let rate = UInt64.random(in: 1...(1 << Int.random(in: 4...30, using: &rng)), using: &rng)
    let burst = Int.random(in: 0...200_000, using: &rng)
    var bucket = TokenBucket(rate: rate, burst: burst)
    var taken: [(at: Double, bytes: Int)] = []
    let isGreedy = rng.oneIn(2)
    let block = 16_384
    let start = Duration.seconds(Int.random(in: 0...1_000, using: &rng))
    var now = start
    for _ in 0..<300 {
      let bytes = Int.random(in: 1...block, using: &rng)
      if bucket.take(bytes, now: now) {
        taken.append(((now - start) / .seconds(1), bytes))
        continue
      }
      guard let next = bucket.nextFill(now: now) else {
        Issue.record("refused, and may be taken now; seed \(seed)")
        return
      }
      #expect(next > now, "seed \(seed)")
      var early = bucket
      expect(&early, refuses: 1, at: max(now, next - .nanoseconds(2)))
      let pause = isGreedy ? 0 : Int.random(in: 0...1_000_000_000, using: &rng)
      now = next + .nanoseconds(pause)
      #expect(bucket.nextFill(now: now) == nil, "seed \(seed)")
    }
    // The most that any stretch has beyond what it may have.
    var excess = -Double.infinity
    for first in taken.indices {
      var sum = 0
      for last in first..<taken.count {
        sum += taken[last].bytes
        let bound = Double(rate) * (taken[last].at - taken[first].at) + Double(burst + block)
        excess = max(excess, Double(sum) - bound * (1 + 1e-9))
      }
    }
    #expect(excess <= 1, "seed \(seed)")
    if isGreedy {
      let all = Double(taken.reduce(0) { $0 + $1.bytes })
      #expect(all >= Double(rate) * ((now - start) / .seconds(1)) * (1 - 1e-6), "seed \(seed)")
    }
  }
}
