import Metainfo
import Wire

// MARK: - Searching

extension MDNS {
  /// Searches for services of a type, or of a subtype, on all interfaces from now on. Our own are not
  /// found.
  public mutating func browse(_ type: MDNSServiceType, now: Duration) -> MDNSBrowseID {
    let id = MDNSBrowseID(rawValue: nextBrowse)
    nextBrowse += 1
    guard !isEnding, let question = type.question else { return id }
    browses.append((id, type, question))
    let key = MDNSQuestionKey(name: question, type: .ptr)
    for index in interfaces.indices {
      interfaces[index].ask(key, due: now + random.milliseconds(MDNSLimits.questionDelay))
      // Another search may have found it already.
      if !interfaces[index].cache[question].isEmpty {
        settle(index, changed: [question], now: now)
      }
    }
    return id
  }

  /// Searches no more, and tells of nothing more.
  public mutating func stop(_ id: MDNSBrowseID) {
    guard let place = browses.firstIndex(where: { $0.id == id }) else { return }
    let question = browses.remove(at: place).question
    let isNeeded = browses.contains { $0.question == question }
    for index in interfaces.indices {
      interfaces[index].reported[id] = nil
      if isNeeded { continue }
      interfaces[index].asks[MDNSQuestionKey(name: question, type: .ptr)] = nil
      interfaces[index].cache.forget(question)
      dropNeedlessAsks(index)
    }
  }

  /// Sends what is to be asked on an interface, on both families: as many questions as fit a packet,
  /// with what we know already. Section 7.1, 7.2.
  mutating func ask(_ index: Int, now: Duration) {
    guard !isEnding else { return }
    if let next = interfaces[index].nextPacket, next > now { return }
    let due = interfaces[index].asks.filter { $0.value.due <= now }.keys.sorted()
    guard !due.isEmpty else { return }
    var writer = DNSWriter(flags: [])
    var known: [DNSRecord] = []
    var room = DNSLimits.sentBytes
    for key in due {
      let answers = interfaces[index].knownAnswers(to: key, now: now)
      // About what they take with their names compressed.
      let bytes = answers.reduce(0) { $0 + 16 + Self.ownBytes(of: $1) }
      guard writer.isEmpty || writer.bytes.count + bytes + 100 < room else { break }
      let ask = interfaces[index].asks[key]
      let isUnicast = configuration.asksForUnicast && ask?.isFirst == true
      let question = DNSQuestion(name: key.name, type: key.type, wantsUnicast: isUnicast)
      guard writer.add(question) else { break }
      room -= bytes
      known += answers
      interfaces[index].asked(key, now: now)
    }
    interfaces[index].nextPacket = now + MDNSLimits.packetInterval
    var packets: [[UInt8]] = []
    for record in known {
      if writer.add(record, to: .answers) { continue }
      guard packets.count < MDNSLimits.knownAnswerPackets else { break }
      writer.markTruncated()
      packets.append(writer.bytes)
      writer = DNSWriter(flags: [])
      _ = writer.add(record, to: .answers)
    }
    packets.append(writer.bytes)
    let number = interfaces[index].interface.index
    for link in links.indices where links[link].link.interface == number {
      for packet in packets { multicast(packet, on: link, now: now) }
    }
  }

  /// What only this PTR record has: the label of its instance.
  private static func ownBytes(of record: DNSRecord) -> Int {
    if case .ptr(let instance) = record.data { instance.firstLabel?.count ?? 0 } else { 0 }
  }

  /// Somebody asks what we were about to ask, and knows no more than we do: their answer is ours.
  /// Section 7.3.
  mutating func dropAsked(by message: DNSMessage, on index: Int, now: Duration) {
    guard message.authorities.isEmpty, !message.flags.contains(.truncated) else { return }
    for question in message.questions
    where !question.wantsUnicast && question.questionClass == DNSRecord.internet {
      let key = MDNSQuestionKey(name: question.name, type: question.type)
      guard let ask = interfaces[index].asks[key], !ask.isFirst || ask.isRefresh,
        ask.due - now < MDNSLimits.firstQuestionInterval
      else { continue }
      let ours = interfaces[index].knownAnswers(to: key, now: now)
      let knowsMore = message.answers.contains { theirs in
        question.asks(for: theirs) && !ours.contains { $0.says(theirs) }
      }
      if !knowsMore { interfaces[index].asked(key, now: now) }
    }
  }
}

// MARK: - Learning

extension MDNS {
  /// Keeps what is of use: instances first, then their hosts, then those hosts' addresses.
  mutating func learn(_ message: DNSMessage, on index: Int, now: Duration) {
    let records = (message.answers + message.additionals).filter {
      $0.recordClass == DNSRecord.internet
    }
    var changed: Set<DomainName> = []
    let rounds: [[DNSType]] = [[.ptr], [.srv, .txt], [.a, .aaaa]]
    for types in rounds {
      let useful = records.filter { types.contains($0.data.type) && isUseful($0, on: index) }
      var flushed: Set<MDNSQuestionKey> = []
      for record in useful {
        guard record.timeToLive > 0 else {
          interfaces[index].cache.bye(record, now: now)
          continue
        }
        if interfaces[index].cache.insert(record, now: now, random: &random) {
          changed.insert(record.name)
        }
        let key = MDNSQuestionKey(name: record.name, type: record.data.type)
        if record.flushesCache { flushed.insert(key) }
        if record.data.type != .ptr { interfaces[index].asks[key] = nil }
      }
      for key in flushed {
        let kept = useful.filter { $0.name == key.name && $0.data.type == key.type }.map(\.data)
        interfaces[index].cache.flush(key.name, key.type, keeping: kept, now: now)
      }
    }
    dropDenied(by: records, on: index)
    if !changed.isEmpty { settle(index, changed: changed, now: now) }
  }

