import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// Torrents of private groups are there for their own connections and for no others. docs/private.md.
@Suite struct PrivateGroupTests {
  private static let first = key(1)
  private static let second = key(2)
  /// What connections belong to, and what torrents do.
  private static let keys: [ReadKey?] = [nil, first, second]

  private static func key(_ seed: UInt64) -> ReadKey {
    var random = SplitMix64(seed: seed)
    return ReadKey(using: &random)
  }

  private static func group(_ key: ReadKey?) -> PrivateGroup? {
    key.map { PrivateGroup(discoveryID: PrivateKeys($0).discoveryID) }
  }

  /// Nine pairs: those that belong together meet, and all others are answered by the same end as if there
  /// were nothing, without a byte.
  @Test func connectionsReachTorrentsOfTheirOwnGroupOnly() throws {
    let fixture = try ContentFixture(.v2, lengths: [30_000], pieceLength: 32_768, seed: 5)
    let infohash = try #require(fixture.info.infohashV2?.truncated)
    for torrentKey in Self.keys {
      for connectionKey in Self.keys {
        let mesh = HeadMesh()
        try mesh.addNode()
        try mesh.seed(0, fixture, dataset: nil, readKey: torrentKey)
        // Both others are there, too.
        try mesh.meet(0, readKey: connectionKey)
        try mesh.pass(.seconds(1))
        let stranger = try HeadStranger(
          mesh, at: 0, infohash, group: Self.group(connectionKey))
        let isMember = torrentKey == connectionKey
        #expect(stranger.offered.isEmpty != isMember)
        #expect((mesh.nodes[0].sent[stranger.id] != nil) == isMember)
        let ends = mesh.nodes[0].ends.map(\.1)
        #expect(ends == (isMember ? [] : [.unknownTorrent(infohash)]))
      }
    }
  }

  /// As above, at the other end: who was connected to in a group is of that group.
  @Test func connectionsAreMadeForTheTorrentsGroup() throws {
    for readKey in Self.keys {
      let id = try #require(PeerID(Array("-SW0001-000000000000".utf8)))
      var swarm = Swarm(configuration: SwarmConfiguration(peerID: id), seed: 1)
      var request = TorrentRequest(
        source: .infohash(v1: nil, v2: SHA256Digest(hashing: [1])), content: .owned)
      request.peers = [HeadMesh.endpoint(1)]
      request.readKey = readKey
      let torrent = try swarm.add(request, now: .zero)
      let status = swarm.status(of: torrent)
      #expect(status?.group == Self.group(readKey))
      #expect(swarm.hasPublicTorrents == (readKey == nil))
      var groups: [PrivateGroup?] = []
      while let effect = swarm.nextEffect() {
        if case .connect(_, _, let group) = effect { groups.append(group) }
      }
      #expect(groups == [Self.group(readKey)])
    }
  }

  /// Two of a group find each other's content and tell their connection to be sealed; of the DHT they say nothing.
  @Test func membersMeet() throws {
    let mesh = HeadMesh()
    for _ in 0..<2 { try mesh.addNode { $0.dhtPort = 6_881 } }
    let group = Self.group(Self.first)
    mesh.nodes[0].swarm.follow(
      HeadMesh.key, group: group, head: try HeadMesh.head(1), now: .zero)
    mesh.nodes[1].swarm.follow(HeadMesh.key, group: group, now: .zero)
    try mesh.meet(0, readKey: Self.first)
    let torrent = try mesh.meet(1, peers: [0], readKey: Self.first)
    try mesh.pass(.seconds(1))
    #expect(mesh.nodes[1].heads == [try HeadMesh.head(1)])
    let peers = mesh.nodes[1].swarm.peers(of: torrent)
    #expect(peers.map(\.isEncrypted) == [true])
    #expect(mesh.nodes.allSatisfy { $0.ports == 0 })
    // The same in public, so that the line above can fail.
    let open = HeadMesh()
    for number in 0..<2 {
      try open.addNode { $0.dhtPort = 6_881 }
      open.nodes[number].swarm.follow(HeadMesh.key, now: .zero)
    }
    try open.meet(0)
    let other = try open.meet(1, peers: [0])
    try open.pass(.seconds(1))
    let publicPeers = open.nodes[1].swarm.peers(of: other)
    #expect(publicPeers.map(\.isEncrypted) == [false])
    #expect(open.nodes.allSatisfy { $0.ports == 1 })
  }

