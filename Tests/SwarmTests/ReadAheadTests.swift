import Metainfo
import TestSupport
import Testing

@testable import Swarm

/// Who reads in order is noticed, and what is fetched ahead keeps its order.
@Suite struct ReadAheadTests {
  private static let geometry = try? PieceGeometry(v2Lengths: [64 << 20], pieceLength: 65_536)

  @Test func windowDoublesUpToItsBound() throws {
    let file = try #require(Self.geometry?.files.first)
    var streams = ReadStreams()
    var end: UInt64 = 0
    var windows: [UInt64] = []
    for number in 0..<2_000 {
      let start = UInt64(number) * 4_096
      if let range = streams.read(start..<start + 4_096, of: file, length: 64 << 20) {
        #expect(range.lowerBound == max(end, start + 4_096), "no gap, and nothing twice")
        end = range.upperBound
        windows.append(end - start - 4_096)
      } else if number > 0 {
        #expect(end >= start + 4_096, "the reader has caught up")
      }
    }
    #expect(windows.first == ReadLimits.firstWindow)
    #expect(zip(windows, windows.dropFirst()).allSatisfy { $1 <= 2 * $0 && $1 >= $0 })
    #expect(windows.last == ReadLimits.largestWindow)
  }

  @Test func endOfTheFileIsTheEnd() throws {
    let file = try #require(Self.geometry?.files.first)
    var streams = ReadStreams()
    let ranges = [0..<4_096, 4_096..<8_192, 8_192..<20_000 as Range<UInt64>].map {
      streams.read($0, of: file, length: 20_000)
    }
    #expect(ranges == [nil, 8_192..<20_000, nil])
  }

  /// Several readers, and somebody who reads anywhere: each reader goes on as if it were alone.
  @Test(arguments: 1...20 as ClosedRange<UInt64>)
  func streamsDoNotDisturbEachOther(seed: UInt64) throws {
    let file = try #require(Self.geometry?.files.first)
    var random = SplitMix64(seed: seed)
    var together = ReadStreams()
    var alone = (0..<4).map { _ in ReadStreams() }
    var places = (0..<4).map { UInt64($0) << 24 }
    for _ in 0..<400 {
      if Int.random(in: 0..<3, using: &random) == 0 {
        // Far from where any of the readers gets.
        let start =
          UInt64.random(in: 0..<4, using: &random) << 24
          + UInt64.random(in: 8 << 20...15 << 20, using: &random)
        _ = together.read(start..<start + 512, of: file, length: 64 << 20)
        continue
      }
      let reader = Int.random(in: 0..<4, using: &random)
      let count = UInt64.random(in: 1...40_000, using: &random)
      let bytes = places[reader]..<places[reader] + count
      places[reader] += count
      let among = together.read(bytes, of: file, length: 64 << 20)
      let byItself = alone[reader].read(bytes, of: file, length: 64 << 20)
      #expect(among == byItself)
    }
  }

  /// Against a list of blocks.
  @Test(arguments: 1...50 as ClosedRange<UInt64>)
  func queueKeepsItsOrder(seed: UInt64) throws {
    let geometry = try #require(Self.geometry)
    var random = SplitMix64(seed: seed)
    var queue = AheadQueue()
    var list: [BlockIndex] = []
    var done: Set<BlockIndex> = []
    for _ in 0..<300 {
      switch Int.random(in: 0..<4, using: &random) {
      case 0:
        let start = Int.random(in: 0..<4_000, using: &random)
        let run = geometry.numberedBlocks.part(
          start..<start + Int.random(in: 0...6, using: &random))
        queue.append(run)
        list += run
      case 1:
        for block in list where Int.random(in: 0..<4, using: &random) == 0 { done.insert(block) }
      default:
        let parity = UInt32.random(in: 0...1, using: &random)
        let isHad = { (block: BlockIndex) in block.rawValue % 2 == parity }
        let next = queue.next(limit: 100_000, isDone: { done.contains($0) }, use: isHad)
        #expect(next == list.first { !done.contains($0) && isHad($0) })
        if let next { done.insert(next) }
      }
    }
    let isDone = { (block: BlockIndex) in done.contains(block) }
    while let next = queue.next(limit: 100_000, isDone: isDone, use: { _ in true }) {
      done.insert(next)
    }
    #expect(queue.isEmpty)
  }

  @Test func answerTimesAreSmoothed() {
    var time = AnswerTime()
    #expect(time.usual == nil && time.usualWorst > ReadLimits.unknownAnswer)
    time.guess(.milliseconds(40))
    #expect(time.usual == .milliseconds(40))
    for _ in 0..<100 { time.add(.milliseconds(60)) }
    #expect(time.usual == .milliseconds(60))
    #expect(time.usualWorst == .milliseconds(75), "a quarter more, when it is always the same")
    time.guess(.milliseconds(1))
    #expect(time.usual == .milliseconds(60), "what was measured counts")
    for _ in 0..<10 { time.add(.milliseconds(200)) }
    #expect(time.usualWorst > .milliseconds(200))
    for _ in 0..<10 { time.add(.seconds(100)) }
    #expect(time.usualWorst < .seconds(101))
  }
}
