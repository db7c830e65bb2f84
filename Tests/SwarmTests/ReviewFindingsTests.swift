import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// Findings of a review, each as a test that fails while the fault is there.
struct ReviewFindingsTests {
  static func v1Info(pieceLength: Int, pieces: Int) throws -> InfoDictionary {
    let digest = SHA1Digest(hashing: [UInt8](repeating: 0, count: pieceLength))
    let head =
      "d6:lengthi\(pieceLength * pieces)e4:name1:a12:piece lengthi\(pieceLength)e"
      + "6:pieces\(20 * pieces):"
    return try InfoDictionary(
      parsing: Array(head.utf8) + (0..<pieces).flatMap { _ in digest.bytes } + Array("e".utf8))
  }

  @Test func torrentBehindTheHalfOpenLimitIsTriedLater() throws {
    let node = try ReviewNode()
    func add(_ name: String, _ peers: Range<Int>) throws {
      var request = TorrentRequest(
        source: .infohash(v1: SHA1Digest(hashing: Array(name.utf8)), v2: nil), content: .owned)
      request.peers = peers.map(ReviewNode.endpoint)
      _ = try node.swarm.add(request, now: node.now)
      node.drain()
    }
    for torrent in 0..<3 { try add("busy\(torrent)", torrent * 8..<torrent * 8 + 8) }
    try add("late", 100..<101)
    // All the others fail for good.
    for _ in 0..<40 {
      node.pass(.seconds(15))
      for (id, _) in node.connects {
        if node.swarm.peer(id) == nil { continue }
        node.swarm.disconnected(id, reason: "refused", now: node.now)
        node.drain()
      }
    }
    #expect(!node.wasBusy, "the deadline stands still")
    #expect(node.connects.contains { $0.endpoint == ReviewNode.endpoint(100) })
  }

