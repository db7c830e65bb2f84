import Testing

@testable import Discovery

/// How long is waited for answers.
@Suite struct RoundTripsTests {
  @Test func waitsFollowTheAnswers() {
    var trips = RoundTrips()
    #expect(trips.wait == DHTLimits.firstWait && trips.patience == 4 * DHTLimits.firstWait)
    for _ in 0..<100 { trips.add(100_000) }
    #expect(trips.wait >= 100_000 && trips.wait < 110_000)
    #expect(trips.patience >= 200_000 && trips.patience < 220_000)
    for _ in 0..<100 { trips.add(100) }
    #expect(trips.wait == DHTLimits.shortestWait)
    #expect(trips.patience == DHTLimits.shortestPatience)
    for _ in 0..<100 { trips.add(60_000_000) }
    #expect(trips.wait == DHTLimits.longestWait && trips.patience == 2 * DHTLimits.longestWait)
  }

  /// A datagram that was lost does not make all further waits longer; a node that is really far does.
  @Test func repetitionsDoNotLengthenWaits() {
    var trips = RoundTrips()
    for _ in 0..<100 { trips.add(100_000) }
    for _ in 0..<100 { trips.add(sinceFirst: 300_000, sinceRepetition: 100_000) }
    #expect(trips.wait < 110_000)
    for _ in 0..<100 { trips.add(sinceFirst: 250_000, sinceRepetition: 10_000) }
    #expect(trips.wait >= 250_000)
    var first = RoundTrips()
    first.add(sinceFirst: 900_000, sinceRepetition: 500_000)
    #expect(first.wait >= 900_000)
  }
}
