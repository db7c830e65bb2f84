import Metainfo
import Wire

/// What the mapper wants done.
public enum PortMapperEffect: Hashable, Sendable {
  /// Send this to the gateway's PCP port, from `Gateway.local`.
  case pcp([UInt8], to: Gateway)
  /// Ask this by a library, one job after the other in this order, and report by `completed`.
  case ask(MappingJob)
  /// How it stands with all ports has changed.
  case changed([Mapping])
  /// `shutDown` is done: all that could be removed is, or its time is over. What routers may still have then,
  /// of which they have not said that it is removed.
  case stopped(left: [Mapping])
}

/// Makes ports of this host reachable through its routers, and keeps them so: which service is used,
/// when leases are renewed, what to do when something fails or changes. Time is an argument; what is
/// to be done comes out as effects.
///
/// At first PCP is asked to map, and NAT-PMP and UPnP whether they are there, all at once. The best
/// that works is used. A mapping is never made twice: many routers keep one table for all three, and
/// to remove the second would remove the first.
public struct PortMapper: ~Copyable {
  private let wanted: [PortWanted]
  private var gateways: [GatewayMapper] = []
  private var desk: MappingDesk
  private var told: [Mapping]
  /// When stopping ends at the latest; nil before `shutDown`.
  private var closing: Duration?
  private var isStopped = false

  /// A mapper without a gateway yet. `seed` must be unpredictable: nonces come from it.
  public init(wanted: [PortWanted], seed: UInt64) {
    self.wanted = wanted
    desk = MappingDesk(random: MappingRandom(seed: seed))
    told = []
  }

  /// The routers in use now: one a family at most. One that stays as it was is not asked anew.
  public mutating func gatewaysChanged(_ present: [Gateway], now: Duration) {
    guard closing == nil else { return }
    var next: [GatewayMapper] = []
    for gateway in present.prefix(MappingLimits.gateways) {
      if let same = gateways.first(where: { $0.gateway == gateway }) {
        next.append(same)
        continue
      }
      // Its leases lead to an address that is no longer ours.
      for old in gateways where old.gateway.address == gateway.address { old.abandon(&desk) }
      var new = GatewayMapper(gateway, wanted: wanted, desk: &desk)
      new.start(now: now, desk: &desk)
      next.append(new)
    }
    gateways = next
    tell()
  }

  /// A datagram that came to a PCP socket or to the port of announcements. Those that are not from a
  /// gateway of ours are dropped.
  public mutating func receive(_ datagram: [UInt8], from source: PeerEndpoint, now: Duration) {
    guard source.port == PCPRequest.serverPort,
      let index = gateways.firstIndex(where: { $0.gateway.address == source.address }),
      let answer = try? PCPAnswer(datagram)
    else { return }
    gateways[index].receive(answer, now: now, desk: &desk)
    settle(now: now)
  }

  /// The router's host says that nobody listens at its PCP port (ICMP port unreachable): no need to
  /// wait. Can be forged, and costs no more than the second best service.
  public mutating func refused(by gateway: Gateway, now: Duration) {
    guard let index = gateways.firstIndex(where: { $0.gateway == gateway }) else { return }
    gateways[index].refusedByHost(now: now, desk: &desk)
    settle(now: now)
  }

  /// A job has ended. Jobs of a gateway that is gone are ignored.
  public mutating func completed(
    _ job: UInt64, _ result: Result<MappingAnswer, MappingFailure>, now: Duration
  ) {
    guard let index = gateways.firstIndex(where: { $0.awaits(job) }) else { return }
    gateways[index].completed(job, result, now: now, desk: &desk)
    settle(now: now)
  }

  /// Does what is due.
  public mutating func handleTimeout(now: Duration) {
    if closing.map({ now < $0 }) ?? true {
      for index in gateways.indices { gateways[index].handleTimeout(now: now, desk: &desk) }
    }
    settle(now: now)
  }

  /// When `handleTimeout` should be called next.
  public var deadline: Duration? {
    isStopped ? nil : (gateways.compactMap(\.deadline) + [closing].compactMap { $0 }).min()
  }

  /// Removes all mappings; `stopped` follows within two seconds.
  public mutating func shutDown(now: Duration) {
    guard closing == nil else { return }
    closing = now + MappingLimits.removalTime
    for index in gateways.indices { gateways[index].close(now: now, desk: &desk) }
    settle(now: now)
  }

  /// What to do next; nil when there is nothing.
  public mutating func nextEffect() -> PortMapperEffect? { desk.effects.popFirst() }

  /// How it stands with each wanted port at each gateway.
  public var mappings: [Mapping] {
    if gateways.isEmpty {
      return wanted.map { Mapping(wanted: $0, gateway: nil, state: .noGateway) }
    }
    return gateways.flatMap(\.mappings)
  }

  private mutating func settle(now: Duration) {
    tell()
    guard let end = closing, !isStopped, now >= end || gateways.allSatisfy(\.isClosed) else {
      return
    }
    isStopped = true
    let left = gateways.flatMap { $0.left(now: now) }
    gateways = []
    desk.effects.append(.stopped(left: left))
  }

  private mutating func tell() {
    let current = mappings
    guard current != told else { return }
    told = current
    desk.effects.append(.changed(current))
  }
}

/// What the parts of a mapper share: effects on their way out, numbers of jobs, randomness.
struct MappingDesk: Sendable {
  var effects = EffectQueue()
  var random: MappingRandom
  private var lastJob: UInt64 = 0

  init(random: MappingRandom) { self.random = random }

  mutating func ask(
    _ work: MappingJob.Work, by service: MappingService, at gateway: Gateway
  ) -> MappingJob {
    lastJob += 1
    let job = MappingJob(id: lastJob, service: service, gateway: gateway, work: work)
    effects.append(.ask(job))
    return job
  }
}

/// Effects, first in, first out.
struct EffectQueue: Sendable {
  private var waiting: [PortMapperEffect] = []
  private var taken = 0

  mutating func append(_ effect: PortMapperEffect) { waiting.append(effect) }

  mutating func popFirst() -> PortMapperEffect? {
    guard taken < waiting.count else {
      waiting.removeAll()
      taken = 0
      return nil
    }
    taken += 1
    return waiting[taken - 1]
  }
}
