import Glibc
import Metainfo
import Store
import Swarm
import TestSupport
import Testing
import Wire

@testable import SwarmNode

/// Nodes with private torrents, over loopback. docs/private.md.
@Suite(.serialized) struct PrivateNodeTests {
  private static let loopback = IPAddress.v4(IPv4Address(rawValue: 0x7f00_0001))

  private static func key(_ seed: UInt64) -> ReadKey {
    var random = SplitMix64(seed: seed)
    return ReadKey(using: &random)
  }

  private func seed(
    _ node: Node, _ torrent: Torrent, _ folder: TemporaryFolder, _ readKey: ReadKey?
  ) throws -> TorrentID {
    var request = TorrentRequest(
      source: .torrent(torrent.info, torrent.pieceLayers), content: .inPlace(claimsAll: true))
    request.readKey = readKey
    return try node.add(request) { info, _ in
      try .inPlace(info, at: folder("top"), maps: folder("seed-maps"))
    }
  }

  private func leech(
    _ node: Node, _ torrent: Torrent, _ folder: TemporaryFolder, from seed: Node,
    _ readKey: ReadKey?, into name: String
  ) throws -> TorrentID {
    var request = TorrentRequest(
      source: .infohash(v1: nil, v2: torrent.info.infohashV2), content: .owned)
    request.readKey = readKey
    request.peers = seed.endpoints
    return try node.add(request) { info, _ in
      .owned(info, in: folder(name), maps: folder(name + "-maps"))
    }
  }

  /// Who has the read key gets everything, inside of Noise; who has another, or none, gets nowhere meanwhile.
  @Test func membersGetWhatOthersDoNotSee() throws {
    let folder = TemporaryFolder()
    folder.write(pattern(9_000_000), to: "top/large")
    folder.write(pattern(70_001), to: "top/small")
    let torrent = try makeTorrent(folder("top"), kind: .v2, pieceLength: 65_536)
    let loop = EventLoop()
    let nodes = try (1...4).map { try loopbackNode(on: loop, $0) }
    let seeding = try seed(nodes[0], torrent, folder, Self.key(1))
    // A public torrent is there, too: a handshake is read.
    folder.write(pattern(100_000), to: "other")
    let open = try makeTorrent(folder("other"), kind: .v2)
    _ = try nodes[0].add(
      TorrentRequest(
        source: .torrent(open.info, open.pieceLayers), content: .inPlace(claimsAll: true))
    ) { info, _ in try .inPlace(info, at: folder("other"), maps: folder("other-maps")) }
    let keys: [ReadKey?] = [Self.key(1), Self.key(2), nil]
    let leeching = try keys.enumerated().map { number, key in
      try leech(nodes[number + 1], torrent, folder, from: nodes[0], key, into: "leech\(number)")
    }
    var isFinished = false
    var connected = 0
    for node in nodes.dropFirst() {
      node.onNotice = { notice in
        if case .peerConnected = notice { connected += 1 }
        guard case .finished = notice else { return }
        isFinished = true
        let peers = nodes[1].peers(of: leeching[0])
        #expect(peers.map(\.isEncrypted) == [true])
        #expect(nodes[1].status(of: leeching[0])?.group != nil)
        #expect(nodes[0].peers(of: seeding).map(\.isEncrypted) == [true])
        for node in nodes { node.stop {} }
      }
    }
    run(loop, nodes)
    #expect(isFinished && connected == 1)
    #expect(try compare(torrent, folder("leech0/top")).isRight)
  }

  private func run(_ loop: EventLoop, _ nodes: [Node]) {
    var ticks = 0
    let timer = EventTimer(on: loop, everyMilliseconds: 100) {
      ticks += 1
      guard ticks == 600 else { return }
      Issue.record("the nodes did not come to an end")
      for node in nodes { node.stop {} }
    }
    loop.run()
    timer.cancel()
    loop.run()
  }

