import Metainfo
import Store
import TestSupport
import Testing

@testable import Swarm

/// Content in the user's folder that is cut short, changed, removed, and put right again.
@Suite struct ContentRecoveryTests {
  enum Harm: CaseIterable {
    case changed, cutShort, gone, unreadable
  }

  private static func harness(
    _ kind: TorrentKind, seed: UInt64, mode: TorrentRequest.Content = .proven(leaves: [])
  ) throws -> ContentHarness {
    let fixture = try ContentTests.fixture(kind)
    let harness = try ContentHarness(fixture, seed: seed, poolCount: 20, mode: mode)
    for file in fixture.geometry.files { restore(file, harness) }
    return harness
  }

  /// The file is what it should be; it looks as it did at the start.
  private static func restore(_ file: FileIndex, _ harness: ContentHarness, stamp: Int64 = 0) {
    harness.disk.files[file] = harness.fixture.files[Int(file.rawValue)]
    harness.disk.stamps[file] = stamp
  }

  private static func isWhole(_ harness: ContentHarness) -> Bool {
    harness.fixture.geometry.pieces.allSatisfy(harness.content.hasPiece)
  }

  /// Somebody asks for every block, one after the other; what is not here is not given.
  private static func readAll(_ harness: ContentHarness) {
    for (tag, block) in harness.fixture.blocks.enumerated() where harness.content.isHere(block) {
      harness.settle { harness.pool.freeCount > 0 }
      guard let buffer = harness.pool.take() else { continue }
      harness.reads[UInt64(tag)] = block
      guard harness.content.read(block, into: buffer, tag: UInt64(tag)) else {
        harness.reads[UInt64(tag)] = nil
        harness.pool.give(buffer)
        continue
      }
    }
    harness.settle { harness.reads.isEmpty && harness.isIdle }
  }

  private static func pass(_ time: Duration, _ harness: ContentHarness) {
    let end = harness.now + time
    harness.settle { harness.isIdle && harness.now >= end }
  }

  @Test(arguments: TorrentKind.allCases, Harm.allCases)
  func whatWasPutRightIsSharedAgain(kind: TorrentKind, harm: Harm) throws {
    // By how it looks when it is right again, it may be the very file that it was.
    for (seed, stamp) in [(1, 0), (2, 7)] as [(UInt64, Int64)] where harm != .changed || stamp > 0 {
      let harness = try Self.harness(kind, seed: seed)
      harness.open()
      #expect(Self.isWhole(harness))
      let file = try #require(harness.fixture.geometry.file(6))
      switch harm {
      case .changed:
        harness.disk.files[file]?[100_000] ^= 1
        harness.disk.stamps[file] = 3
      case .cutShort:
        harness.disk.files[file]?.removeLast(200_000)
        harness.disk.stamps[file] = 3
      case .gone: harness.disk.files[file] = nil
      case .unreadable: harness.disk.broken.insert(file)
      }
      Self.readAll(harness)
      Self.pass(.seconds(200), harness)
      #expect(!Self.isWhole(harness))
      Self.readAll(harness)
      harness.disk.broken = []
      Self.restore(file, harness, stamp: stamp)
      Self.pass(harm == .unreadable ? .seconds(500) : .seconds(130), harness)
      #expect(Self.isWhole(harness), "\(kind), \(harm), \(stamp)")
      Self.readAll(harness)
      #expect(Self.isWhole(harness))
      // Nothing is missing: nobody looks any more.
      Self.pass(.seconds(130), harness)
      #expect(harness.content.deadline == nil)
      harness.close()
    }
  }

