import Metainfo
import Wire

/// Keeps one address from having us work for it without end, and all together from having us send
/// without end: source addresses can be forged, and answers are longer than questions.
struct SourceLimiter {
  private let perSource: Int
  private let bytes: Int
  private var started: DHTTime
  private var counts: [DHTSource: Int] = [:]
  /// Bytes that may still be sent in this stretch.
  private var left: Int

  init(queriesPerSource: Int, answerBytes: Int, now: DHTTime) {
    let seconds = Int(DHTLimits.countingPeriod / DHTLimits.second)
    perSource = max(1, queriesPerSource) * seconds
    bytes = max(1, answerBytes) * seconds
    left = bytes
    started = now
  }

  /// Whether a query from there is to be answered; it counts in any case.
  mutating func allows(_ source: DHTSource, now: DHTTime) -> Bool {
    startAnew(now: now)
    guard left > 0 else { return false }
    if let count = counts[source] {
      counts[source] = count + 1
      return count < perSource
    }
    // Too many to count each: all new ones share what one may have.
    let key = counts.count < DHTLimits.countedSources ? source : .network(.max)
    let count = counts[key, default: 0]
    counts[key] = count + 1
    return count < perSource
  }

  /// Begins another stretch when one is over, and gives back the memory of its counts.
  mutating func startAnew(now: DHTTime) {
    guard now - started >= DHTLimits.countingPeriod else { return }
    started = now
    left = bytes
    if !counts.isEmpty { counts = [:] }
  }

  /// An answer was sent.
  mutating func sent(_ count: Int) { left -= count }
}

/// How many entries each address has in our storage.
struct SourceQuota {
  private let limit: Int
  private var counts: [DHTSource: Int] = [:]

  init(limit: Int) { self.limit = limit }

  func allows(_ source: DHTSource) -> Bool { counts[source, default: 0] < limit }

  mutating func add(_ source: DHTSource) { counts[source, default: 0] += 1 }

  mutating func remove(_ source: DHTSource) {
    guard let count = counts[source] else { return }
    counts[source] = count > 1 ? count - 1 : nil
  }
}
