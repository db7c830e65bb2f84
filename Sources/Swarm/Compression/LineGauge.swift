import Wire

/// How busy the line to one peer is, and so how much work compression may take on it. docs/compression.md.
struct LineGauge {
  private var effort: LinkEffort
  /// When the stretch of time began that is judged next; nil before the first byte.
  private var since: Duration?
  /// Since when bytes have been waiting for the line without a break.
  private var waitingSince: Duration?
  /// What was seen since `since`.
  private var byteCount = 0
  private var waited = Duration.zero
  private var isFirst = true

  /// A line to a peer of this machine, or to another.
  init(isLoopback: Bool) { effort = LinkEffort(isFast: isLoopback) }

  /// The level; nil for blocks as they are.
  var level: Int32? { effort.level }

  /// The system took so many bytes.
  mutating func sent(_ count: Int, now: Duration) {
    if since == nil { since = now }
    byteCount += count
  }

  /// Whether bytes wait for the line from now on.
  mutating func waits(_ isWaiting: Bool, now: Duration) {
    if isWaiting {
      if since == nil { since = now }
      waitingSince = waitingSince ?? now
    } else if let start = waitingSince {
      waited += now - start
      waitingSince = nil
    }
  }

  /// Judges what was seen, when it is time to. `isHeldBack`: more would go out but for a limit of the user's.
  mutating func judge(isHeldBack: Bool, now: Duration) {
    let stretch = isFirst ? SwarmLimits.firstLineTime : SwarmLimits.lineTime
    guard let start = since, start + stretch <= now else { return }
    if let start = waitingSince {
      waited += now - start
      waitingSince = now
    }
    let interval = now - start
    effort.report(
      byteCount: byteCount, blocked: isHeldBack ? interval : min(waited, interval),
      interval: interval)
    (since, byteCount, waited, isFirst) = (now, 0, .zero, false)
  }
}
