/// Whom to unchoke. BEP 3, "choking".
///
/// Who is unchoked is reviewed in rounds of 10 s, so that nobody is choked and unchoked quickly;
/// between them free places are filled and nobody has to go. As a leech we give to those who give to
/// us, and try out others in one place; as a seed each in turn.
struct Choker: Sendable {
  /// A peer with a connection.
  struct Candidate: Sendable {
    /// Names the peer.
    var slot: UInt32
    /// It wants something of ours.
    var isInterested: Bool
    /// We choke it.
    var isChoked: Bool
    /// Payload from it, bytes a second.
    var downloadRate: UInt64 = 0
    /// Payload to it, bytes a second.
    var uploadRate: UInt64 = 0
    /// Payload to it since we unchoked it, in bytes.
    var uploadedSinceUnchoke: UInt64 = 0
    /// When we unchoked it; nil while it is choked.
    var unchokedSince: Duration?
    /// It sent nothing for a minute although we had requests there.
    var isSnubbing = false
    /// It connected less than a minute ago.
    var isNew = false
    /// When it was last seen to be `Choker.optimistic`.
    var lastOptimistic: Duration?

    /// A peer that has done nothing yet.
    init(slot: UInt32, isInterested: Bool, isChoked: Bool) {
      self.slot = slot
      self.isInterested = isInterested
      self.isChoked = isChoked
    }
  }

  /// The peer that is being tried out, if any; its `lastOptimistic` is to be kept by the caller.
  private(set) var optimistic: UInt32?
  /// When the next round begins: `choose` is to be called then.
  private(set) var deadline = Duration.zero

  private let share: UInt64
  private var optimisticSince = Duration.zero
  /// As a seed: since when a peer waits. Only of those who waited at the last call.
  private var waiting: [UInt32: Duration] = [:]

  /// `share` is how many bytes a seed gives a peer before others have their turn.
  init(share: UInt64 = PolicyLimits.seedShare) { self.share = share }

  /// Whom to unchoke and whom to choke now. `slots` are unchoked besides the optimistic one; 0 is
  /// nobody.
  mutating func choose(
    _ candidates: [Candidate], isSeed: Bool, slots: Int, now: Duration,
    using rng: inout some RandomNumberGenerator
  ) -> (unchoke: [UInt32], choke: [UInt32]) {
    let isRound = now >= deadline
    if isRound { deadline = now + PolicyLimits.chokingRound }
    let interested = candidates.filter(\.isInterested).map {
      Ranked(candidate: $0, tie: UInt32.random(in: 0...UInt32.max, using: &rng))
    }
    let room = slots > 0 ? slots + 1 : 0
    remember(interested, now)
    let chosen: [Candidate]
    if interested.count <= room {
      optimistic = nil
      chosen = interested.map(\.candidate)
    } else if room == 0 {
      optimistic = nil
      chosen = []
    } else if isSeed {
      optimistic = nil
      chosen = rotation(interested, room: room, isRound: isRound, now: now)
    } else {
      chosen = exchange(interested, slots: slots, isRound: isRound, now: now, using: &rng)
    }
    return changes(candidates, chosen: Set(chosen.map(\.slot)), room: room)
  }

  /// Those that lost interest stay unchoked while there is room: when they want something again they
  /// need not ask first.
  private func changes(
    _ candidates: [Candidate], chosen: Set<UInt32>, room: Int
  ) -> (unchoke: [UInt32], choke: [UInt32]) {
    var free = room - chosen.count
    var result: (unchoke: [UInt32], choke: [UInt32]) = ([], [])
    for candidate in candidates {
      if chosen.contains(candidate.slot) {
        if candidate.isChoked { result.unchoke.append(candidate.slot) }
      } else if !candidate.isChoked {
        if !candidate.isInterested, free > 0 {
          free -= 1
        } else {
          result.choke.append(candidate.slot)
        }
      }
    }
    return result
  }
}

// MARK: - As a leech

extension Choker {
  /// A candidate and a number that breaks ties.
  private struct Ranked {
    let candidate: Candidate
    let tie: UInt32
  }

