import Discovery
import Metainfo
import Testing
import Wire

/// Which service is taken, and what is done about leases.
@Suite struct PortMapperTests {
  static let both = [PortWanted(.tcp, 6881), PortWanted(.udp, 6882)]

  @Test func withoutGatewayItSaysSo() {
    var world = MappingWorld([], wanted: Self.both)
    world.connect([])
    #expect(world.mappings.map(\.state) == [.noGateway, .noGateway])
    #expect(world.told.count == 1 && world.mapper.deadline == nil)
  }

  static let offers: [(Set<MappingService>, best: MappingService)] = [
    ([.pcp, .natPMP, .upnp], .pcp), ([.natPMP, .upnp], .natPMP), ([.upnp], .upnp), ([.pcp], .pcp),
    ([.pcp, .upnp], .pcp),
  ]

  @Test(arguments: offers.indices) func bestServiceIsTaken(index: Int) {
    let (offered, best) = Self.offers[index]
    var world = MappingWorld(offered, wanted: Self.both)
    world.connect()
    world.pass(.seconds(3))
    #expect(world.mapped.map(\.service) == [best, best])
    #expect(world.mapped.map(\.externalPort) == [6881, 6882])
    #expect(world.mapped.map(\.externalAddress) == [ip("203.0.113.7"), ip("203.0.113.7")])
    #expect(world.table.values.allSatisfy { $0.service == best })
    #expect(world.table.count == 2)
  }

  /// All services are asked at the beginning, but only PCP to map: a second mapping would be the
  /// first one's end in routers that keep one table.
  @Test func allAreAskedAtOnceButMappedOnce() {
    var world = MappingWorld([.natPMP, .upnp])
    world.jobsAreHeld = true
    world.connect()
    #expect(world.requests.count == 1)
    #expect(world.jobs.map(\.service) == [.natPMP, .upnp])
    #expect(world.jobs.allSatisfy { $0.work == .probe })
  }

  /// UPnP has answered, PCP not: it is waited for a moment, then no longer.
  @Test func silentPCPIsWaitedForShortly() {
    var world = MappingWorld([.upnp])
    world.connect()
    #expect(world.mapped.isEmpty)
    world.pass(.milliseconds(1_400))
    #expect(world.mapped.isEmpty && world.failures.isEmpty)
    world.pass(.milliseconds(200))
    #expect(world.mapped.map(\.service) == [.upnp])
  }

  /// Nobody listens at the router's port, its host says: nothing is waited for.
  @Test func absentPCPIsNotWaitedFor() {
    var world = MappingWorld([.upnp])
    world.connect()
    #expect(world.mapped.isEmpty)
    world.mapper.refused(by: MappingWorld.gateway, now: world.now)
    world.drain()
    #expect(world.mapped.map(\.service) == [.upnp])
    // Later, with a service in use, it means nothing.
    world.mapper.refused(by: MappingWorld.gateway, now: world.now)
    #expect(world.mapped.count == 1)
  }

  @Test func requestHasAddressPortAndLease() {
    var world = MappingWorld([.pcp], wanted: [PortWanted(.udp, 6882)])
    world.connect()
    let bytes = world.requests[0].bytes
    #expect(bytes.count == 60)
    #expect(Array(bytes[..<8]) == [2, 1, 0, 0, 0, 0, 0x1c, 0x20])
    #expect(Array(bytes[18..<24]) == [0xff, 0xff, 192, 168, 1, 10])
    #expect(Array(bytes[36..<44]) == [17, 0, 0, 0, 0x1a, 0xe2, 0x1a, 0xe2])
    #expect(Array(bytes[44...]) == [UInt8](repeating: 0, count: 10) + [0xff, 0xff, 0, 0, 0, 0])
  }

  @Test func refusalByPCPLeadsToTheNext() {
    var world = MappingWorld([.pcp, .natPMP, .upnp], wanted: Self.both)
    world.pcpRefusal = (.notAuthorized, 1_800)
    world.connect()
    #expect(world.mapped.map(\.service) == [.natPMP, .natPMP])
  }

  @Test func whenAllFailTheReasonIsShownAndPausesGrow() {
    var world = MappingWorld([.pcp])
    world.pcpRefusal = (.notAuthorized, 30)
    world.connect()
    #expect(world.failures == [.pcp(.notAuthorized)])
    #expect(world.mappings[0].description.contains("NOT_AUTHORIZED (2)"))
    world.pass(.seconds(86_400))
    let times = world.requests.map(\.at)
    let pauses = zip(times.dropFirst(), times).map { $0 - $1 }
    #expect(pauses.prefix(3) == [.seconds(60), .seconds(120), .seconds(240)])
    #expect(pauses.last == .seconds(3_600))
    #expect(times.count < 35)
    world.pcpRefusal = nil
    world.pass(.seconds(3_600))
    #expect(world.mapped.map(\.service) == [.pcp])
  }

  @Test func nobodyAnswers() {
    var world = MappingWorld([])
    world.connect()
    world.pass(.seconds(2))
    #expect(world.failures == [.noAnswer])
    world.pass(.seconds(86_400))
    // Starting anew each hour: some requests by PCP each time, and two probes.
    #expect(world.requests.count < 400 && world.jobs.count < 80)
  }

