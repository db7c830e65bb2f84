import Wire

/// What we ask and know on one interface, over both families.
struct MDNSInterfaceState {
  /// A question that is asked again and again, ever more seldom. Section 5.2.
  struct Ask {
    var due: Duration
    var interval = MDNSLimits.firstQuestionInterval
    var isFirst = true
    /// Asked once, because a record is about to end.
    var isRefresh = false
  }

  var interface: NetworkInterface
  var cache = MDNSCache()
  var asks: [MDNSQuestionKey: Ask] = [:]
  var nextPacket: Duration?
  /// What was told about the instances of each search.
  var reported: [MDNSBrowseID: [DomainName: MDNSInstance]] = [:]

  init(_ interface: NetworkInterface) { self.interface = interface }

  var deadline: Duration? {
    let asking = asks.values.lazy.map(\.due).min().map { max($0, nextPacket ?? $0) }
    return [asking, cache.deadline].compactMap { $0 }.min()
  }

  /// Asks from `due` on, unless it is asked already.
  mutating func ask(_ key: MDNSQuestionKey, due: Duration) {
    guard asks[key] == nil, asks.count < MDNSLimits.questions else { return }
    asks[key] = Ask(due: due)
  }

  /// Asks once at `due`, however long ago it was asked.
  mutating func refresh(_ key: MDNSQuestionKey, due: Duration) {
    if let ask = asks[key] {
      asks[key]?.due = min(ask.due, due)
    } else if asks.count < MDNSLimits.questions {
      asks[key] = Ask(due: due, isRefresh: true)
    }
  }

  /// The question was asked now, by us or by somebody whose answer we hear too.
  mutating func asked(_ key: MDNSQuestionKey, now: Duration) {
    guard var ask = asks[key] else { return }
    if ask.isRefresh {
      asks[key] = nil
      return
    }
    ask.due = now + ask.interval
    ask.interval = min(ask.interval * 2, MDNSLimits.longestQuestionInterval)
    ask.isFirst = false
    asks[key] = ask
  }

  /// What we know of `key` and is not about to end: known answers. Section 7.1.
  func knownAnswers(to key: MDNSQuestionKey, now: Duration) -> [DNSRecord] {
    guard key.type == .ptr else { return [] }
    return cache[key.name].filter { $0.data.type == .ptr && ($0.ends - now) * 2 > $0.life }.map {
      DNSRecord(
        name: key.name, data: $0.data,
        timeToLive: UInt32(clamping: ($0.ends - now).components.seconds))
    }
  }
}