  @Test func metadataQuestionsInOneChunkCostBoundedMemory() throws {
    let node = try ReviewNode()
    node.takesBytes = false
    let info = try Self.v1Info(pieceLength: 16_384, pieces: 4_000)
    _ = try node.swarm.add(
      TorrentRequest(source: .torrent(info, [:]), content: .owned), now: node.now)
    node.drain()
    let id = try node.join(1, try #require(info.infohashV1))
    var hello = ExtensionHandshake()
    hello.extensions = [.metadata: 1]
    let payload = hello.encoded
    node.receive(id, node.message(.extended(id: 0, byteCount: payload.count), body: payload))
    node.drain()
    let ask = MetadataMessage.request(piece: 0).encoded
    let one = node.message(.extended(id: 1, byteCount: ask.count), body: ask)
    let chunk = (0..<20_000).flatMap { _ in one }
    node.receive(id, chunk)
    node.drain()
    #expect(node.outgoing[id, default: 0] < 16 << 20, "\(chunk.count) bytes in")
  }

  @Test func peerThatReadsNothingIsGivenUp() throws {
    let node = try ReviewNode()
    node.takesBytes = false
    let info = try Self.v1Info(pieceLength: 16_384, pieces: 100)
    _ = try node.swarm.add(
      TorrentRequest(source: .torrent(info, [:]), content: .owned), now: node.now)
    node.drain()
    let id = try node.join(1, try #require(info.infohashV1))
    let one = node.message(.request(BlockRequest(piece: 0, begin: 0, length: 16_384)))
    let chunk = (0..<50_000).flatMap { _ in one }
    for _ in 0..<20 {
      node.receive(id, chunk)
      node.drain()
      node.pass(.seconds(1))
    }
    #expect(node.closed.contains(id), "\(node.outgoing[id, default: 0]) bytes are kept for it")
  }

  @Test func slowPeersOfAV1TorrentFinish() throws {
    let node = try ReviewNode()
    let pieceLength = 4 << 20
    let pieces = 48
    let info = try Self.v1Info(pieceLength: pieceLength, pieces: pieces)
    node.sha1 = SHA1Digest(hashing: [UInt8](repeating: 0, count: pieceLength))
    _ = try node.swarm.add(
      TorrentRequest(source: .torrent(info, [:]), content: .owned), now: node.now)
    node.drain()
    var peers: [ConnectionID] = []
    for number in 1...40 {
      let id = try node.join(number, try #require(info.infohashV1))
      node.receive(id, node.message(.haveAll) + node.message(.unchoke))
      node.drain()
      peers.append(id)
    }
    var given = 0
    var paused = 0
    for _ in 0..<2_000 where !node.finished {
      node.pass(.milliseconds(100))
      for id in peers where node.swarm.peer(id) != nil {
        guard node.swarm.wantsInput(id) else {
          paused += 1
          continue
        }
        guard let request = node.requests[id]?.first else { continue }
        node.requests[id]?.removeFirst()
        node.giveSlowly(id, request)
        given += 1
      }
    }
    #expect(
      node.finished,
      """
      \(given) blocks given of \(pieces * pieceLength / 16_384), \(paused) times paused, \
      \(node.swarm.pool.freeCount) buffers free, \(node.swarm.heldBlocks) held, \
      \(node.swarm.torrents[0]!.data!.have.count) pieces here, \
      \(node.swarm.torrents[0]!.wastedBytes >> 20) MiB wasted
      """)
  }

  @Test func twoV1TorrentsFinish() throws {
    let node = try ReviewNode()
    let pieceLength = 4 << 20
    node.sha1 = SHA1Digest(hashing: [UInt8](repeating: 0, count: pieceLength))
    var peers: [ConnectionID] = []
    for torrent in 0..<3 {
      let info = try Self.v1Info(pieceLength: pieceLength, pieces: 24 + torrent)
      _ = try node.swarm.add(
        TorrentRequest(source: .torrent(info, [:]), content: .owned), now: node.now)
      node.drain()
      for number in 1...20 {
        let id = try node.join(torrent * 100 + number, try #require(info.infohashV1))
        node.receive(id, node.message(.haveAll) + node.message(.unchoke))
        node.drain()
        peers.append(id)
      }
    }
    var given = 0
    for _ in 0..<3_000 {
      node.pass(.milliseconds(10))
      for id in peers where node.swarm.peer(id) != nil && node.swarm.wantsInput(id) {
        guard let request = node.requests[id]?.first else { continue }
        node.requests[id]?.removeFirst()
        // In one read: no pool buffer is needed.
        node.receive(
          id, node.message(.piece(request)) + [UInt8](repeating: 0, count: Int(request.length)))
        node.drain()
        given += 1
      }
    }
    let here = node.swarm.torrents.map { $0!.data!.have.count }
    #expect(
      here == [24, 25, 26],
      "\(given) blocks given, \(node.swarm.heldBlocks) held, \(here) pieces here")
  }

  @Test func peerThatHasAndHasNotIsCheap() throws {
    let node = try ReviewNode()
    let info = try Self.v1Info(pieceLength: 16_384, pieces: 10_000)
    _ = try node.swarm.add(
      TorrentRequest(source: .torrent(info, [:]), content: .owned), now: node.now)
    node.drain()
    let id = try node.join(1, try #require(info.infohashV1))
    node.receive(id, node.message(.haveAll))
    node.drain()
    let without = DontHaveMessage(piece: 0).encoded
    let pair =
      node.message(.extended(id: 3, byteCount: without.count), body: without)
      + node.message(.have(piece: 0))
    let chunk = (0..<1_500).flatMap { _ in pair }
    let clock = ContinuousClock()
    let time = clock.measure { node.receive(id, chunk) }
    node.drain()
    node.pass(.seconds(1))
    #expect(node.closed.contains(id), "\(chunk.count) bytes cost \(time), and it may go on")
  }

  static func seed(
    _ node: ReviewNode, pieces: Int, holds: Bool = false
  ) throws -> (TorrentID, SHA1Digest) {
    let info = try v1Info(pieceLength: 65_536, pieces: pieces)
    node.evidence = FileEvidence(
      size: UInt64(pieces * 65_536), modified: 1, changed: 1, inode: 1)
    node.holdsDisk = holds
    let torrent = try node.swarm.add(
      TorrentRequest(source: .torrent(info, [:]), content: .proven(leaves: [])), now: node.now)
    node.drain()
    return (torrent, try #require(info.infohashV1))
  }

  @Test func limitedUploadIsShared() throws {
    let node = try ReviewNode { $0.uploadLimit = 256 << 10 }
    let (_, infohash) = try Self.seed(node, pieces: 200)
    var peers: [ConnectionID] = []
    for number in 1...4 {
      let id = try node.join(number, infohash)
      node.receive(id, node.message(.haveNone) + node.message(.interested))
      node.drain()
      var requests: [UInt8] = []
      for block in 0..<400 as Range<UInt32> {
        let request = BlockRequest(piece: block / 4, begin: block % 4 * 16_384, length: 16_384)
        requests += node.message(.request(request))
      }
      node.receive(id, requests)
      node.drain()
      peers.append(id)
    }
    node.pass(.seconds(20))
    let blocks = peers.map { node.blocksTo[$0, default: 0] }
    #expect(blocks.min()! * 4 >= blocks.max()!, "\(blocks)")
  }

  @Test func readBegunBeforeTheContentIsOpenIsAnswered() throws {
    let node = try ReviewNode()
    let (torrent, _) = try Self.seed(node, pieces: 20, holds: true)
    let read = node.swarm.read(
      0..<16_384, of: 0, in: torrent, timeout: .seconds(5), now: node.now)
    node.drain()
    node.holdsDisk = false
    while !node.heldOperations.isEmpty {
      let held = node.heldOperations
      node.heldOperations = []
      for (torrent, operation) in held { node.carry(torrent, operation) }
      node.drain()
    }
    node.pass(.seconds(10))
    #expect(node.ended[read] == .some(nil), "\(String(describing: node.ended[read]))")
  }

  @Test func peerThatAReadNeedsIsKept() throws {
    let node = try ReviewNode()
    let info = try Self.v1Info(pieceLength: 65_536, pieces: 20)
    var request = TorrentRequest(source: .torrent(info, [:]), content: .owned)
    request.wanted = { _, _ in false }
    let torrent = try node.swarm.add(request, now: node.now)
    node.drain()
    let id = try node.join(1, try #require(info.infohashV1))
    node.receive(id, node.message(.haveAll) + node.message(.unchoke))
    node.drain()
    node.pass(.seconds(4))
    _ = node.swarm.read(0..<16_384, of: 0, in: torrent, timeout: .seconds(60), now: node.now)
    node.drain()
    // What proves a block of v1 is its piece.
    #expect(node.requests[id]?.count == 4)
    node.pass(.seconds(3))
    #expect(!node.closed.contains(id))
  }
}
