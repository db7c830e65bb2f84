import Metainfo
import Wire

/// Multicast DNS and service discovery: a responder for our host and services, and a searcher for
/// others'. RFC 6762, RFC 6763. A state machine without I/O: packets in, effects out, time is given.
///
/// Names are claimed on each link (a family on an interface) by probing, and nothing is said about a name
/// before. What is found is kept for each interface. All choices follow from the seed.
public struct MDNS: ~Copyable {
  static let hostClaim = 0

  let configuration: MDNSConfiguration
  var random: LocalNetworkRandom
  /// Sorted by number.
  var interfaces: [MDNSInterfaceState] = []
  /// Sorted by link.
  var links: [MDNSLinkState] = []
  var claims: [Int: MDNSClaim] = [:]
  var nextClaim = 1
  var records = MDNSRecords()
  /// Searches in the order in which they began.
  var browses: [(id: MDNSBrowseID, type: MDNSServiceType, question: DomainName)] = []
  var nextBrowse = 0
  var echoes: [MDNSEcho] = []
  var isEnding = false
  /// Packets that were no DNS message, since the start.
  public internal(set) var malformedCount = 0

  private var effects: [MDNSEffect] = []
  private var nextEffectIndex = 0

  /// A responder without interfaces, which does nothing until it has some.
  public init(configuration: MDNSConfiguration, seed: UInt64, now: Duration) {
    self.configuration = configuration
    random = LocalNetworkRandom(seed: seed)
    claims[Self.hostClaim] = MDNSClaim(
      id: Self.hostClaim, kind: .host, wanted: configuration.hostName)
  }

  /// The host's name, as it is now.
  public var hostName: DomainName { claims[Self.hostClaim]?.name ?? .local }

  /// What is to be done next; nil when that was all.
  public mutating func nextEffect() -> MDNSEffect? {
    guard nextEffectIndex < effects.count else {
      effects.removeAll(keepingCapacity: true)
      nextEffectIndex = 0
      return nil
    }
    defer { nextEffectIndex += 1 }
    return effects[nextEffectIndex]
  }

  mutating func emit(_ effect: MDNSEffect) { effects.append(effect) }

  /// When `handleTimeout` is to be called next.
  public var deadline: Duration? {
    (links.compactMap(\.deadline) + interfaces.compactMap(\.deadline)).min()
  }

  /// Does what is due.
  public mutating func handleTimeout(now: Duration) {
    for index in links.indices {
      answerTruncated(index, now: now)
      probe(index, now: now)
      speak(index, now: now)
    }
    for index in interfaces.indices {
      let changed = interfaces[index].cache.expire(now: now)
      for key in interfaces[index].cache.refreshes(now: now, random: &random) {
        interfaces[index].refresh(key, due: now)
      }
      if !changed.isEmpty {
        settle(index, changed: changed, now: now)
        dropNeedlessAsks(index)
      }
      ask(index, now: now)
    }
  }

  func linkIndex(_ link: NetworkLink) -> Int? { links.firstIndex { $0.link == link } }
  func interfaceIndex(_ number: UInt32) -> Int? {
    interfaces.firstIndex { $0.interface.index == number }
  }
}

// MARK: - Interfaces

extension MDNS {
  /// The interfaces that there are now. Those that are new are joined, probed and asked on; what was
  /// found on those that are gone is lost.
  public mutating func setInterfaces(_ wanted: [NetworkInterface], now: Duration) {
    guard !isEnding else { return }
    var wanted = wanted.sorted { $0.index < $1.index }
    for index in wanted.indices {
      wanted[index].addresses = Array(wanted[index].addresses.prefix(MDNSLimits.addresses))
    }
    for old in interfaces.map(\.interface)
    where !wanted.contains(where: { $0.index == old.index && $0.name == old.name }) {
      leave(old)
    }
    for new in wanted {
      if let index = interfaceIndex(new.index) {
        let old = interfaces[index].interface
        interfaces[index].interface = new
        if Set(old.addresses) != Set(new.addresses) { readdress(new, now: now) }
      } else {
        var state = MDNSInterfaceState(new)
        for browse in browses {
          let key = MDNSQuestionKey(name: browse.question, type: .ptr)
          state.ask(key, due: now + random.milliseconds(MDNSLimits.questionDelay))
        }
        interfaces.append(state)
        interfaces.sort { $0.interface.index < $1.interface.index }
        addAddresses(of: new)
      }
      setLinks(of: new, now: now)
    }
  }

