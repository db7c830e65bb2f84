/// How long a peer takes to answer a small urgent request: usually, and at its usual worst. Smoothed as
/// TCP does it (RFC 6298).
struct AnswerTime {
  /// The smoothed time; nil while nothing is known.
  private(set) var usual: Duration?
  private var deviation = Duration.zero
  /// Whether nothing was measured but the way there and back.
  private var isGuess = true

  /// Nothing is known.
  init() {}

  /// An answer took this long.
  mutating func add(_ sample: Duration) {
    guard let usual, !isGuess else {
      self.usual = sample
      deviation = sample / 2
      isGuess = false
      return
    }
    let difference = sample < usual ? usual - sample : sample - usual
    deviation += (difference - deviation) / 4
    self.usual = usual + (sample - usual) / 8
  }

  /// The way there and back took this long: counts until there is an answer.
  mutating func guess(_ roundTrip: Duration) {
    guard isGuess else { return }
    usual = roundTrip
    deviation = roundTrip / 2
  }

  /// Who has not answered after this long is late.
  var usualWorst: Duration {
    guard let usual else { return ReadLimits.unknownAnswer * 2 }
    let slack = max(deviation * 4, usual / 4, ReadLimits.leastSlack)
    return min(usual + slack, max(ReadLimits.longestWorst, usual))
  }
}
