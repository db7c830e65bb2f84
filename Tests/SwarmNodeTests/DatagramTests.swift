import Discovery
import Glibc
import Metainfo
import Testing
import Wire

@testable import SwarmNode

@Suite struct DatagramTests {
  static let home = IPAddress.v4(IPv4Address(rawValue: 0x7f00_0001))

  @Test func aPortThatSomebodyHasIsNotFree() throws {
    let loop = EventLoop()
    let opened = DatagramSocket.open(
      PeerEndpoint(address: Self.home, port: 0), on: loop, onReceive: { _ in })
    let socket = try opened.get()
    let place = ListenAddress(address: Self.home, port: socket.endpoint.port)
    #expect(!DatagramPorts.areFree(at: [place]))
    #expect(!DatagramPorts.areFree(at: [.anyIPv6(port: place.port), .anyIPv4(port: place.port)]))
    socket.close()
    loop.run()
    #expect(DatagramPorts.areFree(at: [place]))
  }

  @Test(arguments: [home, .v6(IPv6Address(high: 0, low: 1))])
  func datagramsComeWithWhatIsKnownOfThem(address: IPAddress) throws {
    let loop = EventLoop()
    var got: [DatagramSocket.Packet] = []
    var sockets: [DatagramSocket] = []
    for _ in 0..<2 {
      let opened = DatagramSocket.open(
        PeerEndpoint(address: address, port: 0), on: loop, datagramBytes: 100
      ) { packet in
        got.append(packet)
        if packet.bytes == [9] { for socket in sockets { socket.close() } }
      }
      guard case .success(let socket) = opened else { continue }
      sockets.append(socket)
    }
    // A machine without IPv6 has nothing to try.
    try #require(sockets.count == 2 || address != Self.home)
    guard sockets.count == 2 else { return }
    let place = sockets[1].endpoint
    #expect(place.port > 0 && place.address == address)
    // More than one call receives; one is too long and vanishes.
    for number in UInt8(10)..<110 { #expect(sockets[0].send([number], to: place) == nil) }
    #expect(sockets[0].send([UInt8](repeating: 0, count: 101), to: place) == nil)
    #expect(sockets[0].send([UInt8](repeating: 1, count: 100), to: place) == nil)
    #expect(sockets[0].send([9], to: place) == nil)
    loop.run()
    #expect(got.map(\.bytes.first) == (UInt8(10)..<110).map { $0 } + [1, 9])
    let loopback = if_nametoindex("lo")
    #expect(got.allSatisfy { $0.source == sockets[0].endpoint && !$0.wasMulticast })
    #expect(got.allSatisfy { $0.interface == loopback })
    #expect(sockets[0].send([1], to: place)?.rawValue == EBADF)
  }

  @Test func whatCannotBeDoneIsToldAndNotThrown() {
    let loop = EventLoop()
    let far = IPAddress.v4(IPv4Address(rawValue: 0xc000_0201))
    guard
      case .failure(let error) = DatagramSocket.open(
        PeerEndpoint(address: far, port: 0), on: loop, onReceive: { _ in })
    else {
      Issue.record("bound to an address that is not ours")
      return
    }
    #expect(error.rawValue == EADDRNOTAVAIL)
    guard
      case .success(let socket) = DatagramSocket.open(
        PeerEndpoint(address: Self.home, port: 0), on: loop, onReceive: { _ in })
    else {
      Issue.record("no socket")
      return
    }
    let huge = [UInt8](repeating: 0, count: 70_000)
    #expect(socket.send(huge, to: socket.endpoint)?.rawValue == EMSGSIZE)
    socket.close()
    loop.run()
  }

  @Test func theLoopbackInterfaceIsListedOnDemand() throws {
    #expect(!NetworkInterfaces.list().contains { $0.name == "lo" })
    let home = try #require(
      NetworkInterfaces.list(includingLoopback: true).first { $0.name == "lo" })
    #expect(home.addresses.contains(.init(Self.home, prefixLength: 8)))
  }

  /// Two nodes of one machine, by multicasts that do not leave it: one kind of discovery at a time.
  @Test(arguments: [true, false])
  func twoDriversFindEachOther(byMDNS: Bool) throws {
    let loop = EventLoop()
    let torrent = SHA1Digest(hashing: [1])
    var drivers: [LocalNetworkDriver] = []
    var found: [Set<PeerEndpoint>] = [[], []]
    var ended = 0
    var limit: DeadlineTimer?
    func end() {
      limit?.close()
      limit = nil
      for driver in drivers { driver.shutDown { ended += 1 } }
    }
    for number in 0..<2 {
      let peerID = try #require(PeerID([UInt8](repeating: UInt8(number), count: 20)))
      var configuration = LocalNetworkConfiguration(peerID: peerID, port: UInt16(7_001 + number))
      configuration.addresses = [Self.home]
      configuration.includesLoopback = true
      configuration.usesMDNS = byMDNS
      configuration.usesLocalDiscovery = !byMDNS
      drivers.append(
        LocalNetworkDriver(on: loop, configuration: configuration, seed: UInt64(number)) {
          #expect($0 == torrent && $2 == if_nametoindex("lo"))
          found[number].insert($1)
          if !found[0].isEmpty, !found[1].isEmpty { end() }
        })
    }
    limit = DeadlineTimer(on: loop) { end() }
    limit?.set(milliseconds: 20_000)
    for driver in drivers { driver.setTorrents([torrent]) }
    loop.run()
    #expect(ended == 2)
    #expect(found[0] == [PeerEndpoint(address: Self.home, port: 7_002)])
    #expect(found[1] == [PeerEndpoint(address: Self.home, port: 7_001)])
  }
}
