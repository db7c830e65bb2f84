/// What was told lately, so that trouble is told once while it lasts.
struct Repeats {
  /// When each text was last to be told.
  private var told: [String: ContinuousClock.Instant] = [:]

  /// Without a repeat for this long, trouble is over; the next time is new.
  static let quietTime = Duration.seconds(60)
  /// Texts that are kept: beyond it all that are over are forgotten, and if none is, all.
  static let most = 1_000

  /// Whether the text is to be told now.
  mutating func isNew(_ text: String, now: ContinuousClock.Instant) -> Bool {
    if told.count >= Self.most {
      told = told.filter { now - $0.value < Self.quietTime }
      if told.count >= Self.most { told = [:] }
    }
    defer { told[text] = now }
    guard let last = told[text] else { return true }
    return now - last >= Self.quietTime
  }
}
