import Wire

// MARK: - Probing, section 8.1

extension MDNS {
  /// Probes for a claim on a link, from the beginning. Claims that begin together go in one packet.
  mutating func startProbing(_ claim: Int, on link: NetworkLink, now: Duration) {
    guard let index = linkIndex(link), !isEnding else { return }
    links[index].established.remove(claim)
    let others = links[index].probes.filter { $0.value.sent == 0 && $0.key != claim }
    var due =
      others.values.map(\.due).max() ?? now + random.milliseconds(MDNSLimits.probeDelay)
    let recent = claims[claim]?.conflicts.count { now - $0 < MDNSLimits.conflictWindow } ?? 0
    if recent >= MDNSLimits.conflicts { due = now + MDNSLimits.conflictPause }
    links[index].probes[claim] = MDNSLinkState.Probe(due: due)
  }

  /// Sends the probes that are due; a name for which three have had no answer is ours.
  mutating func probe(_ index: Int, now: Duration) {
    let due = links[index].probes.filter { $0.value.due <= now }.keys.sorted()
    guard !due.isEmpty else { return }
    var proposed: [DNSRecord] = []
    var writer = DNSWriter(flags: [])
    for claim in due {
      guard let name = claims[claim]?.name else {
        links[index].probes[claim] = nil
        continue
      }
      if links[index].probes[claim]?.sent == MDNSLimits.probes {
        links[index].probes[claim] = nil
        links[index].established.insert(claim)
        announce(claim, on: index, now: now)
        continue
      }
      let question = DNSQuestion(
        name: name, type: .any, wantsUnicast: configuration.asksForUnicast)
      // What does not fit goes with the next packet.
      guard writer.add(question) else { continue }
      proposed += proposals(claim, on: index)
      links[index].probes[claim]?.sent += 1
      links[index].probes[claim]?.due = now + MDNSLimits.probeInterval
    }
    guard !writer.isEmpty else { return }
    for record in proposed where !writer.add(record, to: .authorities) { break }
    multicast(writer.bytes, on: index, now: now)
  }

  /// The unique records of a claim on a link as a probe has them: without the cache-flush bit.
  func proposals(_ claim: Int, on index: Int) -> [DNSRecord] {
    records.of(claim: claim)
      .filter { $0.isUnique && !$0.isNegative && isPublished($0, on: index) }
      .map { record in
        var proposal = record.record
        proposal.flushesCache = false
        return proposal
      }
  }

  func isPublished(_ record: MDNSRecord, on index: Int) -> Bool {
    record.interface == nil || record.interface == links[index].link.interface
  }

  /// Somebody probes for a name at the same time: whose records are later wins. Section 8.2.
  mutating func breakTies(_ message: DNSMessage, on index: Int, now: Duration) {
    for claim in links[index].probes.keys.sorted() {
      guard let name = claims[claim]?.name,
        message.questions.contains(where: { $0.name == name })
      else { continue }
      let theirs = Self.ordered(message.authorities.filter { $0.name == name })
      let ours = Self.ordered(proposals(claim, on: index))
      guard !theirs.isEmpty, ours != theirs,
        ours.lexicographicallyPrecedes(theirs, by: { $0.lexicographicallyPrecedes($1) })
      else { continue }
      links[index].probes[claim] = MDNSLinkState.Probe(due: now + MDNSLimits.tieDelay)
    }
  }

  /// Class, type and data of each, in order.
  private static func ordered(_ records: [DNSRecord]) -> [[UInt8]] {
    records.map { record -> [UInt8] in
      [record.recordClass, record.data.type.rawValue].flatMap {
        [UInt8($0 >> 8), UInt8(truncatingIfNeeded: $0)]
      } + record.data.uncompressed
    }.sorted { $0.lexicographicallyPrecedes($1) }
  }
}

// MARK: - Conflicts, section 9

extension MDNS {
  /// Looks for records of names that are ours, or are to be, with data that is not ours.
  mutating func findConflicts(in response: DNSMessage, on index: Int, now: Duration) {
    for record in response.answers + response.authorities + response.additionals
    where record.recordClass == DNSRecord.internet && record.data.type != .nsec {
      let ours = records.named(record.name)
      // A name that we share is nobody's.
      guard let claim = ours.first(where: \.isUnique)?.claim, !isOurs(record, among: ours) else {
        keepAlive(record, among: ours, on: index, now: now)
        continue
      }
      guard record.timeToLive > 0 else { continue }
      if links[index].probes[claim] != nil {
        rename(claim, now: now)
      } else if links[index].established.contains(claim),
        ours.contains(where: { $0.record.data.type == record.data.type })
      {
        noteConflict(claim, now: now)
        startProbing(claim, on: links[index].link, now: now)
      }
    }
  }

  /// Whether we say the same, if only on another interface: two of ours may be on one network.
  private func isOurs(_ record: DNSRecord, among ours: [MDNSRecord]) -> Bool {
    ours.contains { $0.record.data == record.data }
  }

  /// Somebody says of our record that it ends sooner than we do: it is said again. Section 6.6.
  private mutating func keepAlive(
    _ record: DNSRecord, among ours: [MDNSRecord], on index: Int, now: Duration
  ) {
    guard let same = ours.first(where: { $0.record.says(record) && isPublished($0, on: index) }),
      links[index].established.contains(same.claim),
      record.timeToLive < same.record.timeToLive / 2
    else { return }
    let due = now + random.milliseconds(MDNSLimits.sharedDelay)
    links[index].schedule(same.id, due: due, defending: false)
  }

  private mutating func noteConflict(_ claim: Int, now: Duration) {
    claims[claim]?.conflicts.removeAll { now - $0 >= MDNSLimits.conflictWindow }
    claims[claim]?.conflicts.append(now)
  }

  /// The name is another's: the next one is tried, everywhere.
  private mutating func rename(_ claim: Int, now: Duration) {
    guard let old = claims[claim]?.name else { return }
    noteConflict(claim, now: now)
    claims[claim]?.attempt += 1
    replaceName(old, of: claim, now: now)
    if case .service? = claims[claim]?.kind, let label = claims[claim]?.label {
      emit(.renamed(MDNSServiceID(rawValue: claim), label))
    }
  }

  /// All records of a claim under its present name, which is probed for.
  mutating func replaceName(_ old: DomainName, of claim: Int, now: Duration) {
    switch claims[claim]?.kind {
    case .host:
      rebuildHost()
      for id in claims.keys.sorted() {
        if case .service(let service)? = claims[id]?.kind {
          replaceDetails(of: id, service, now: now)
        }
      }
    case .service(let service):
      for record in records.of(claim: claim) { withdraw(record, sayingGoodbye: true) }
      addRecords(of: service, claim: claim)
    case nil: return
    }
    for link in links.map(\.link) { startProbing(claim, on: link, now: now) }
    // What was taken for our own is another's, and may be what is searched.
    for index in interfaces.indices { settle(index, changed: [old], now: now) }
  }
}

// MARK: - Announcing, section 8.3

extension MDNS {
  /// All that hangs on a claim, twice.
  mutating func announce(_ claim: Int, on index: Int, now: Duration) {
    for record in records.of(claim: claim)
    where isPublished(record, on: index) && !record.isNegative {
      links[index].announce(record.id, now: now)
    }
  }

  /// One record, wherever its name is ours.
  mutating func announceRecord(_ record: Int, claim: Int, now: Duration) {
    for index in links.indices where links[index].established.contains(claim) {
      links[index].announce(record, now: now)
    }
  }
}
