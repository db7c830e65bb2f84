/// Files that other programs have changed, until people are told of them: in one line, however many there are.
struct ChangedFiles {
  private var first: [String] = []
  private var count = 0
  private var repeats = Repeats()

  /// How many are named.
  private static let named = 3

  /// One more, unless it was told lately.
  mutating func add(_ path: String, now: ContinuousClock.Instant) {
    guard repeats.isNew(path, now: now) else { return }
    count += 1
    if first.count < Self.named { first.append(path) }
  }

  /// What is to be said of those that came since it was called last; nil where none did.
  mutating func take() -> String? {
    defer { (first, count) = ([], 0) }
    if count == 0 { return nil }
    if count == 1 {
      return "\(first[0]) was changed by another program; it is checked before it is shared"
    }
    let names = first.joined(separator: ", ") + (count > first.count ? ", …" : "")
    return
      "\(count) files were changed by other programs (\(names)); they are checked before they are shared"
  }
}
