import Metainfo
import Store
import TestSupport
import Testing

@testable import Swarm

/// Downloads by way of `Content`, from peers that lie, over disks that fail. Failures name seeds.
@Suite struct ContentTests {
  static let lengths = [100_000, 1, 0, 16_384, 40_000, 40_000, 200_001]

  static func fixture(_ kind: TorrentKind, pieceLength: Int = 65_536) throws -> ContentFixture {
    try ContentFixture(kind, lengths: lengths, pieceLength: pieceLength, seed: 1)
  }

  /// Downloads all, checks all, and stops.
  @discardableResult
  static func play(
    _ fixture: ContentFixture, seed: UInt64, trouble: ContentHarness.Trouble = .init(),
    poolCount: Int = 64, limits: ContentLimits = ContentLimits(), layers: PieceLayers? = nil
  ) throws -> ContentHarness {
    let harness = try ContentHarness(
      fixture, seed: seed, poolCount: poolCount, limits: limits, layers: layers)
    harness.open()
    harness.trouble = trouble
    harness.download()
    harness.trouble = .init()
    // What the disk lost at the very end comes again.
    harness.download()
    harness.settle { harness.isIdle && harness.held.isEmpty }
    harness.checkAllIsHere()
    harness.close()
    return harness
  }

  @Test(arguments: TorrentKind.allCases)
  func download(kind: TorrentKind) throws {
    for seed in 0..<4 as Range<UInt64> { try Self.play(try Self.fixture(kind), seed: seed) }
  }

  @Test(arguments: TorrentKind.allCases)
  func liars(kind: TorrentKind) throws {
    let fixture = try Self.fixture(kind)
    var found = 0
    for seed in 0..<12 as Range<UInt64> {
      found += try Self.play(
        fixture, seed: seed, trouble: .init(liesOneIn: 6, answersOneIn: 2, forgesOneIn: 4)
      ).banned.count
    }
    #expect(found > 8)
  }

  @Test(arguments: TorrentKind.allCases)
  func brokenAndFullDisks(kind: TorrentKind) throws {
    let fixture = try Self.fixture(kind)
    var (full, room) = (0, 0)
    for seed in 0..<8 as Range<UInt64> {
      let harness = try Self.play(
        fixture, seed: seed, trouble: .init(liesOneIn: 10, errorsOneIn: 12, fullOneIn: 6))
      full += harness.wasFull
      room += harness.hadRoom
    }
    #expect(full > 4 && full == room)
  }

  /// Nobody gives leaves: pieces are judged as a whole, in a hybrid without piece layers by SHA-1.
  @Test(arguments: [(TorrentKind.v2, true), (.hybrid, true), (.hybrid, false)])
  func wholePieces(kind: TorrentKind, hasLayers: Bool) throws {
    let fixture = try Self.fixture(kind)
    var found = 0
    for seed in 0..<8 as Range<UInt64> {
      let harness = try Self.play(
        fixture, seed: seed, trouble: .init(liesOneIn: 6, answersOneIn: 0),
        layers: hasLayers ? nil : [:])
      found += harness.banned.count
      #expect(harness.contradictions == 0)
      // What the SHA-1 proved became a piece layer.
      for file in fixture.geometry.files {
        #expect(harness.content.pieceLayerRequests(of: file).isEmpty)
      }
    }
    #expect(found > 4)
  }

  /// Joined by link: no piece layers, all proofs go up to the root.
  @Test(arguments: [TorrentKind.v2, .hybrid])
  func withoutPieceLayers(kind: TorrentKind) throws {
    for seed in 0..<4 as Range<UInt64> {
      try Self.play(
        try Self.fixture(kind), seed: seed, trouble: .init(liesOneIn: 8, forgesOneIn: 3),
        layers: [:])
    }
  }

