import Discovery
import Metainfo
import Testing
import Wire

/// Times that nobody expects: years ahead, and before what was told already. What matters is that all of
/// it goes on, and does not do in one moment what was to be done in years.
@Suite struct ClockJumpTests {
  static let times: [Duration] = [
    .zero, .seconds(1), .seconds(400_000_000), .seconds(3), .seconds(400_000_001),
    .seconds(3_000_000_000), .zero,
  ]
  static let place = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0xcb00_7109)), port: 6_881)
  static let infohash = SHA1Digest(hashing: [9])

  @Test func dht() {
    var dht = DHT(configuration: DHTConfiguration(), saved: nil, seed: 1, now: .zero)
    for (number, now) in Self.times.enumerated() {
      var sent = 0
      dht.addNodes([Self.place], now: now)
      let lookup = dht.findPeers(of: Self.infohash, announcing: 1, isSeed: false, now: now)
      dht.handleTimeout(now: now)
      while let effect = dht.nextEffect() { if case .send = effect { sent += 1 } }
      dht.receive([UInt8](repeating: 0x64, count: number), from: Self.place, now: now)
      #expect(sent < 50, "\(sent) datagrams at \(now)")
      dht.cancel(lookup)
      while dht.nextEffect() != nil {}
      // Not a loop that never sleeps: the next time is one that will be.
      let latest = Self.times[...number].max() ?? now
      if let deadline = dht.deadline { #expect(deadline >= latest) }
    }
  }

  @Test func localNetwork() {
    let interface = NetworkInterface(
      index: 2, name: "eth0",
      addresses: [.init(.v4(IPv4Address(rawValue: 0xc0a8_0105)), prefixLength: 24)])
    var mdns = MDNS(
      configuration: MDNSConfiguration(hostName: Array("swarm-1".utf8)), seed: 1, now: .zero)
    var local = LocalDiscovery(seed: 2, now: .zero)
    mdns.setInterfaces([interface], now: .zero)
    local.setInterfaces([interface], now: .zero)
    _ = mdns.browse(.bitTorrent(Self.infohash), now: .zero)
    local.announce([Self.infohash], port: 6_881, now: .zero)
    for now in Self.times {
      var sent = 0
      for _ in 0..<20 {
        mdns.handleTimeout(now: now)
        local.handleTimeout(now: now)
        while let effect = mdns.nextEffect() { if case .send = effect { sent += 1 } }
        while let effect = local.nextEffect() { if case .send = effect { sent += 1 } }
      }
      #expect(sent < 20, "\(sent) packets at \(now)")
    }
  }

  @Test func portMapping() {
    let gateway = Gateway(
      address: .v4(IPv4Address(rawValue: 0xc0a8_0101)),
      local: .v4(IPv4Address(rawValue: 0xc0a8_0105)), interface: 2)
    var mapper = PortMapper(wanted: [PortWanted(.tcp, 6_881)], seed: 1)
    mapper.gatewaysChanged([gateway], now: .zero)
    for now in Self.times {
      var asked = 0
      for _ in 0..<20 {
        mapper.handleTimeout(now: now)
        while let effect = mapper.nextEffect() {
          switch effect {
          case .pcp: asked += 1
          case .ask(let job):
            asked += 1
            mapper.completed(job.id, .failure(.noAnswer), now: now)
          case .changed, .stopped: break
          }
        }
      }
      #expect(asked < 20, "\(asked) questions at \(now)")
    }
  }
}