  /// A first message is answered once, at the place that it was made for, by who has its key; and whatever gets
  /// no answer is not closed either.
  @Test func onlyAFreshMessageOfAMemberIsAnswered() throws {
    let loop = EventLoop()
    let node = try loopbackNode(on: loop, 1)
    let place = try #require(node.endpoints.first)
    var request = TorrentRequest(
      source: .infohash(v1: nil, v2: SHA256Digest(hashing: [1])), content: .owned)
    request.readKey = Self.key(1)
    _ = try node.add(request) { _, _ in throw SwarmError.nothingNamed }
    func hello(_ key: UInt64, dialed: PeerEndpoint? = nil, before: UInt64 = 0) throws -> [UInt8] {
      var random = SystemRandomNumberGenerator()
      return try PrivateInitiator(
        PrivateKeys(Self.key(key)), time: UnixClock.now - before, dialed: dialed ?? place,
        using: &random
      ).hello
    }
    let right = try hello(1)
    let elsewhere = PeerEndpoint(address: Self.loopback, port: place.port ^ 1)
    var handshake = [UInt8](repeating: 0, count: Handshake.byteCount)
    let name = try #require(PeerID([UInt8](repeating: 9, count: 20)))
    handshake.withUnsafeMutableBytes {
      _ = Handshake(
        features: [.extensions], infohash: SHA256Digest(hashing: [1]).truncated, peerID: name
      ).encode(into: $0)
    }
    var random = SplitMix64(seed: 3)
    let attempts: [[UInt8]] = [
      right, right, try hello(2), try hello(1, dialed: elsewhere), try hello(1, before: 1_000),
      handshake, random.bytes(104), random.bytes(3_000), Array(try hello(1).prefix(60)), [],
      Array(handshake.prefix(10)),
    ]
    var sockets: [Int32] = []
    var answers = [Int](repeating: 0, count: attempts.count)
    var closed: Set<Int> = []
    for _ in attempts { sockets.append(try Sockets.connect(to: place).get()) }
    var ticks = 0
    let timer = EventTimer(on: loop, everyMilliseconds: 20) {
      // One after the other, so that the second of two that are alike is the later one.
      if ticks < attempts.count {
        #expect(SocketPair.write(sockets[ticks], attempts[ticks][...]) == attempts[ticks].count)
      }
      ticks += 1
      for (number, socket) in sockets.enumerated() where !closed.contains(number) {
        if let bytes = SocketPair.read(socket) {
          answers[number] += bytes.count
        } else {
          closed.insert(number)
        }
      }
      if ticks == attempts.count + 20 { node.stop {} }
    }
    loop.run()
    timer.cancel()
    loop.run()
    for socket in sockets { close(socket) }
    #expect(answers[0] >= PrivateLimits.answerBytes)
    #expect(answers.dropFirst().allSatisfy { $0 == 0 }, "\(answers)")
    #expect(closed.isEmpty, "\(closed)")
  }
}

/// Those of whom it is not known what they want.
@Suite struct StrangersTests {
  /// What BitTorrent begins with. BEP 3.
  private static let head = [19] + Array("BitTorrent protocol".utf8)

  private func endpoint(_ number: UInt32) -> PeerEndpoint {
    PeerEndpoint(address: .v4(IPv4Address(rawValue: 0x0a00_0000 + number)), port: 1_000)
  }

  /// Where all places are taken the first goes, whatever it has sent; of one address there are few.
  @Test func theOldestGivesWay() {
    let loop = EventLoop()
    let strangers = Strangers(on: loop) { .zero }
    let pairs = (0..<14).map { _ in SocketPair() }
    func admit(_ number: Int, _ address: UInt32, places: Int) {
      strangers.admit(pairs[number].give(pairs[number].near), endpoint(address), places: places)
    }
    func isClosed(_ number: Int) -> Bool { SocketPair.read(pairs[number].far) == nil }
    for number in 0..<4 { admit(number, UInt32(number), places: 3) }
    #expect(strangers.count == 3)
    #expect((0..<4).map(isClosed) == [true, false, false, false])
    admit(4, 4, places: 1)
    #expect((0..<5).map(isClosed) == [true, true, true, true, false])
    admit(5, 5, places: 0)
    #expect(isClosed(5) && strangers.count == 1)
    // Eight of one address besides the one that is there.
    for number in 5..<14 where number > 5 { admit(number, 77, places: 100) }
    #expect(strangers.count == 9)
    strangers.close()
    #expect((0..<14).allSatisfy(isClosed))
    loop.run()
  }

