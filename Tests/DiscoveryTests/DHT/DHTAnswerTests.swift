import Discovery
import Metainfo
import TestSupport
import Testing
import Wire

/// One node, and everything else played by hand.
final class DHTBench {
  var dht: DHT
  var now: Duration = .seconds(100)
  static let asker = NodeID([UInt8](repeating: 0xaa, count: 20))!

  init(_ change: (inout DHTConfiguration) -> Void = { _ in }) {
    var configuration = DHTConfiguration()
    configuration.enforcesNodeIDs = false
    change(&configuration)
    dht = DHT(configuration: configuration, saved: nil, seed: 1, now: now)
  }

  /// Gives it a datagram, and returns what it sends.
  func give(_ bytes: [UInt8], from: PeerEndpoint) -> [(message: KRPCMessage, size: Int)] {
    dht.receive(bytes, from: from, now: now)
    var sent: [(KRPCMessage, Int)] = []
    while let effect = dht.nextEffect() {
      if case .send(let bytes, _) = effect, let message = try? KRPCMessage(bytes) {
        sent.append((message, bytes.count))
      }
    }
    return sent
  }

  /// Asks it something, and returns its answer.
  func ask(
    _ method: KRPCMethod, from: PeerEndpoint, id: NodeID = DHTBench.asker, isReadOnly: Bool = true
  ) -> (message: KRPCMessage, size: Int)? {
    let query = KRPCMessage(
      transaction: Array("tt".utf8),
      body: .query(KRPCQuery(id: id, isReadOnly: isReadOnly, method: method)))
    return give(query.encoded, from: from).first {
      if case .query = $0.message.body { false } else { $0.message.transaction == Array("tt".utf8) }
    }
  }

  func response(
    _ method: KRPCMethod, from: PeerEndpoint
  ) -> KRPCResponse? {
    guard case .response(let response)? = ask(method, from: from)?.message.body else { return nil }
    return response
  }

  func errorCode(_ method: KRPCMethod, from: PeerEndpoint) -> Int64? {
    guard case .error(let error)? = ask(method, from: from)?.message.body else { return nil }
    return error.code
  }

  /// Puts with the right token.
  func put(
    _ value: [UInt8], _ owner: KRPCMethod.Put.Owner?, from: PeerEndpoint = DHTWorld.v4(1)
  ) -> Int64? {
    let target =
      owner.map { NodeID(MutableItem.target(of: $0.key, salt: $0.salt)) }
      ?? NodeID(SHA1Digest(hashing: value))
    let token = response(.get(target: target, newerThan: nil, want: []), from: from)?.token ?? []
    return errorCode(.put(.init(token: token, value: value, owner: owner)), from: from)
  }

  func announce(
    _ infohash: NodeID, port: UInt16?, isSeed: Bool = false, from: PeerEndpoint
  ) -> Int64? {
    let token = response(.getPeers(.init(infohash: infohash)), from: from)?.token ?? []
    return errorCode(
      .announcePeer(.init(infohash: infohash, port: port, isSeed: isSeed, token: token)), from: from
    )
  }
}

@Suite struct DHTAnswerTests {
  static let one = DHTWorld.v4(1)
  static let infohash = NodeID([UInt8](repeating: 3, count: 20))!

  static func owner(
    _ number: Int64, salt: [UInt8] = [], value: [UInt8], expected: Int64? = nil
  ) throws -> KRPCMethod.Put.Owner {
    let item = try MutableItem(
      signedBy: DHTNetworkTests.secret(1), salt: salt, sequence: number, value: value)
    return .init(
      key: item.key, salt: salt, sequence: number, signature: item.signature, expected: expected)
  }

