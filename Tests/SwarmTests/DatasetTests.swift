import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// Datasets that are followed by key: whole cores that talk to each other.
@Suite struct DatasetTests {
  /// Two that know nothing but the key: a new head goes both ways, at once.
  @Test func headsTravelBothWays() throws {
    let mesh = HeadMesh()
    for _ in 0..<2 { try mesh.addNode() }
    mesh.nodes[0].swarm.follow(HeadMesh.key, head: try HeadMesh.head(1), now: .zero)
    mesh.nodes[1].swarm.follow(HeadMesh.key, now: .zero)
    try mesh.meet(0)
    let torrent = try mesh.meet(1, peers: [0])
    try mesh.pass(.seconds(1))
    #expect(mesh.nodes[1].heads == [try HeadMesh.head(1)])
    #expect(mesh.nodes[0].heads.isEmpty, "what was known before is no news")
    #expect(mesh.nodes[1].offer(try HeadMesh.head(2), mesh.now) == .newer)
    mesh.pump()
    #expect(mesh.nodes[0].heads == [try HeadMesh.head(2)])
    #expect(mesh.nodes[1].heads.map(\.sequence) == [1, 2])
    for node in mesh.nodes {
      let status = try #require(node.dataset)
      #expect(status.head?.version == 2 && status.peers == 1 && status.peersWithHead == 1)
      #expect(!status.isKeyUsedTwice)
    }
    let found = mesh.nodes[1].swarm.status(of: torrent)
    let status = try #require(found)
    #expect(status.isForHeads && status.dataset == HeadMesh.key && status.waiting == .nothing)
    #expect(status.name == nil && status.infohashV1 == nil && status.infohashV2 == nil)
    #expect(HeadMesh.place == MutableItem.target(of: HeadMesh.key))
  }

  /// Nobody says a head twice to somebody who has it.
  @Test func nothingIsSaidTwice() throws {
    let mesh = HeadMesh()
    for number in 0..<4 {
      try mesh.addNode()
      mesh.nodes[number].swarm.follow(HeadMesh.key, now: .zero)
      try mesh.meet(number, peers: Array(0..<number))
    }
    try mesh.pass(.seconds(2))
    #expect(mesh.nodes.allSatisfy { $0.connections == 3 })
    mesh.nodes[0].swarm.offer(try HeadMesh.head(1), now: mesh.now)
    try mesh.pass(.seconds(200))
    #expect(mesh.nodes.allSatisfy { $0.heads.map(\.sequence) == [1] })
    #expect(mesh.nodes[0].sentHeads.count == 3)
    // Each of the others may have told the two others before it heard of it from them.
    #expect(mesh.nodes.reduce(0) { $0 + $1.sentHeads.count } <= 3 + 3 * 2)
  }

  /// Nobody has announced a new version yet when all who follow look for it: those are asked who are
  /// connected for the dataset, whoever of the two connected.
  @Test func aNewVersionsPeersAreThoseOfTheDataset() throws {
    let mesh = HeadMesh()
    for node in 0..<3 {
      try mesh.addNode()
      mesh.nodes[node].swarm.follow(HeadMesh.key, head: try HeadMesh.head(1), now: .zero)
      try mesh.meet(node, peers: node == 1 ? [0] : node == 2 ? [1] : [])
    }
    try mesh.pass(.seconds(2))
    let version = TorrentRequest.Source.infohash(v1: nil, v2: SHA256Digest(hashing: [2]))
    var request = TorrentRequest(source: version, content: .owned)
    let stranger = try mesh.nodes[0].swarm.add(request, now: mesh.now)
    let ofNone = mesh.nodes[0].swarm.status(of: stranger)
    #expect(ofNone?.knownPeers == 0)
    request.dataset = HeadMesh.key
    for number in [1, 2] {
      let torrent = try mesh.nodes[number].swarm.add(request, now: mesh.now)
      let status = mesh.nodes[number].swarm.status(of: torrent)
      let peers = mesh.nodes[number].connections
      #expect(peers > 0 && status?.knownPeers == peers)
      try mesh.pass(.seconds(1))
      let found = mesh.nodes[number].swarm.status(of: torrent)
      #expect((found?.peers ?? 0) > 0)
    }
  }

