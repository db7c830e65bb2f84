/// How long answers take, by the estimate that TCP uses (RFC 6298): the wait that follows from it lets
/// a lookup go past dead nodes in about the time in which the others answer.
struct RoundTrips {
  private var smoothed: DHTTime?
  private var deviation: DHTTime = 0

  mutating func add(_ sample: DHTTime) {
    let sample = max(0, min(sample, DHTLimits.transactionLife))
    guard let mean = smoothed else {
      smoothed = sample
      deviation = sample / 2
      return
    }
    deviation += (abs(sample - mean) - deviation) / 4
    smoothed = mean + (sample - mean) / 8
  }

  /// How long after a question that was asked twice an answer came, as a sample: counted from the
  /// repetition if it can be the answer to that. Counted from the first, each loss would make all
  /// waits longer (Karn, Partridge 1987).
  mutating func add(sinceFirst: DHTTime, sinceRepetition: DHTTime) {
    let isOfSecond = smoothed.map { sinceRepetition >= $0 / 2 } ?? false
    add(isOfSecond ? sinceRepetition : sinceFirst)
  }

  /// After so long without an answer the next node is asked: it costs little to do so too early.
  var wait: DHTTime { estimate(deviations: 2) }

  /// After so long without an answer the lookup goes on without the node; after half of it the node is
  /// asked once more, so that both questions can still be answered.
  var patience: DHTTime {
    guard smoothed != nil else { return 4 * DHTLimits.firstWait }
    return max(DHTLimits.shortestPatience, 2 * estimate(deviations: 4))
  }

  private func estimate(deviations: Int64) -> DHTTime {
    guard let smoothed else { return DHTLimits.firstWait }
    return max(
      DHTLimits.shortestWait, min(DHTLimits.longestWait, smoothed + deviations * deviation))
  }
}