  @Test func everyAnswerTellsTheAddress() throws {
    let bench = DHTBench()
    let answer = try #require(bench.ask(.ping, from: Self.one))
    #expect(answer.message.requester == Self.one)
    #expect(bench.errorCode(.unknown(name: Array("vote".utf8)), from: Self.one) == 204)
    #expect(bench.ask(.unknown(name: [1]), from: Self.one)?.message.requester == Self.one)
    #expect(
      bench.errorCode(.sampleInfohashes(target: Self.infohash, want: []), from: Self.one) == 204)
  }

  @Test func malformedQueriesAreRefusedAndOthersIgnored() {
    let bench = DHTBench()
    let bad = Array("d1:ad2:id20:abcdefghij0123456789e1:q9:find_node1:t2:tt1:y1:qe".utf8)
    let sent = bench.give(bad, from: Self.one)
    #expect(sent.count == 1)
    if case .error(let error)? = sent.first?.message.body { #expect(error.code == 203) }
    for text in ["", "x", "d1:t2:tt1:y1:re", "d1:eli203e1:xe1:t2:tt1:y1:ee", "d1:t2:tt1:y1:ze"] {
      #expect(bench.give(Array(text.utf8), from: Self.one).isEmpty)
    }
    let nowhere = PeerEndpoint(address: Self.one.address, port: 0)
    #expect(bench.give(bad, from: nowhere).isEmpty)
    #expect(bench.dht.status.malformed >= 4)
  }

  @Test func readOnlyNodeIsSilent() {
    let bench = DHTBench { $0.isReadOnly = true }
    #expect(bench.ask(.ping, from: Self.one) == nil)
    bench.dht.addNodes([Self.one], now: bench.now)
    let sent = bench.give([], from: DHTWorld.v4(2))
    guard case .query(let query)? = sent.first?.message.body else {
      Issue.record("nothing was asked")
      return
    }
    #expect(query.isReadOnly)
  }

  @Test func readOnlyNodesAreNotKept() {
    let bench = DHTBench()
    let query = KRPCMessage(
      transaction: [1], body: .query(KRPCQuery(id: DHTBench.asker, isReadOnly: true, method: .ping))
    )
    #expect(bench.give(query.encoded, from: Self.one).count == 1)
    let other = KRPCMessage(
      transaction: [1], body: .query(KRPCQuery(id: DHTBench.asker, method: .ping)))
    // The answer, and the question whether it answers as well.
    #expect(bench.give(other.encoded, from: Self.one).count == 2)
  }

  @Test func ownDatagramsAreIgnored() throws {
    let bench = DHTBench()
    let own = try #require(bench.dht.status.v4?.id)
    #expect(bench.ask(.ping, from: Self.one, id: own) == nil)
  }

  @Test func tokensAreBoundAndExpire() throws {
    let bench = DHTBench()
    func announce(_ token: [UInt8], _ infohash: NodeID = Self.infohash) -> KRPCMethod {
      .announcePeer(.init(infohash: infohash, port: 5, token: token))
    }
    let found = try #require(
      bench.response(.getPeers(.init(infohash: Self.infohash)), from: Self.one))
    let token = try #require(found.token)
    #expect(bench.errorCode(announce([]), from: Self.one) == 203)
    #expect(bench.errorCode(announce(token), from: DHTWorld.v4(2)) == 203)
    #expect(bench.errorCode(announce(token, DHTBench.asker), from: Self.one) == 203)
    let otherPort = PeerEndpoint(address: Self.one.address, port: 9)
    #expect(bench.response(announce(token), from: otherPort) != nil)
    bench.now += .seconds(299)
    #expect(bench.response(announce(token), from: Self.one) != nil)
    bench.now += .seconds(301)
    #expect(bench.errorCode(announce(token), from: Self.one) == 203)
    // Another node's secret gives other tokens.
    let other = DHTBench { $0.secret = [1] }
    let theirs = other.response(.getPeers(.init(infohash: Self.infohash)), from: Self.one)?.token
    #expect(theirs != token)
  }

  @Test func peersAreKeptAndExpire() throws {
    let bench = DHTBench()
    #expect(bench.announce(Self.infohash, port: 10, from: Self.one) == nil)
    #expect(bench.announce(Self.infohash, port: 11, isSeed: true, from: Self.one) == nil)
    #expect(bench.announce(Self.infohash, port: nil, isSeed: true, from: DHTWorld.v4(2)) == nil)
    #expect(bench.announce(Self.infohash, port: 12, from: DHTWorld.v6(3)) == nil)
    let all = bench.response(.getPeers(.init(infohash: Self.infohash)), from: DHTWorld.v4(9))
    #expect(
      Set(all?.peers ?? []) == [
        PeerEndpoint(address: Self.one.address, port: 11), DHTWorld.v4(2),
      ])
    let six = bench.response(.getPeers(.init(infohash: Self.infohash)), from: DHTWorld.v6(9))
    #expect(six?.peers == [PeerEndpoint(address: DHTWorld.v6(3).address, port: 12)])
    let scrape = bench.response(
      .getPeers(.init(infohash: Self.infohash, scrape: true)), from: DHTWorld.v4(9))
    var seeds = ScrapeFilter()
    seeds.insert(Self.one.address)
    seeds.insert(DHTWorld.v4(2).address)
    #expect(scrape?.seedFilter == seeds && scrape?.peerFilter == ScrapeFilter())
    bench.now += .seconds(29 * 60)
    bench.dht.handleTimeout(now: bench.now)
    #expect(bench.dht.status.peers == 3)
    bench.now += .seconds(60 * 60)
    bench.dht.handleTimeout(now: bench.now)
    #expect(bench.dht.status.peers == 0 && bench.dht.status.torrents == 0)
  }

  @Test func everyErrorOfValuesIsTold() throws {
    let bench = DHTBench()
    let value = Array("12:Hello World!".utf8)
    let first = try Self.owner(4, value: value)
    #expect(bench.put(value, first) == nil)
    #expect(bench.put(value, first) == nil, "put again by anyone")
    let large = Array("998:".utf8) + [UInt8](repeating: 1, count: 998)
    #expect(bench.put(large, nil) == 205)
    #expect(bench.put(Array("995:".utf8) + [UInt8](repeating: 1, count: 995), nil) == nil)
    var forged = try Self.owner(5, value: value)
    forged.sequence = 6
    #expect(bench.put(value, forged) == 206)
    let salt = [UInt8](repeating: 1, count: 65)
    var salted = first
    salted.salt = salt
    #expect(bench.put(value, salted) == 207)
    let other = Array("5:other".utf8)
    #expect(bench.put(other, try Self.owner(4, value: other)) == 302)
    #expect(bench.put(other, try Self.owner(3, value: other)) == 302)
    #expect(bench.put(other, try Self.owner(5, value: other, expected: 3)) == 301)
    #expect(bench.put(other, try Self.owner(5, value: other, expected: 4)) == nil)
    #expect(
      bench.errorCode(
        .put(.init(token: [1], value: other, owner: try Self.owner(6, value: other))),
        from: Self.one) == 203)
    let target = NodeID(MutableItem.target(of: first.key))
    let got = bench.response(.get(target: target, newerThan: nil, want: []), from: Self.one)
    #expect(got?.value == other && got?.sequence == 5 && got?.key == first.key)
    let same = bench.response(.get(target: target, newerThan: 5, want: []), from: Self.one)
    #expect(same?.sequence == 5 && same?.value == nil && same?.signature == nil && same?.key == nil)
    bench.now += .seconds(7_100)
    bench.dht.handleTimeout(now: bench.now)
    #expect(bench.dht.status.items == 2)
    bench.now += .seconds(200)
    bench.dht.handleTimeout(now: bench.now)
    #expect(bench.dht.status.items == 0)
  }

  @Test func storageIsBounded() {
    let bench = DHTBench {
      $0.storage.torrents = 20
      $0.storage.peersOfTorrent = 5
      $0.storage.peers = 60
      $0.storage.items = 10
      $0.storage.entriesOfSource = 8
      $0.queriesPerSource = 1_000
    }
    var random = SplitMix64(seed: 3)
    for number in 0..<400 {
      let infohash = NodeID.random(using: &random)
      _ = bench.announce(infohash, port: 1, from: DHTWorld.v4(number % 50))
      _ = bench.put(Array("i\(number)e".utf8), nil, from: DHTWorld.v4(number % 50))
    }
    #expect(bench.dht.status.torrents == 20 && bench.dht.status.items == 10)
    for number in 0..<40 {
      _ = bench.announce(Self.infohash, port: 1, from: DHTWorld.v4(1_000 + number))
    }
    #expect(bench.dht.status.peers <= 60 && bench.dht.status.torrents <= 20)
    // A torrent that is full gives no tokens. BEP 33.
    let full = bench.response(.getPeers(.init(infohash: Self.infohash)), from: DHTWorld.v4(9_999))
    if (full?.peers?.count ?? 0) >= 5 { #expect(full?.token == nil) }
    #expect((full?.peers?.count ?? 0) <= 5)
  }

  @Test func oneSourceIsBounded() {
    let bench = DHTBench {
      $0.storage.entriesOfSource = 8
      $0.queriesPerSource = 1_000
    }
    var random = SplitMix64(seed: 4)
    for number in 0..<30 {
      _ = bench.announce(NodeID.random(using: &random), port: 1, from: Self.one)
      _ = bench.put(Array("i\(number)e".utf8), nil, from: Self.one)
    }
    #expect(bench.dht.status.peers + bench.dht.status.items == 8)
  }

  @Test func sourcesAreLimited() {
    let bench = DHTBench { $0.queriesPerSource = 2 }
    let answers = (0..<100).filter { _ in bench.ask(.ping, from: Self.one) != nil }.count
    #expect(answers == 20)
    #expect(bench.ask(.ping, from: DHTWorld.v4(2)) != nil)
    #expect(bench.dht.status.refused == 80)
    bench.now += .seconds(10)
    #expect(bench.ask(.ping, from: Self.one) != nil)
    let small = DHTBench { $0.answerBytesPerSecond = 100 }
    let sent = (0..<1_000).filter { small.ask(.ping, from: DHTWorld.v4($0)) != nil }.count
    #expect((8...16).contains(sent))
  }

  /// However much is kept and wanted, answers stay short, and a question for little gets little.
  @Test func answersAreShort() throws {
    let bench = DHTBench {
      $0.answersSampling = true
      $0.storage.peersOfTorrent = 1_000
    }
    for number in 0..<300 {
      #expect(bench.announce(Self.infohash, port: 1, from: DHTWorld.v4(number)) == nil)
      #expect(bench.announce(Self.infohash, port: 1, from: DHTWorld.v6(number)) == nil)
    }
    for from in [DHTWorld.v4(900), DHTWorld.v6(900)] {
      let ask = bench.ask(
        .getPeers(.init(infohash: Self.infohash, want: [.v4, .v6], scrape: true)), from: from)
      let answer = try #require(ask)
      #expect(answer.size <= 1_024)
      guard case .response(let response) = answer.message.body else { continue }
      #expect((response.peers?.count ?? 0) >= 10)
    }
    let long = Array("995:".utf8) + [UInt8](repeating: 1, count: 995)
    let owner = try Self.owner(4, value: long)
    #expect(bench.put(long, owner) == nil)
    let target = NodeID(MutableItem.target(of: owner.key))
    let get = bench.ask(.get(target: target, newerThan: nil, want: [.v4, .v6]), from: Self.one)
    #expect(try #require(get).size <= 1_452)
    let samples = bench.ask(.sampleInfohashes(target: target, want: []), from: Self.one)
    guard case .response(let response)? = samples?.message.body else {
      Issue.record("no samples")
      return
    }
    #expect(response.samples == [Self.infohash])
    #expect(try #require(bench.ask(.ping, from: Self.one)).size < 90)
  }
}
