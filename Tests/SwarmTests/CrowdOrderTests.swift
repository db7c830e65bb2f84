import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// What is fetched for others, and left to them, beside reads (docs/reads.md).
@Suite struct CrowdOrderTests {
  private static func content(_ world: CrowdWorld) throws -> Content {
    let found = world.node.swarm.torrent(world.torrent)?.data?.content
    return try #require(found)
  }

  /// Blocks that somebody waits for, in the order in which they are asked for.
  private static func urgent(_ world: CrowdWorld) throws -> [Int] {
    let entries = world.node.swarm.torrent(world.torrent)?.data?.picker.urgent.entries
    return try #require(entries).map { Int($0.block.rawValue) }
  }

  @Test func whatIsFetchedForOthersComesBehindReads() throws {
    let world = try CrowdWorld(readers: 1)
    _ = world.read(7)
    world.request(9, by: 0)
    _ = world.read(11)
    #expect(try Self.urgent(world) == [7, 11, 9])
    // Now it is read here, too.
    _ = world.read(9)
    #expect(try Self.urgent(world) == [7, 9, 11])
    world.request(3, by: 0)
    _ = world.read(20)
    #expect(try Self.urgent(world) == [7, 9, 11, 20, 3])
  }

  @Test func whatIsForeseenComesBehindReads() throws {
    let world = try CrowdWorld(readers: 1, readsAhead: true)
    world.tell(0, [1])
    _ = world.read(1)
    world.answer(world.readers[0])
    world.tell(0, [30])
    _ = world.read(40)
    #expect(try Self.urgent(world) == [40, 30])
    let relayed = world.node.swarm.torrent(world.torrent)?.data?.relayed.count
    #expect(relayed == 1)
    _ = world.read(30)
    _ = world.read(50)
    #expect(try Self.urgent(world) == [30, 40, 50])
  }

  /// A world with pieces of four blocks and one reader in step; a block read of the first piece of which
  /// it is, or is not, for the reader to fetch the rest.
  private static func led(byOther: Bool) throws -> (CrowdWorld, PieceIndex) {
    let world = try CrowdWorld(readers: 1, pieceBlocks: 4)
    let geometry = try content(world).geometry
    let other = try world.peer(world.readers[0])
    other.readsUntil = .seconds(60)
    other.inStepUntil = .seconds(60)
    let piece = try #require(
      geometry.pieces.first { piece in
        let first = geometry.blocks(of: piece)[0]
        return (world.node.swarm.leader(of: first, in: [other]) != nil) == byOther
      })
    _ = world.read(Int(geometry.blocks(of: piece)[0].rawValue))
    return (world, piece)
  }

  private static func ledPieces(_ world: CrowdWorld) throws -> [PieceIndex]? {
    let found = world.node.swarm.torrent(world.torrent)
    let torrent = try #require(found)
    return world.node.swarm.ledPieces(of: try world.peer(world.seed), torrent)
  }

  @Test func eachFetchesTheRestOfItsPieces() throws {
    let (own, piece) = try Self.led(byOther: false)
    #expect(try Self.ledPieces(own) == [piece])
    #expect(own.asked(own.seed).count >= 3, "all but what is read, perhaps")
    let (left, _) = try Self.led(byOther: true)
    #expect(try Self.ledPieces(left) == [])
    #expect(left.asked(left.seed).count <= 1, "what is read at the most")
  }

  @Test func whatProvesABlockIsNotLeftToOthers() throws {
    let (world, piece) = try Self.led(byOther: true)
    let seed = try world.peer(world.seed)
    seed.trial = Peer.Trial(piece: piece, since: world.node.now)
    #expect(try Self.ledPieces(world) == [piece])
    seed.trial = nil
    #expect(try Self.ledPieces(world) == [])
    try Self.content(world).work(for: piece).isWhole = true
    #expect(try Self.ledPieces(world) == [piece])
  }

  /// Who read in a piece before us, and not at the same time, fetches the rest of it; who came behind
  /// us does not.
  @Test(arguments: [true, false]) func whoCameFirstFetchesTheRest(isOther: Bool) throws {
    let world = try CrowdWorld(readers: 1, pieceBlocks: 4)
    let node = world.node
    if isOther { world.tell(0, [2]) }
    node.pass(.seconds(1))
    _ = world.read(8)
    if !isOther {
      node.pass(.seconds(1))
      world.tell(0, [2])
    }
    let piece = try #require(try Self.content(world).geometry.piece(2))
    let isInStep = node.swarm.isInStep(try world.peer(world.readers[0]))
    #expect(!isInStep)
    #expect(try Self.ledPieces(world) == (isOther ? [] : [piece]))
    // It reads no more.
    try world.peer(world.readers[0]).readsUntil = node.now
    #expect(try Self.ledPieces(world) == nil)
  }

  /// A peer that says nothing while somebody waits is gone; the only one has more time.
  @Test(arguments: [0, 1]) func theOnlySourceIsNotClosedSoon(others: Int) throws {
    let world = try CrowdWorld(readers: others)
    let node = world.node
    _ = world.read(3)
    #expect(world.asked(world.seed) == [3])
    node.pass(ReadLimits.deadTime + .seconds(2))
    #expect(node.closed.contains(world.seed) == (others > 0))
    node.pass(ReadLimits.deadTimeAlone)
    #expect(node.closed.contains(world.seed))
  }
}