  /// A head is told in the group in which its dataset is followed, whatever other torrents say of whose they are.
  @Test func headsStayInTheirGroup() throws {
    for (followed, met) in [(Self.first, nil), (nil, Self.first), (Self.first, Self.second)]
      as [(ReadKey?, ReadKey?)]
    {
      let mesh = HeadMesh()
      for _ in 0..<2 { try mesh.addNode() }
      mesh.nodes[0].swarm.follow(
        HeadMesh.key, group: Self.group(followed), head: try HeadMesh.head(1), now: .zero)
      mesh.nodes[1].swarm.follow(HeadMesh.key, group: Self.group(met), now: .zero)
      try mesh.meet(0, readKey: met)
      try mesh.meet(1, peers: [0], readKey: met)
      try mesh.pass(.seconds(3))
      #expect(mesh.nodes[0].sentHeads.isEmpty)
      #expect(mesh.nodes[1].heads.isEmpty)
      #expect(mesh.nodes[0].follow(group: Self.group(met)) == .notFollowed)
      #expect(mesh.nodes[0].offer(try HeadMesh.head(2), mesh.now) == .newer)
      try mesh.pass(.seconds(3))
      #expect(mesh.nodes[1].heads.isEmpty)
    }
  }

  /// The peers of a dataset's torrents are known to its next torrent in the same group, and not elsewhere.
  @Test func peersAreKnownInTheirGroup() throws {
    let mesh = HeadMesh()
    let group = Self.group(Self.first)
    for number in 0..<2 {
      try mesh.addNode()
      mesh.nodes[number].swarm.follow(
        HeadMesh.key, group: group, head: try HeadMesh.head(1), now: .zero)
      try mesh.meet(number, peers: number == 1 ? [0] : [], readKey: Self.first)
    }
    try mesh.pass(.seconds(2))
    for (number, key) in Self.keys.enumerated() {
      var request = TorrentRequest(
        source: .infohash(v1: nil, v2: SHA256Digest(hashing: [UInt8(number)])), content: .owned)
      request.dataset = HeadMesh.key
      request.readKey = key
      let torrent = try mesh.nodes[0].swarm.add(request, now: mesh.now)
      let status = mesh.nodes[0].swarm.status(of: torrent)
      #expect(status?.knownPeers == (key == Self.first ? 1 : 0))
    }
  }

  /// There are as many groups as a node tries keys of, however many torrents each has; one that is gone makes room.
  @Test func groupsAreBounded() throws {
    let id = try #require(PeerID(Array("-SW0001-000000000000".utf8)))
    var swarm = Swarm(configuration: SwarmConfiguration(peerID: id), seed: 1)
    var count: UInt8 = 0
    var torrents: [TorrentID] = []
    func request(_ seed: Int) -> TorrentRequest {
      var request = TorrentRequest(
        source: .infohash(
          v1: nil, v2: SHA256Digest(hashing: [count, UInt8(seed % 251), UInt8(seed / 251)])),
        content: .owned)
      request.readKey = Self.key(UInt64(seed))
      return request
    }
    for seed in 0..<PrivateLimits.readKeys {
      torrents.append(try swarm.add(request(seed), now: .zero))
    }
    count = 1
    torrents.append(try swarm.add(request(0), now: .zero))
    var failure: SwarmError?
    do { _ = try swarm.add(request(PrivateLimits.readKeys), now: .zero) } catch { failure = error }
    #expect(failure == .tooManyGroups)
    swarm.remove(torrents[0], now: .zero)
    failure = nil
    do { _ = try swarm.add(request(PrivateLimits.readKeys), now: .zero) } catch { failure = error }
    #expect(failure == .tooManyGroups, "the group has one torrent more")
    swarm.remove(torrents[1], now: .zero)
    _ = try swarm.add(request(PrivateLimits.readKeys), now: .zero)
  }

  /// Who has said nothing has places of its own, fewer where others are connected.
  @Test func strangersHavePlaces() throws {
    let id = try #require(PeerID(Array("-SW0001-000000000000".utf8)))
    var configuration = SwarmConfiguration(peerID: id)
    configuration.connections = 16
    var swarm = Swarm(configuration: configuration, seed: 1)
    var places: [Int] = [swarm.strangerPlaces]
    for number in 0..<8 {
      let peer = swarm.accept(from: HeadMesh.endpoint(number), now: .zero)
      #expect(peer != nil)
      places.append(swarm.strangerPlaces)
    }
    #expect(places == [8, 8, 8, 8, 8, 8, 8, 7, 6])
  }
}
