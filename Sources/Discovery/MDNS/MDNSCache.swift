import Wire

/// What others said on one interface, as far as it is about what we search: the instances of names that
/// we browse, their hosts, and those hosts' addresses. Nothing else is kept, so nobody can fill it with
/// what we never asked for.
struct MDNSCache {
  struct Entry {
    let data: DNSData
    var heard: Duration
    /// As sent, within our bound.
    var life: Duration
    var ends: Duration
    /// Refreshes already asked for, and when the next one is due; nil when nobody needs it.
    var refreshes = 0
    var nextRefresh: Duration?

    var deadline: Duration { nextRefresh.map { min($0, ends) } ?? ends }
  }

  private var entries: [DomainName: [Entry]] = [:]
  private(set) var count = 0
  /// How many PTR records lead to an instance, and how many SRV records to a host.
  private var instances: [DomainName: Int] = [:]
  private var hosts: [DomainName: Int] = [:]

  subscript(name: DomainName) -> [Entry] { entries[name] ?? [] }

  /// When the next record ends or is to be asked for again.
  var deadline: Duration? { entries.values.lazy.joined().lazy.map(\.deadline).min() }

  /// Whether a record of this name and type is of use.
  func wants(_ name: DomainName, _ type: DNSType, browsed: Bool) -> Bool {
    switch type {
    case .ptr: browsed
    case .srv, .txt: instances[name] != nil
    case .a, .aaaa: hosts[name] != nil
    default: false
    }
  }

  /// Instances whose SRV record leads to one of these hosts, and these names themselves.
  func reaching(_ names: Set<DomainName>) -> Set<DomainName> {
    var reached = names
    for name in instances.keys where !reached.contains(name) {
      let leads = self[name].contains {
        if case .srv(let service) = $0.data { names.contains(service.target) } else { false }
      }
      if leads { reached.insert(name) }
    }
    return reached
  }

  /// Takes a record that `wants` has let pass, with a TTL above 0. True when it is new or comes
  /// back after its goodbye.
  mutating func insert(
    _ record: DNSRecord, now: Duration, random: inout LocalNetworkRandom
  ) -> Bool {
    let seconds = min(record.timeToLive, MDNSLimits.longestTimeToLive)
    let life = Duration.seconds(Int64(seconds))
    var entry = Entry(data: record.data, heard: now, life: life, ends: now + life)
    entry.scheduleRefresh(&random)
    var list = entries[record.name] ?? []
    if let index = list.firstIndex(where: { $0.data == record.data }) {
      list[index] = entry
      entries[record.name] = list
      return false
    }
    let limit =
      record.data.type == .ptr ? MDNSLimits.instancesOfName : MDNSLimits.recordsOfName
    guard count < MDNSLimits.cachedRecords,
      list.count(where: { $0.data.type == record.data.type }) < limit
    else { return false }
    list.append(entry)
    entries[record.name] = list
    count += 1
    switch record.data {
    case .ptr(let instance): instances[instance, default: 0] += 1
    case .srv(let service): hosts[service.target, default: 0] += 1
    default: break
    }
    return true
  }

  /// The record goes in a second, unless it is heard again. Section 10.1.
  mutating func bye(_ record: DNSRecord, now: Duration) {
    shorten(record.name, now: now) { $0.data == record.data }
  }

  /// A record of the same name and type that knows all of them came: the others go in a second, unless
  /// they came within the last one. Section 10.2.
  mutating func flush(
    _ name: DomainName, _ type: DNSType, keeping kept: [DNSData], now: Duration
  ) {
    shorten(name, now: now) {
      $0.data.type == type && $0.heard + .seconds(1) < now && !kept.contains($0.data)
    }
  }

  private mutating func shorten(
    _ name: DomainName, now: Duration, where holds: (Entry) -> Bool
  ) {
    guard let list = entries[name] else { return }
    for (index, entry) in list.enumerated() where holds(entry) {
      entries[name]?[index].ends = min(entry.ends, now + MDNSLimits.goodbyeDelay)
      entries[name]?[index].nextRefresh = nil
    }
  }

  /// Removes what has ended, and what nothing leads to any more. Names of which something changed.
  mutating func expire(now: Duration) -> Set<DomainName> {
    let over = entries.filter { $0.value.contains { $0.ends <= now } }.keys
    var changed: Set<DomainName> = []
    for name in over { remove(name, from: &changed) { $0.ends <= now } }
    return changed
  }

  /// Removes all PTR records of a name that is browsed no more.
  mutating func forget(_ name: DomainName) {
    var changed: Set<DomainName> = []
    remove(name, from: &changed) { $0.data.type == .ptr }
  }

  private mutating func remove(
    _ name: DomainName, from changed: inout Set<DomainName>, where holds: (Entry) -> Bool
  ) {
    guard let list = entries[name] else { return }
    let gone = list.filter(holds)
    guard !gone.isEmpty else { return }
    changed.insert(name)
    count -= gone.count
    entries[name] = gone.count == list.count ? nil : list.filter { !holds($0) }
    for entry in gone {
      switch entry.data {
      case .ptr(let instance):
        if Self.drop(instance, from: &instances) {
          remove(instance, from: &changed) { [.srv, .txt].contains($0.data.type) }
        }
      case .srv(let service):
        if Self.drop(service.target, from: &hosts) {
          remove(service.target, from: &changed) { [.a, .aaaa].contains($0.data.type) }
        }
      default: break
      }
    }
  }

  /// Whether nothing leads to `name` any more.
  private static func drop(_ name: DomainName, from counts: inout [DomainName: Int]) -> Bool {
    let left = (counts[name] ?? 1) - 1
    counts[name] = left > 0 ? left : nil
    return left <= 0
  }

  /// What is to be asked for again now, in an order that does not depend on the process.
  mutating func refreshes(
    now: Duration, random: inout LocalNetworkRandom
  ) -> [MDNSQuestionKey] {
    var due: Set<MDNSQuestionKey> = []
    let names = entries.filter { $0.value.contains { $0.nextRefresh.map { $0 <= now } ?? false } }
      .keys.sorted { $0.wire.lexicographicallyPrecedes($1.wire) }
    for name in names {
      for (index, entry) in self[name].enumerated() {
        guard let refresh = entry.nextRefresh, refresh <= now else { continue }
        due.insert(MDNSQuestionKey(name: name, type: entry.data.type))
        entries[name]?[index].refreshes += 1
        entries[name]?[index].scheduleRefresh(&random)
      }
    }
    return due.sorted()
  }
}

extension MDNSCache.Entry {
  /// At 80, 85, 90 and 95 hundredths of its life, and up to two more, so that not all ask at once.
  mutating func scheduleRefresh(_ random: inout LocalNetworkRandom) {
    guard refreshes < MDNSLimits.refreshes.count else {
      nextRefresh = nil
      return
    }
    let thousandths = MDNSLimits.refreshes[refreshes] * 10 + Int.random(in: 0...20, using: &random)
    nextRefresh = heard + life * thousandths / 1_000
  }
}

/// A question without what comes with it.
struct MDNSQuestionKey: Hashable, Comparable {
  let name: DomainName
  let type: DNSType

  static func < (a: MDNSQuestionKey, b: MDNSQuestionKey) -> Bool {
    a.name == b.name
      ? a.type < b.type : a.name.wire.lexicographicallyPrecedes(b.name.wire)
  }
}
