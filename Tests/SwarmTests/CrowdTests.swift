import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// Nodes that read the same at the same time, and tell each other (docs/reads.md).
@Suite struct CrowdTests {
  @Test func whatIsReadIsToldToReadersOnly() throws {
    let world = try CrowdWorld(readers: 2)
    let read = world.read(7)
    #expect(world.asked(world.seed) == [7])
    #expect(world.told(world.readers[0]) == 1 && world.told(world.readers[1]) == 1)
    #expect(world.told(world.seed) == 0)
    world.answer(world.seed)
    #expect(world.node.ended[read] == .some(nil))
  }

  @Test func whoToldIsAskedAndTheSeedSpared() throws {
    let world = try CrowdWorld(readers: 2)
    world.tell(1, [5])
    _ = world.read(5)
    #expect(world.asked(world.readers[1]) == [5])
    #expect(world.asked(world.seed).isEmpty)
    #expect(world.told(world.readers[0]) == 0, "it has not got it")
    world.answer(world.readers[1])
    #expect(world.told(world.readers[0]) == 1, "now it has")
  }

  @Test func requestWaitsForTheBlock() throws {
    let world = try CrowdWorld(readers: 2)
    _ = world.read(7)
    world.request(7, by: 0)
    #expect(world.rejected(world.readers[0]).isEmpty)
    #expect(world.node.blocksTo[world.readers[0]] == nil)
    world.answer(world.seed)
    #expect(world.node.blocksTo[world.readers[0]] == 1)
    // What is here alone in its piece is given, too; what is not wanted by anybody is not fetched.
    world.request(7, by: 1)
    #expect(world.node.blocksTo[world.readers[1]] == 1)
    world.node.pass(.seconds(3))
    world.request(20, by: 1)
    #expect(world.rejected(world.readers[1]) == [20])
    #expect(world.asked(world.seed).isEmpty)
  }

  @Test func blockIsFetchedForOthersWhileSomebodyReads() throws {
    let world = try CrowdWorld(readers: 1)
    _ = world.read(7)
    world.request(9, by: 0)
    #expect(world.asked(world.seed) == [7, 9])
    world.answer(world.seed)
    world.answer(world.seed)
    #expect(world.node.blocksTo[world.readers[0]] == 1)
    let found = world.node.swarm.torrent(world.torrent)?.data
    let data = try #require(found)
    #expect(data.relayed.isEmpty && data.parked.isEmpty && data.parkedRequests == 0)
    #expect(data.picker.urgent.isEmpty)
  }

  @Test func requestsDoNotWaitForEver() throws {
    let world = try CrowdWorld(readers: 2)
    _ = world.read(7)
    world.request(7, by: 0)
    world.request(7, by: 1)
    let node = world.node
    let cancel = BlockRequest(piece: 7, begin: 0, length: UInt32(blockLength))
    node.receive(world.readers[1], node.message(.cancel(cancel)))
    node.drain()
    #expect(world.rejected(world.readers[1]) == [7])
    node.pass(.seconds(5))
    #expect(world.rejected(world.readers[0]) == [7])
    node.swarm.disconnected(world.readers[0], reason: "gone", now: node.now)
    node.drain()
    let parked = node.swarm.torrent(world.torrent)?.data?.parkedRequests
    #expect(parked == 0)
  }

  @Test func lateAnswerIsHedgedAndTheLateOnePassedOver() throws {
    let world = try CrowdWorld(readers: 1)
    let node = world.node
    world.tell(0, [5, 6])
    let read = world.read(5)
    node.pass(.milliseconds(100))
    #expect(world.asked(world.seed).isEmpty)
    node.pass(.milliseconds(150))
    #expect(world.asked(world.seed) == [5], "later than four times the usual time")
    world.answer(world.seed)
    #expect(node.ended[read] == .some(nil))
    let late = try world.peer(world.readers[0])
    let first = try #require(late.slow?.until)
    #expect(first > node.now && first <= node.now + ReadLimits.slowTime)
    // Nothing is got through it for a while, and then for longer when it is late again.
    world.tell(0, [8])
    _ = world.read(8)
    #expect(world.asked(world.seed) == [8])
    world.answer(world.seed)
    node.pass(.seconds(3))
    world.tell(0, [9])
    _ = world.read(9)
    #expect(world.asked(world.seed).isEmpty)
    node.pass(.milliseconds(300))
    #expect(world.asked(world.seed) == [9])
    let second = try #require(late.slow?.until)
    #expect(second > node.now + ReadLimits.slowTime)
  }

  @Test func whoHasSaidNothingSinceItWasLateIsPassedOver() throws {
    let world = try CrowdWorld(readers: 1)
    let node = world.node
    world.tell(0, [5, 6, 7])
    _ = world.read(5)
    node.pass(.milliseconds(250))
    #expect(world.asked(world.seed) == [5])
    world.answer(world.seed)
    node.pass(.seconds(3))
    _ = world.read(6)
    #expect(world.asked(world.seed) == [6], "it may be gone")
    world.answer(world.seed)
    world.tell(0, [9])
    _ = world.read(7)
    #expect(world.asked(world.seed).isEmpty)
    #expect(world.asked(world.readers[0]).contains(7))
  }

