import Discovery
import Glibc
import Metainfo
import Store
import Swarm
import Testing
import Wire

@testable import SwarmNode

/// Nodes that find each other by a DHT of their own, over loopback.
@Suite(.serialized) struct NodeDiscoveryTests {
  private func node(
    on loop: EventLoop, _ number: UInt8, knowing other: UInt16? = nil, log: Log = .none
  ) throws -> Node {
    let name = try #require(PeerID([UInt8](repeating: number, count: 20)))
    let home = IPv4Address(rawValue: 0x7f00_0001)
    var configuration = NodeConfiguration(
      swarm: SwarmConfiguration(peerID: name),
      listen: [ListenAddress(address: .v4(home), port: 0)], log: log)
    var discovery = DiscoveryConfiguration()
    discovery.usesLocalNetwork = false
    discovery.bootstrapNodes = other.map { [PeerAddress(host: .ipv4(home), port: $0)] } ?? []
    discovery.dht.enforcesNodeIDs = false
    discovery.dht.limitsNetworks = false
    configuration.discovery = discovery
    return try Node(on: loop, configuration: configuration)
  }

  /// A torrent by its infohash alone: found in the DHT, fetched, and announced by a seed as a seed.
  @Test func aLeechFindsASeed() throws {
    let folder = TemporaryFolder()
    folder.write([UInt8](repeating: 7, count: 200_000), to: "data/file")
    let loop = EventLoop()
    let importer = try ContentImport(
      path: folder("data"), name: Array("data".utf8),
      options: ImportOptions(kind: .v2, pieceLength: 65_536))
    var outcome: TorrentDescription?
    importer.start(on: loop) { outcome = try? $0.get() }
    loop.run()
    let description = try #require(outcome)
    let info = try description.infoDictionary()

    let hub = try node(on: loop, 3)
    let seed = try node(on: loop, 1, knowing: hub.endpoints[0].port)
    let leech = try node(on: loop, 2, knowing: hub.endpoints[0].port)
    let shared = try seed.add(
      TorrentRequest(
        source: .torrent(info, description.pieceLayers),
        content: .proven(leaves: importer.leaves))
    ) { info, _ in try .inPlace(info, at: folder("data"), maps: folder("seed-maps")) }
    // Who looks before the seed has announced waits a minute before it looks again.
    var hasBegun = false
    let ticker = EventTimer(on: loop, everyMilliseconds: 20) {
      guard !hasBegun, hub.discoveryStatus?.dht.status?.peers ?? 0 > 0 else { return }
      hasBegun = true
      _ = try? leech.add(
        TorrentRequest(source: .infohash(v1: nil, v2: info.infohashV2), content: .owned)
      ) { info, _ in .owned(info, in: folder("target"), maps: folder("leech-maps")) }
    }
    var isFinished = false
    var status: DiscoveryStatus?
    var end: () -> Void = {}
    let guardian = DeadlineTimer(on: loop) { end() }
    guardian.set(milliseconds: 60_000)
    end = {
      guardian.close()
      ticker.cancel()
      for node in [hub, seed, leech] { node.stop {} }
    }
    leech.onNotice = { notice in
      guard case .finished = notice else { return }
      isFinished = true
      status = leech.discoveryStatus
      end()
    }
    loop.run()
    #expect(isFinished)
    let dht = try #require(status?.dht.status)
    #expect(dht.v4?.goodNodes ?? 0 > 0 && dht.v6 == nil && !dht.isBootstrapping)
    guard case .off? = status?.localNetwork, case .impossible? = status?.mappings else {
      Issue.record("\(String(describing: status))")
      return
    }
    #expect(seed.status(of: shared) == nil && seed.discoveryStatus == nil)
  }

