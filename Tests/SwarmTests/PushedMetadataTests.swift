import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// The info dictionary, given to who lacks it before it asks: docs/metadata.md.
@Suite struct PushedMetadataTests {
  /// Two cores and the bytes between them, carried by hand: each carriage is one way.
  private final class Pair {
    let fixture: ContentFixture
    var seed: Swarm
    var joiner: Swarm
    var atSeed: ConnectionID?
    var atJoiner: ConnectionID?
    var toSeed: [UInt8] = []
    var toJoiner: [UInt8] = []
    /// What the joiner found the torrent to be.
    var found: InfoDictionary?
    private var slab: UInt64 = 0

    init(files: Int) throws {
      fixture = try ContentFixture(
        .v2, lengths: (0..<files).map { 30_000 + $0 }, pieceLength: 32_768, seed: 1)
      seed = Swarm(configuration: try Self.configuration("-SW0001-000000000001"), seed: 1)
      joiner = Swarm(configuration: try Self.configuration("-SW0001-000000000002"), seed: 2)
      let id = try seed.add(
        TorrentRequest(
          source: .torrent(fixture.info, fixture.layers), content: .proven(leaves: [])), now: .zero)
      while seed.status(of: id)?.waiting == .checking { drain() }
      let source = TorrentRequest.Source.infohash(v1: nil, v2: fixture.info.infohashV2)
      var request = TorrentRequest(source: source, content: .owned)
      request.reading = .sparse
      request.peers = [Self.endpoint]
      _ = try joiner.add(request, now: .zero)
      drain()
    }

    private static let endpoint = PeerEndpoint(
      address: .v4(IPv4Address(rawValue: 0x0a00_0001)), port: 6_882)

    private static func configuration(_ name: String) throws -> SwarmConfiguration {
      SwarmConfiguration(peerID: try #require(PeerID(Array(name.utf8))))
    }

    func drain() {
      while let effect = seed.nextEffect() {
        switch consume effect {
        case .send(_, .bytes(let bytes)): toJoiner += bytes
        case .disk(let id, let operation):
          var disk = ContentDisk()
          for (file, bytes) in zip(fixture.geometry.files, fixture.files) {
            disk.files[file] = bytes
          }
          let result = disk.perform(operation.action, failing: nil)
          seed.completed(DiskCompletion(id: operation.id, result: result), of: id, now: .zero)
        default: break
        }
      }
      while let effect = joiner.nextEffect() {
        switch consume effect {
        case .connect(let id, _, _): atJoiner = id
        case .send(_, .bytes(let bytes)): toSeed += bytes
        case .prepare(_, let info, _): found = info
        default: break
        }
      }
    }

    /// The joiner is connected, and its handshake is at the seed.
    func connect() throws {
      let id = try #require(atJoiner)
      atSeed = seed.accept(from: Self.endpoint, now: .zero)
      joiner.connected(id, now: .zero)
      drain()
      try carryToSeed()
    }

    func carryToSeed() throws {
      let bytes = toSeed
      toSeed = []
      slab += 1
      _ = seed.receive(
        try #require(atSeed), continued: 0, chunk: bytes.span.bytes,
        at: BufferHandle(1 << 63 | slab << 32), now: .zero)
      drain()
    }

    /// In portions of so many bytes; nil for all at once.
    func carryToJoiner(by size: Int? = nil) throws {
      let bytes = toJoiner
      toJoiner = []
      for start in stride(from: 0, to: bytes.count, by: size ?? max(1, bytes.count)) {
        let part = Array(bytes[start...].prefix(size ?? bytes.count))
        slab += 1
        _ = joiner.receive(
          try #require(atJoiner), continued: 0, chunk: part.span.bytes,
          at: BufferHandle(1 << 63 | slab << 32), now: .zero)
        drain()
      }
    }
  }

  @Test func comesWithTheHandshake() throws {
    let pair = try Pair(files: 2)
    try pair.connect()
    #expect(pair.found == nil)
    try pair.carryToJoiner()
    #expect(pair.found?.bytes == pair.fixture.info.bytes)
  }

  /// What comes in small portions is asked for meanwhile; that costs a question, and no second answer.
  @Test(arguments: [1, 35, 100, 241]) func isSentOnce(size: Int) throws {
    let pair = try Pair(files: 2)
    try pair.connect()
    try pair.carryToJoiner(by: size)
    #expect(pair.found?.bytes == pair.fixture.info.bytes)
    try pair.carryToSeed()
    #expect(pair.toJoiner.count < pair.fixture.info.bytes.count)
  }

  /// A large one is asked for as ever.
  @Test func aLargeOneIsAskedFor() throws {
    let pair = try Pair(files: 200)
    #expect(pair.fixture.info.bytes.count > SwarmLimits.pushedMetadata)
    try pair.connect()
    #expect(pair.toJoiner.count < 1_000)
    for _ in 0..<4 where pair.found == nil {
      try pair.carryToJoiner()
      try pair.carryToSeed()
    }
    #expect(pair.found?.bytes == pair.fixture.info.bytes)
  }

  /// Blocks that nobody asked for are taken of a dictionary of one block only, and of who offers it.
  @Test func onlyTheOnlyBlockIsExpected() {
    let bytes = SplitMix64.bytes(20_000)
    var fetch = MetadataFetch(v1: nil, v2: SHA256Digest(hashing: bytes))
    fetch.expect(0, from: 1, now: .zero)
    fetch.peerOffers(1, size: bytes.count)
    fetch.expect(0, from: 1, now: .zero)
    fetch.expect(1, from: 1, now: .zero)
    let first = Array(bytes[..<16_384])
    let outcome = fetch.received(
      piece: 0, totalSize: bytes.count, bytes: first.span.bytes, from: 1, now: .zero)
    #expect(outcome == .unasked)
    let next = fetch.nextRequest(for: 1, now: .zero)
    #expect(next == 0)
  }
}

extension SplitMix64 {
  fileprivate static func bytes(_ count: Int) -> [UInt8] {
    var random = SplitMix64(seed: 7)
    return random.bytes(count)
  }
}
