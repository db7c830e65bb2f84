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

  /// After so long without an answer the next node is asked.
  var wait: DHTTime {
    guard let smoothed else { return DHTLimits.firstWait }
    return max(DHTLimits.shortestWait, min(DHTLimits.longestWait, smoothed + 4 * deviation))
  }

  /// After so long without an answer the lookup goes on without the node.
  var patience: DHTTime { max(DHTLimits.shortestPatience, DHTLimits.patienceFactor * wait) }
}