  @Test func onlyNewerHeadsAreTaken() throws {
    let mesh = HeadMesh()
    try mesh.addNode()
    let node = mesh.nodes[0]
    #expect(node.offer(try HeadMesh.head(1)) == .notFollowed)
    #expect(node.dataset == nil)
    #expect(node.follow(head: try HeadMesh.head(5)) == .newer)
    #expect(node.follow(head: try HeadMesh.head(4)) == .older)
    #expect(node.follow(salt: [1]) == .notFollowed)
    #expect(node.offer(try HeadMesh.head(5)) == .known)
    #expect(node.offer(try HeadMesh.head(5, 1)) == .keyUsedTwice)
    #expect(node.offer(try HeadMesh.head(5, 2)) == .keyUsedTwice)
    #expect(node.dataset?.isKeyUsedTwice == true)
    let none = try MutableItem(
      signedBy: HeadMesh.secret, sequence: 9, value: Array("de".utf8))
    #expect(node.offer(none) == .unreadable(.missingInfohash))
    let salted = try Head(
      version: 9, infohash: .zero, signedBy: HeadMesh.secret, salt: [1]
    ).item
    #expect(node.offer(salted) == .notFollowed)
    #expect(node.version == 5)
    #expect(node.offer(try HeadMesh.head(6)) == .newer)
    mesh.pump()
    #expect(node.heads.map(\.sequence) == [6] && node.twice == [5])
    #expect(node.dataset?.isKeyUsedTwice == false)
    node.swarm.unfollow(HeadMesh.key, now: .zero)
    #expect(node.offer(try HeadMesh.head(7)) == .notFollowed)
  }

  // MARK: Strangers

  private func followedAt(_ version: Int64) throws -> (HeadMesh, HeadMesh.Node) {
    let mesh = HeadMesh()
    try mesh.addNode()
    mesh.nodes[0].swarm.follow(HeadMesh.key, head: try HeadMesh.head(version), now: .zero)
    try mesh.meet(0)
    return (mesh, mesh.nodes[0])
  }

  @Test func wrongSignaturesAreBanned() throws {
    let (mesh, node) = try followedAt(3)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    #expect(stranger.received == [3])
    var forged = HeadMessage(try HeadMesh.head(3)).encoded
    forged.replace(Array("seqi3e".utf8), with: Array("seqi4e".utf8))
    stranger.send(5, forged)
    #expect(stranger.isBanned && node.banned == [HeadMesh.endpoint(90)])
    #expect(node.version == 3 && node.heads.isEmpty)
    // Nor comes it back from there.
    let again = try HeadStranger(mesh, at: 0, HeadMesh.place)
    #expect(again.received.isEmpty)
  }

  @Test func oldHeadsAreAnsweredOnceAMinute() throws {
    let (mesh, node) = try followedAt(3)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    try mesh.pass(.seconds(61))
    for second in 0..<130 {
      stranger.send(try HeadMesh.head(1 + Int64(second % 2)))
      try mesh.pass(.seconds(1))
    }
    #expect(node.version == 3 && node.heads.isEmpty && !stranger.isBanned)
    #expect(stranger.received == [3, 3, 3, 3])
  }

  /// Of heads that come faster than one a second the last counts, later; none is lost that matters.
  @Test func floodsAreHeldBack() throws {
    let (mesh, node) = try followedAt(1)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    for version in 2...100 { stranger.send(try HeadMesh.head(Int64(version))) }
    #expect(node.heads.count <= SwarmLimits.headBurst + 1)
    try mesh.pass(.seconds(3))
    #expect(node.version == 100)
    #expect(node.heads.count <= SwarmLimits.headBurst + 4)
    #expect(!stranger.isBanned)
  }

  /// Who says nothing new without end is given up, as with any other message.
  @Test func floodsOfTheSameAreGivenUp() throws {
    let (mesh, node) = try followedAt(1)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    for _ in 0..<(SwarmLimits.emptyMessages + 10) { stranger.send(try HeadMesh.head(1)) }
    let isGone = node.ends.contains { if case (_, .misconduct) = $0 { true } else { false } }
    #expect(isGone && node.version == 1)
  }