  /// A file that is still being copied is not read over and over.
  @Test func whatIsBeingWrittenIsLeftAlone() throws {
    let harness = try Self.harness(.v2, seed: 3)
    harness.open()
    let file = try #require(harness.fixture.geometry.file(6))
    let whole = harness.fixture.files[Int(file.rawValue)]
    harness.disk.files[file] = []
    harness.disk.stamps[file] = 1
    Self.readAll(harness)
    let before = harness.disk.reads
    for length in stride(from: 0, through: whole.count, by: 10_000) {
      harness.disk.files[file] = Array(whole[..<length])
      harness.disk.stamps[file] = Int64(length + 2)
      harness.now += .milliseconds(300)
      harness.content.handleTimeout(now: harness.now)
      while !harness.operations.isEmpty || !harness.jobs.isEmpty {
        harness.takeAll()
        harness.work()
        harness.hash()
        harness.takeAll()
      }
    }
    #expect(harness.disk.reads == before)
    Self.restore(file, harness, stamp: 1 << 40)
    Self.pass(.seconds(130), harness)
    #expect(Self.isWhole(harness))
    harness.close()
  }

  /// What was hashed before looks different, or is gone, when it is opened.
  @Test(arguments: TorrentKind.allCases)
  func whatChangedSinceItWasHashedIsExamined(kind: TorrentKind) throws {
    let fixture = try ContentTests.fixture(kind)
    let evidence = fixture.geometry.files.map { file -> FileEvidence? in
      FileEvidence(
        size: UInt64(fixture.files[Int(file.rawValue)].count), modified: 0, changed: 0, inode: 1)
    }
    let harness = try Self.harness(kind, seed: 4, mode: .proven(leaves: [], evidence: evidence))
    let (changed, gone) = (
      try #require(fixture.geometry.file(6)), try #require(fixture.geometry.file(0))
    )
    harness.disk.files[changed]?[100_000] ^= 1
    harness.disk.stamps[changed] = 5
    harness.disk.files[gone] = nil
    harness.open()
    for file in [changed, gone] {
      for block in fixture.geometry.blocks(of: file) { #expect(!harness.content.isHere(block)) }
    }
    Self.pass(.seconds(100), harness)
    let wrong = try #require(fixture.geometry.blocks(of: changed, bytes: 100_000..<100_001)?.first)
    #expect(!harness.content.isHere(wrong))
    Self.restore(changed, harness, stamp: 6)
    Self.restore(gone, harness)
    Self.pass(.seconds(130), harness)
    #expect(Self.isWhole(harness))
    harness.close()
  }

  /// Files come and go, change, are cut, cannot be read; peers read all the time, and get nothing
  /// that is not right. At last all is right, and found so.
  @Test(arguments: TorrentKind.allCases)
  func anything(kind: TorrentKind) throws {
    for seed in 10..<13 as Range<UInt64> {
      let harness = try Self.harness(kind, seed: seed)
      let files = harness.fixture.geometry.files.filter {
        !harness.fixture.files[Int($0.rawValue)].isEmpty
      }
      harness.open()
      var stamp: Int64 = 1
      for _ in 0..<40 {
        guard let file = files.randomElement(using: &harness.random) else { break }
        stamp += 1
        switch Int.random(in: 0..<8, using: &harness.random) {
        case 0, 1: Self.restore(file, harness, stamp: harness.random.oneIn(2) ? 0 : stamp)
        case 2:
          if let length = harness.disk.files[file]?.count, length > 0 {
            harness.disk.files[file]?[Int.random(in: 0..<length, using: &harness.random)] ^= 1
            harness.disk.stamps[file] = stamp
          }
        case 3:
          if let length = harness.disk.files[file]?.count, length > 0 {
            harness.disk.files[file]?.removeLast(
              Int.random(in: 1...length, using: &harness.random))
            harness.disk.stamps[file] = stamp
          }
        case 4: harness.disk.files[file] = nil
        case 5:
          if harness.disk.broken.remove(file) == nil { harness.disk.broken.insert(file) }
        case 6: Self.pass(.seconds(Int.random(in: 0...30, using: &harness.random)), harness)
        default: Self.readAll(harness)
        }
        for _ in 0..<Int.random(in: 0...20, using: &harness.random) {
          harness.work()
          harness.hash()
          harness.takeAll()
        }
      }
      harness.disk.broken = []
      for file in files { Self.restore(file, harness, stamp: stamp + 1) }
      Self.pass(.seconds(7_200), harness)
      Self.readAll(harness)
      Self.pass(.seconds(200), harness)
      #expect(Self.isWhole(harness), "seed \(seed)")
      harness.close()
    }
  }
}