  /// RFC 6887, section 8.1.1: 3 seconds, doubled, each a tenth more or less.
  @Test func requestIsSentAgainEverMoreSlowly() {
    var world = MappingWorld([.natPMP])
    world.tamper = { _ in nil }
    world.services = [.pcp, .natPMP]
    world.jobsAreHeld = true
    world.connect()
    world.pass(.seconds(10_000))
    let times = world.requests.map(\.at)
    let waits = zip(times.dropFirst(), times).map { $0 - $1 }
    #expect(waits.count > 10)
    #expect(waits[0] >= .milliseconds(2_700) && waits[0] <= .milliseconds(3_300))
    for (earlier, later) in zip(waits, waits.dropFirst()) {
      let least = min(earlier * 1.8, .seconds(921))
      #expect(later >= least && later <= min(earlier * 2.2, .seconds(1_127)))
    }
  }

  @Test(arguments: [Set<MappingService>([.pcp]), [.natPMP], [.upnp]])
  func leaseIsRenewedFromItsHalfOn(offered: Set<MappingService>) {
    var world = MappingWorld(offered)
    world.connect()
    world.pass(.seconds(2))
    #expect(world.mapped.count == 1)
    let before = world.table
    world.table = [:]
    world.pass(.seconds(550))
    #expect(world.table.isEmpty, "renewed or looked at too early")
    world.pass(.seconds(4_500 - 550))
    #expect(world.table == before)
    #expect(world.mapped.count == 1 && world.told.count <= 3)
  }

  /// Only the renewal itself, where a router is otherwise left alone.
  @Test func renewalIsPlannedBetweenHalfAndFiveEighths() {
    for seed in 0..<50 as Range<UInt64> {
      var mapper = PortMapper(wanted: [PortWanted(.tcp, 6881)], seed: seed)
      let start = Duration.seconds(1)
      mapper.gatewaysChanged([MappingWorld.gateway], now: start)
      var nonce: PCPNonce?
      while let effect = mapper.nextEffect() {
        guard case .pcp(let bytes, _) = effect else { continue }
        nonce = PCPNonce(
          high: bytes[24..<32].reduce(0) { $0 << 8 | UInt64($1) },
          low: bytes[32..<36].reduce(0) { $0 << 8 | UInt32($1) })
      }
      let mapping = PCPMapping(
        nonce: nonce!, transport: 6, internalPort: 6881, externalPort: 6881,
        externalAddress: ip("203.0.113.7"))
      mapper.receive(
        PCPResponse(.map(mapping), result: .success, lifetime: 400, epoch: 1).encoded,
        from: MappingWorld.pcpPort, now: start)
      let wait = mapper.deadline! - start
      #expect(wait >= .seconds(200) && wait <= .seconds(250), "seed \(seed)")
    }
  }

  @Test func leaseThatIsNotRenewedRunsOut() {
    var world = MappingWorld([.pcp])
    world.connect()
    world.services = []
    world.pass(.seconds(7_300))
    #expect(world.mapped.isEmpty && world.failures == [.noAnswer])
    world.services = [.pcp]
    world.pass(.seconds(3_700))
    #expect(world.mapped.count == 1)
  }

  @Test func doubleNATIsNoticed() {
    for (address, isPrivate) in [
      ("10.1.2.3", true), ("100.64.0.1", true), ("172.31.0.1", true), ("192.168.7.7", true),
      ("172.32.0.1", false), ("100.128.0.1", false), ("203.0.113.7", false),
    ] {
      var world = MappingWorld([.pcp])
      world.external = ip(address)
      world.connect()
      #expect(world.mapped.map(\.isBehindAnotherNAT) == [isPrivate], "\(address)")
      #expect(world.mappings[0].description.contains("double NAT") == isPrivate)
    }
  }

  @Test func ipv6RouterIsAskedByPCPAlone() {
    var world = MappingWorld([.pcp, .natPMP, .upnp])
    let router = Gateway(address: ip("fe80::1"), local: ip("2001:db8::10"), interface: 2)
    world.mapper.gatewaysChanged([router], now: world.now)
    world.drain()
    #expect(world.jobs.isEmpty && world.requests.count == 1)
    let bytes = world.requests[0].bytes
    #expect(Array(bytes[8..<12]) == [0x20, 0x01, 0x0d, 0xb8])
    #expect(Array(bytes[44...]) == [UInt8](repeating: 0, count: 16))
    let mapping = PCPMapping(
      nonce: PCPNonce(
        high: bytes[24..<32].reduce(0) { $0 << 8 | UInt64($1) },
        low: bytes[32..<36].reduce(0) { $0 << 8 | UInt32($1) }),
      transport: 6, internalPort: 6881, externalPort: 6881, externalAddress: ip("2001:db8::10"))
    world.deliver(
      PCPResponse(.map(mapping), result: .success, lifetime: 7_200, epoch: 9),
      from: PeerEndpoint(address: router.address, port: 5351))
    #expect(world.mapped.map(\.externalAddress) == [ip("2001:db8::10")])
    #expect(world.mapped.map(\.isBehindAnotherNAT) == [false])
  }
}