  /// The `slots` peers that give us most, and one to try out.
  private mutating func exchange(
    _ interested: [Ranked], slots: Int, isRound: Bool, now: Duration,
    using rng: inout some RandomNumberGenerator
  ) -> [Candidate] {
    let ranked = interested.sorted { Self.deserves($0, more: $1, now: now) }.map(\.candidate)
    let current = ranked.first { $0.slot == optimistic && !$0.isChoked }
    if isRound {
      let regular = Array(ranked.prefix(slots))
      let others = Array(ranked.dropFirst(slots))
      if let current, now < optimisticSince + PolicyLimits.optimisticTime,
        others.contains(where: { $0.slot == current.slot })
      {
        return regular + [current]
      }
      let fresh = others.filter { $0.slot != current?.slot }
      return regular + tryOut(fresh.isEmpty ? others : fresh, now: now, using: &rng)
    }
    let kept = ranked.filter { !$0.isChoked }
    guard kept.count <= slots else {
      // All places are taken. One of them is that to try out: if nobody's yet, the least deserving's.
      if current == nil, let last = kept.last {
        optimistic = last.slot
        optimisticSince = last.unchokedSince ?? now
      }
      let regular = kept.filter { $0.slot != optimistic }.prefix(slots)
      return Array(regular) + kept.filter { $0.slot == optimistic }
    }
    let choked = ranked.filter(\.isChoked)
    if current != nil {
      return kept + choked.prefix(slots + 1 - kept.count)
    }
    let tried = tryOut(choked, now: now, using: &rng)
    let others = choked.filter { $0.slot != optimistic }
    return kept + tried + others.prefix(slots - kept.count)
  }

  /// Who gives, by how much; then those who give nothing yet: first who has been let in for less than
  /// 30 s, so that there is time to answer, then whoever waits, then who had the time; last who takes
  /// our requests and sends nothing.
  private static func deserves(_ a: Ranked, more b: Ranked, now: Duration) -> Bool {
    let (first, second) = (standing(a.candidate, now), standing(b.candidate, now))
    if first != second { return first < second }
    if a.candidate.downloadRate != b.candidate.downloadRate {
      return a.candidate.downloadRate > b.candidate.downloadRate
    }
    return a.tie < b.tie
  }

  private static func standing(_ candidate: Candidate, _ now: Duration) -> Int {
    if candidate.isSnubbing { return 4 }
    if candidate.downloadRate > 0 { return 0 }
    guard !candidate.isChoked, let since = candidate.unchokedSince else { return 2 }
    return now - since < PolicyLimits.optimisticTime ? 1 : 3
  }

  /// One of `others`, new ones three times as likely. The half of those that had their turn most
  /// lately is left out, so that it goes round.
  private mutating func tryOut(
    _ others: [Candidate], now: Duration, using rng: inout some RandomNumberGenerator
  ) -> [Candidate] {
    let tried = others.compactMap(\.lastOptimistic).sorted()
    let latest = tried.isEmpty ? nil : tried[(tried.count - 1) / 2]
    let pool = others.filter { candidate in
      guard let last = candidate.lastOptimistic, let latest else { return true }
      return last <= latest
    }
    let weights = pool.map { $0.isNew ? PolicyLimits.newPeerWeight : 1 }
    guard !pool.isEmpty else {
      optimistic = nil
      return []
    }
    var draw = Int.random(in: 0..<weights.reduce(0, +), using: &rng)
    var index = 0
    while draw >= weights[index] {
      draw -= weights[index]
      index += 1
    }
    optimistic = pool[index].slot
    optimisticSince = now
    return [pool[index]]
  }
}

// MARK: - As a seed

extension Choker {
  private mutating func remember(_ interested: [Ranked], _ now: Duration) {
    var still: [UInt32: Duration] = [:]
    for ranked in interested where ranked.candidate.isChoked {
      still[ranked.candidate.slot] = waiting[ranked.candidate.slot] ?? now
    }
    waiting = still
  }

  /// Those that are served stay until they had their share, or their time, and somebody waits.
  private func rotation(
    _ interested: [Ranked], room: Int, isRound: Bool, now: Duration
  ) -> [Candidate] {
    let served = interested.filter { !$0.candidate.isChoked }.sorted {
      let (a, b) = ($0.candidate.unchokedSince ?? now, $1.candidate.unchokedSince ?? now)
      return a != b ? a > b : $0.tie < $1.tie
    }
    let queue = interested.filter(\.candidate.isChoked).sorted {
      let (a, b) = (waiting[$0.candidate.slot] ?? now, waiting[$1.candidate.slot] ?? now)
      if a != b { return a < b }
      let (mine, other) = ($0.candidate.uploadRate, $1.candidate.uploadRate)
      return mine != other ? mine > other : $0.tie < $1.tie
    }
    let staying = served.filter { !isRound || !hadShare($0.candidate, now) }.prefix(room)
    // Of those that had their share the latest comers stay where nobody waits for the place.
    let done = served.filter { isRound && hadShare($0.candidate, now) }
    let entering = queue.prefix(room - staying.count)
    let remaining = done.prefix(room - staying.count - entering.count)
    return (Array(staying) + Array(entering) + Array(remaining)).map(\.candidate)
  }

  private func hadShare(_ candidate: Candidate, _ now: Duration) -> Bool {
    candidate.uploadedSinceUnchoke >= share
      || candidate.unchokedSince.map { now - $0 >= PolicyLimits.seedTime } ?? true
  }
}
