import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// What waits to be fetched ahead: forgetting what is done with changes nothing of what comes next.
@Suite struct AheadQueueTests {
  @Test(arguments: 1...30 as ClosedRange<UInt64>)
  func compactingLeavesTheOrder(seed: UInt64) throws {
    let geometry = try PieceGeometry(v2Lengths: [8 << 20], pieceLength: 65_536)
    let file = try #require(geometry.files.first)
    var random = SplitMix64(seed: seed)
    var compacted = AheadQueue()
    var plain = AheadQueue()
    var done: Set<BlockIndex> = []
    var wanted: [BlockIndex] = []
    for _ in 0..<300 {
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let start = UInt64.random(in: 0..<8 << 20, using: &random)
        let end = min(8 << 20, start + UInt64.random(in: 1...200_000, using: &random))
        let run = try #require(geometry.blocks(of: file, bytes: start..<end))
        compacted.append(run)
        plain.append(run)
        wanted += run
      case 1: compacted.compact { done.contains($0) }
      case 2:
        // Somebody has got what comes anywhere.
        if let block = wanted.randomElement(using: &random) { done.insert(block) }
      default:
        let refuses = Bool.random(using: &random) ? wanted.randomElement(using: &random) : nil
        let next = compacted.next(
          limit: 100_000, isDone: { done.contains($0) }, use: { $0 != refuses })
        let other = plain.next(
          limit: 100_000, isDone: { done.contains($0) }, use: { $0 != refuses })
        #expect(next == other, "seed \(seed)")
        #expect(next == wanted.first { !done.contains($0) && $0 != refuses }, "seed \(seed)")
        if let next { done.insert(next) }
      }
    }
    // Runs that are longer than is looked through stay.
    done.formUnion(wanted)
    compacted.compact { done.contains($0) }
    let next = compacted.next(limit: 100_000, isDone: { done.contains($0) }, use: { _ in true })
    #expect(next == nil)
    #expect(compacted.isEmpty)
  }

  @Test func shortRunsThatAreDoneDoNotCount() throws {
    let geometry = try PieceGeometry(v2Lengths: [8 << 20], pieceLength: 65_536)
    let file = try #require(geometry.files.first)
    var queue = AheadQueue()
    for number in 0..<100 as Range<UInt64> {
      queue.append(
        try #require(geometry.blocks(of: file, bytes: number << 16..<(number << 16) + 1)))
    }
    queue.compact { $0.rawValue % 8 == 0 }
    #expect(queue.count == 50)
    queue.compact { _ in true }
    #expect(queue.isEmpty)
  }
}
