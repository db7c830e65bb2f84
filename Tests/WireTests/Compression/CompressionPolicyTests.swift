import TestSupport
import Testing
import Wire

@Suite struct CompressionPolicyTests {
  /// Of `count` blocks, how many are tried, if `frame` says what comes of each.
  private func tries(
    _ policy: inout CompressionPolicy<Int>, of count: Int, file: Int = 0,
    _ frame: (Int) -> Int?
  ) -> Int {
    var tried = 0
    for number in 0..<count where policy.shouldTry(file) {
      tried += 1
      policy.learn(file, blockByteCount: 16_384, frameByteCount: frame(number))
    }
    return tried
  }

  @Test func textIsAlwaysTried() {
    var policy = CompressionPolicy<Int>()
    #expect(tries(&policy, of: 1_000) { _ in 5_000 } == 1_000)
  }

  /// 1 GiB of what does not compress: 65,536 blocks.
  @Test func randomDataIsHardlyTried() {
    var policy = CompressionPolicy<Int>()
    #expect((4...100).contains(tries(&policy, of: 65_536) { _ in nil }))
    // Another file knows nothing of that.
    #expect(tries(&policy, of: 100, file: 1) { _ in 100 } == 100)
  }

  @Test func savingsBelowAnEighthAreNotWorthIt() {
    var policy = CompressionPolicy<Int>()
    #expect(tries(&policy, of: 1_000) { _ in 15_000 } < 100)
    policy = CompressionPolicy()
    #expect(tries(&policy, of: 1_000) { _ in 14_000 } == 1_000)
  }

  /// What was random for long and then is text is found out, and the other way round.
  @Test func judgmentsChange() {
    var policy = CompressionPolicy<Int>()
    _ = tries(&policy, of: 10_000) { _ in nil }
    #expect(tries(&policy, of: 60_000) { _ in 4_000 } > 30_000)
    #expect(tries(&policy, of: 60_000) { _ in nil } < 500)
  }

  /// A disk image: every other block is worth it, so the file is.
  @Test func mixedFilesAreTried() {
    var policy = CompressionPolicy<Int>()
    #expect(tries(&policy, of: 1_000) { $0 % 2 == 0 ? 3_000 : nil } == 1_000)
  }

  @Test func knowledgeIsBounded() {
    var policy = CompressionPolicy<Int>()
    for file in 0..<20_000 { _ = tries(&policy, of: 5, file: file) { _ in nil } }
    #expect(policy.count == CompressionLimits.files)
    policy.forget { $0 < 19_990 }
    #expect(policy.count == 10)
    for file in 0..<20_000 { _ = policy.shouldTry(file) }
    #expect(policy.count == CompressionLimits.files)
  }

  // MARK: Links

  private func level(after reports: Int, rate: Int, blocked: Double) -> Int32? {
    var effort = LinkEffort()
    for _ in 0..<reports {
      effort.report(
        byteCount: rate, blocked: .milliseconds(Int64(blocked * 1_000)), interval: .seconds(1))
    }
    return effort.level
  }

  @Test func slowLinksTakeMoreEffort() {
    #expect(level(after: 0, rate: 0, blocked: 0) == 1)
    #expect(level(after: 10, rate: 1_000_000, blocked: 1) == 9)
    #expect(level(after: 10, rate: 5_000_000, blocked: 1) == 6)
    #expect(level(after: 10, rate: 12_500_000, blocked: 0.9) == 3)
    #expect(level(after: 10, rate: 60_000_000, blocked: 0.9) == 1)
    #expect(level(after: 2, rate: 1_000_000_000, blocked: 1) == nil)
  }

