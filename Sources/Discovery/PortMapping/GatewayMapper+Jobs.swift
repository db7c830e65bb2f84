import Wire

/// What goes by NAT-PMP or UPnP, by jobs.
extension GatewayMapper {
  /// Whether it is this gateway's job.
  func awaits(_ job: UInt64) -> Bool { jobs.contains { $0.id == job } }

  /// Asks for mappings of these entries, all in one job.
  mutating func askToMap(_ indices: [Int], by service: MappingService, desk: inout MappingDesk) {
    if indices.isEmpty { return }
    jobs.append(
      desk.ask(.map(indices.map { entries[$0].request }), by: service, at: gateway))
  }

  /// Does what is due while a service of jobs is in use.
  mutating func serveByJobs(
    _ service: MappingService, now: Duration, desk: inout MappingDesk
  ) {
    // One at a time; when it has ended, the next is due.
    if jobs.contains(where: { $0.service == service }) { return }
    if let retry = strikeRetry {
      guard now >= retry else { return }
      strikeRetry = nil
      return askToMap(entries.indices.map { $0 }, by: service, desk: &desk)
    }
    if let time = remapAt, now >= time {
      remapAt = nil
      return askToMap(entries.indices.map { $0 }, by: service, desk: &desk)
    }
    let due = dueEntries(now: now, desk: &desk)
    if !due.isEmpty { return askToMap(due, by: service, desk: &desk) }
    guard now >= nextCheck else { return }
    nextCheck = now + MappingLimits.checkInterval
    if service == .natPMP {
      jobs.append(desk.ask(.probe, by: service, at: gateway))
    } else {
      // UPnP has no epoch: whether a mapping is still there is known when it was made again.
      askToMap(entries.indices.filter { entries[$0].lease != nil }, by: service, desk: &desk)
    }
  }

  /// A job has ended.
  mutating func completed(
    _ id: UInt64, _ result: Result<MappingAnswer, MappingFailure>, now: Duration,
    desk: inout MappingDesk
  ) {
    guard let place = jobs.firstIndex(where: { $0.id == id }) else { return }
    let job = jobs.remove(at: place)
    switch phase {
    case .closing: removeLateGrants(job, result, desk: &desk)
    case .searching: searched(job, result, now: now, desk: &desk)
    case .serving(let service):
      if service == job.service {
        served(job, result, now: now, desk: &desk)
      } else {
        // For when the service in use fails.
        note(job, result, now: now)
      }
    }
  }

  private mutating func searched(
    _ job: MappingJob, _ result: Result<MappingAnswer, MappingFailure>, now: Duration,
    desk: inout MappingDesk
  ) {
    if case .success(let answer) = result { noteExternal(answer.externalAddress) }
    note(job, result, now: now)
    choose(now: now, desk: &desk)
  }

  private mutating func note(
    _ job: MappingJob, _ result: Result<MappingAnswer, MappingFailure>, now: Duration
  ) {
    switch result {
    case .success(let answer):
      standings[job.service] = .works
      if let epoch = answer.epoch { _ = natPMPEpoch.note(epoch, now: now) }
    case .failure(let failure): standings[job.service] = .failed(failure)
    }
  }

  private mutating func served(
    _ job: MappingJob, _ result: Result<MappingAnswer, MappingFailure>, now: Duration,
    desk: inout MappingDesk
  ) {
    switch result {
    case .failure(let failure):
      strikes += 1
      let hasLease = entries.contains { $0.lease != nil }
      if !hasLease { return giveUp(job.service, failure, now: now, desk: &desk) }
      if strikes >= MappingLimits.strikesBeforeGone { return start(now: now, desk: &desk) }
      strikeRetry = now + MappingLimits.strikePause
    case .success(let answer):
      strikes = 0
      noteExternal(answer.externalAddress)
      if let epoch = answer.epoch {
        noteEpoch(natPMPEpoch.note(epoch, now: now), now: now)
      }
      guard case .map(let requests) = job.work else { return }
      // All of it was mapped just now.
      if requests.count == entries.count { remapAt = nil }
      take(answer.ports, for: requests, by: job.service, now: now, desk: &desk)
    }
  }

  private mutating func take(
    _ ports: [MappingAnswer.Port], for requests: [PortRequest], by service: MappingService,
    now: Duration, desk: inout MappingDesk
  ) {
    var again: [Int] = []
    for (request, port) in zip(requests, ports) {
      guard let index = entries.firstIndex(where: { $0.wanted == request.wanted }) else { continue }
      switch port {
      case .granted(let externalPort, let lifetime):
        entries[index].grant(
          externalPort: externalPort, lifetime: lifetime, now: now, random: &desk.random)
      case .refused(.upnp(let code)):
        if entries[index].canAskOtherwise(after: code, random: &desk.random) {
          again.append(index)
        } else {
          entries[index].refuse(.upnp(code: code), for: nil, now: now)
        }
      case .refused(let failure): entries[index].refuse(failure, for: nil, now: now)
      }
    }
    if !again.isEmpty { return askToMap(again, by: service, desk: &desk) }
    if let failure = refusalOfAll {
      giveUp(service, failure, now: now, desk: &desk)
    } else if entries.contains(where: { $0.lease != nil }) {
      pause = MappingLimits.firstPause
    }
  }
}

