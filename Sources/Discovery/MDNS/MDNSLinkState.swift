import Wire

/// What we say on one link: one family on one interface.
struct MDNSLinkState {
  struct Probe {
    var sent = 0
    var due: Duration
  }

  struct Announcement {
    let record: Int
    var left = MDNSLimits.announcements
    var due: Duration
  }

  /// A question whose known answers have not all come. Section 7.2.
  struct TruncatedQuery {
    let from: PeerEndpoint
    let wasMulticast: Bool?
    var message: DNSMessage
    let due: Duration
  }

  let link: NetworkLink
  /// Claims on their way to be ours here.
  var probes: [Int: Probe] = [:]
  /// Claims that are ours here: only their records are ever sent.
  var established: Set<Int> = []
  var announcements: [Announcement] = []
  /// Records with a TTL of 0, to be sent once.
  var goodbyes: [DNSRecord] = []
  /// Answers by record, and when they are due.
  var pending: [Int: Duration] = [:]
  var truncated: [TruncatedQuery] = []
  var lastMulticast: [Int: Duration] = [:]
  /// Nothing but probes leaves before.
  var nextPacket: Duration?
  /// Unicast answers since the start of a second.
  var unicastSecond: Duration?
  var unicastCount = 0

  init(_ link: NetworkLink) { self.link = link }

  /// When something is to be done here.
  var deadline: Duration? {
    let saying = [
      goodbyes.isEmpty ? nil : nextPacket ?? .zero, pending.values.min(),
      announcements.lazy.map(\.due).min(),
    ].compactMap { $0 }.min().map { max($0, nextPacket ?? $0) }
    return [saying, probes.values.lazy.map(\.due).min(), truncated.lazy.map(\.due).min()]
      .compactMap { $0 }.min()
  }

  mutating func announce(_ record: Int, now: Duration) {
    announcements.removeAll { $0.record == record }
    announcements.append(Announcement(record: record, due: now))
  }

  mutating func forget(_ record: Int) {
    pending[record] = nil
    lastMulticast[record] = nil
  }

  /// Asks for `record` to be sent at `due`, or as soon after it as it may be. Section 6.
  mutating func schedule(_ record: Int, due: Duration, defending: Bool) {
    let pause = defending ? MDNSLimits.defenceInterval : MDNSLimits.recordInterval
    let earliest = lastMulticast[record].map { max(due, $0 + pause) } ?? due
    pending[record] = min(pending[record] ?? earliest, earliest)
  }

  /// Whether one more unicast answer is within the bound.
  mutating func mayUnicast(now: Duration) -> Bool {
    if let start = unicastSecond, now >= start, now - start < .seconds(1) {
      unicastCount += 1
    } else {
      unicastSecond = now
      unicastCount = 1
    }
    return unicastCount <= MDNSLimits.unicastAnswers
  }
}