  @Test func liarIsBannedAndTheReaderGetsTheRightBytes() throws {
    let world = try CrowdWorld(readers: 1)
    let node = world.node
    world.tell(0, [5])
    let read = world.read(5)
    node.findsGarbage = true
    world.answer(world.readers[0])
    node.findsGarbage = false
    #expect(node.closed.contains(world.readers[0]))
    #expect(node.ended[read] == nil && node.delivered.isEmpty)
    #expect(world.asked(world.seed) == [5])
    world.answer(world.seed)
    #expect(node.ended[read] == .some(nil))
  }

  @Test(arguments: [
    BlockRequest(piece: 64, begin: 0, length: 16_384),
    BlockRequest(piece: 3, begin: 1, length: 16_384),
    BlockRequest(piece: 3, begin: 0, length: 0),
    BlockRequest(piece: 3, begin: 16_384, length: 16_384),
    BlockRequest(piece: 3, begin: 0, length: .max),
  ])
  func whatIsNoBlockEndsTheConnection(run: BlockRequest) throws {
    let world = try CrowdWorld(readers: 1)
    world.tell(0, ReadingMessage(runs: [run]))
    #expect(world.node.closed.contains(world.readers[0]))
  }

  /// What is told is fetched before it is read, as long as that is of use.
  @Test func foresightIsBounded() throws {
    let world = try CrowdWorld(readers: 1, readsAhead: true)
    world.tell(0, [1])
    #expect(world.asked(world.readers[0]).isEmpty, "nothing says that it will be read")
    _ = world.read(1)
    world.answer(world.readers[0])
    world.tell(0, Array(10..<40))
    let asked = world.asked(world.readers[0]) + world.asked(world.seed)
    #expect(asked.sorted() == Array(10..<10 + ReadLimits.foreseen))
  }

  /// A message of some hundred bytes can name millions of blocks.
  @Test func whatAPeerMayTellIsBounded() throws {
    let world = try CrowdWorld(readers: 1)
    let last = CrowdWorld.blocks - 1
    for _ in 0...ReadLimits.toldAtOnce / last { world.tell(0, Array(0..<last)) }
    world.tell(0, [last])
    let peer = try world.peer(world.readers[0])
    let geometry = try #require(world.node.swarm.torrent(world.torrent)?.data?.geometry)
    let isTold = try [0, last].map {
      peer.promised.contains(try #require(geometry.block(UInt32($0))))
    }
    #expect(isTold == [true, false])
  }

  /// Who promises a block and rejects it, over and over, does not keep it from who reads it.
  @Test func whoRejectsAndPromisesAgainIsPassedOver() throws {
    let world = try CrowdWorld(readers: 1)
    world.tell(0, [5])
    let read = world.read(5)
    try #require(world.asked(world.readers[0]) == [5])
    let request = try #require(world.node.requests[world.readers[0]]?.first)
    world.node.requests[world.readers[0]] = []
    let again = ReadingMessage(runs: [request]).encoded
    world.node.receive(
      world.readers[0],
      world.node.message(.reject(request))
        + world.node.message(.extended(id: 6, byteCount: again.count), body: again))
    world.node.drain()
    #expect(world.asked(world.readers[0]).isEmpty && world.asked(world.seed) == [5])
    world.answer(world.seed)
    #expect(world.node.ended[read] == .some(nil))
  }

  @Test func inStepOneOfAllAsksTheSeed() throws {
    let world = try CrowdWorld(readers: 3)
    for reader in 0..<3 { world.tell(reader, [0]) }
    _ = world.read(0)
    let node = world.node
    let own = node.swarm.configuration.peerID.crowdKey
    let peers = try world.readers.map { try world.peer($0) }
    let areInStep = peers.map { node.swarm.isInStep($0) }
    #expect(!areInStep.contains(false))
    for id in world.readers { node.requests[id] = [] }
    _ = world.read(30)
    let isFirst = peers.allSatisfy { $0.crowdKey < own }
    #expect(world.asked(world.seed).contains(30) == isFirst)
    let others = world.readers.filter { world.asked($0) == [30] }
    #expect(others.count == (isFirst ? 0 : 1))
  }

  @Test func recentBlocksAreBounded() throws {
    let geometry = try PieceGeometry(v2Lengths: [1 << 30], pieceLength: 65_536)
    var recent = RecentBlocks()
    for number in 0..<20_000 {
      let block = try #require(geometry.block(UInt32(number)))
      let isNew = recent.insert(block, at: .seconds(number))
      #expect(isNew)
      if number.isMultiple(of: 3) { recent.remove(block) }
    }
    #expect(recent.count <= ReadLimits.recentBlocks)
    let last = try #require(geometry.block(19_999))
    #expect(recent[last] == .seconds(19_999))
    let isNew = recent.insert(last, at: .seconds(1))
    #expect(!isNew && recent[last] == .seconds(1))
  }

  /// Blocks on their way to disk are read from memory.
  @Test func whatIsBeingWrittenIsReadFromMemory() throws {
    let world = try CrowdWorld(readers: 0)
    let node = world.node
    node.holdsDisk = true
    let first = world.read(5)
    world.answer(world.seed)
    let again = world.read(5)
    #expect(node.ended[first] == .some(nil) && node.ended[again] == .some(nil))
    #expect(node.delivered.count == 2 && world.asked(world.seed).isEmpty)
    #expect(!node.heldOperations.isEmpty)
  }
}
