import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// Blocks that somebody waits for: of whom they are asked, and what happens besides.
@Suite struct DemandTests {
  /// A v1 torrent of zeros, 64 pieces, and peers that have all and let us request.
  private struct World {
    let node: ReviewNode
    let torrent: TorrentID
    var peers: [ConnectionID] = []

    init(
      peers count: Int, blocksPerPiece: Int = 1, change: (inout TorrentRequest) -> Void = { _ in }
    ) throws {
      node = try ReviewNode()
      let info = try ReviewFindingsTests.v1Info(
        pieceLength: blockLength * blocksPerPiece, pieces: 64)
      var request = TorrentRequest(source: .torrent(info, [:]), content: .owned)
      request.reading = .sparse
      change(&request)
      torrent = try node.swarm.add(request, now: .zero)
      node.drain()
      node.sha1 = SHA1Digest(hashing: [UInt8](repeating: 0, count: blockLength * blocksPerPiece))
      for number in 1...max(1, count) where number <= count {
        let id = try node.join(number, try #require(info.infohashV1))
        node.receive(id, node.message(.haveAll) + node.message(.unchoke))
        node.drain()
        peers.append(id)
      }
    }

    func peer(_ number: Int) -> Peer? { node.swarm.peer(peers[number]) }

    func prefetch(_ blocks: Range<Int>) -> Bool {
      let bytes = UInt64(blocks.lowerBound * blockLength)..<UInt64(blocks.upperBound * blockLength)
      let isTaken = node.swarm.prefetch(bytes, of: 0, in: torrent, now: node.now)
      node.drain()
      return isTaken
    }

    func read(_ block: Int, count: Int = 1, timeout: Duration = .seconds(60)) -> ReadID {
      let start = UInt64(block * blockLength)
      let id = node.swarm.read(
        start..<start + UInt64(count * blockLength), of: 0, in: torrent, timeout: timeout,
        now: node.now)
      node.drain()
      return id
    }

    /// Block numbers that the peer was asked for.
    func asked(_ peer: Int) -> [Int] {
      node.requests[peers[peer], default: []].map { number($0) }
    }

    func cancelled(_ peer: Int) -> [Int] {
      node.sends[peers[peer], default: []].joined().compactMap {
        if case .cancel(let request) = $0 { number(request) } else { nil }
      }
    }

    private func number(_ request: BlockRequest) -> Int {
      let perPiece = node.swarm.torrent(torrent)?.data?.geometry.blocksPerPiece ?? 1
      return Int(request.piece * perPiece) + Int(request.begin) / blockLength
    }

    /// The peer answers what it was asked for first.
    func answer(_ peer: Int) {
      let id = peers[peer]
      guard let request = node.requests[id]?.first else { return }
      node.requests[id]?.removeFirst()
      node.receive(
        id,
        node.message(.piece(request)) + [UInt8](repeating: 0, count: Int(request.length)))
      node.drain()
    }

    var status: TorrentStatus? { node.swarm.status(of: torrent) }

    /// Teaches the node how long the peers take.
    func measure(_ times: [Duration]) {
      var block = 0
      for (peer, time) in times.enumerated() {
        node.swarm.peer(peers[peer])?.answerTime.add(time)
        block += 1
      }
    }
  }

  @Test func whoAnswersFirstIsAsked() throws {
    // What is read ahead would be in the queues, too.
    let world = try World(peers: 3) { $0.reading.readsAhead = false }
    world.measure([.milliseconds(80), .milliseconds(10), .milliseconds(40)])
    let read = world.read(5)
    #expect(world.asked(1) == [5] && world.asked(0).isEmpty && world.asked(2).isEmpty)
    world.node.pass(.milliseconds(10))
    world.answer(1)
    #expect(world.node.ended[read] == .some(nil))
    // A peer with much to do answers later than a far one with nothing.
    for block in [10, 20, 30, 40] { _ = world.read(block) }
    #expect(world.asked(1) == [10, 30])
    #expect(world.asked(2) == [20])
    #expect(world.asked(0) == [40])
  }

