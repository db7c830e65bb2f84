import Wire

// MARK: - Receiving

extension MDNS {
  /// Takes a packet that came to port 5353. `wasMulticast` is nil where the system does not tell: then
  /// only what comes from a network of the interface counts (RFC 6762, 11).
  public mutating func receive(
    _ datagram: [UInt8], from: PeerEndpoint, on interface: UInt32, wasMulticast: Bool?,
    now: Duration
  ) {
    let link = NetworkLink(interface: interface, family: from.address.ipFamily)
    guard !isEnding, let index = linkIndex(link), let place = interfaceIndex(interface),
      wasMulticast == true || interfaces[place].interface.isOnLink(from.address),
      !isEcho(datagram, from: from, on: interface)
    else { return }
    let message: DNSMessage
    do {
      message = try DNSMessage(parsing: datagram)
    } catch {
      malformedCount += 1
      return
    }
    guard message.flags.isDisjoint(with: .ignored) else { return }
    if message.flags.contains(.response) {
      // Section 6: an answer from another port is none.
      guard from.port == MDNSLimits.port else { return }
      findConflicts(in: message, on: index, now: now)
      dropAnswered(by: message, wasMulticast: wasMulticast, on: index)
      learn(message, on: place, now: now)
    } else {
      if !message.authorities.isEmpty, from.port == MDNSLimits.port {
        breakTies(message, on: index, now: now)
      }
      if from.port == MDNSLimits.port, wasMulticast != false {
        dropAsked(by: message, on: place, now: now)
      }
      take(message, from: from, wasMulticast: wasMulticast, on: index, now: now)
    }
    speak(index, now: now)
  }

  /// Somebody else gave an answer that we were about to give. Section 7.4.
  private mutating func dropAnswered(
    by message: DNSMessage, wasMulticast: Bool?, on index: Int
  ) {
    guard wasMulticast != false, !links[index].pending.isEmpty else { return }
    for answer in message.answers {
      for record in records.named(answer.name)
      where record.record.says(answer) && answer.timeToLive >= record.record.timeToLive {
        links[index].pending[record.id] = nil
      }
    }
  }

  /// Waits for the rest of the known answers, or answers.
  private mutating func take(
    _ message: DNSMessage, from: PeerEndpoint, wasMulticast: Bool?, on index: Int, now: Duration
  ) {
    let waiting = links[index].truncated.firstIndex { $0.from == from }
    if message.questions.isEmpty {
      guard let waiting else { return }
      let room = MDNSLimits.knownAnswers - links[index].truncated[waiting].message.answers.count
      links[index].truncated[waiting].message.answers += message.answers.prefix(max(0, room))
      return
    }
    if message.flags.contains(.truncated), from.port == MDNSLimits.port, waiting == nil,
      links[index].truncated.count < MDNSLimits.truncatedQuestioners
    {
      let due = now + random.milliseconds(MDNSLimits.truncatedDelay)
      links[index].truncated.append(
        MDNSLinkState.TruncatedQuery(
          from: from, wasMulticast: wasMulticast, message: message, due: due))
      return
    }
    answer(message, from: from, wasMulticast: wasMulticast, on: index, now: now)
  }

  /// Answers those of whom we waited long enough for more known answers.
  mutating func answerTruncated(_ index: Int, now: Duration) {
    let due = links[index].truncated.filter { $0.due <= now }
    guard !due.isEmpty else { return }
    links[index].truncated.removeAll { $0.due <= now }
    for query in due {
      answer(
        query.message, from: query.from, wasMulticast: query.wasMulticast, on: index, now: now)
    }
  }
}

// MARK: - Answering, section 6