  /// A head that one offers comes to another that follows its key.
  @Test func aHeadIsFound() throws {
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 3, count: 32)))
    let head = try Head(version: 1, infohash: SHA256Digest(hashing: [1]), signedBy: secret)
    let loop = EventLoop()
    let publisher = try node(on: loop, 1)
    let follower = try node(on: loop, 2, knowing: publisher.endpoints[0].port)
    var found: [MutableItem] = []
    var end: () -> Void = {}
    let guardian = DeadlineTimer(on: loop) { end() }
    guardian.set(milliseconds: 60_000)
    end = {
      guardian.close()
      for node in [publisher, follower] { node.stop {} }
    }
    follower.onNotice = { notice in
      guard case .head(_, let item) = notice else { return }
      found.append(item)
      end()
    }
    publisher.follow(secret.key, head: nil)
    publisher.offer(head.item, isOurs: true)
    follower.follow(secret.key, head: nil)
    loop.run()
    #expect(found == [head.item])
    // What is asked of a node that has stopped is nothing.
    follower.follow(secret.key, head: nil)
    follower.offer(head.item, isOurs: false)
  }

  /// Of a private dataset the DHT has a head that those find and read who have the read key, and nothing
  /// under its own key.
  @Test func aPrivateHeadIsFoundByItsReadKey() throws {
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 3, count: 32)))
    let readKey = try #require(ReadKey([UInt8](repeating: 5, count: 32)))
    let head = try Head(version: 4, infohash: SHA256Digest(hashing: [1]), signedBy: secret)
    let loop = EventLoop()
    let publisher = try node(on: loop, 1)
    let follower = try node(on: loop, 2, knowing: publisher.endpoints[0].port)
    let stranger = try node(on: loop, 3, knowing: publisher.endpoints[0].port)
    var found: [MutableItem] = []
    var stored: [MutableItem] = []
    var isSeen = false
    var end: () -> Void = {}
    let guardian = DeadlineTimer(on: loop) { end() }
    guardian.set(milliseconds: 60_000)
    end = {
      guardian.close()
      for node in [publisher, follower, stranger] { node.stop {} }
    }
    stranger.onNotice = { if case .head = $0 { isSeen = true } }
    var sealed: [MutableItem] = []
    follower.onSealedHead = { key, item in
      #expect(key == secret.key)
      sealed.append(item)
    }
    publisher.onHeadStored = { item, nodes in if nodes > 0 { stored.append(item) } }
    follower.onNotice = { notice in
      guard case .head(_, let item) = notice else { return }
      found.append(item)
      end()
    }
    publisher.follow(secret.key, head: nil, readKey: readKey)
    publisher.offer(head.item, isOurs: true, secret: secret)
    stranger.follow(secret.key, head: nil)
    follower.follow(secret.key, head: nil, readKey: readKey)
    loop.run()
    #expect(found == [head.item] && !isSeen)
    // It can be stored again by who has it, from this run or another.
    let box = try #require(SealedHeadBox(secret.key, readKey))
    #expect(try !sealed.isEmpty && sealed.allSatisfy { try box.open($0) == head })
    // What is told of it is the head, not its disguise.
    #expect(stored.allSatisfy { $0 == head.item })
  }

  /// A private dataset's torrents are looked for by its discovery id, and what is found is told to all of
  /// them; its infohashes lead nowhere.
  @Test func privateTorrentsAreLookedForByTheirGroup() throws {
    let readKey = try #require(ReadKey([UInt8](repeating: 5, count: 32)))
    let digests = (0..<3).map { SHA256Digest(hashing: [UInt8($0)]) }
    let loop = EventLoop()
    let hub = try node(on: loop, 1)
    let one = try node(on: loop, 2, knowing: hub.endpoints[0].port)
    let two = try node(on: loop, 3, knowing: hub.endpoints[0].port)
    func add(_ digest: SHA256Digest, to node: Node, _ readKey: ReadKey?) throws -> TorrentID {
      var request = TorrentRequest(source: .infohash(v1: nil, v2: digest), content: .owned)
      request.readKey = readKey
      return try node.add(request) { _, _ in throw SwarmError.nothingNamed }
    }
    _ = try add(digests[0], to: one, readKey)
    _ = try add(digests[1], to: one, readKey)
    var added: [TorrentID] = []
    var open: TorrentID?
    var late: TorrentID?
    var known: [Int] = []
    var end: () -> Void = {}
    let ticker = EventTimer(on: loop, everyMilliseconds: 20) {
      guard hub.discoveryStatus?.dht.status?.peers ?? 0 > 0 else { return }
      if added.isEmpty {
        added = digests[1...].compactMap { try? add($0, to: two, readKey) }
        open = try? add(digests[0], to: hub, nil)
      }
      known = added.map { two.status(of: $0)?.knownPeers ?? 0 }
      guard known.allSatisfy({ $0 > 0 }) else { return }
      late = late ?? (try? add(digests[0], to: two, readKey))
      known.append(late.flatMap { two.status(of: $0)?.knownPeers } ?? 0)
      known.append(open.flatMap { hub.status(of: $0)?.knownPeers } ?? -1)
      end()
    }
    let guardian = DeadlineTimer(on: loop) { end() }
    guardian.set(milliseconds: 60_000)
    end = {
      guardian.close()
      ticker.cancel()
      for node in [hub, one, two] { node.stop {} }
    }
    loop.run()
    // Two of the group, one that came later, and one by its infohash alone.
    #expect(known.count == 4 && known.prefix(3).allSatisfy { $0 > 0 }, "\(known)")
    #expect(known.last == 0, "\(known)")
  }

  /// Its end, at any time, leaves nothing on the loop: else the loop could not be dropped.
  @Test func nodesEndAtOnce() throws {
    for turns in 0..<6 {
      let loop = EventLoop()
      let node = try node(on: loop, 1, knowing: 9)
      _ = try node.add(
        TorrentRequest(source: .infohash(v1: SHA1Digest(hashing: [1]), v2: nil), content: .owned)
      ) { _, _ in
        throw SwarmError.nothingNamed
      }
      var hasEnded = false
      if turns == 0 {
        node.stop { hasEnded = true }
      } else {
        let timer = DeadlineTimer(on: loop) { node.stop { hasEnded = true } }
        timer.set(milliseconds: UInt64(turns * 7))
        loop.run()
        timer.close()
      }
      loop.run()
      #expect(hasEnded && node.discoveryStatus == nil)
    }
  }
}

