import Metainfo
import Store
import TestSupport
import Testing

@testable import Swarm

/// Content that is here from the start: what peers ask for, and what happens when it changes.
@Suite struct ContentAnswerTests {
  static func harness(
    _ kind: TorrentKind, mode: TorrentRequest.Content, limits: ContentLimits = ContentLimits(),
    poolCount: Int = 8, pieceLength: Int = 65_536
  ) throws -> ContentHarness {
    let fixture = try ContentTests.fixture(kind, pieceLength: pieceLength)
    let harness = try ContentHarness(
      fixture, seed: 3, poolCount: poolCount, limits: limits, mode: mode)
    for (file, bytes) in zip(fixture.geometry.files, fixture.files) {
      harness.disk.files[file] = bytes
    }
    return harness
  }

  static func leaves(_ fixture: ContentFixture) -> [SHA256Digest] {
    fixture.files.flatMap(ContentFixture.leaves)
  }

  /// Every question that makes sense, and many that make none, against a tree that knows all.
  @Test(arguments: [true, false], [16_384, 65_536])
  func answersEqualThoseOfAWholeTree(keepsLeaves: Bool, pieceLength: Int) throws {
    let fixture = try ContentTests.fixture(.v2, pieceLength: pieceLength)
    var limits = ContentLimits()
    // Room for a few pieces, so that leaves come and go.
    limits.leafBytes = 2_000
    let harness = try Self.harness(
      .v2, mode: .proven(leaves: keepsLeaves ? Self.leaves(fixture) : []), limits: limits,
      pieceLength: pieceLength)
    harness.open()
    harness.checkAllIsHere()
    var tag: UInt64 = 0
    var refused = 0
    for (root, tree) in fixture.trees.sorted(by: { $0.key < $1.key }) {
      for layer in 0...tree.shape.rootLayer as ClosedRange<Int> {
        for length in [1, 2, 4, 8, 16] as [UInt32] {
          for index in stride(from: 0, to: 20 as UInt32, by: Int(max(1, length / 2))) {
            tag += 1
            let request = HashRequest(
              piecesRoot: root, baseLayer: UInt32(layer), index: index, length: length,
              proofLayers: UInt32.random(in: 0...4, using: &harness.random))
            _ = harness.content.answer(request, tag: tag)
            harness.settle { harness.answered[tag] != nil }
            guard let answer = harness.answered[tag] else { continue }
            if case .hashes(let expected) = tree.response(to: request) {
              #expect(answer == expected)
            } else {
              #expect(answer == nil)
              refused += 1
            }
          }
        }
      }
    }
    #expect(refused > 0 && refused < tag)
    #expect(harness.content.leafDigests * 32 < 20_000)
    harness.close()
  }

  /// Many questions at once, of which some are too many.
  @Test func manyQuestions() throws {
    var limits = ContentLimits()
    limits.answers = 10
    let harness = try Self.harness(.v2, mode: .proven(leaves: []), limits: limits, poolCount: 3)
    harness.open()
    let tree = try #require(
      harness.fixture.trees.values.max { $0.shape.leafCount < $1.shape.leafCount })
    let request = HashRequest(
      piecesRoot: tree.root, baseLayer: 0, index: 0, length: 8, proofLayers: 3)
    for tag in 0..<20 as Range<UInt64> { _ = harness.content.answer(request, tag: tag) }
    harness.settle { harness.answered.count == 20 }
    guard case .hashes(let expected) = tree.response(to: request) else {
      Issue.record("no question")
      return
    }
    #expect(harness.answered.values.count { $0 == expected } == 10)
    harness.close()
    // What waits at the end is refused.
    _ = harness.content.answer(request, tag: 99)
    harness.takeAll()
    #expect(harness.answered[99] == .some(nil))
  }

  @Test func questionsBeforeTheEndAreRefused() throws {
    let harness = try Self.harness(.hybrid, mode: .proven(leaves: []), poolCount: 2)
    harness.open()
    for tree in harness.fixture.trees.values where tree.shape.leafCount > 1 {
      let tag = UInt64(tree.shape.leafCount)
      _ = harness.content.answer(
        HashRequest(piecesRoot: tree.root, baseLayer: 0, index: 0, length: 2, proofLayers: 0),
        tag: tag)
    }
    harness.close()
    #expect(harness.answered.values.allSatisfy { $0 == nil })
  }

  @Test(arguments: TorrentKind.allCases)
  func readsGiveTheContent(kind: TorrentKind) throws {
    let harness = try Self.harness(kind, mode: .proven(leaves: []))
    harness.open()
    for (tag, block) in harness.fixture.blocks.enumerated() {
      harness.settle { harness.pool.freeCount > 0 }
      guard let buffer = harness.pool.take() else { continue }
      harness.reads[UInt64(tag)] = block
      #expect(harness.content.read(block, into: buffer, tag: UInt64(tag)))
    }
    harness.settle { harness.reads.isEmpty }
    harness.close()
  }

  /// The user says that it is all here; some of it is not.
  @Test(arguments: TorrentKind.allCases, [false, true])
  func claimsOfTheUser(kind: TorrentKind, isDamaged: Bool) throws {
    let harness = try Self.harness(kind, mode: .inPlace(claimsAll: true), poolCount: 3)
    let geometry = harness.fixture.geometry
    let file = try #require(geometry.file(6))
    if isDamaged { harness.disk.files[file]?[100_000] ^= 1 }
    harness.open()
    harness.settle { harness.isIdle && !harness.standing.values.contains(.received) }
    let wrong = try #require(geometry.blocks(of: file, bytes: 100_000..<100_001)?.first)
    let wrongPiece = geometry.piece(of: wrong)
    for piece in geometry.pieces {
      #expect(harness.content.hasPiece(piece) == !(isDamaged && piece == wrongPiece))
    }
    for block in harness.fixture.blocks {
      let isHere = harness.content.isHere(block)
      #expect(isHere || (isDamaged && geometry.piece(of: block) == wrongPiece))
      #expect(harness.standing[block] == (isHere ? .stored : .missing))
    }
    harness.close()
  }

  /// Somebody writes to a file that is being seeded: what a reader gets was hashed after that.
  @Test(arguments: TorrentKind.allCases)
  func aFileThatChanges(kind: TorrentKind) throws {
    let harness = try Self.harness(kind, mode: .proven(leaves: []))
    let geometry = harness.fixture.geometry
    let file = try #require(geometry.file(6))
    harness.open()
    harness.disk.files[file]?[100_000] ^= 1
    harness.disk.stamps[file] = 9
    let block = try #require(geometry.blocks(of: file, bytes: 100_000..<100_001)?.first)
    let buffer = try #require(harness.pool.take())
    harness.reads[1] = block
    #expect(harness.content.read(block, into: buffer, tag: 1))
    harness.settle { harness.isIdle && harness.reads.isEmpty }
    for block in geometry.blocks(of: file) { #expect(!harness.content.isHere(block)) }
    // Once it is quiet.
    harness.settle { harness.isIdle && harness.now > .seconds(30) }
    #expect(!harness.content.isHere(block))
    #expect(harness.standing[block] == .missing)
    // Its other pieces were examined, and are here again.
    for piece in geometry.pieces where piece != geometry.piece(of: block) {
      #expect(harness.content.hasPiece(piece))
    }
    harness.close()
  }
}