  /// Heads of another key or salt say nothing, whoever has signed them; nor are they looked at.
  @Test func otherKeysAreIgnored() throws {
    let (mesh, node) = try followedAt(1)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    let other = try #require(DatasetSecret(seed: [UInt8](repeating: 8, count: 32)))
    stranger.send(try Head(version: 9, infohash: .zero, signedBy: other).item)
    stranger.send(
      try Head(version: 9, infohash: .zero, signedBy: HeadMesh.secret, salt: [1]).item)
    var forged = HeadMessage(try Head(version: 9, infohash: .zero, signedBy: other).item).encoded
    forged.replace(Array("seqi9e".utf8), with: Array("seqi8e".utf8))
    stranger.send(5, forged)
    #expect(node.version == 1 && !stranger.isBanned && node.connections == 0)
    #expect(node.ends.isEmpty)
  }

  @Test func keyUsedTwiceIsToldToBothSides() throws {
    let (mesh, node) = try followedAt(3)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    let other = try HeadMesh.head(3, 1)
    for _ in 0..<3 { stranger.send(other) }
    #expect(node.twice == [3] && node.version == 3 && stranger.received == [3])
    #expect(node.dataset?.head?.item == (try HeadMesh.head(3)))
    // Who holds another one was told ours, and does not have it for that.
    #expect(node.dataset?.peers == 1 && node.dataset?.peersWithHead == 0)
    stranger.send(try HeadMesh.head(3))
    #expect(node.dataset?.peersWithHead == 1)
    stranger.send(other)
    try mesh.pass(.seconds(2))
    #expect(node.dataset?.peersWithHead == 0)
    stranger.send(try HeadMesh.head(4, 1))
    #expect(node.version == 4 && !stranger.isBanned)
  }

  @Test func malformedHeadsEndTheConnection() throws {
    let (mesh, node) = try followedAt(3)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    stranger.send(5, Array("d1:ki3ee".utf8))
    let isGone = node.ends.contains {
      if case (_, .extensionError(let error)) = $0 { error.message == .head } else { false }
    }
    #expect(isGone && node.version == 3)
  }

  // MARK: Torrents

  private func fixture(isPrivate: Bool = false) throws -> ContentFixture {
    try ContentFixture(
      .v2, lengths: [30_000, 40_000], pieceLength: 32_768, isPrivate: isPrivate, seed: 1)
  }

  /// Without a dataset nobody hears of heads, nor with one that is not followed.
  @Test func onlyFollowedDatasetsSpeakOfHeads() throws {
    let fixture = try fixture()
    let infohash = try #require(fixture.info.infohashV2?.truncated)
    let mesh = HeadMesh()
    try mesh.addNode()
    try mesh.seed(0, fixture, dataset: HeadMesh.key)
    try mesh.pass(.seconds(1))
    let first = try HeadStranger(mesh, at: 0, infohash)
    #expect(first.offered[.head] == nil && first.offered[.metadata] == 1)
    // From now on it does, and says so to those who are there.
    mesh.nodes[0].swarm.follow(HeadMesh.key, head: try HeadMesh.head(2), now: mesh.now)
    mesh.pump()
    #expect(first.offered[.head] == 5 && first.received == [2])
    let second = try HeadStranger(mesh, at: 0, infohash, number: 91)
    #expect(second.offered[.head] == 5 && second.received == [2])
    mesh.nodes[0].swarm.unfollow(HeadMesh.key, now: mesh.now)
    mesh.pump()
    #expect(first.offered[.head] == 0)
    first.send(try HeadMesh.head(3))
    #expect(mesh.nodes[0].heads.isEmpty)

    let plain = HeadMesh()
    try plain.addNode()
    try plain.seed(0, fixture, dataset: nil)
    try plain.pass(.seconds(1))
    #expect(try HeadStranger(plain, at: 0, infohash).offered[.head] == nil)
  }

