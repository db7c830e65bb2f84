/// Whether to wait awake for the next request of a client that reads one thing after the other: to be put
/// to sleep and woken up again takes longer than to answer. Times are nanoseconds of one clock.
///
/// It costs nobody else anything: it ends as soon as requests do not come at once any more, or somebody
/// else needs the processor.
struct Attention {
  /// How many requests came quickly, less where some did not.
  private var quick = 0
  /// When the last answer was given, while nothing was asked since.
  private var answer: UInt64?
  /// When it was last looked for requests.
  private var look: UInt64 = 0
  /// Until when others have the processor.
  private var rest: UInt64 = 0

  /// Something was asked.
  mutating func asked(at now: UInt64) {
    guard let answer else { return }
    self.answer = nil
    quick =
      now - answer <= NBDServerLimits.quickGap
      ? min(quick + 1, NBDServerLimits.rememberedRequests) : quick / 2
  }

  /// All that was asked for is answered. Whether to wait awake.
  mutating func answered(at now: UInt64) -> Bool {
    answer = now
    look = now
    return quick >= NBDServerLimits.quickRequests && now >= rest
  }

  /// Nothing came yet. Whether to go on waiting awake.
  mutating func goesOn(at now: UInt64) -> Bool {
    guard let answer else { return false }
    if now - look > NBDServerLimits.lostTime {
      quick = 0
      rest = now + NBDServerLimits.restTime
      return false
    }
    look = now
    return now - answer < NBDServerLimits.awakeTime
  }
}
