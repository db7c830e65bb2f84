import Metainfo
import Wire

// MARK: - What we offer

extension MDNS {
  /// Offers a service on all interfaces, once its name is ours.
  public mutating func publish(_ service: MDNSService, now: Duration) -> MDNSServiceID {
    let id = nextClaim
    nextClaim += 1
    claims[id] = MDNSClaim(id: id, kind: .service(service), wanted: service.instance)
    addRecords(of: service, claim: id)
    for link in links.map(\.link) { startProbing(id, on: link, now: now) }
    return MDNSServiceID(rawValue: id)
  }

  /// Changes a service. Only what differs is announced; only a new instance is probed for.
  public mutating func update(_ id: MDNSServiceID, _ service: MDNSService, now: Duration) {
    guard !isEnding, var claim = claims[id.rawValue], case .service(let old) = claim.kind else {
      return
    }
    let isRenamed = old.instance != service.instance || old.type != service.type
    let oldName = claim.name
    claim.kind = .service(service)
    if isRenamed {
      claim.wanted = service.instance
      claim.attempt = 1
    }
    claims[id.rawValue] = claim
    if isRenamed {
      replaceName(oldName, of: id.rawValue, now: now)
      return
    }
    let name = claim.name
    for record in records.of(claim: id.rawValue) {
      guard let label = Self.subtypeLabel(of: record.record, of: service.type) else { continue }
      if !service.subtypes.contains(label) { withdraw(record, sayingGoodbye: true) }
    }
    for subtype in service.subtypes.subtracting(old.subtypes).sortedBytes() {
      guard let data = Self.subtypeRecord(subtype, of: service.type, instance: name) else {
        continue
      }
      let added = records.add(data, claim: id.rawValue)
      announceRecord(added, claim: id.rawValue, now: now)
    }
    if old.port != service.port || old.txt != service.txt {
      replaceDetails(of: id.rawValue, service, now: now)
    }
  }

  /// Offers a service no more, and says goodbye.
  public mutating func withdraw(_ id: MDNSServiceID, now: Duration) {
    guard id.rawValue != Self.hostClaim, claims.removeValue(forKey: id.rawValue) != nil else {
      return
    }
    for record in records.of(claim: id.rawValue) { withdraw(record, sayingGoodbye: true) }
    for index in links.indices {
      links[index].probes[id.rawValue] = nil
      links[index].established.remove(id.rawValue)
    }
  }

  /// Says goodbye to everything and searches no more. Go on with effects and timeouts until
  /// `hasEnded`; there is nothing after it.
  public mutating func shutDown(now: Duration) {
    guard !isEnding else { return }
    isEnding = true
    browses = []
    for id in claims.keys.sorted().reversed() {
      for record in records.of(claim: id) { withdraw(record, sayingGoodbye: true) }
    }
    claims = claims.filter { $0.key == Self.hostClaim }
    for index in links.indices {
      let (link, goodbyes) = (links[index].link, links[index].goodbyes)
      links[index] = MDNSLinkState(link)
      links[index].goodbyes = goodbyes
    }
    for index in interfaces.indices {
      interfaces[index] = MDNSInterfaceState(interfaces[index].interface)
    }
    for index in links.indices { speak(index, now: now) }
  }

  /// Whether the last goodbye was said.
  public var hasEnded: Bool { isEnding && links.allSatisfy(\.goodbyes.isEmpty) }

  /// SRV, TXT and what is not there of the instance; PTR records of types and subtypes.
  mutating func addRecords(of service: MDNSService, claim: Int) {
    guard let name = claims[claim]?.name else { return }
    let other = MDNSLimits.otherTimeToLive
    records.add(
      DNSRecord(name: .serviceTypes, data: .ptr(service.type), timeToLive: other), claim: claim)
    records.add(
      DNSRecord(name: service.type, data: .ptr(name), timeToLive: other), claim: claim)
    addDetails(of: service, name: name, claim: claim)
    let types: Set<DNSType> = [.srv, .txt]
    records.add(
      DNSRecord(
        name: name, data: .nsec(next: name, types: types),
        timeToLive: MDNSLimits.hostTimeToLive, flushesCache: true), claim: claim)
    for subtype in service.subtypes.sortedBytes() {
      guard let record = Self.subtypeRecord(subtype, of: service.type, instance: name) else {
        continue
      }
      records.add(record, claim: claim)
    }
  }

  @discardableResult
  private mutating func addDetails(
    of service: MDNSService, name: DomainName, claim: Int
  ) -> [Int] {
    let srv = DNSRecord(
      name: name, data: .srv(DNSService(port: service.port, target: hostName)),
      timeToLive: MDNSLimits.hostTimeToLive, flushesCache: true)
    let txt = DNSRecord(
      name: name, data: .txt(service.txt),
      timeToLive: MDNSLimits.otherTimeToLive, flushesCache: true)
    return [records.add(srv, claim: claim), records.add(txt, claim: claim)]
  }

  /// SRV and TXT anew; the cache-flush bit replaces those that others have. Section 8.4.
  mutating func replaceDetails(of claim: Int, _ service: MDNSService, now: Duration) {
    guard let name = claims[claim]?.name else { return }
    for record in records.of(claim: claim)
    where [.srv, .txt].contains(record.record.data.type) {
      withdraw(record, sayingGoodbye: false)
    }
    for id in addDetails(of: service, name: name, claim: claim) {
      announceRecord(id, claim: claim, now: now)
    }
  }

  private static func subtypeRecord(
    _ subtype: [UInt8], of type: DomainName, instance: DomainName
  ) -> DNSRecord? {
    guard let question = MDNSServiceType(type, subtype: subtype)?.question else { return nil }
    return DNSRecord(
      name: question, data: .ptr(instance), timeToLive: MDNSLimits.otherTimeToLive)
  }

  /// The subtype's label when `record` is that of a subtype.
  private static func subtypeLabel(of record: DNSRecord, of type: DomainName) -> [UInt8]? {
    guard record.data.type == .ptr, record.name != type, record.name != .serviceTypes else {
      return nil
    }
    return record.name.firstLabel.map(Array.init)
  }
}

extension Set<[UInt8]> {
  /// By bytes: an order that does not depend on the process.
  func sortedBytes() -> [[UInt8]] { sorted { $0.lexicographicallyPrecedes($1) } }
}