  /// A link on which nothing waits is not what holds things up, however little goes over it: compression may be.
  @Test func linksThatWaitForNothingAreLeftAlone() {
    #expect(level(after: 10, rate: 30_000_000, blocked: 0.1) == nil)
    #expect(level(after: 10, rate: 1_000_000, blocked: 0.1) == 1)
    var effort = LinkEffort()
    for _ in 0..<10 { effort.report(byteCount: 1_000, blocked: .seconds(1), interval: .seconds(1)) }
    #expect(effort.level == 9)
    effort.report(byteCount: 1_000, blocked: .zero, interval: .seconds(1))
    #expect(effort.level == 6)
    // Silence says nothing, nor does nonsense.
    effort.report(byteCount: 0, blocked: .zero, interval: .seconds(1))
    effort.report(byteCount: 1, blocked: .zero, interval: .zero)
    #expect(effort.level == 6)
  }

  /// Where the processor is busy the line waits for compression, and gets less: that makes it no slower line.
  @Test func linksThatWaitForCompressionAreNotTakenForSlow() {
    #expect(level(after: 10, rate: 5_000_000, blocked: 0.6) == 1)
    var effort = LinkEffort()
    for _ in 0..<10 {
      effort.report(byteCount: 5_000_000, blocked: .seconds(1), interval: .seconds(1))
    }
    #expect(effort.level == 6)
    effort.report(byteCount: 4_000_000, blocked: .milliseconds(600), interval: .seconds(1))
    #expect(effort.level == 3)
  }

  /// Within one machine nothing is compressed until bytes have waited at a rate that is none of a machine's.
  @Test func linksWithinAMachineBeginWithNothing() {
    var effort = LinkEffort(isFast: true)
    #expect(effort.level == nil)
    effort.report(byteCount: 1_000, blocked: .zero, interval: .seconds(1))
    effort.report(byteCount: 2_000_000_000, blocked: .seconds(1), interval: .seconds(1))
    #expect(effort.level == nil)
    effort.report(byteCount: 1_000_000, blocked: .seconds(1), interval: .seconds(1))
    #expect(effort.level == 1)
    for _ in 0..<5 { effort.report(byteCount: 1_000, blocked: .zero, interval: .seconds(1)) }
    #expect(effort.level == nil)
  }

  // MARK: Cache

  @Test func cacheKeepsWhatIsUsed() {
    var cache = FrameCache<Int, Int>(capacity: 10 * (1_000 + 128))
    for key in 0..<10 { cache.insert(.frame(key), byteCount: 1_000, for: key) }
    #expect(cache.count == 10 && cache.cost == cache.capacity)
    for key in 0..<3 { #expect(cache.entry(of: key) != nil) }
    for key in 10..<17 { cache.insert(.frame(key), byteCount: 1_000, for: key) }
    for key in 0..<3 { #expect(cache.entry(of: key) != nil, "\(key)") }
    #expect(cache.count == 10)
    cache.insert(.plain, byteCount: 0, for: 1)
    guard case .plain? = cache.entry(of: 1) else {
      Issue.record("replaced")
      return
    }
    cache.forget { $0 != 1 }
    #expect(cache.count == 1 && cache.cost == 128)
    cache.insert(.frame(5), byteCount: 1 << 20, for: 5)
    #expect(cache.entry(of: 5) == nil && cache.count == 1)
  }

  /// Against a dictionary that forgets nothing: what is found is right, and the bound holds.
  @Test func cacheIsNeverWrong() {
    var random = SplitMix64(seed: 31)
    var cache = FrameCache<Int, Int>(capacity: 5_000)
    var all: [Int: Int] = [:]
    for _ in 0..<20_000 {
      let key = Int.random(in: 0..<100, using: &random)
      switch Int.random(in: 0..<20, using: &random) {
      case 0: cache.forget { $0 % 10 == key % 10 }
      case 1..<10:
        all[key] = Int.random(in: 0..<1_000_000, using: &random)
        cache.insert(
          .frame(all[key] ?? 0), byteCount: Int.random(in: 0...2_000, using: &random), for: key)
      default:
        if case .frame(let value)? = cache.entry(of: key) { #expect(value == all[key]) }
      }
      #expect(cache.cost <= 5_000 && cache.cost >= 128 * cache.count)
    }
  }
}