  /// Two seeds of a version have no content for each other. Without a dataset they part; with one they
  /// stay, so that the next version gets around, and over one connection alone.
  @Test func seedsStayForHeads() throws {
    for (dataset, meets, stays) in [
      (nil, false, 0), (HeadMesh.key, false, 1), (HeadMesh.key, true, 1),
    ] {
      let mesh = HeadMesh()
      let fixture = try fixture()
      for number in 0..<2 {
        try mesh.addNode()
        mesh.nodes[number].swarm.follow(HeadMesh.key, now: .zero)
        let peers = number == 0 ? [] : [0]
        try mesh.seed(number, fixture, dataset: dataset, peers: peers)
        if meets { try mesh.meet(number, peers: peers) }
      }
      try mesh.pass(.seconds(1))
      #expect(mesh.nodes[0].connections == (meets ? 2 : 1))
      try mesh.pass(.milliseconds(5_200))
      #expect(mesh.nodes[0].connections == stays, "\(meets)")
      #expect(mesh.nodes[0].ends.count == (meets ? 2 : 1) - stays)
      guard stays > 0 else { continue }
      mesh.nodes[0].swarm.offer(try HeadMesh.head(1), now: mesh.now)
      mesh.pump()
      #expect(mesh.nodes[1].version == 1)
    }
  }

  /// Heads go from one torrent of the dataset to another: who is in both passes them on.
  @Test func headsCrossTorrents() throws {
    let mesh = HeadMesh()
    let fixture = try fixture()
    for number in 0..<3 {
      try mesh.addNode()
      mesh.nodes[number].swarm.follow(HeadMesh.key, now: .zero)
    }
    try mesh.meet(0)
    try mesh.meet(1, peers: [0])
    try mesh.seed(1, fixture, dataset: HeadMesh.key)
    try mesh.seed(2, fixture, dataset: HeadMesh.key, peers: [1])
    try mesh.pass(.seconds(1))
    mesh.nodes[0].swarm.offer(try HeadMesh.head(1), now: mesh.now)
    mesh.pump()
    #expect(mesh.nodes[2].version == 1)
    let status = try #require(mesh.nodes[1].dataset)
    #expect(status.peers == 2 && status.peersWithHead == 2)
  }

  /// A private torrent's peers are told heads, and of no other peers. BEP 27.
  @Test func privateTorrentsTellHeadsOnly() throws {
    let fixture = try fixture(isPrivate: true)
    let infohash = try #require(fixture.info.infohashV2?.truncated)
    let mesh = HeadMesh()
    try mesh.addNode()
    mesh.nodes[0].swarm.follow(HeadMesh.key, head: try HeadMesh.head(2), now: .zero)
    try mesh.seed(0, fixture, dataset: HeadMesh.key)
    try mesh.pass(.seconds(1))
    let strangers = try (0..<3).map {
      try HeadStranger(mesh, at: 0, infohash, number: 90 + $0, extensions: [.head: 9, .pex: 8])
    }
    try mesh.pass(.seconds(100))
    for stranger in strangers {
      #expect(stranger.received == [2] && stranger.offered[.pex] == nil)
      #expect(stranger.offered[.head] == 5)
    }
    #expect(mesh.nodes[0].extended.allSatisfy { $0.number != 8 })
  }

  // MARK: The dataset's own swarm

