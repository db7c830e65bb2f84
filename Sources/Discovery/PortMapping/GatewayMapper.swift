import Metainfo
import Wire

/// All that is asked of one router.
struct GatewayMapper: Sendable {
  /// What is known of a service.
  enum Standing: Hashable, Sendable {
    /// Asked, no answer yet.
    case asked
    case works
    case failed(MappingFailure)
  }

  /// What it is about.
  enum Phase: Sendable {
    /// Until a service works. PCP alone is waited for until `graceEnds`, which is nil when that has
    /// passed; when all have failed they are tried again at `retry`.
    case searching(graceEnds: Duration?, retry: Duration?)
    /// One service is in use.
    case serving(MappingService)
    /// Mappings are being removed; PCP's removals are sent again at `resend`.
    case closing(resend: Duration)
  }

  let gateway: Gateway
  var entries: [PortEntry]
  var phase = Phase.searching(graceEnds: nil, retry: nil)
  var standings: [MappingService: Standing] = [:]
  /// Jobs without an answer yet: one a service at most, but for removals.
  var jobs: [MappingJob] = []
  var externalAddress: IPAddress?
  var pcpEpoch = EpochWatch()
  var natPMPEpoch = EpochWatch()
  /// The pause after the next search that finds nothing.
  var pause = MappingLimits.firstPause
  /// When the service in use is looked at next, though no lease is due.
  var nextCheck = Duration.zero
  /// When all is to be mapped anew, since the router lost its state.
  var remapAt: Duration?
  /// Jobs that failed in a row while serving, and when the last one is done again.
  var strikes = 0
  var strikeRetry: Duration?
  /// What was in use when closing began, and what it has removed since, where jobs do that.
  var closed: (service: MappingService, ports: Set<PortWanted>)?
  /// From when on an announcement is acted on again.
  var announcementsFrom = Duration.zero

  init(_ gateway: Gateway, wanted: [PortWanted], desk: inout MappingDesk) {
    self.gateway = gateway
    entries = []
    for port in wanted { entries.append(PortEntry(port, random: &desk.random)) }
  }

  /// Begins to look for a service, and forgets what it knew of them. Ports once had are wished for.
  mutating func start(now: Duration, desk: inout MappingDesk) {
    phase = .searching(graceEnds: now + MappingLimits.pcpGrace, retry: nil)
    standings = [:]
    strikes = 0
    strikeRetry = nil
    remapAt = nil
    for index in entries.indices { entries[index].state = .asking }
    for service in gateway.services {
      standings[service] = .asked
      if service == .pcp {
        for index in entries.indices { sendMap(index, now: now, desk: &desk) }
      } else if !jobs.contains(where: { $0.service == service }) {
        jobs.append(desk.ask(.probe, by: service, at: gateway))
      }
    }
  }

  /// Takes the best service that works, or waits for a better one, or for the next try.
  mutating func choose(now: Duration, desk: inout MappingDesk) {
    guard case .searching(let graceEnds, let retry) = phase else { return }
    for service in gateway.services {
      switch standings[service] {
      case .works: return serve(service, now: now, desk: &desk)
      case .asked:
        if service != .pcp || graceEnds != nil { return }
      case .failed, nil: continue
      }
    }
    guard retry == nil else { return }
    phase = .searching(graceEnds: nil, retry: now + pause)
    pause = min(pause * 2, MappingLimits.longestPause)
  }

  private mutating func serve(
    _ service: MappingService, now: Duration, desk: inout MappingDesk
  ) {
    phase = .serving(service)
    nextCheck = now + MappingLimits.checkInterval
    strikes = 0
    strikeRetry = nil
    if service == .pcp { return }
    for index in entries.indices {
      entries[index].pending = nil
      entries[index].state = .asking
    }
    askToMap(entries.indices.map { $0 }, by: service, desk: &desk)
  }

  /// The service in use is of no use any more: on to the next, or to a pause.
  mutating func giveUp(
    _ service: MappingService, _ failure: MappingFailure, now: Duration, desk: inout MappingDesk
  ) {
    standings[service] = .failed(failure)
    phase = .searching(graceEnds: nil, retry: nil)
    choose(now: now, desk: &desk)
  }

