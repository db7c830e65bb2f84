import Metainfo
import Testing

@testable import Swarm

@Suite struct PolicyRefusedPiecesTests {
  private let pieces: [PieceIndex]

  init() throws {
    let geometry = try PieceGeometry(v2Lengths: [1_000 * 16_384], pieceLength: 16_384)
    pieces = Array(geometry.pieces)
  }

  @Test func pieceComesBackAfterTwiceTheTimeEachTime() {
    var refused = RefusedPieces()
    var now = Duration.zero
    var wait = PolicyLimits.refusalTime
    for _ in 0..<10 {
      #expect(refused.refused(pieces[3], now: now) == nil)
      #expect(refused.due(now: now + wait - .milliseconds(1)) == [])
      #expect(refused.due(now: now + wait) == [pieces[3]])
      #expect(refused.due(now: now + wait) == [])
      now += wait
      wait = min(wait * 2, PolicyLimits.longestRefusalTime)
    }
    #expect(wait == PolicyLimits.longestRefusalTime)
  }

  @Test func whatThePeerSaysCountsMore() {
    var refused = RefusedPieces()
    _ = refused.refused(pieces[0], now: .zero)
    _ = refused.refused(pieces[1], now: .zero)
    refused.told(pieces[0])
    #expect(refused.due(now: .seconds(10)) == [pieces[1]])
    // The wait is forgotten, too.
    _ = refused.refused(pieces[0], now: .zero)
    #expect(refused.due(now: PolicyLimits.refusalTime) == [pieces[0]])
    refused.toldAll()
    #expect(refused.isEmpty)
  }

  @Test func oldestComesBackWhenThereAreTooMany() {
    var refused = RefusedPieces()
    for number in 0..<PolicyLimits.refusedPieces {
      #expect(refused.refused(pieces[number], now: .milliseconds(number)) == nil)
    }
    let next = PolicyLimits.refusedPieces
    #expect(refused.refused(pieces[next], now: .seconds(1)) == pieces[0])
    // One that was given back already needs not be given back again.
    #expect(refused.due(now: .seconds(10) + .milliseconds(1)) == [pieces[1]])
    #expect(refused.refused(pieces[next + 1], now: .seconds(11)) == nil)
  }
}
