import Testing

@testable import SwarmTool

@Suite struct RepeatsTests {
  /// Whether each text, at its second, is new.
  private func news(_ told: [(String, Int)]) -> [Bool] {
    var repeats = Repeats()
    let start = ContinuousClock.now
    return told.map { repeats.isNew($0.0, now: start + .seconds($0.1)) }
  }

  @Test func troubleIsToldOnceWhileItLasts() {
    #expect(news([("a", 0), ("b", 0), ("a", 1), ("a", 59)]) == [true, true, false, false])
    // Each time it shows keeps it going; silence for a minute ends it.
    #expect(news([("a", 0), ("a", 50), ("a", 100), ("a", 160)]) == [true, false, false, true])
    #expect(news([("a", 0), ("b", 50), ("a", 60), ("b", 100)]) == [true, true, true, false])
  }

  @Test func memoryIsBounded() {
    var repeats = Repeats()
    let start = ContinuousClock.now
    let told = (0..<3 * Repeats.most).count { repeats.isNew("\($0)", now: start) }
    #expect(told == 3 * Repeats.most)
    let isForgotten = repeats.isNew("0", now: start)
    #expect(isForgotten)
  }
}

@Suite struct SummaryTests {
  @Test func theEndSaysWhatIsKept() {
    var figures = TransferFigures()
    #expect(figures.summary(place: nil) == "nothing was fetched yet")
    (figures.wantedBytes, figures.doneBytes, figures.uploadedBytes) = (1 << 30, 123 << 20, 1 << 20)
    #expect(
      figures.summary(place: "x/data")
        == "123 MiB of 1 GiB are kept in x/data; the same command continues")
    figures.isFinished = true
    #expect(figures.summary(place: "x/data") == "x/data is complete; sent 1 MiB in this run")
    figures.onlySeeds = true
    #expect(figures.summary(place: "x/data") == "stopped: sent 1 MiB in this run")
  }
}