  private mutating func leave(_ interface: NetworkInterface) {
    guard let index = interfaceIndex(interface.index) else { return }
    let reported = interfaces[index].reported
    for browse in browses {
      let names = (reported[browse.id] ?? [:]).values.map(\.name)
      for name in names.sorted(by: { $0.lexicographicallyPrecedes($1) }) {
        emit(.lost(browse.id, name: name, interface: interface.index))
      }
    }
    interfaces.remove(at: index)
    links.removeAll { $0.link.interface == interface.index }
    removeAddresses(of: interface.index)
  }

  private mutating func setLinks(of interface: NetworkInterface, now: Duration) {
    for family in IPFamily.allCases {
      let link = NetworkLink(interface: interface.index, family: family)
      if let index = linkIndex(link) {
        if !interface.has(family) { links.remove(at: index) }
      } else if interface.has(family) {
        links.append(MDNSLinkState(link))
        links.sort { $0.link < $1.link }
        for claim in claims.keys.sorted() { startProbing(claim, on: link, now: now) }
      }
    }
  }

  /// New addresses of a host whose name is ours already are announced without probing again. All of them,
  /// since the cache-flush bit says that there are no others.
  private mutating func readdress(_ interface: NetworkInterface, now: Duration) {
    let kept = Set(interface.addresses.map { Self.data(of: $0.address) })
    var there: Set<DNSData> = []
    for record in records.of(claim: Self.hostClaim) where record.interface == interface.index {
      if kept.contains(record.record.data) {
        there.insert(record.record.data)
      } else {
        withdraw(record, sayingGoodbye: true)
      }
    }
    addAddresses(of: interface, butNot: there)
    for index in links.indices
    where links[index].link.interface == interface.index
      && links[index].established.contains(Self.hostClaim)
    {
      announce(Self.hostClaim, on: index, now: now)
    }
  }

  private static func data(of address: IPAddress) -> DNSData {
    switch address {
    case .v4(let address): .a(address)
    case .v6(let address): .aaaa(address)
    }
  }

  private mutating func addAddresses(
    of interface: NetworkInterface, butNot there: Set<DNSData> = []
  ) {
    let all = interface.addresses.map { Self.data(of: $0.address) }
    for data in all where !there.contains(data) {
      addHostRecord(data, interface: interface.index)
    }
    let types = Set(all.map(\.type))
    addHostRecord(.nsec(next: hostName, types: types), interface: interface.index)
  }

  private mutating func addHostRecord(_ data: DNSData, interface: UInt32) {
    let record = DNSRecord(
      name: hostName, data: data, timeToLive: MDNSLimits.hostTimeToLive, flushesCache: true)
    records.add(record, claim: Self.hostClaim, interface: interface)
  }

  private mutating func removeAddresses(of interface: UInt32) {
    for record in records.of(claim: Self.hostClaim) where record.interface == interface {
      withdraw(record, sayingGoodbye: false)
    }
  }

  /// The host's records under its present name, on all interfaces.
  mutating func rebuildHost() {
    for record in records.of(claim: Self.hostClaim) { withdraw(record, sayingGoodbye: true) }
    for interface in interfaces.map(\.interface) { addAddresses(of: interface) }
  }

  /// Takes a record back, from where it was published.
  mutating func withdraw(_ record: MDNSRecord, sayingGoodbye: Bool) {
    records.remove(record.id)
    for index in links.indices {
      let wasSaid = links[index].lastMulticast[record.id] != nil
      links[index].forget(record.id)
      links[index].announcements.removeAll { $0.record == record.id }
      if sayingGoodbye, wasSaid, !record.isNegative {
        var goodbye = record.record
        goodbye.timeToLive = 0
        // Others of the same name stay.
        goodbye.flushesCache = false
        links[index].goodbyes.append(goodbye)
      }
    }
  }
}
