import Discovery
import Metainfo
import Synchronization
import TestSupport
import Testing
import Wire

@testable import SwarmNode

/// Nodes of the DHT over loopback. Nothing asserts a time: a timer only ends what would wait for ever.
@Suite(.serialized) struct DHTDriverTests {
  static let home = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0x7f00_0001)), port: 0)
  static let infohash = SHA1Digest(hashing: [1, 2, 3])

  private func driver(
    on loop: EventLoop, at place: PeerEndpoint = home, knowing others: [UInt16] = [],
    file: [UInt8]? = nil, isPrivate: Bool = true, log: Log = .none
  ) -> DHTDriver {
    var configuration = DHTConfiguration()
    configuration.enforcesNodeIDs = !isPrivate
    configuration.limitsNetworks = !isPrivate
    return DHTDriver(
      on: loop, places: [place], configuration: configuration,
      bootstrap: others.map {
        PeerAddress(host: .ipv4(IPv4Address(rawValue: 0x7f00_0001)), port: $0)
      }, file: file, seed: 7, log: log)
  }

  /// One announces, another finds it through a third; then all end, and the loop with them.
  @Test func peersAreFoundThroughOthers() throws {
    let folder = TemporaryFolder()
    let loop = EventLoop()
    let first = driver(on: loop)
    let port = try #require(first.port)
    let announcer = driver(on: loop, knowing: [port], file: folder("dht.nodes"))
    let seeker = driver(on: loop, knowing: [port])
    let all = [first, announcer, seeker]
    var found: [PeerEndpoint] = []
    func end() { for each in all { each.close() } }
    let guardian = DeadlineTimer(on: loop) {
      Issue.record("nothing was found")
      end()
    }
    guardian.set(milliseconds: 20_000)
    announcer.onEffect = { effect in
      guard case .ended(_, let outcome) = effect else { return }
      #expect(outcome.stored > 0)
      _ = seeker.begin {
        $0.findPeers(of: Self.infohash, announcing: nil, isSeed: false, now: $1)
      }
      seeker.drain()
    }
    seeker.onEffect = { effect in
      if case .peers(_, let peers) = effect { found += peers }
      if case .ended = effect {
        guardian.close()
        // From within a callback: nothing may be called after it.
        end()
      }
    }
    var hasBegun = false
    let ticker = EventTimer(on: loop, everyMilliseconds: 20) {
      guard !hasBegun, announcer.status.v4?.goodNodes ?? 0 > 0 else { return }
      hasBegun = true
      _ = announcer.begin {
        $0.findPeers(of: Self.infohash, announcing: 4_242, isSeed: true, now: $1)
      }
      announcer.drain()
    }
    loop.run()
    ticker.cancel()
    guardian.close()
    loop.run()
    #expect(found.map(\.port) == [4_242])
    #expect(first.status.peers == 1)
    let saved = try DHTState(decoding: try WholeFile.read(folder("dht.nodes"), limit: 1 << 17))
    #expect(saved.nodes.contains { $0.endpoint.port == port })
    announcer.with { _, _ in Issue.record("closed, and still works") }
  }

  /// Whatever comes in, the node stays and answers.
  @Test func garbageIsDropped() throws {
    let loop = EventLoop()
    let node = driver(on: loop)
    let port = try #require(node.port)
    var random = SplitMix64(seed: 11)
    var answers = 0
    var end: () -> Void = {}
    let stranger = try DatagramSocket.open(
      Self.home, on: loop,
      onReceive: { packet in
        guard case .response? = (try? KRPCMessage(packet.bytes))?.body else { return }
        answers += 1
        end()
      }
    ).get()
    let place = PeerEndpoint(address: Self.home.address, port: port)
    for count in 0..<300 {
      let bytes = (0..<count % 97).map { _ in UInt8.random(in: 0...255, using: &random) }
      stranger.send(bytes, to: place)
      if count % 3 == 0 { stranger.send(Array("d1:ad2:id20:".utf8) + bytes, to: place) }
    }
    stranger.send([UInt8](repeating: 0, count: 20_000), to: place)
    let ping = Array("d1:ad2:id20:abcdefghij0123456789e1:q4:ping1:t2:aa1:y1:qe".utf8)
    let asking = EventTimer(on: loop, everyMilliseconds: 20) { stranger.send(ping, to: place) }
    let guardian = DeadlineTimer(on: loop) { end() }
    guardian.set(milliseconds: 20_000)
    end = {
      asking.cancel()
      guardian.close()
      stranger.close()
      node.close()
    }
    loop.run()
    #expect(answers == 1 && node.status.malformed > 0)
  }

  /// A port that somebody has: said so, and nothing else happens.
  @Test func aTakenPortIsNamed() throws {
    let loop = EventLoop()
    let socket = try DatagramSocket.open(Self.home, on: loop, onReceive: { _ in }).get()
    let lines = Lines()
    let node = driver(on: loop, at: socket.endpoint, log: lines.log)
    #expect(node.port == nil && node.fault?.contains("in use") == true)
    #expect(lines.all.count == 1 && lines.all[0].contains("\(socket.endpoint)"))
    node.with { _, _ in Issue.record("it has no port") }
    node.close()
    socket.close()
    loop.run()
  }

  /// Two processes on one state folder are two nodes: the second has another id, and leaves the file alone
  /// until the first has ended.
  @Test func theIdInTheFileIsOneNodesAlone() throws {
    let folder = TemporaryFolder()
    let file = folder("dht.nodes")
    let id = try #require(NodeID([UInt8](repeating: 5, count: 20)))
    let known = NodeContact(
      id: try #require(NodeID([UInt8](repeating: 6, count: 20))),
      endpoint: PeerEndpoint(address: Self.home.address, port: 9))
    let saved = DHTState(id: id, nodes: [known]).encoded
    try WholeFile.write(saved, to: file)
    let loop = EventLoop()
    let first = driver(on: loop, file: file)
    let second = driver(on: loop, file: file)
    #expect(first.status.v4?.id == id)
    #expect(second.status.v4 != nil && second.status.v4?.id != id)
    second.close()
    #expect(try WholeFile.read(file, limit: 1_000) == saved)
    first.close()
    let third = driver(on: loop, file: file)
    #expect(third.status.v4?.id == id)
    third.close()
    loop.run()
  }

  /// One family's port is another program's: the other one's is used, and nobody of the first is asked.
  @Test func aTakenPortOfOneFamilyLeavesTheOther() throws {
    let loop = EventLoop()
    let six = PeerEndpoint(address: .v6(IPv6Address(high: 0, low: 1)), port: 0)
    guard case .success(let taken) = DatagramSocket.open(six, on: loop, onReceive: { _ in }) else {
      return
    }
    let lines = Lines()
    let four = PeerEndpoint(address: Self.home.address, port: 0)
    let node = DHTDriver(
      on: loop, places: [taken.endpoint, four], configuration: DHTConfiguration(), bootstrap: [],
      file: nil, seed: 7, log: lines.log)
    #expect(node.port != nil && node.fault != nil && lines.all.count == 1)
    #expect(node.status.v4 != nil && node.status.v6 == nil)
    node.close()
    taken.close()
    loop.run()
  }

  /// A file that is nobody's: a line, and it begins anew. One that cannot be written: a line.
  @Test(arguments: [("", 1), ("d2:id3:abce", 1), ("nodes", 1), ("d", 9_000)])
  func aBrokenFileIsSaid(text: String, times: Int) {
    let folder = TemporaryFolder()
    folder.write(Array(String(repeating: text, count: times).utf8), to: "dht.nodes")
    let loop = EventLoop()
    let lines = Lines()
    let node = driver(on: loop, file: folder("dht.nodes"), log: lines.log)
    #expect(node.port != nil)
    #expect(lines.all.count == 1 && lines.all[0].contains("dht.nodes"), "\(lines.all)")
    node.close()
    loop.run()
  }

  /// Who is told by strangers of a node on this machine does not talk to it, unless the DHT is a private
  /// one.
  @Test(arguments: [true, false])
  func strangersDoNotSendUsHome(isPrivate: Bool) throws {
    let loop = EventLoop()
    var got = 0
    var end: () -> Void = {}
    let local = try DatagramSocket.open(
      Self.home, on: loop,
      onReceive: { _ in
        got += 1
        end()
      }
    ).get()
    let everywhere = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0)), port: 0)
    let node = driver(on: loop, at: everywhere, isPrivate: isPrivate)
    let timer = DeadlineTimer(on: loop) { end() }
    timer.set(milliseconds: isPrivate ? 20_000 : 200)
    end = {
      timer.close()
      node.close()
      local.close()
    }
    node.with { $0.addNodes([local.endpoint], now: $1) }
    loop.run()
    #expect((got > 0) == isPrivate)
  }
}

/// Lines of a log.
final class Lines: Sendable {
  private let lines = Mutex<[String]>([])

  var all: [String] { lines.withLock { $0 } }

  var log: Log { Log(threshold: .warning) { line in self.lines.withLock { $0.append(line) } } }
}