  @Test func lateAnswerIsAskedOfAnotherAndItsLoserCancelled() throws {
    let world = try World(peers: 3)
    world.measure([.milliseconds(40), .milliseconds(10), .milliseconds(400)])
    let read = world.read(7)
    #expect(world.asked(1) == [7])
    world.node.pass(.milliseconds(12))
    #expect(world.asked(0).isEmpty, "not later than usual")
    world.node.pass(.milliseconds(40))
    #expect(world.asked(0) == [7] && world.asked(2).isEmpty)
    // The second one is late too: the first has had its chance.
    world.node.pass(.milliseconds(400))
    #expect(world.asked(2) == [7] && world.cancelled(1) == [7])
    world.answer(2)
    #expect(world.node.ended[read] == .some(nil))
    #expect(world.cancelled(0) == [7] && world.cancelled(2).isEmpty)
    // Who was late is asked last, until it answers.
    _ = world.read(40)
    #expect(world.asked(2) == [40])
  }

  @Test func chokingOrVanishedPeerHandsOverAtOnce() throws {
    let world = try World(peers: 3)
    world.measure([.milliseconds(10), .milliseconds(20), .milliseconds(30)])
    _ = world.read(1)
    let request = try #require(world.node.requests[world.peers[0]]?.first)
    world.node.receive(
      world.peers[0], world.node.message(.choke) + world.node.message(.reject(request)))
    world.node.drain()
    #expect(world.asked(1) == [1])
    world.node.swarm.disconnected(world.peers[1], reason: "reset", now: world.node.now)
    world.node.drain()
    #expect(world.asked(2) == [1])
  }

  @Test func readerHasABlockBeforeItIsOnDisk() throws {
    let world = try World(peers: 1)
    world.node.holdsDisk = true
    let reads = [world.read(3), world.read(3)]
    #expect(world.asked(0) == [3])
    world.answer(0)
    #expect(reads.allSatisfy { world.node.ended[$0] == .some(nil) })
    #expect(world.node.delivered.map(\.block.rawValue) == [3, 3])
    #expect(world.node.swarm.idle.heldBlocks == 1, "the disk still has it")
    #expect(world.node.swarm.loans.isEmpty)
    world.node.holdsDisk = false
    while !world.node.heldOperations.isEmpty {
      let held = world.node.heldOperations
      world.node.heldOperations = []
      for (torrent, operation) in held { world.node.carry(torrent, operation) }
      world.node.drain()
    }
    #expect(world.node.swarm.idle.heldBlocks == 0)
    #expect(world.node.swarm.idle.buffers == world.node.swarm.configuration.poolBuffers)
  }

  @Test func loanedBufferComesBackOnce() {
    var loans = Loans()
    let buffer = BufferHandle(7)
    let (isKept, end) = (loans.release(buffer), loans.finish(buffer))
    #expect(!isKept && end == .notLent)
    loans.lend(buffer)
    loans.lend(buffer)
    let isLent = loans.release(buffer)
    let ends = [loans.finish(buffer), loans.finish(buffer)]
    #expect(isLent && ends == [.inUse, .free] && loans.isEmpty)
    // The reader is done first: then it is the disk's alone.
    loans.lend(buffer)
    let early = loans.finish(buffer)
    let isStillLent = loans.release(buffer)
    #expect(early == .inUse && !isStillLent && loans.isEmpty)
  }

  @Test func sparseNodeFetchesWhatIsReadAndNothingElse() throws {
    let world = try World(peers: 1, blocksPerPiece: 4) { $0.reading.completesPieces = false }
    world.node.pass(.seconds(30))
    #expect(world.asked(0).isEmpty && world.status?.isFinished == false)
    let sent = world.node.sends[world.peers[0], default: []].joined()
    #expect(sent.contains(.interested) && !sent.contains(.notInterested))
    #expect(!world.node.closed.contains(world.peers[0]))
    _ = world.read(9)
    #expect(world.asked(0) == [9])
    world.answer(0)
    world.node.pass(.seconds(30))
    #expect(world.asked(0).isEmpty && world.status?.isFinished == false)
  }

  @Test func restOfATouchedPieceFollows() throws {
    let world = try World(peers: 1, blocksPerPiece: 4)
    _ = world.read(9)
    #expect(world.asked(0) == [9, 8, 10, 11])
    for _ in 0..<4 { world.answer(0) }
    world.node.pass(.seconds(5))
    #expect(world.asked(0).isEmpty)
    #expect(world.status?.doneBytes == UInt64(4 * blockLength))
  }

  @Test func whatIsPrefetchedComesBehindReadsAndBeforeTheRest() throws {
    let world = try World(peers: 1) { $0.reading = ReadingPolicy() }
    #expect(world.asked(0).count == SwarmLimits.firstPipeline)
    let isTaken = [world.prefetch(40..<42), world.prefetch(30..<31)]
    #expect(isTaken == [true, true])
    let wanted = [40, 41, 30].filter { !world.asked(0).contains($0) }
    for _ in 0..<3 { world.answer(0) }
    let later = Array(world.asked(0).drop { !wanted.contains($0) })
    #expect(Array(later.prefix(wanted.count)) == wanted)
    let isOutside = world.prefetch(0..<65)
    #expect(!isOutside)
  }

