import Metainfo

/// Holds a stream of bytes to a rate.
///
/// What is taken in any stretch of time t is at most rate · t + burst + the last take: a take may run
/// into debt, so that a block passes whole at any rate, and nothing passes until the debt is paid.
struct TokenBucket: Sendable {
  private let rate: UInt64?
  private let burst: Int64
  /// Bytes that may pass; below 0 in debt. Invariant: at most `burst`.
  private var level: Int64
  /// Billionths of a byte that time has brought besides.
  private var fraction: UInt64 = 0
  private var filled: Duration?

  /// `rate` in bytes a second, nil for no limit, 0 for nothing at all; `burst` in bytes, nil for a
  /// quarter of a second and at least a block.
  init(rate: UInt64?, burst: Int? = nil) {
    self.rate = rate
    let quarter = Int64(clamping: (rate ?? 0) / 4)
    let chosen = burst.map { Int64(max($0, 0)) } ?? max(quarter, Int64(blockLength))
    self.burst = min(chosen, mostAtOnce)
    level = self.burst
  }

  /// Whether there is a rate to hold to.
  var isLimited: Bool { rate != nil }

  /// Whether `bytes` may pass now; if so they count as passed.
  mutating func take(_ bytes: Int, now: Duration) -> Bool {
    guard let rate else { return true }
    guard rate > 0 else { return false }
    fill(rate, now)
    guard level >= 0 else { return false }
    level -= min(Int64(bytes), mostAtOnce)
    return true
  }

  /// What was taken did not pass after all.
  mutating func giveBack(_ bytes: Int) {
    guard rate != nil else { return }
    level = min(burst, level + min(Int64(max(bytes, 0)), mostAtOnce))
  }

  /// When `take` may succeed; nil for now.
  func nextFill(now: Duration) -> Duration? {
    guard let rate else { return nil }
    guard rate > 0 else { return now + PolicyLimits.longestWait }
    var bucket = self
    bucket.fill(rate, now)
    guard bucket.level < 0, let filled = bucket.filled else { return nil }
    let missing = UInt128(bucket.level.magnitude) * UInt128(nanoseconds) - UInt128(bucket.fraction)
    let wait = (missing + UInt128(rate) - 1) / UInt128(rate)
    return max(filled + .nanoseconds(Int64(clamping: wait)), now + .nanoseconds(1))
  }

  /// Invariant: all that time brought is in `level` and `fraction`, or was more than the burst.
  private mutating func fill(_ rate: UInt64, _ now: Duration) {
    guard let last = filled else {
      filled = now
      return
    }
    let elapsed = (now - last).attoseconds / Int128(nanoseconds)
    guard elapsed > 0 else { return }
    filled = last + .nanoseconds(Int64(clamping: elapsed))
    let brought =
      UInt128(rate) * UInt128(UInt64(clamping: elapsed)) + UInt128(fraction)
    let (bytes, rest) = brought.quotientAndRemainder(dividingBy: UInt128(nanoseconds))
    let room = burst - level
    if bytes >= UInt128(room) {
      level = burst
      fraction = 0
    } else {
      level += Int64(bytes)
      fraction = UInt64(rest)
    }
  }
}

/// In a second; also attoseconds in a nanosecond.
private let nanoseconds: UInt64 = 1_000_000_000

/// An exbibyte, in bytes: sums and differences of two are far from overflow.
private let mostAtOnce: Int64 = 1 << 60
