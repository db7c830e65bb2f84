/// Which first messages were answered, so that none is answered twice. docs/private.md, "Replays".
///
/// Invariant: a key is forgotten only when its time alone has a message refused.
public struct HelloMemory: Sendable {
  /// Messages that were written before it are refused: what was answered before a start is not known.
  private var begin: UInt64
  /// When each was written, and to which group, named by its discovery id.
  private var seen: [[UInt8]: (time: UInt64, group: [UInt8])] = [:]
  /// How many there are of each group.
  private var counts: [[UInt8]: Int] = [:]
  private var lastSweep: UInt64

  /// A memory that begins now, in seconds since 1970 (UTC).
  public init(now: UInt64) {
    begin = now
    lastSweep = now
  }

  /// How many messages it remembers, at most 16,384.
  public var count: Int { seen.count }

  /// Whether a message with this ephemeral key is to be answered: written within five minutes, not before this
  /// memory began, not seen, and there is room to remember it. Then it is remembered.
  ///
  /// - Parameter group: the discovery id of those whose read key opened it. Members of one cannot use up the room
  ///   of all.
  public mutating func admit(
    _ key: [UInt8], of group: [UInt8], sentAt time: UInt64, now: UInt64
  ) -> Bool {
    sweep(now)
    guard time >= begin, Self.isTimely(time, now), seen[key] == nil, hasRoom(for: group) else {
      return false
    }
    note(key, group, time)
    return true
  }

  /// Remembers a message of our own, so that it is not answered when somebody sends it back. Where there is no
  /// room for it, it is not to be sent.
  public mutating func remember(own key: [UInt8], of group: [UInt8], now: UInt64) -> Bool {
    sweep(now)
    guard hasRoom(for: group) else { return false }
    note(key, group, now)
    return true
  }

  private func hasRoom(for group: [UInt8]) -> Bool {
    seen.count < PrivateLimits.rememberedHellos
      && counts[group, default: 0] < PrivateLimits.hellosOfGroup
  }

  private mutating func note(_ key: [UInt8], _ group: [UInt8], _ time: UInt64) {
    if seen.updateValue((time, group), forKey: key) == nil { counts[group, default: 0] += 1 }
  }

  private static func isTimely(_ time: UInt64, _ now: UInt64) -> Bool {
    max(time, now) - min(time, now) <= PrivateLimits.clockSeconds
  }

  /// Forgets what is refused by its time from now on, also should the clock go back a little. Where it goes back
  /// by more than messages may be off, it was wrong before: then this is a new beginning.
  private mutating func sweep(_ now: UInt64) {
    let window = PrivateLimits.clockSeconds
    if now < lastSweep {
      if lastSweep - now > window { self = HelloMemory(now: now) }
      return
    }
    let isFull = seen.count >= PrivateLimits.hellosOfGroup
    guard now > lastSweep, now - lastSweep >= 10 || isFull else { return }
    lastSweep = now
    begin = max(begin, now >= window ? now - window : 0)
    seen = seen.filter { $0.value.time >= begin }
    counts = [:]
    for (_, group) in seen.values { counts[group, default: 0] += 1 }
  }
}
