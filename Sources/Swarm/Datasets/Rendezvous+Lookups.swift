import Metainfo

/// A lookup that `Rendezvous` asked for.
public struct RendezvousJob: Hashable, Sendable {
  let rawValue: UInt64
  init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// What is to be done in the DHT. All but `cancel` end in `Rendezvous.ended`.
public enum RendezvousEffect: Hashable, Sendable {
  /// Look for peers of this infohash, and announce that we are one at this port; nil: only look.
  case lookup(RendezvousJob, SHA1Digest, announcing: UInt16?)
  /// Ask for a head with a larger number; nil: any.
  case getHead(RendezvousJob, DatasetKey, salt: [UInt8], newerThan: Int64?)
  /// Store the head.
  case putHead(RendezvousJob, MutableItem)
  /// Of no use any more.
  case cancel(RendezvousJob)
}

/// How a lookup ended.
public struct RendezvousOutcome: Hashable, Sendable {
  /// Nodes of the DHT that answered; 0: it could not be reached.
  public var answers = 0
  /// After a store: nodes that have it now.
  public var stored = 0
  /// After `getHead`: nodes that said they have the newest head we knew, or a newer one.
  public var copies = 0
  /// After `getHead`: whether the 8 closest nodes have all said so. BEP 44, "Expiration".
  public var isAtAllClosest = false

  /// One to which nobody answered.
  public init() {}
}

extension Rendezvous {
  /// A lookup has ended. Heads that it found are given to `setHead` before.
  public mutating func ended(
    _ job: RendezvousJob, _ outcome: RendezvousOutcome, now: Duration
  ) {
    advance(to: now)
    end(job.rawValue, outcome)
    pump()
  }

  mutating func end(_ number: UInt64, _ outcome: RendezvousOutcome) {
    guard let errand = running.removeValue(forKey: number), let state = progress[errand],
      state.number == number, let start = state.since
    else { return }
    progress[errand]?.since = nil
    guard outcome.answers > 0 else {
      let wait = doubled(RendezvousLimits.firstRetry, state.silences, RendezvousLimits.longestRetry)
      progress[errand]?.silences += 1
      schedule(errand, at: now + jittered(wait))
      return
    }
    progress[errand]?.silences = 0
    let wait: Duration
    let succeeded: Bool
    switch errand {
    case .peers(let infohash):
      guard let place = places[infohash] else { return }
      progress[errand]?.isStored = outcome.stored > 0
      wait = interval(of: place, failures: state.failures, stored: outcome.stored > 0)
      // Peers that stay make forgotten how many there were; who comes and goes does not.
      progress[errand]?.failures += 1
      return schedule(errand, at: max(start + jittered(wait), now))
    case .get(let key):
      succeeded = followed[key]?.head != nil
      wait =
        succeeded
        ? RendezvousLimits.getTime
        : doubled(RendezvousLimits.hurriedTime, state.failures, RendezvousLimits.getTime)
      if let head = followed[key]?.head, outcome.copies > RendezvousLimits.enoughCopies,
        outcome.isAtAllClosest
      {
        followed[key]?.wellKept = (head.sequence, now)
      }
    case .put(let key):
      succeeded = outcome.stored > 0
      wait =
        succeeded
        ? RendezvousLimits.putTime
        : doubled(RendezvousLimits.lonelyTime, state.failures, RendezvousLimits.putTime)
      if succeeded { followed[key]?.mustPut = false }
    }
    progress[errand]?.failures = succeeded ? 0 : state.failures + 1
    // From its beginning: else those that take long would be ever later.
    schedule(errand, at: max(start + jittered(wait), now))
  }

  // MARK: Beginning

  /// Begins what is due and may begin.
  mutating func pump() {
    forgetOutdated()
    while running.count < RendezvousLimits.atOnceWithUrgent, let first = urgent.first,
      first.due <= now
    {
      urgent.removeFirst()
      begin(first.element)
      forgetOutdated()
    }
    while running.count < RendezvousLimits.atOnce, nextStart <= now, let first = routine.first,
      first.due <= now
    {
      routine.removeFirst()
      if begin(first.element) { nextStart = now + RendezvousLimits.spacing }
      forgetOutdated()
    }
  }

  /// Begins an errand; false if it was not necessary.
  @discardableResult
  private mutating func begin(_ errand: Errand) -> Bool {
    let number = takeNumber()
    let job = RendezvousJob(number)
    switch errand {
    case .peers(let infohash): effects.append(.lookup(job, infohash, announcing: port))
    case .get(let key):
      guard let dataset = followed[key] else { return false }
      effects.append(
        .getHead(job, key, salt: dataset.salt, newerThan: dataset.head?.sequence))
    case .put(let key):
      guard let dataset = followed[key], let head = dataset.head else { return false }
      if !dataset.mustPut, let kept = dataset.wellKept, kept.sequence == head.sequence,
        kept.at + RendezvousLimits.getFreshness > now
      {
        schedule(errand, at: now + jittered(RendezvousLimits.putTime))
        return false
      }
      effects.append(.putHead(job, head))
    }
    progress[errand]?.number = number
    progress[errand]?.since = now
    progress[errand]?.last = now
    running[number] = errand
    return true
  }

  /// Lets an errand wait until `time`, whatever it waited for.
  mutating func schedule(_ errand: Errand, at time: Duration, isUrgent: Bool = false) {
    if let state = progress[errand], state.since != nil { return }
    let number = takeNumber()
    if progress[errand] == nil {
      progress[errand] = Progress(number: number)
    } else {
      progress[errand]?.number = number
    }
    progress[errand]?.due = time
    if isUrgent {
      urgent.add(errand, due: time, number: number)
    } else {
      routine.add(errand, due: time, number: number)
    }
  }

  mutating func drop(_ errand: Errand) {
    guard let state = progress.removeValue(forKey: errand) else { return }
    if state.since != nil, running.removeValue(forKey: state.number) != nil {
      effects.append(.cancel(RendezvousJob(state.number)))
    }
  }

  /// Takes entries out of the queues that stand for nothing any more.
  private mutating func forgetOutdated() {
    while let first = urgent.first, isOutdated(first.element, first.number) {
      urgent.removeFirst()
    }
    while let first = routine.first, isOutdated(first.element, first.number) {
      routine.removeFirst()
    }
    // Those that are due late would stay for long.
    if routine.count > 2 * progress.count + 64 {
      let all = routine
      routine = DueQueue()
      for entry in all.entries where !isOutdated(entry.element, entry.number) {
        routine.add(entry.element, due: entry.due, number: entry.number)
      }
    }
  }

  private func isOutdated(_ errand: Errand, _ number: UInt64) -> Bool {
    progress[errand]?.number != number || progress[errand]?.since != nil
  }

  // MARK: Times

  func doubled(_ first: Duration, _ times: Int, _ most: Duration) -> Duration {
    min(first * (1 << min(times, 10)), most)
  }

  mutating func jittered(_ time: Duration) -> Duration {
    time * (1 + RendezvousLimits.jitter * (2 * unit() - 1))
  }

  /// A number from 0 to 1.
  mutating func unit() -> Double { Double.random(in: 0...1, using: &random) }
}
