import Metainfo
import Store
import Testing
import Wire

@testable import Swarm

/// Blocks that go out and come as zstd frames. docs/compression.md.
@Suite struct FrameTests {
  // MARK: Sending

  @Test func textGoesAsFramesToThoseWhoTakeThem() throws {
    let node = try FrameNode(isSeed: true)
    let (speaker, other) = (try node.connect(1), try node.connect(2, takesFrames: false))
    for peer in [speaker, other] {
      #expect(node.offers[peer]?.extensions[.zstd] == 7)
      node.say(peer, .interested)
      for block in node.blocks { node.say(peer, .request(block)) }
    }
    #expect(node.frames[speaker]?.count == node.blocks.count && node.plain[speaker] == nil)
    #expect(node.plain[other] == node.blocks && node.frames[other] == nil)
    for (block, frame) in node.frames[speaker] ?? [] {
      #expect(try opened(frame, Int(block.length)) == node.right(block))
    }
    let status = try #require(node.status)
    #expect(status.compressingPeers == 1)
    let sent = node.frames[speaker]?.reduce(0) { $0 + $1.bytes.count + 5 } ?? 0
    let all = UInt64(node.fixture.files[0].count)
    #expect(status.savedUploadBytes == all - UInt64(sent) && status.uploadedBytes == 2 * all)
    #expect(node.compression.savedUploadBytes == status.savedUploadBytes)
    #expect(node.isIdle)
  }

  @Test func whatDoesNotCompressIsHardlyTried() throws {
    let node = try FrameNode(isSeed: true, mask: 0xff, blocks: 200)
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for block in node.blocks { node.say(peer, .request(block)) }
    #expect(node.plain[peer] == node.blocks && node.frames[peer] == nil)
    #expect((1...20).contains(node.compressed))
    #expect(node.isIdle)
  }

  @Test func peersOfThisMachineGetBlocksAsTheyAre() throws {
    let node = try FrameNode(isSeed: true)
    let peer = try node.connect(1, isNear: true)
    node.say(peer, .interested)
    for block in node.blocks { node.say(peer, .request(block)) }
    #expect(node.plain[peer] == node.blocks && node.compressed == 0)
  }

  @Test func switchedOffItIsNotSpoken() throws {
    let node = try FrameNode(isSeed: true) { $0.compresses = false }
    let peer = try node.connect(1)
    #expect(node.offers[peer]?.extensions[.zstd] == nil)
    node.say(peer, .interested)
    for block in node.blocks { node.say(peer, .request(block)) }
    #expect(node.plain[peer] == node.blocks && node.compressed == 0)
    #expect(node.status?.compressingPeers == 0)
  }