  /// An instance must be of the type that is searched.
  private func isUseful(_ record: DNSRecord, on index: Int) -> Bool {
    var isBrowsed = false
    if case .ptr(let instance) = record.data {
      let type = browses.first { $0.question == record.name }?.type.name
      isBrowsed = type != nil && instance.parent == type
    }
    return interfaces[index].cache.wants(record.name, record.data.type, browsed: isBrowsed)
  }

  /// What a name has not is not asked for again. Section 6.1.
  private mutating func dropDenied(by records: [DNSRecord], on index: Int) {
    for record in records {
      guard case .nsec(_, let types) = record.data else { continue }
      for type in [DNSType.a, .aaaa, .txt] where !types.contains(type) {
        interfaces[index].asks[MDNSQuestionKey(name: record.name, type: type)] = nil
      }
    }
  }

  /// Tells what became of the instances that `changed` names concern, and asks for what is missing.
  mutating func settle(_ index: Int, changed: Set<DomainName>, now: Duration) {
    let reached = interfaces[index].cache.reaching(changed)
    let number = interfaces[index].interface.index
    var resolved: [DomainName: MDNSInstance?] = [:]
    for browse in browses {
      let isWhole = changed.contains(browse.question)
      var present: Set<DomainName> = []
      for entry in interfaces[index].cache[browse.question] {
        guard case .ptr(let name) = entry.data else { continue }
        present.insert(name)
        guard isWhole || reached.contains(name) else { continue }
        let before = interfaces[index].reported[browse.id]?[name]
        let found = resolved[name] ?? resolve(name, on: index, now: now)
        resolved[name] = found
        guard found != before else { continue }
        interfaces[index].reported[browse.id, default: [:]][name] = found
        if let found {
          emit(.found(browse.id, found))
        } else if let before {
          emit(.lost(browse.id, name: before.name, interface: number))
        }
      }
      guard isWhole else { continue }
      let gone = (interfaces[index].reported[browse.id] ?? [:]).filter { !present.contains($0.key) }
      for (name, instance) in gone.sorted(by: {
        $0.key.wire.lexicographicallyPrecedes($1.key.wire)
      }) {
        interfaces[index].reported[browse.id]?[name] = nil
        emit(.lost(browse.id, name: instance.name, interface: number))
      }
    }
  }

  /// The instance, when host and address are known; else they are asked for.
  private mutating func resolve(
    _ name: DomainName, on index: Int, now: Duration
  ) -> MDNSInstance? {
    // Our own, come back some other way.
    guard !records.named(name).contains(where: \.isUnique), let label = name.firstLabel else {
      return nil
    }
    let entries = interfaces[index].cache[name]
    let services = entries.compactMap { entry in
      if case .srv(let service) = entry.data { (service, entry.heard) } else { nil }
    }
    guard let service = services.max(by: { $0.1 < $1.1 })?.0 else {
      for type in [DNSType.srv, .txt] {
        interfaces[index].ask(MDNSQuestionKey(name: name, type: type), due: now)
      }
      return nil
    }
    let addresses = interfaces[index].cache[service.target].compactMap { entry -> IPAddress? in
      switch entry.data {
      case .a(let address): .v4(address)
      case .aaaa(let address): .v6(address)
      default: nil
      }
    }
    if addresses.isEmpty {
      for (type, family) in [(DNSType.a, IPFamily.v4), (.aaaa, .v6)]
      where interfaces[index].interface.has(family) {
        interfaces[index].ask(MDNSQuestionKey(name: service.target, type: type), due: now)
      }
    }
    let elsewhere = addresses.filter { !$0.needsInterface }
    let usable = elsewhere.isEmpty ? addresses : elsewhere
    guard !usable.isEmpty, service.port > 0 else { return nil }
    let txt = entries.compactMap { entry in
      if case .txt(let texts) = entry.data { (texts, entry.heard) } else { nil }
    }
    return MDNSInstance(
      name: Array(label), host: service.target,
      endpoints: usable.map { PeerEndpoint(address: $0, port: service.port) }
        .sorted { $0.compact.lexicographicallyPrecedes($1.compact) },
      txt: txt.max { $0.1 < $1.1 }?.0 ?? [], interface: interfaces[index].interface.index)
  }

  /// Forgets questions about instances and hosts that nothing leads to any more.
  mutating func dropNeedlessAsks(_ index: Int) {
    let cache = interfaces[index].cache
    interfaces[index].asks = interfaces[index].asks.filter { key, _ in
      key.type == .ptr || cache.wants(key.name, key.type, browsed: false)
    }
  }
}