@Suite struct LinkScopeTests {
  private func local(_ number: Int) -> IPAddress {
    .v6(IPv6Address(high: 0xfe80 << 48, low: UInt64(number)))
  }

  @Test func theNewestWordCountsAndTheOldestIsForgotten() {
    var scopes = LinkScopes()
    #expect(scopes[local(1)] == nil)
    scopes.met(local(1), on: 3)
    scopes.met(local(1), on: 0)
    #expect(scopes[local(1)] == 3)
    scopes.met(local(1), on: 4)
    #expect(scopes[local(1)] == 4)
    for number in 2...NetLimits.linkScopes { scopes.met(local(number), on: 5) }
    #expect(scopes[local(1)] == 4)
    scopes.met(local(0), on: 5)
    #expect(scopes[local(1)] == nil && scopes[local(2)] == 5)
  }

  /// Nobody listens any more: nothing is left on the loop.
  @Test func theWatchEndsWithItsLastListener() throws {
    let loop = EventLoop()
    let watch = try #require(NetworkWatch(on: loop))
    let first = watch.listen {}
    let second = watch.listen {}
    watch.stop(first)
    watch.stop(first)
    watch.stop(second)
    loop.run()
  }
}

@Suite struct FolderChangesTests {
  @Test func whatDiffersIsCountedAndNamed() throws {
    let folder = TemporaryFolder()
    for name in ["data/a", "data/b", "data/sub/c", "data/z"] { folder.write([1, 2], to: name) }
    let before = ContentRecord.items(of: try FolderScanner.scan(folder("data")))
    func look() -> FolderChanges { .look(at: folder("data"), since: before) }
    #expect(look() == FolderChanges())
    folder.write([1, 2, 3], to: "data/b")
    #expect(look().count == 1 && look().first == [Array("b".utf8)])
    folder.write([], to: "data/sub/d")
    folder.write([], to: "data/new/e")
    _ = folder("data/z").withCPath { Glibc.remove($0) }
    // The new folder itself is no file.
    #expect(look().count == 4)
    #expect(look().first == ["b", "new/e", "sub/d", "z"].map { Array($0.utf8) })
    for number in 0..<20 { folder.write([], to: "data/f\(number)") }
    #expect(look().count == 24 && look().first.count == FolderChanges.named)
    #expect(FolderChanges.look(at: folder("none"), since: before).fault?.contains("none") == true)
  }

  @Test func aFileByItself() throws {
    let folder = TemporaryFolder()
    folder.write([1], to: "image")
    let before = ContentRecord.items(of: try FolderScanner.scan(folder("image")))
    #expect(FolderChanges.look(at: folder("image"), since: before) == FolderChanges())
    folder.write([1, 2], to: "image")
    let changes = FolderChanges.look(at: folder("image"), since: before)
    #expect(changes.count == 1 && changes.first == [[]])
  }
}