  /// Who is known by its first bytes is handed on, once they are enough; those that must wait are judged in order.
  @Test func firstBytesAreJudged() throws {
    let loop = EventLoop()
    let strangers = Strangers(on: loop) { .zero }
    var judged: [(UInt8, Int)] = []
    var taken: [Int32] = []
    var isBusy = true
    strangers.judge = { stranger in
      judged.append((stranger.bytes[0], stranger.bytes.count))
      if stranger.bytes[0] == 19 {
        taken.append(strangers.take(stranger))
        return .taken
      }
      if isBusy {
        isBusy = false
        return .later(.zero)
      }
      return .hopeless(.seconds(30))
    }
    let pairs = (0..<5).map { _ in SocketPair() }
    let bytes: [[UInt8]] = [
      Self.head + [0, 0], Array(Self.head.prefix(19)), [UInt8](repeating: 1, count: 104),
      [UInt8](repeating: 2, count: 5_000), [UInt8](repeating: 3, count: 103),
    ]
    for (number, pair) in pairs.enumerated() {
      strangers.admit(pair.give(pair.near), endpoint(UInt32(number)), places: 10)
      #expect(SocketPair.write(pair.far, bytes[number][...]) == bytes[number].count)
    }
    var ticks = 0
    let timer = EventTimer(on: loop, everyMilliseconds: 10) {
      ticks += 1
      if ticks == 25 {
        #expect(strangers.count == 4)
        strangers.close()
      }
    }
    loop.run()
    timer.cancel()
    loop.run()
    let order = judged.map(\.0).sorted()
    #expect(order == [1, 1, 2, 19] || order == [1, 2, 2, 19], "one of them had to wait")
    #expect(judged.allSatisfy { $0.1 == ($0.0 == 19 ? 22 : 104) })
    #expect(taken.count == 1)
    for socket in taken { close(socket) }
  }

  /// When who is not known is closed does not tell how long it took to find that out, nor do those who end what
  /// they say hear of it sooner.
  @Test func workIsNotSeen() throws {
    let loop = EventLoop()
    var time = Duration.zero
    let strangers = Strangers(on: loop) { time }
    var judged = 0
    strangers.judge = { stranger in
      judged += 1
      time += .milliseconds(20 * Int(stranger.bytes[0]))
      return .hopeless(.milliseconds(100))
    }
    // The last one says nothing, and keeps the loop running.
    let pairs = (0..<4).map { _ in SocketPair() }
    for (number, pair) in pairs.enumerated() {
      strangers.admit(pair.give(pair.near), endpoint(UInt32(number)), places: 10)
    }
    let bytes = [[UInt8](repeating: 0, count: 104), [UInt8](repeating: 1, count: 104)]
    func isClosed(_ number: Int) -> Bool { SocketPair.read(pairs[number].far) == nil }
    var steps: [() -> Void] = [
      {
        time = .milliseconds(150)
        #expect(SocketPair.write(pairs[0].far, bytes[0][...]) == 104)
      }, {},
      {
        time = .milliseconds(150)
        #expect(SocketPair.write(pairs[1].far, bytes[1][...]) == 104)
      }, {},
      {
        time = .milliseconds(150)
        #expect(SocketPair.write(pairs[2].far, bytes[0][...]) == 104)
        shutdown(pairs[2].far, Int32(SHUT_WR))
      }, {}, {}, { time = .milliseconds(249) }, {}, {},
      {
        #expect(judged == 3 && strangers.count == 4)
        #expect((0..<3).allSatisfy { !isClosed($0) })
        time = .milliseconds(251)
      }, {}, {},
      { #expect((0..<3).allSatisfy(isClosed) && strangers.count == 1) },
    ]
    let timer = EventTimer(on: loop, everyMilliseconds: 60) {
      if steps.isEmpty { return strangers.close() }
      steps.removeFirst()()
    }
    loop.run()
    timer.cancel()
    loop.run()
    #expect(steps.isEmpty)
  }

  /// What is spent comes back with time, and never more than at once may be.
  @Test func workIsBounded() throws {
    var budget = WorkBudget(perSecond: 100, atOnce: 50)
    func take(_ work: Int, _ now: Duration) -> Duration? { budget.take(work, now: now) }
    #expect(take(60, .zero) == nil)
    let wait = try #require(take(1, .zero))
    #expect(wait > .milliseconds(109) && wait < .milliseconds(111))
    #expect(take(1, .milliseconds(50)) != nil)
    #expect(take(1, .milliseconds(120)) == nil)
    #expect(take(51, .seconds(100)) == nil)
    #expect(take(1, .seconds(100)) != nil)
  }
}