  /// When something is due.
  var deadline: Duration? {
    var times = entries.compactMap { $0.pending?.at }
    switch phase {
    case .closing(let resend): return isClosed ? nil : resend
    case .searching(let graceEnds, let retry):
      times += [graceEnds, retry].compactMap { $0 }
    case .serving(let service):
      // What is due waits for the job that is under way.
      if jobs.contains(where: { $0.service == service }) { return nil }
      if let strikeRetry { return strikeRetry }
      times.append(nextCheck)
      if let remapAt { times.append(remapAt) }
      for entry in entries {
        switch entry.state {
        case .leased(let lease):
          times.append(lease.renewAt)
          if let expires = lease.expires { times.append(expires) }
        case .refused(_, let retry): times.append(retry)
        case .asking: break
        }
      }
    }
    return times.min()
  }

  /// Does what is due.
  mutating func handleTimeout(now: Duration, desk: inout MappingDesk) {
    switch phase {
    case .closing(let resend):
      guard now >= resend, !isClosed else { return }
      sendRemovals(now: now, desk: &desk)
    case .searching(let graceEnds, let retry):
      resendMaps(now: now, desk: &desk)
      if let retry, now >= retry {
        start(now: now, desk: &desk)
      } else if let graceEnds, now >= graceEnds {
        phase = .searching(graceEnds: nil, retry: retry)
        choose(now: now, desk: &desk)
      }
    case .serving(.pcp): servePCP(now: now, desk: &desk)
    case .serving(let service): serveByJobs(service, now: now, desk: &desk)
    }
  }

  /// Entries whose lease, or whose refusal, is over, and those whose lease should be renewed.
  mutating func dueEntries(now: Duration, desk: inout MappingDesk) -> [Int] {
    var due: [Int] = []
    for index in entries.indices {
      switch entries[index].state {
      case .leased(let lease) where lease.expires.map { now >= $0 } ?? false:
        entries[index].state = .asking
        due.append(index)
      case .leased(var lease) where now >= lease.renewAt:
        lease.planRenewal(after: now, random: &desk.random)
        entries[index].state = .leased(lease)
        due.append(index)
      case .refused(_, let retry) where now >= retry:
        entries[index].state = .asking
        due.append(index)
      default: break
      }
    }
    return due
  }

  /// An answer had the router's count of seconds, which may tell that it has begun anew.
  mutating func noteEpoch(_ isConsistent: Bool, now: Duration) {
    guard !isConsistent, case .serving = phase, remapAt == nil else { return }
    remapAt = now
  }

  /// Notes the router's address outside, if that is one.
  mutating func noteExternal(_ address: IPAddress?) {
    if let address, !address.isUnspecified { externalAddress = address }
  }

  /// Whether all are refused, and why the first.
  var refusalOfAll: MappingFailure? {
    let refusals = entries.compactMap(\.refusal)
    return refusals.count == entries.count ? refusals.first : nil
  }

  /// How it stands with each port.
  var mappings: [Mapping] {
    entries.map { Mapping(wanted: $0.wanted, gateway: gateway.address, state: state(of: $0)) }
  }

  private func state(of entry: PortEntry) -> Mapping.State {
    switch phase {
    case .closing: return .removing
    case .searching(_, let retry): return retry == nil ? .searching : .failed(failureOfSearch)
    case .serving(let service):
      switch entry.state {
      case .asking: return .searching
      case .refused(let failure, _): return .failed(failure)
      case .leased(let lease):
        return .mapped(
          MappedPort(
            service: service, externalPort: lease.externalPort, externalAddress: externalAddress,
            lifetime: lease.lifetime))
      }
    }
  }

  /// What a person can do something about: a refusal rather than silence.
  private var failureOfSearch: MappingFailure {
    let failures = gateway.services.compactMap { service -> MappingFailure? in
      if case .failed(let failure)? = standings[service] { failure } else { nil }
    }
    return failures.first { !$0.isSilence } ?? .noAnswer
  }
}
