import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// Seeds that know the leaf hashes of a piece only when they have read it, as libtorrent does that takes its
/// content for right: before, they refuse. BEP 52, "hash reject".
@Suite struct LateHashesTests {
  /// A file of zeros, 16 pieces of four blocks or as many as it has, and a seed.
  private struct World {
    let node: ReviewNode
    let torrent: TorrentID
    let seed: ConnectionID
    /// The hash of each layer, from the leaves on.
    let layers: [SHA256Digest]

    /// - Parameters:
    ///   - speaksReads: the seed speaks `sw_reads`, so it is one of ours.
    ///   - isClaimed: all blocks are said to be here.
    init(speaksReads: Bool = false, blocks: Int = 64, isClaimed: Bool = false) throws {
      let top = blocks.trailingZeroBitCount
      var layers = [SHA256Digest(hashing: [UInt8](repeating: 0, count: blockLength))]
      for layer in 0..<top {
        let below = layers[layer].bytes
        layers.append(SHA256Digest(hashing: below + below))
      }
      self.layers = layers
      let name = try PathElement(Array("image".utf8))
      var entry = FileEntry(path: try ContentPath([name]), length: UInt64(blocks * blockLength))
      entry.piecesRoot = layers[top]
      let description = TorrentDescription(
        kind: .v2, name: name, isSingleFile: true, pieceLength: UInt32(4 * blockLength),
        files: [entry], pieceLayers: [:])
      let info = try description.infoDictionary()
      node = try ReviewNode()
      var request = TorrentRequest(
        source: .torrent(info, [:]), content: isClaimed ? .inPlace(claimsAll: true) : .owned)
      if isClaimed {
        node.evidence = FileEvidence(
          size: UInt64(blocks * blockLength), modified: 1, changed: 1, inode: 1)
      } else {
        request.reading = .sparse
        request.reading.readsAhead = false
        request.reading.completesPieces = false
      }
      torrent = try node.swarm.add(request, now: .zero)
      node.drain()
      seed = try node.join(1, try #require(info.infohashV2?.truncated))
      node.receive(seed, node.message(.haveAll) + node.message(.unchoke))
      if speaksReads {
        var handshake = ExtensionHandshake()
        handshake.extensions = [.reads: 9]
        let payload = handshake.encoded
        node.receive(
          seed,
          node.message(.extended(id: 0, byteCount: payload.count), body: payload))
      }
      node.drain()
    }

    func peer() throws -> Peer { try node.peer(seed) }

    func read(_ block: Int) -> ReadID { node.read(block: block, of: torrent) }

    /// What the seed was asked for hashes of leaves since it was looked last.
    func askedLeaves() -> [HashRequest] { asked().filter { $0.baseLayer == 0 } }

    /// What it was asked for hashes since then.
    func asked() -> [HashRequest] {
      defer { node.sends[seed] = [] }
      return node.sends[seed, default: []].joined().compactMap {
        if case .hash(.request(let request)) = $0 { request } else { nil }
      }
    }

    func refuse(_ request: HashRequest) {
      node.receive(seed, node.message(.hash(.reject(request))))
      node.drain()
    }

    func answer(_ request: HashRequest) {
      let steps = request.length.trailingZeroBitCount
      let base = Int(request.baseLayer)
      let top = base + Int(request.proofLayers)
      var hashes = [SHA256Digest](repeating: layers[base], count: Int(request.length))
      if base + steps <= top { hashes += layers[(base + steps)...top] }
      let response = HashResponse(request: request, hashes: hashes)
      node.receive(seed, node.message(.hash(.hashes(response))))
      node.drain()
    }

    func giveBlock() throws {
      let request = try #require(node.requests[seed]?.first)
      node.requests[seed]?.removeFirst()
      node.receive(
        seed, node.message(.piece(request)) + [UInt8](repeating: 0, count: Int(request.length)))
      node.drain()
    }
  }

  @Test func refusedHashesAreAskedForAgainBehindTheBlock() throws {
    let world = try World()
    let first = world.read(5)
    let refused = try #require(world.askedLeaves().first)
    world.refuse(refused)
    #expect(world.askedLeaves().isEmpty, "it has not read the piece")
    try world.giveBlock()
    #expect(world.askedLeaves() == [refused])
    #expect(world.node.ended[first] == nil)
    world.answer(refused)
    #expect(world.node.ended[first] == .some(nil))
    // Now it is known as such a peer: it gets the time to read before it is asked.
    let second = world.read(21)
    #expect(world.askedLeaves().isEmpty)
    #expect(world.node.requests[world.seed]?.count == 1)
    world.node.pass(ReadLimits.readingTime)
    let asked = world.askedLeaves()
    #expect(asked.count == 1)
    let peer = try world.peer()
    #expect(peer.overdue == 0, "that was not a late answer")
    try world.giveBlock()
    world.answer(try #require(asked.first))
    #expect(world.node.ended[second] == .some(nil))
    // A block that comes before that is proven all the same.
    let third = world.read(33)
    try world.giveBlock()
    let soon = world.askedLeaves()
    #expect(soon.count == 1)
    world.answer(try #require(soon.first))
    #expect(world.node.ended[third] == .some(nil))
    // One that needs longer gets longer.
    _ = world.read(40)
    world.node.pass(ReadLimits.readingTime)
    world.refuse(try #require(world.askedLeaves().first))
    #expect(peer.readingTime == ReadLimits.readingTime * 2)
    try world.giveBlock()
    #expect(world.askedLeaves().count == 1)
  }

  /// What others would send before the block need not be asked of ours with it.
  @Test(arguments: [false, true])
  func firstBlockOfOursComesWithoutThePieceLayer(isOurs: Bool) throws {
    let world = try World(speaksReads: isOurs)
    let read = world.read(5)
    let asked = world.asked()
    #expect(asked.count { $0.baseLayer == 2 } == (isOurs ? 0 : 1))
    try world.giveBlock()
    world.answer(try #require(asked.first { $0.baseLayer == 0 }))
    #expect(world.node.ended[read] == .some(nil))
    _ = world.read(21)
    #expect(world.asked().count { $0.baseLayer == 2 } == (isOurs ? 1 : 0))
  }

  @Test func whoRefusesForGoodIsAskedTwiceAndNoMore() throws {
    let world = try World()
    let read = world.read(5)
    let refused = try #require(world.askedLeaves().first)
    world.refuse(refused)
    try world.giveBlock()
    #expect(world.askedLeaves() == [refused])
    world.refuse(refused)
    #expect(world.askedLeaves().isEmpty)
    let peer = try world.peer()
    #expect(peer.readingTime == nil)
    #expect(world.node.ended[read] == nil)
    #expect(!world.node.closed.contains(world.seed))
  }

  /// What is said to be here is proven as soon as somebody comes who knows the hashes, however much it is.
  @Test(arguments: [64, 2_048])
  func claimsThatNobodyCouldProveAreProvenWhenSomebodyComes(blocks: Int) throws {
    let world = try World(blocks: blocks, isClaimed: true)
    var answered = 0
    while case let asked = world.asked(), !asked.isEmpty {
      answered += asked.count
      for request in asked { world.answer(request) }
    }
    #expect(answered > 0)
    let left = world.node.swarm.status(of: world.torrent).map { $0.wantedBytes - $0.doneBytes }
    #expect(left == 0 && world.node.now == .zero)
  }
}
