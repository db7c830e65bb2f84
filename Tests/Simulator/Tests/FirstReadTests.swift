import Testing

@testable import Simulator

/// What a node's first read costs: TCP, the handshakes, and the block with its hashes. Little more, since
/// a connection's first bytes are few.
@Suite struct FirstReadTests {
  @Test(arguments: [false, true], 1...2 as ClosedRange<UInt64>)
  func takesThreeRoundTrips(isLink: Bool, seed: UInt64) {
    let (roundTrips, failure) = ReadSwarm.firstRead(seed: seed, isLink: isLink)
    #expect(failure == nil, "\(failure ?? "")")
    #expect(roundTrips == 3, "seed \(seed)")
  }
}
