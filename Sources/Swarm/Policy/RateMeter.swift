/// How many bytes a second pass: the mean over the last 5 s, or since the first byte if that is less.
struct RateMeter: Sendable {
  /// All bytes ever.
  private(set) var total: UInt64 = 0
  /// A ring; `current` is being filled until `end`, and the one behind it is the oldest.
  private var buckets = InlineArray<10, UInt64>(repeating: 0)
  private var current = 0
  private var end = Duration.zero
  /// The first byte; nil before it.
  private var start: Duration?

  /// Nothing has passed.
  init() {}

  /// So many bytes passed.
  mutating func add(_ bytes: Int, now: Duration) {
    if start == nil {
      start = now
      end = now + PolicyLimits.rateBucket
    }
    if now >= end { advance(to: now) }
    let bytes = UInt64(clamping: bytes)
    buckets[current] += bytes
    total += bytes
  }

  /// Bytes a second.
  func rate(now: Duration) -> UInt64 {
    guard let start else { return 0 }
    var meter = self
    meter.advance(to: now)
    var sum: UInt64 = 0
    for index in meter.buckets.indices { sum += meter.buckets[index] }
    let first = meter.end - PolicyLimits.rateBucket * buckets.count
    let time = max(now - max(first, start), PolicyLimits.shortestRateTime)
    return UInt64(min(Double(sum) / (time / .seconds(1)), 1e18))
  }

  private mutating func advance(to now: Duration) {
    for _ in buckets.indices {
      if now < end { return }
      current = (current + 1) % buckets.count
      buckets[current] = 0
      end += PolicyLimits.rateBucket
    }
    // Silent for the whole window: all buckets are empty.
    if now >= end { end = now + PolicyLimits.rateBucket }
  }
}