  @Test func queueIsShortWhileSomebodyReads() throws {
    let world = try World(peers: 1) { $0.reading = ReadingPolicy() }
    let found = world.peer(0)
    let peer = try #require(found)
    peer.pipeline = 40
    peer.latency = .milliseconds(10)
    world.node.pass(.milliseconds(500))
    let before = world.asked(0)
    #expect(before.count == 40)
    let block = try #require((0..<64).first { !before.contains($0) })
    _ = world.read(block)
    #expect(world.asked(0).last == block)
    #expect(world.cancelled(0).count >= 35, "the answer would wait behind \(before.count) blocks")
    // The rest of the line is for bulk still.
    for _ in 0..<3 { world.answer(0) }
    #expect(peer.outstanding.count > peer.urgentOutstanding)
  }

  @Test func readsWithoutEndLeaveBulkItsShare() throws {
    let world = try World(peers: 1) { $0.reading = ReadingPolicy() }
    let found = world.peer(0)
    let peer = try #require(found)
    for block in 0..<30 { _ = world.read(block * 2) }
    world.node.pass(.milliseconds(10))
    #expect(peer.urgentOutstanding > peer.pipeline)
    #expect(peer.outstanding.count - peer.urgentOutstanding >= ReadLimits.leastBulk)
  }

  @Test func stalledReadsSayWhatTheyWaitFor() throws {
    let world = try World(peers: 0)
    let read = world.read(3, timeout: .seconds(10))
    #expect(world.status?.stalledReads.isEmpty == true)
    world.node.pass(.seconds(2))
    let stall = try #require(world.status?.stalledReads.first)
    #expect(stall.reason == .peers && stall.age == .seconds(2) && stall.timeLeft == .seconds(8))
    #expect(stall.file == 0 && stall.blocks == 1)
    // A peer comes: it is asked at once, when it lets us.
    let infohash = try #require(world.status?.infohashV1)
    let id = try world.node.join(1, infohash)
    world.node.receive(id, world.node.message(.haveNone))
    world.node.drain()
    #expect(world.status?.stalledReads.first?.reason == .availability)
    world.node.receive(id, world.node.message(.have(piece: 3)))
    world.node.drain()
    #expect(world.status?.stalledReads.first?.reason == .choked)
    world.node.receive(id, world.node.message(.unchoke))
    world.node.drain()
    #expect(world.node.requests[id]?.map(\.piece) == [3])
    #expect(world.status?.stalledReads.first?.reason == .answer(peers: 1))
    world.node.pass(.seconds(9))
    #expect(world.node.ended[read] == .some(.timeout(.answer(peers: 1))))
    #expect(world.status?.stalledReads.isEmpty == true)
    for block in 0..<40 { _ = world.read(block) }
    world.node.pass(.seconds(2))
    #expect(world.status?.stalledReads.count == ReadLimits.toldStalls)
  }

  /// Hashes and block go out in one send, the block before the piece layer.
  @Test func hashesGoWithTheBlock() throws {
    let node = try ReviewNode()
    let fixture = try ContentFixture(.v2, lengths: [600_000], pieceLength: 65_536, seed: 1)
    var request = TorrentRequest(source: .torrent(fixture.info, [:]), content: .owned)
    request.reading = .sparse
    request.reading.completesPieces = false
    let torrent = try node.swarm.add(request, now: .zero)
    node.drain()
    let id = try node.join(1, try #require(fixture.info.infohashV2?.truncated))
    node.receive(id, node.message(.haveAll) + node.message(.unchoke))
    node.drain()
    _ = node.swarm.read(100_000..<104_096, of: 0, in: torrent, timeout: .seconds(5), now: node.now)
    node.drain()
    let send = try #require(node.sends[id]?.last { !$0.isEmpty })
    guard send.count == 3, case .hash(.request(let leaves)) = send[0],
      case .request(let block) = send[1], case .hash(.request(let layer)) = send[2]
    else {
      Issue.record("\(send)")
      return
    }
    #expect(leaves.baseLayer == 0 && leaves.index == 4 && leaves.length == 4)
    #expect(block.piece == 1 && block.begin == 32_768)
    #expect(layer.baseLayer == 2)
  }
}