  /// What waits does not fit in memory: it goes to disk as claims, and is read back with few buffers.
  @Test(arguments: TorrentKind.allCases)
  func spilledBlocks(kind: TorrentKind) throws {
    let fixture = try Self.fixture(kind)
    var limits = ContentLimits()
    limits.waitingBytes = 3 * blockLength
    for seed in 0..<8 as Range<UInt64> {
      limits.blocksPerJob = [1, 2, 64][Int(seed % 3)]
      try Self.play(
        fixture, seed: seed,
        trouble: .init(liesOneIn: 8, errorsOneIn: seed % 2 == 0 ? 20 : 0, answersOneIn: 3),
        poolCount: 3, limits: limits)
    }
  }

  @Test(arguments: [40_000, 65_536, 16_384])
  func paddingInsideOfPieces(pieceLength: Int) throws {
    let fixture = try ContentFixture(paddedWithPieceLength: pieceLength, seed: 2)
    var limits = ContentLimits()
    for seed in 0..<6 as Range<UInt64> {
      limits.waitingBytes = seed % 2 == 0 ? 1 << 20 : blockLength
      let harness = try Self.play(
        fixture, seed: seed, trouble: .init(liesOneIn: 8), poolCount: 4, limits: limits)
      try harness.restart(isClean: true)
      for piece in fixture.geometry.pieces {
        #expect(fixture.geometry.blocks(of: piece).allSatisfy(harness.content.isHere))
      }
    }
  }

  /// Runs end in any way, and nothing is believed that was not hashed.
  @Test(arguments: TorrentKind.allCases)
  func restarts(kind: TorrentKind) throws {
    let fixture = try Self.fixture(kind)
    for seed in 0..<8 as Range<UInt64> {
      let harness = try ContentHarness(
        fixture, seed: seed, trouble: .init(liesOneIn: 10, answersOneIn: 2), poolCount: 8)
      harness.open()
      for _ in 0..<3 {
        for _ in 0..<150 { harness.step() }
        let isClean = harness.random.oneIn(2)
        if isClean { harness.close() }
        try harness.restart(isClean: isClean)
      }
      harness.download()
      harness.settle { harness.isIdle && harness.held.isEmpty }
      harness.checkAllIsHere()
      harness.close()
      try harness.restart(isClean: true)
      #expect(harness.isDone)
      harness.checkAllIsHere()
    }
  }

  /// A stop after everything was here, in the middle of whatever the disk did: all of it is proven
  /// again without a peer.
  @Test(arguments: TorrentKind.allCases)
  func claimsAfterAnUncleanStop(kind: TorrentKind) throws {
    let fixture = try Self.fixture(kind)
    let harness = try ContentHarness(fixture, seed: 5, poolCount: 3)
    harness.open()
    harness.download()
    // The checkpoint is written, the clean slot is not.
    harness.now += .seconds(60)
    harness.content.handleTimeout(now: harness.now)
    harness.settle { harness.isIdle }
    try harness.restart(isClean: false)
    harness.settle { harness.isDone }
    harness.settle { harness.isIdle }
    harness.checkAllIsHere()
  }

  /// Two halves of a hybrid that mean different bytes, which shows when a file is whole: none is
  /// shorter than a piece, where the root alone would already tell.
  @Test func contradiction() throws {
    let lengths = [100_000, 0, 150_000]
    let right = try ContentFixture(.hybrid, lengths: lengths, pieceLength: 65_536, seed: 1)
    let other = try ContentFixture(.hybrid, lengths: lengths, pieceLength: 65_536, seed: 77)
    let forged = try TorrentDescription(
      kind: .hybrid, name: right.info.name, isSingleFile: false, pieceLength: 65_536,
      files: other.info.files, v1Pieces: right.info.v1Pieces
    ).infoDictionary()
    let harness = try Self.play(
      ContentFixture(right, replacing: forged), seed: 1, trouble: .init(answersOneIn: 0),
      layers: [:])
    #expect(harness.contradictions == 2)
  }
}
