import Wire

/// What goes by PCP.
extension GatewayMapper {
  /// Asks for a mapping for the first time, or to renew it.
  mutating func sendMap(_ index: Int, now: Duration, desk: inout MappingDesk) {
    entries[index].pending = Resend(now: now, random: &desk.random)
    desk.effects.append(.pcp(request(index, lifetime: MappingLimits.lease), to: gateway))
  }

  private func request(_ index: Int, lifetime: UInt32) -> [UInt8] {
    let entry = entries[index]
    let isRemoval = lifetime == 0
    let mapping = PCPMapping(
      nonce: entry.nonce, transport: entry.wanted.transportNumber, internalPort: entry.wanted.port,
      externalPort: isRemoval ? 0 : entry.wish, externalAddress: gateway.local.unspecified)
    return PCPRequest(.map(mapping), lifetime: lifetime, client: gateway.local).encoded
  }

  /// Sends again what is due. Goes on for ever, ever more slowly, as RFC 6887, section 8.1.1, has
  /// it: so a router that learns PCP is found.
  mutating func resendMaps(now: Duration, desk: inout MappingDesk) {
    for index in entries.indices {
      guard var pending = entries[index].pending, now >= pending.at else { continue }
      pending.sentAgain(now: now, random: &desk.random)
      entries[index].pending = pending
      desk.effects.append(.pcp(request(index, lifetime: MappingLimits.lease), to: gateway))
    }
  }

  /// Does what is due while PCP is in use.
  mutating func servePCP(now: Duration, desk: inout MappingDesk) {
    if let time = remapAt, now >= time {
      remapAt = nil
      for index in entries.indices { sendMap(index, now: now, desk: &desk) }
    }
    for index in dueEntries(now: now, desk: &desk) where entries[index].pending == nil {
      sendMap(index, now: now, desk: &desk)
    }
    // One mapping stands for the router: its answer has the epoch.
    if now >= nextCheck {
      nextCheck = now + MappingLimits.checkInterval
      if let index = entries.firstIndex(where: { $0.lease != nil && $0.pending == nil }) {
        sendMap(index, now: now, desk: &desk)
      }
    }
    resendMaps(now: now, desk: &desk)
    let isGone = entries.contains {
      ($0.pending?.sendings ?? 0) > MappingLimits.sendingsBeforeGone
    }
    if isGone { start(now: now, desk: &desk) }
  }

  /// A message from this router's PCP port.
  mutating func receive(_ answer: PCPAnswer, now: Duration, desk: inout MappingDesk) {
    switch answer {
    case .natPMP(let notice): receive(notice, now: now, desk: &desk)
    case .pcp(let response):
      switch response.operation {
      case .announce:
        guard response.result == .success else { return }
        let fits = pcpEpoch.note(response.epoch, now: now)
        announced(response.epoch, fits: fits, now: now, desk: &desk)
      case .map(let mapping): receive(response, mapping, now: now, desk: &desk)
      case .unknown: break
      }
    }
  }

  private mutating func receive(
    _ response: PCPResponse, _ mapping: PCPMapping?, now: Duration, desk: inout MappingDesk
  ) {
    // What has no payload can only refuse what was asked; all else must be about it.
    let index = entries.firstIndex {
      guard let mapping else { return $0.pending != nil }
      return mapping.nonce == $0.nonce && mapping.internalPort == $0.wanted.port
        && mapping.transport == $0.wanted.transportNumber
    }
    guard let index else { return }
    if case .closing = phase {
      entries[index].pending = nil
      return
    }
    if case .serving(let service) = phase, service != .pcp {
      // It came too late; another service is in use.
      if response.result == .success, response.lifetime > 0 {
        desk.effects.append(.pcp(request(index, lifetime: 0), to: gateway))
      }
      return
    }
    // Only what was asked for is an answer; else anyone could have us take a port.
    guard entries[index].pending != nil else { return }
    let fits = pcpEpoch.note(response.epoch, now: now)
    guard response.result == .success, let mapping else {
      return refused(index, response, now: now, desk: &desk)
    }
    entries[index].grant(
      externalPort: mapping.externalPort, lifetime: response.lifetime, now: now,
      random: &desk.random)
    if entries[index].lease == nil { return settleRefusal(now: now, desk: &desk) }
    noteExternal(mapping.externalAddress)
    standings[.pcp] = .works
    pause = MappingLimits.firstPause
    noteEpoch(fits, now: now)
    choose(now: now, desk: &desk)
  }

  private mutating func refused(
    _ index: Int, _ response: PCPResponse, now: Duration, desk: inout MappingDesk
  ) {
    if response.result == .unsupportedVersion {
      return unsupported(now: now, desk: &desk)
    }
    entries[index].refuse(.pcp(response.result), for: response.lifetime, now: now)
    settleRefusal(now: now, desk: &desk)
  }

  /// PCP has failed when it refuses all ports.
  private mutating func settleRefusal(now: Duration, desk: inout MappingDesk) {
    guard let failure = refusalOfAll else { return }
    giveUp(.pcp, failure, now: now, desk: &desk)
  }

  private mutating func unsupported(now: Duration, desk: inout MappingDesk) {
    for index in entries.indices { entries[index].pending = nil }
    giveUp(.pcp, .notOffered(.pcp), now: now, desk: &desk)
  }

  /// Nobody listens at the router's PCP port.
  mutating func refusedByHost(now: Duration, desk: inout MappingDesk) {
    guard standings[.pcp] == .asked, case .searching = phase else { return }
    unsupported(now: now, desk: &desk)
  }

  /// A NAT-PMP message at PCP's port: the router does not know PCP, or announces itself.
  private mutating func receive(_ notice: NATPMPNotice, now: Duration, desk: inout MappingDesk) {
    if notice.result == 1 {
      return refusedByHost(now: now, desk: &desk)
    }
    guard notice.result == 0, let address = notice.externalAddress else { return }
    let fits = natPMPEpoch.note(notice.epoch, now: now)
    if case .serving(let service) = phase, service != .upnp { noteExternal(.v4(address)) }
    announced(notice.epoch, fits: fits, now: now, desk: &desk)
  }

  /// The router said by itself how long it has run.
  private mutating func announced(
    _ epoch: UInt32, fits: Bool, now: Duration, desk: inout MappingDesk
  ) {
    switch phase {
    case .searching(_, .some):
      // Nothing had worked; what has just begun may work.
      guard now >= announcementsFrom else { return }
      announcementsFrom = now + MappingLimits.announcementInterval
      start(now: now, desk: &desk)
    case .serving:
      // Whatever service made a mapping: what is older than the router's state is lost. The second
      // is what a count of whole seconds hides.
      let began = now - .seconds(Int64(epoch)) - .seconds(1)
      guard remapAt == nil, !fits || hasLease(before: began) else { return }
      let soon = now + MappingLimits.announcementSpread * desk.random.fraction()
      let time = max(soon, announcementsFrom)
      remapAt = time
      announcementsFrom = time + MappingLimits.announcementInterval
    case .searching, .closing: return
    }
  }

  /// Whether a lease was granted before that.
  private func hasLease(before time: Duration) -> Bool {
    for entry in entries {
      if case .leased(let lease) = entry.state, lease.granted < time { return true }
    }
    return false
  }

  /// Removes what PCP may have made, also where only the answer was lost.
  mutating func sendRemovals(now: Duration, desk: inout MappingDesk) {
    phase = .closing(resend: now + MappingLimits.removalResend)
    for index in entries.indices where entries[index].pending != nil {
      desk.effects.append(.pcp(request(index, lifetime: 0), to: gateway))
    }
  }
}