/// The end of mappings.
extension GatewayMapper {
  /// Begins to remove all that there is.
  mutating func close(now: Duration, desk: inout MappingDesk) {
    let before = phase
    if case .serving(let service) = before { closed = (service, []) }
    switch before {
    case .serving(.pcp):
      for index in entries.indices where entries[index].lease != nil {
        entries[index].pending = Resend(now: now, random: &desk.random)
      }
      sendRemovals(now: now, desk: &desk)
    case .serving(let service):
      unmap(entries.filter { $0.lease != nil }.map(\.request), by: service, desk: &desk)
    case .searching(.some, _):
      // What was asked a moment ago may be granted yet. Most likely there is no router that knows
      // PCP, so nothing is waited for.
      sendRemovals(now: now, desk: &desk)
      for index in entries.indices { entries[index].pending = nil }
    case .searching, .closing: for index in entries.indices { entries[index].pending = nil }
    }
    phase = .closing(resend: now + MappingLimits.removalResend)
  }

  /// Whether all is removed, as far as the router said so, and no answer is awaited that could grant
  /// something.
  var isClosed: Bool {
    guard case .closing = phase else { return false }
    let awaitsJob = jobs.contains { $0.work != .probe }
    return !awaitsJob && entries.allSatisfy { $0.pending == nil }
  }

  /// What the router may have mapped still, as it has not said that it is removed; the lifetime of each is what
  /// is left of its lease, in seconds.
  func left(now: Duration) -> [Mapping] {
    guard case .closing = phase else { return [] }
    var left: [Mapping] = []
    func add(
      _ port: PortWanted, by service: MappingService, at external: UInt16, for seconds: UInt32?
    ) {
      let mapped = MappedPort(
        service: service, externalPort: external, externalAddress: externalAddress,
        lifetime: seconds)
      left.append(Mapping(wanted: port, gateway: gateway.address, state: .mapped(mapped)))
    }
    for entry in entries {
      guard let closed, let lease = entry.lease else { continue }
      let isRemoved =
        closed.service == .pcp ? entry.pending == nil : closed.ports.contains(entry.wanted)
      if isRemoved { continue }
      let rest = lease.expires.map { UInt32(clamping: ($0 - now).components.seconds) }
      if rest == 0 { continue }
      add(entry.wanted, by: closed.service, at: lease.externalPort, for: rest)
    }
    for job in jobs {
      // What was asked for when the end came may be granted after it.
      guard case .map(let requests) = job.work else { continue }
      for request in requests where !left.contains(where: { $0.wanted == request.wanted }) {
        add(
          request.wanted, by: job.service, at: request.externalPort,
          for: request.lifetime == 0 ? nil : request.lifetime)
      }
    }
    return left
  }

  /// This host has another address now: what leads to the old one is removed if the router lets us.
  /// Only UPnP does; the other services go by the address that asks.
  func abandon(_ desk: inout MappingDesk) {
    guard case .serving(.upnp) = phase else { return }
    let leased = entries.filter { $0.lease != nil }.map(\.request)
    if !leased.isEmpty { _ = desk.ask(.unmap(leased), by: .upnp, at: gateway) }
  }

  private mutating func removeLateGrants(
    _ job: MappingJob, _ result: Result<MappingAnswer, MappingFailure>, desk: inout MappingDesk
  ) {
    guard case .success(let answer) = result else { return }
    if case .unmap(let requests) = job.work { closed?.ports.formUnion(requests.map(\.wanted)) }
    guard case .map(let requests) = job.work else { return }
    var late: [PortRequest] = []
    for (request, port) in zip(requests, answer.ports) {
      guard case .granted(let externalPort, _) = port,
        let entry = entries.first(where: { $0.wanted == request.wanted }),
        entry.lease?.externalPort != externalPort
      else { continue }
      var request = request
      request.externalPort = externalPort
      late.append(request)
    }
    unmap(late, by: job.service, desk: &desk)
  }

  private mutating func unmap(
    _ requests: [PortRequest], by service: MappingService, desk: inout MappingDesk
  ) {
    if requests.isEmpty { return }
    jobs.append(desk.ask(.unmap(requests), by: service, at: gateway))
  }
}
