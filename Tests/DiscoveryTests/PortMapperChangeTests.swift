import Discovery
import Metainfo
import TestSupport
import Testing
import Wire

/// Routers that change, restart, have odd rules or lie; and the end.
@Suite struct PortMapperChangeTests {
  static let both = [PortWanted(.tcp, 6881), PortWanted(.udp, 6882)]

  // MARK: The end

  @Test(arguments: [Set<MappingService>([.pcp]), [.natPMP], [.upnp]])
  func mappingsAreRemovedAtTheEnd(offered: Set<MappingService>) {
    var world = MappingWorld(offered, wanted: Self.both)
    world.connect()
    world.pass(.seconds(2))
    #expect(world.table.count == 2)
    world.stop()
    #expect(world.table.isEmpty && world.left.isEmpty)
    #expect(world.stoppedAt == world.now)
    #expect(world.mapper.deadline == nil)
  }

  @Test(arguments: [Set<MappingService>([.pcp]), [.upnp]])
  func endDoesNotWaitForASilentRouter(offered: Set<MappingService>) {
    var world = MappingWorld(offered)
    world.connect()
    world.pass(.seconds(2))
    let count = world.requests.count
    world.tamper = { _ in nil }
    world.jobsAreHeld = true
    world.stop()
    #expect(world.stoppedAt == nil)
    let start = world.now
    world.pass(.seconds(10))
    #expect(world.stoppedAt == start + .seconds(2))
    // What stays is told, and for how long: two hours from the first second on, four seconds ago.
    #expect(world.left.map(\.wanted) == [PortWanted(.tcp, 6881)])
    guard case .mapped(let port)? = world.left.first?.state else {
      Issue.record("\(world.left)")
      return
    }
    #expect(port.externalPort == 6881 && offered.contains(port.service))
    #expect((7_190...7_200).contains(port.lifetime ?? 0))
    // Sent again, and not for ever.
    if offered == [.pcp] { #expect(world.requests.count - count == 5) }
  }

  /// A router that answers one removal of two, by the other services, or refuses: what it did not remove.
  @Test func onlyWhatIsLeftIsTold() {
    var world = MappingWorld([.pcp], wanted: Self.both)
    world.connect()
    world.pass(.seconds(2))
    world.tamper = {
      guard case .map(let mapping?) = $0.operation else { return nil }
      return mapping.internalPort == 6881 ? $0 : nil
    }
    world.stop()
    world.pass(.seconds(3))
    #expect(world.left.map(\.wanted) == [PortWanted(.udp, 6882)])

    var refusing = MappingWorld([.upnp], wanted: Self.both)
    refusing.connect()
    refusing.pass(.seconds(2))
    refusing.services = []
    refusing.stop()
    #expect(refusing.left.map(\.wanted) == Self.both)

    // A first mapping that is still under way.
    var late = MappingWorld([.upnp])
    late.connect()
    late.jobsAreHeld = true
    late.pass(.seconds(2))
    late.stop()
    late.pass(.seconds(3))
    #expect(late.left.map(\.wanted) == [PortWanted(.tcp, 6881)])
  }

  @Test func endIsAtOnceWhereNothingWasMapped() {
    var world = MappingWorld([])
    world.connect()
    world.stop()
    #expect(world.stoppedAt == world.now)
    var other = MappingWorld([])
    other.connect()
    other.pass(.seconds(100))
    other.stop()
    #expect(other.stoppedAt == other.now)
  }

  /// A job that was under way when the end came grants a port: it is removed as well.
  @Test func lateGrantIsRemoved() {
    var world = MappingWorld([.upnp])
    world.jobsAreHeld = true
    world.connect()
    world.pass(.seconds(2))
    world.release()
    world.pass(.seconds(1))
    #expect(world.table.count == 1)
    world.stop()
    #expect(world.table.isEmpty)

    var late = MappingWorld([.upnp])
    late.connect()
    late.jobsAreHeld = true
    late.pass(.seconds(2))
    #expect(late.held.count == 1 && late.table.isEmpty)
    late.stop()
    #expect(late.stoppedAt == nil)
    late.release()
    #expect(late.table.isEmpty && late.stoppedAt == late.now)
    #expect(late.jobs.count == 4, "two probes, a mapping, its removal")
  }

  // MARK: Changes

  @Test(arguments: [Set<MappingService>([.pcp]), [.natPMP], [.upnp]])
  func newAddressIsMappedAgain(offered: Set<MappingService>) {
    var world = MappingWorld(offered)
    world.connect()
    world.pass(.seconds(2))
    world.table = [:]
    var moved = MappingWorld.gateway
    moved.local = ip("192.168.1.77")
    world.connect([moved])
    world.pass(.seconds(2))
    #expect(world.table.count == 1 && world.mapped.count == 1)
    if offered == [.pcp] {
      #expect(Array(world.requests.last!.bytes[20..<24]) == [192, 168, 1, 77])
    } else {
      #expect(world.jobs.last?.gateway == moved)
    }
  }

  @Test func sameGatewayIsNotAskedAnew() {
    var world = MappingWorld([.pcp])
    world.connect()
    world.connect()
    #expect(world.requests.count == 1)
  }

  @Test func goneGatewayIsForgotten() {
    var world = MappingWorld([.pcp])
    world.connect()
    world.connect([])
    #expect(world.mappings.map(\.state) == [.noGateway])
    world.announce()
    #expect(world.requests.count == 1 && world.mapper.deadline == nil)
  }

  /// A router that announces its new beginning is asked again within 5 seconds, for the same port.
  @Test func announcedRestartIsMappedAgain() {
    var world = MappingWorld([.pcp], wanted: Self.both)
    world.grantedPort = { $0 < 10_000 ? $0 + 20_000 : $0 }
    world.connect()
    world.pass(.seconds(100))
    let before = world.table
    world.restart()
    world.announce()
    #expect(world.table.isEmpty, "not all hosts at once")
    world.pass(.seconds(5))
    #expect(world.table == before)
  }

  @Test func natPMPAnnouncementServesUPnP() {
    var world = MappingWorld([.upnp])
    world.connect()
    world.pass(.seconds(100))
    world.restart()
    let notice = NATPMPNotice(
      result: 0, epoch: 0, externalAddress: IPv4Address("203.0.113.7".utf8))
    world.deliver(bytes: notice.encoded)
    world.pass(.seconds(5))
    #expect(world.table.count == 1)
  }

  /// Nobody has announced it: the check between renewals sees the router's count go back.
  @Test(arguments: [Set<MappingService>([.pcp]), [.natPMP], [.upnp]])
  func silentRestartIsNoticed(offered: Set<MappingService>) {
    var world = MappingWorld(offered, wanted: Self.both)
    world.connect()
    world.pass(.seconds(100))
    world.restart()
    world.pass(.seconds(610))
    #expect(world.table.count == 2)
    #expect(world.mapped.count == 2)
  }

  @Test func floodOfAnnouncementsIsBounded() {
    var world = MappingWorld([.pcp])
    world.connect()
    for number in 0..<10_000 as Range<UInt32> {
      world.deliver(
        PCPResponse(
          .announce, result: .success, lifetime: 0, epoch: number.isMultiple(of: 2) ? 0 : 9_999))
      world.pass(.milliseconds(10))
    }
    #expect(world.requests.count <= 1 + 2 * 11)
  }

  @Test func newExternalAddressIsTold() {
    var world = MappingWorld([.natPMP])
    world.connect()
    world.external = ip("198.51.100.9")
    world.pass(.seconds(610))
    #expect(world.mapped.map(\.externalAddress) == [ip("198.51.100.9")])
    guard case .mapped(let last)? = world.told.last?.first?.state else {
      Issue.record("nothing was told")
      return
    }
    #expect(last.externalAddress == ip("198.51.100.9"))
  }

  // MARK: Odd rules of UPnP

  @Test(arguments: [725, 402, 501])
  func permanentLeaseWhereThereIsNoOther(code: Int) {
    var world = MappingWorld([.upnp])
    world.upnpVerdict = { $0.lifetime == 0 ? nil : .upnp(code: code) }
    world.connect()
    world.pass(.seconds(2))
    #expect(world.mapped.map(\.lifetime) == [nil])
    world.pass(.seconds(100_000))
    #expect(world.mapped.count == 1)
    world.stop()
    #expect(world.table.isEmpty)
  }

  @Test func otherPortWhereThePortIsTaken() {
    var world = MappingWorld([.upnp])
    world.upnpVerdict = { $0.externalPort == 6881 ? .upnp(code: 718) : nil }
    world.connect()
    world.pass(.seconds(2))
    #expect(world.mapped.count == 1 && world.mapped[0].externalPort >= 10_000)
    guard case .map(let requests)? = world.jobs.last?.work else {
      Issue.record("no request")
      return
    }
    #expect(requests.map(\.takesAnyPort) == [true])
  }

  @Test func takenPortsAreNotTriedForEver() {
    var world = MappingWorld([.upnp])
    world.upnpVerdict = { _ in .upnp(code: 718) }
    world.connect()
    world.pass(.seconds(2))
    #expect(world.jobs.count == 2 + 1 + 5)
    #expect(world.failures == [.upnp(code: 718)])
  }

  @Test func refusalByUPnPIsShownAndTriedAgain() {
    var world = MappingWorld([.upnp])
    world.upnpVerdict = { _ in .upnp(code: 606) }
    world.connect()
    world.pass(.seconds(2))
    #expect(world.failures == [.upnp(code: 606)])
    #expect(world.mappings[0].description.contains("not authorised"))
    world.upnpVerdict = { _ in nil }
    world.pass(.seconds(70))
    #expect(world.mapped.count == 1)
  }

  /// One of two ports is refused: the other stays mapped, and the one is tried again.
  @Test func onePortMayFailAlone() {
    var world = MappingWorld([.upnp], wanted: Self.both)
    world.upnpVerdict = { $0.wanted.transport == .udp ? .upnp(code: 606) : nil }
    world.connect()
    world.pass(.seconds(2))
    #expect(world.mapped.count == 1 && world.failures == [.upnp(code: 606)])
    world.upnpVerdict = { _ in nil }
    world.pass(.seconds(65))
    #expect(world.mapped.count == 2)
  }

  // MARK: Lies

  @Test func answersThatAreNoneAreDropped() {
    var world = MappingWorld([.pcp])
    world.tamper = { _ in nil }
    world.connect()
    let bytes = world.requests[0].bytes
    let nonce = PCPNonce(
      high: bytes[24..<32].reduce(0) { $0 << 8 | UInt64($1) },
      low: bytes[32..<36].reduce(0) { $0 << 8 | UInt32($1) })
    let good = PCPMapping(
      nonce: nonce, transport: 6, internalPort: 6881, externalPort: 6881,
      externalAddress: ip("203.0.113.7"))
    func answer(_ change: (inout PCPMapping) -> Void = { _ in }) -> PCPResponse {
      var mapping = good
      change(&mapping)
      return PCPResponse(.map(mapping), result: .success, lifetime: 7_200, epoch: 5)
    }
    world.deliver(answer { $0.nonce = PCPNonce(high: nonce.high, low: nonce.low ^ 1) })
    world.deliver(answer { $0.internalPort = 22 })
    world.deliver(answer { $0.transport = 17 })
    world.deliver(answer(), from: PeerEndpoint(address: ip("192.168.1.66"), port: 5351))
    world.deliver(answer(), from: PeerEndpoint(address: ip("192.168.1.1"), port: 5352))
    world.deliver(bytes: Array(answer().encoded.dropLast(4)))
    world.deliver(bytes: [])
    #expect(world.mapped.isEmpty && world.failures.isEmpty)
    world.deliver(answer())
    #expect(world.mapped.count == 1)
    // Once more, unasked and with another port: nothing changes.
    world.deliver(answer { $0.externalPort = 7 })
    #expect(world.mapped.map(\.externalPort) == [6881])
  }

  @Test(arguments: [Set<MappingService>([.pcp]), [.natPMP], [.upnp]])
  func externalPortZeroIsNoMapping(offered: Set<MappingService>) {
    var world = MappingWorld(offered)
    world.grantedPort = { _ in 0 }
    world.connect()
    world.pass(.seconds(2))
    #expect(world.mapped.isEmpty && world.failures == [.nonsense("external port 0")])
  }

  @Test(arguments: [UInt32(1), 29, .max]) func absurdLeaseIsBounded(lifetime: UInt32) {
    var world = MappingWorld([.pcp])
    world.tamper = {
      var response = $0
      response.lifetime = lifetime
      return response
    }
    world.connect()
    #expect(world.mapped.map(\.lifetime) == [lifetime == .max ? 86_400 : 30])
    let count = world.requests.count
    world.pass(.seconds(300))
    #expect(world.requests.count - count <= 20)
  }

  @Test func leaseOfZeroIsNoMapping() {
    var world = MappingWorld([.pcp])
    world.tamper = {
      var response = $0
      response.lifetime = 0
      return response
    }
    world.connect()
    #expect(world.failures == [.nonsense("a lease of 0 seconds")])
  }

  private static let verdicts: [@Sendable (PortRequest) -> MappingFailure?] = [
    { _ in nil }, { _ in .upnp(code: 718) },
  ]
  private static let tamperings: [@Sendable (PCPResponse) -> PCPResponse?] = [{ $0 }, { _ in nil }]

  /// Random answers, refusals, restarts, moves: it never spins, never sends much, and maps when all
  /// is well again.
  @Test(arguments: 0..<40 as Range<UInt64>) func anythingMayHappen(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    var world = MappingWorld([.pcp, .natPMP, .upnp], wanted: Self.both)
    world.connect()
    let start = world.now
    for _ in 0..<60 {
      switch Int.random(in: 0..<9, using: &random) {
      case 0:
        world.services = Set(MappingService.allCases.filter { _ in random.oneIn(2) })
      case 1: world.restart()
      case 2: world.announce()
      case 3: world.pcpRefusal = random.oneIn(2) ? nil : (.noResources, 30)
      case 4: world.upnpVerdict = Self.verdicts[random.oneIn(2) ? 0 : 1]
      case 5: world.connect(random.oneIn(3) ? [] : [MappingWorld.gateway])
      case 6: world.deliver(bytes: random.bytes(Int.random(in: 0..<80, using: &random)))
      case 7: world.tamper = Self.tamperings[random.oneIn(2) ? 0 : 1]
      default: if world.jobsAreHeld { world.release() } else { world.jobsAreHeld = true }
      }
      world.pass(.seconds(Int.random(in: 0..<3_000, using: &random)))
    }
    let hours = (world.now - start).components.seconds / 3_600 + 1
    #expect(world.requests.count < hours * 150, "seed \(seed)")
    #expect(world.jobs.count < hours * 80, "seed \(seed)")
    world.services = [.pcp, .natPMP, .upnp]
    world.pcpRefusal = nil
    world.upnpVerdict = { _ in nil }
    world.tamper = { $0 }
    world.release()
    world.connect()
    world.pass(.seconds(7_300))
    #expect(world.mapped.count == 2, "seed \(seed): \(world.mappings)")
    world.stop()
    world.pass(.seconds(3))
    #expect(world.stoppedAt != nil, "seed \(seed)")
  }
}