  /// It offers nothing that it never has, takes nothing that it never wants, and waits quietly.
  @Test func aMeetingHasNoContent() throws {
    let (mesh, node) = try followedAt(1)
    let stranger = try HeadStranger(
      mesh, at: 0, HeadMesh.place, extensions: [.head: 9, .metadata: 7, .pex: 8])
    #expect(Set(stranger.offered.keys) == [.head, .pex])
    stranger.send(OurMetadata.number, MetadataMessage.request(piece: 0).encoded)
    var hello = ExtensionHandshake()
    hello.metadataSize = 1_000
    stranger.send(0, hello.encoded)
    try mesh.pass(.seconds(30))
    #expect(node.ends.isEmpty)
    #expect(
      !node.extended.contains { $0.number == 7 && $0.payload.starts(with: "d8:msg_typei0e".utf8) })
    let torrent = try #require(node.meeting)
    let read = node.swarm.read(
      0..<10, of: 0, in: torrent, timeout: .seconds(5), now: mesh.now)
    var ended: [ReadID: ReadFailure?] = [:]
    while let effect = node.swarm.nextEffect() {
      if case .endRead(let id, let failure) = effect { ended[id] = failure }
    }
    #expect(ended[read] == .outOfRange)
  }

  /// Who does not speak of heads has no business there.
  @Test func strangersWithoutHeadsGo() throws {
    let (mesh, node) = try followedAt(1)
    _ = try HeadStranger(mesh, at: 0, HeadMesh.place, extensions: [.pex: 8])
    try mesh.pass(.seconds(4))
    #expect(node.ends.isEmpty)
    try mesh.pass(.seconds(3))
    #expect(node.ends.map(\.1) == [.useless])
  }

  /// An idle connection stays for days: keep-alives alone are no misconduct.
  @Test func idleFollowersStayTogether() throws {
    let (mesh, node) = try followedAt(1)
    let stranger = try HeadStranger(mesh, at: 0, HeadMesh.place)
    let day = 864
    for _ in 0..<(3 * day) {
      mesh.now += .seconds(100)
      mesh.give([0, 0, 0, 0], to: 0, stranger.id)
    }
    mesh.pump()
    #expect(node.ends.isEmpty)
    for _ in 0...SwarmLimits.emptyMessages { mesh.give([0, 0, 0, 0], to: 0, stranger.id) }
    mesh.pump()
    #expect(node.ends.count == 1, "but not without end")
  }

  /// Connections are bounded; who comes when all places are taken is told the head, and of others, and
  /// goes.
  @Test func guestsAreToldAndGo() throws {
    let mesh = HeadMesh()
    try mesh.addNode { $0.connectionsPerDataset = 3 }
    let node = mesh.nodes[0]
    node.swarm.follow(HeadMesh.key, head: try HeadMesh.head(4), now: .zero)
    try mesh.meet(0)
    var hello = ExtensionHandshake()
    hello.port = 6_881
    let strangers = try (0..<11).map { number in
      let stranger = try HeadStranger(
        mesh, at: 0, HeadMesh.place, number: 90 + number, extensions: [.head: 9, .pex: 8])
      stranger.send(0, hello.encoded)
      return stranger
    }
    try mesh.pass(.seconds(2))
    for stranger in strangers {
      #expect(stranger.received == [4])
      #expect(node.extended.contains { $0.to == stranger.id && $0.number == 8 }, "no peers told")
    }
    #expect(node.ends.isEmpty)
    try mesh.pass(.seconds(5))
    #expect(node.ends.map(\.1) == Array(repeating: .tooMany, count: 8))
    let late = try (0..<9).map {
      try HeadStranger(mesh, at: 0, HeadMesh.place, number: 200 + $0).received
    }
    #expect(late.count { $0 == [4] } == 8, "eight at a time")
  }

  /// Many datasets leave half of all connections to content.
  @Test func datasetsShareConnections() throws {
    let mesh = HeadMesh()
    try mesh.addNode { $0.connections = 40 }
    let node = mesh.nodes[0]
    var keys: [DatasetKey] = []
    for number in 0..<8 {
      let key = try #require(DatasetKey([UInt8](repeating: UInt8(number), count: 32)))
      keys.append(key)
      node.swarm.follow(key, now: .zero)
      var request = TorrentRequest(meeting: key)
      request.peers = (0..<10).map { HeadMesh.endpoint(1_000 + number * 10 + $0) }
      _ = try node.swarm.add(request, now: .zero)
    }
    var connecting = 0
    while let effect = node.swarm.nextEffect() {
      if case .connect = effect { connecting += 1 }
    }
    #expect(connecting <= 20 && connecting >= 10)
  }

  @Test func removedMeetingsLeaveNothing() throws {
    let (mesh, node) = try followedAt(1)
    let torrent = try #require(node.meeting)
    _ = try HeadStranger(mesh, at: 0, HeadMesh.place)
    node.swarm.remove(torrent, now: mesh.now)
    mesh.pump()
    let isEmpty = node.swarm.torrentsByDataset.isEmpty && node.swarm.headTorrents == 0
    #expect(isEmpty)
    #expect(node.ends.map(\.1) == [.stopping])
    #expect(node.dataset?.peers == 0)
    #expect(throws: Never.self) { try mesh.meet(0) }
    #expect(throws: SwarmError.alreadyThere) { try mesh.meet(0) }
  }
}

/// The number by which we take metadata messages, where we do.
private enum OurMetadata {
  static let number: UInt8 = 1
}