  /// Asked for by one after the other, and by two at once.
  @Test func aPopularBlockIsCompressedOnce() throws {
    let node = try FrameNode(isSeed: true)
    node.endsJobs = false
    let peers = try (1...5).map { try node.connect($0) }
    for peer in peers { node.say(peer, .interested) }
    for peer in peers[..<3] { node.say(peer, .request(node.blocks[0])) }
    #expect(node.frames.isEmpty)
    node.endJobs()
    let reads = node.disk.reads
    for peer in peers[3...] { node.say(peer, .request(node.blocks[0])) }
    node.endJobs()
    for peer in peers { #expect(node.frames[peer]?.map(\.block) == [node.blocks[0]]) }
    #expect(node.compressed == 1)
    #expect(node.disk.reads == reads, "what is kept is not read again")
    #expect(node.isIdle)
  }

  @Test func withoutACacheItIsCompressedAgain() throws {
    let node = try FrameNode(isSeed: true) { $0.frameCacheBytes = 0 }
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for _ in 0..<3 { node.say(peer, .request(node.blocks[0])) }
    #expect(node.compressed == 3 && node.frames[peer]?.count == 3)
  }

  @Test func cancelWhileCompressingIsAnsweredByReject() throws {
    let node = try FrameNode(isSeed: true)
    node.endsJobs = false
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for block in node.blocks[..<3] { node.say(peer, .request(block)) }
    node.say(peer, .cancel(node.blocks[1]))
    #expect(node.rejects[peer] == [node.blocks[1]])
    node.endJobs()
    #expect(node.frames[peer]?.map(\.block) == [node.blocks[0], node.blocks[2]])
    #expect(node.rejects[peer] == [node.blocks[1]] && node.isIdle)
  }

  @Test func whoTakesFramesNoMoreGetsBlocks() throws {
    let node = try FrameNode(isSeed: true)
    node.endsJobs = false
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for block in node.blocks[..<3] { node.say(peer, .request(block)) }
    var hello = ExtensionHandshake()
    hello.extensions = [.zstd: 0]
    node.say(peer, .extended(id: 0, byteCount: hello.encoded.count), hello.encoded)
    #expect(node.session(peer)?.zstdID == 0)
    node.endJobs()
    #expect(node.plain[peer] == Array(node.blocks[..<3]) && node.frames[peer] == nil)
    #expect(node.isIdle)
  }

  @Test func chokeWhileCompressingRejects() throws {
    let node = try FrameNode(isSeed: true, blocks: 100)
    node.endsJobs = false
    let peer = try node.connect(1)
    node.say(peer, .interested)
    let session = try #require(node.session(peer))
    for block in node.blocks { node.say(peer, .request(block)) }
    #expect(!session.packing.isEmpty && !session.uploads.isEmpty)
    let allowed = session.allowedToPeer
    node.swarm.choke(session)
    node.swarm.settle()
    node.drain()
    let kept = node.blocks.filter { allowed.contains($0.piece) }
    let rejected = node.blocks.filter { !allowed.contains($0.piece) }
    #expect(!rejected.isEmpty && Set(node.rejects[peer] ?? []) == Set(rejected))
    node.endJobs()
    #expect(Set(node.frames[peer]?.map(\.block) ?? []) == Set(kept) && node.isIdle)
    #expect(node.rejects[peer]?.count == rejected.count)
  }

  @Test func whoGoesWhileCompressingLeavesNothing() throws {
    let node = try FrameNode(isSeed: true)
    node.endsJobs = false
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for block in node.blocks { node.say(peer, .request(block)) }
    node.swarm.disconnected(peer, reason: "gone", now: node.now)
    node.drain()
    #expect(!node.isIdle)
    node.endJobs()
    #expect(node.isIdle && node.frames.isEmpty && node.plain.isEmpty)
  }

  @Test func aTorrentIsGoneWhenItsJobsAre() throws {
    let node = try FrameNode(isSeed: true)
    node.endsJobs = false
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for block in node.blocks { node.say(peer, .request(block)) }
    node.swarm.remove(node.torrent, now: node.now)
    node.drain()
    #expect(!node.isGone)
    node.endJobs()
    #expect(node.isGone && node.isIdle)
    let known = (node.swarm.frames.cache.count, node.swarm.frames.policy.count)
    #expect(known == (0, 0))
  }

  /// A line on which bytes wait gets more effort, and a limit counts bytes of the line.
  @Test func limitsAreOfTheLine() throws {
    let node = try FrameNode(isSeed: true, blocks: 400) { $0.uploadLimit = 100_000 }
    let peer = try node.connect(1)
    node.say(peer, .interested)
    for block in node.blocks { node.say(peer, .request(block)) }
    node.pass(.seconds(10))
    let blocks = node.frames[peer] ?? []
    let line = blocks.reduce(0) { $0 + $1.bytes.count }
    let content = blocks.reduce(0) { $0 + Int($1.block.length) }
    #expect((800_000...1_200_000).contains(line), "\(line)")
    #expect(content > 3 * line)
    #expect(try #require(node.session(peer)?.line.level) >= 6)
  }

  // MARK: Receiving

  /// A node that has nothing, and a peer that has all and is asked for it.
  private func leech(
    blocks: Int = 8, kind: TorrentKind = .v2,
    _ change: (inout SwarmConfiguration) -> Void = { _ in }
  ) throws -> (FrameNode, ConnectionID) {
    let node = try FrameNode(isSeed: false, kind: kind, blocks: blocks, change)
    let peer = try node.connect(1)
    node.say(peer, .haveAll)
    node.say(peer, .unchoke)
    #expect(node.requests[peer]?.isEmpty == false)
    return (node, peer)
  }

  @Test(arguments: [TorrentKind.v2, .hybrid, .v1])
  func framesBecomeBlocks(kind: TorrentKind) throws {
    let (node, peer) = try leech(kind: kind)
    while let requests = node.requests.removeValue(forKey: peer) {
      for block in requests {
        node.receive(peer, FrameNode.bytes(block, frame: try node.frame(block)))
      }
    }
    #expect(node.isFinished && node.banned.isEmpty && node.closed.isEmpty)
    #expect(node.disk.files[node.fixture.geometry.files[0]] == node.fixture.files[0])
    let status = try #require(node.status)
    #expect(status.downloadedBytes == UInt64(node.fixture.files[0].count))
    #expect(status.savedDownloadBytes > status.downloadedBytes / 2)
    #expect(status.wastedBytes == 0 && node.isIdle)
  }

  /// What is not one frame of exactly the block, and frames of wrong bytes.
  @Test(arguments: [
    "cut", "longer", "two", "skippable", "dictionary", "window", "bomb", "lengths", "noise", "bit",
    "wrong",
  ])
  func whoSendsBadFramesIsBanned(fault: String) throws {
    let (node, peer) = try leech()
    let block = try #require(node.requests[peer]?.first)
    let right = try node.frame(block)
    let frame: [UInt8]
    switch fault {
    case "cut": frame = Array(right.dropLast())
    case "longer": frame = right + [0]
    case "two": frame = right + right
    case "skippable": frame = [0x50, 0x2a, 0x4d, 0x18, 2, 0, 0, 0, 1, 2] + right
    case "dictionary": frame = Array(right[..<4]) + [right[4] | 1, 9] + Array(right[5...])
    case "window": frame = Array(right[..<4]) + [right[4] & ~0x20, 0x58] + Array(right[5...])
    case "bomb":
      // Blocks of one byte 128 KiB long each, and a header that tells of 16 KiB.
      frame =
        [0x28, 0xb5, 0x2f, 0xfd, 0x60, 0x00, 0x3f]
        + Array(repeatElement([0x02, 0x00, 0x10, 0x61] as [UInt8], count: 500).joined())
        + [0x03, 0x00, 0x10, 0x61]
    case "lengths": frame = try node.frame(block) { $0.removeLast(100) }
    case "noise": frame = (0..<200).map { UInt8(truncatingIfNeeded: $0 &* 37) }
    case "bit":
      var bytes = right
      bytes[bytes.count / 2] ^= 0x10
      frame = bytes
    default: frame = try node.frame(block) { $0[77] ^= 1 }
    }
    node.receive(peer, FrameNode.bytes(block, frame: frame))
    #expect(node.banned.count == 1 && node.closed == [peer], "\(fault)")
    #expect(node.status?.doneBytes == 0)
    #expect(node.isIdle)
    // An honest one brings it nevertheless.
    let other = try node.connect(2)
    node.say(other, .haveAll)
    node.say(other, .unchoke)
    while let requests = node.requests.removeValue(forKey: other) {
      for block in requests {
        node.receive(other, FrameNode.bytes(block, frame: try node.frame(block)))
      }
    }
    #expect(node.isFinished && node.banned.count == 1 && node.isIdle)
  }

  @Test(arguments: [0, 1, 12, 16_385])
  func headsThatCannotBeAreBanned(length: UInt32) throws {
    let (node, peer) = try leech()
    let payload =
      CompressedBlock(
        block: BlockRequest(piece: 0, begin: 0, length: length), frameByteCount: 1
      ).encoded + [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13]
    let cut = length == 12 ? Array(payload.prefix(12)) : payload
    node.say(peer, .extended(id: 7, byteCount: cut.count), cut)
    #expect(node.banned.count == 1 && node.opened == 0)
  }

  /// What nobody asked for is not opened, and who goes on with it is sent away.
  @Test func framesThatNobodyAskedForAreNotOpened() throws {
    let node = try FrameNode(isSeed: false)
    let peer = try node.connect(1)
    let bytes = FrameNode.bytes(node.blocks[0], frame: try node.frame(node.blocks[0]))
    for _ in 0...SwarmLimits.unaskedBlocks { node.receive(peer, bytes) }
    #expect(node.opened == 0 && node.closed == [peer])
    #expect(node.isIdle)
  }

  /// They count as what came over the line: else who sends them would be paid in blocks, and the limit on
  /// downloads would be passed, for next to nothing.
  @Test func framesThatNobodyAskedForEarnNothing() throws {
    let node = try FrameNode(isSeed: false)
    let peer = try node.connect(1)
    let session = try #require(node.session(peer))
    let before = session.download.total
    let frame = try node.frame(node.blocks[0])
    let bytes = FrameNode.bytes(node.blocks[0], frame: frame)
    for _ in 0..<10 { node.receive(peer, bytes) }
    let came = UInt64(10 * (12 + frame.count))
    #expect(node.closed.isEmpty && session.download.total - before == came)
    let status = try #require(node.status)
    #expect(status.wastedBytes == came)
    #expect(status.savedDownloadBytes == 0 && node.compression.savedDownloadBytes == 0)
  }

  /// While threads do not keep up, or no buffer is free, no more is read.
  @Test func framesThatWaitAreBounded() throws {
    let (node, peer) = try leech(blocks: 600) { $0.poolBuffers = 64 }
    node.endsJobs = false
    var given = 0
    while node.wantsInput(peer), let block = node.requests[peer]?.first {
      node.requests[peer]?.removeFirst()
      node.receive(peer, FrameNode.bytes(block, frame: try node.frame(block)))
      given += 1
      // The pipeline grows with each answer.
      node.now += .milliseconds(1)
    }
    #expect(!node.wantsInput(peer), "\(given) frames, and it takes more")
    #expect(node.openings.reduce(0) { $0 + $1.parts.count } <= 64)
    node.endJobs()
    #expect(node.opened == given && node.banned.isEmpty)
    #expect(node.wantsInput(peer) && node.isIdle)
  }

  /// A frame for which there is no buffer is dropped after two seconds, and its block asked for again: what
  /// holds the buffers may wait for it.
  @Test func framesThatAreLateAreDropped() throws {
    let (node, peer) = try leech(blocks: 200) { $0.poolBuffers = 64 }
    node.endsJobs = false
    while !node.hasWaitingFrame {
      let block = try #require(node.requests[peer]?.first)
      node.requests[peer]?.removeFirst()
      node.receive(peer, FrameNode.bytes(block, frame: try node.frame(block)))
      // The pipeline grows with each answer.
      node.now += .milliseconds(1)
    }
    let late = try #require(node.waitingFrame)
    node.pass(late.since + SwarmLimits.arrivedTime - .milliseconds(1) - node.now)
    #expect(node.hasWaitingFrame && node.status?.wastedBytes == 0)
    node.pass(SwarmLimits.tick + .milliseconds(1))
    #expect(!node.hasWaitingFrame)
    #expect(node.status?.wastedBytes == UInt64(late.length))
    node.endsJobs = true
    node.endJobs()
    while let requests = node.requests.removeValue(forKey: peer) {
      for block in requests {
        node.receive(peer, FrameNode.bytes(block, frame: try node.frame(block)))
      }
    }
    #expect(node.isFinished && node.isIdle)
  }

  /// Nobody knows what it is that a peer sends who was not told that we take frames.
  @Test func switchedOffFramesAreNotTaken() throws {
    let (node, peer) = try leech { $0.compresses = false }
    let block = try #require(node.requests[peer]?.first)
    node.receive(peer, FrameNode.bytes(block, frame: try node.frame(block)))
    #expect(node.opened == 0 && node.banned.isEmpty)
  }

  @Test func aTorrentIsGoneWhenItsFramesAre() throws {
    let (node, peer) = try leech()
    node.endsJobs = false
    let block = try #require(node.requests[peer]?.first)
    node.receive(peer, FrameNode.bytes(block, frame: try node.frame(block)))
    node.swarm.remove(node.torrent, now: node.now)
    node.drain()
    #expect(!node.isGone && node.openings.count == 1)
    node.endJobs()
    #expect(node.isGone && node.isIdle)
  }

  /// Whoever reads a block that comes as a frame gets it.
  @Test func readsComeThroughFrames() throws {
    let (node, peer) = try leech()
    let bytes = UInt64(100_000)..<UInt64(100_010)
    let read = node.swarm.read(
      bytes, of: 0, in: node.torrent, timeout: .seconds(5), now: node.now)
    node.drain()
    let wanted = BlockRequest(piece: 1, begin: 32_768, length: UInt32(blockLength))
    #expect(node.requests[peer]?.contains(wanted) == true)
    node.receive(peer, FrameNode.bytes(wanted, frame: try node.frame(wanted)))
    #expect(node.delivered[read] == 1)
  }

  private func opened(_ frame: [UInt8], _ length: Int) throws -> [UInt8] {
    guard var decompressor = BlockDecompressor() else { return [] }
    var block = [UInt8](repeating: 0, count: length)
    try block.withUnsafeMutableBytes { block in
      try frame.withUnsafeBytes { try decompressor.decompress($0, into: block) }
    }
    return block
  }
}