extension MDNS {
  private mutating func answer(
    _ message: DNSMessage, from: PeerEndpoint, wasMulticast: Bool?, on index: Int, now: Duration
  ) {
    let isLegacy = from.port != MDNSLimits.port
    let isProbe = !message.authorities.isEmpty
    var toAll: [MDNSRecord] = []
    var toOne: [Int] = []
    for question in message.questions {
      let wantsUnicast = question.wantsUnicast || wasMulticast == false
      let matching = matching(question, on: index)
      for record in matching where !isKnown(record, to: message, among: matching) {
        if isLegacy || wantsUnicast && !isProbe && wasHeard(record, on: index, now: now) {
          if !toOne.contains(record.id) { toOne.append(record.id) }
        } else {
          toAll.append(record)
        }
      }
    }
    // An answer that others may have too is given after a while, so that not all speak at once.
    let isAlone = isProbe || toAll.allSatisfy(\.isUnique)
    let due = isAlone ? now : now + random.milliseconds(MDNSLimits.sharedDelay)
    for record in toAll {
      links[index].schedule(record.id, due: due, defending: isProbe)
    }
    if !toOne.isEmpty, links[index].mayUnicast(now: now) {
      reply(to: isLegacy ? message : nil, toOne, at: from, on: index)
    }
  }

  /// What we have for a question; if it is our name and we have nothing of the kind, that.
  private func matching(_ question: DNSQuestion, on index: Int) -> [MDNSRecord] {
    let all = records.named(question.name).filter {
      isPublished($0, on: index) && links[index].established.contains($0.claim)
    }
    let found = all.filter {
      question.asks(for: $0.record) && (!$0.isNegative || question.type == .nsec)
    }
    if !found.isEmpty { return found }
    let isOfOurs = [DNSRecord.internet, DNSQuestion.anyClass].contains(question.questionClass)
    return isOfOurs ? all.filter(\.isNegative) : []
  }

  /// Whether the questioner has the answer, and will for at least half of its time. Section 7.1. Of a
  /// unique name and type all are given or none, since the cache-flush bit says that those are all.
  private func isKnown(
    _ record: MDNSRecord, to message: DNSMessage, among matching: [MDNSRecord]
  ) -> Bool {
    let set =
      record.isUnique
      ? matching.filter { $0.record.data.type == record.record.data.type } : [record]
    return set.allSatisfy { mine in
      message.answers.contains {
        $0.says(mine.record) && UInt64($0.timeToLive) * 2 >= UInt64(mine.record.timeToLive)
      }
    }
  }

  /// Whether everybody here heard the record within a quarter of its time. Section 5.4.
  private func wasHeard(_ record: MDNSRecord, on index: Int, now: Duration) -> Bool {
    guard let last = links[index].lastMulticast[record.id] else { return false }
    return now - last < .seconds(Int64(record.record.timeToLive / 4))
  }

  /// Answers one questioner alone. `legacy` is the message of a program that speaks plain DNS, whose
  /// answer has to look like one (section 6.7).
  private mutating func reply(
    to legacy: DNSMessage?, _ answers: [Int], at place: PeerEndpoint, on index: Int
  ) {
    var writer = DNSWriter(
      id: legacy?.id ?? 0, flags: [.response, .authoritative],
      limit: legacy == nil ? DNSLimits.sentBytes : DNSLimits.legacyBytes)
    for var question in legacy?.questions ?? [] {
      question.wantsUnicast = false
      guard writer.add(question) else { break }
    }
    func shaped(_ id: Int) -> DNSRecord? {
      guard var record = records[id]?.record else { return nil }
      if legacy != nil {
        record.flushesCache = false
        record.timeToLive = min(record.timeToLive, MDNSLimits.legacyTimeToLive)
      }
      return record
    }
    var said: [Int] = []
    for id in answers {
      guard let record = shaped(id) else { continue }
      if legacy != nil, record.data.type == .nsec { continue }
      guard writer.add(record, to: .answers) else { break }
      said.append(id)
    }
    guard !said.isEmpty else { return }
    for id in additionals(to: said, on: index) {
      guard let record = shaped(id) else { continue }
      if legacy != nil, record.data.type == .nsec { continue }
      guard writer.add(record, to: .additionals) else { break }
    }
    emit(.send(writer.bytes, .unicast(place, interface: links[index].link.interface)))
  }
}
