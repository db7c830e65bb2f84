import TestSupport
import Testing
import Wire

/// Answers about what is known of ranges.
@Suite struct NBDStatusTests {
  typealias B = NBDBytes
  static let both = ["base:allocation", "x-swarm:present"]
  static let runs = [
    NBDRun(length: 16, isHere: true), NBDRun(length: 16, isHere: false),
    NBDRun(length: 32, isHere: false, isZero: true), NBDRun(length: 1_000, isHere: true),
  ]

  @Test func runsAreMergedForEachContext() {
    var harness = NBDHarness.reading(.structured, contexts: Self.both)
    harness.runs = Self.runs
    #expect(
      harness.answer(to: B.request(7, cookie: 7, 100, 96))
        == B.chunk(
          5, flags: 0, 7,
          B.hexBytes("00000001 00000020 00000000 00000020 00000003 00000020 00000000"))
        + B.chunk(
          5, 7, B.hexBytes("00000002 00000010 00000001 00000030 00000000 00000020 00000001")))
  }

  @Test func oneRunOnly() {
    var harness = NBDHarness.reading(.structured, contexts: Self.both)
    harness.runs = Self.runs
    #expect(
      harness.answer(to: B.request(7, flags: 8, cookie: 7, 100, 96))
        == B.chunk(5, flags: 0, 7, B.hexBytes("00000001 00000020 00000000"))
        + B.chunk(5, 7, B.hexBytes("00000002 00000010 00000001")))
    #expect(
      harness.answer(to: B.request(7, flags: 8, cookie: 7, 100, 9))
        == B.chunk(5, flags: 0, 7, B.hexBytes("00000001 00000009 00000000"))
        + B.chunk(5, 7, B.hexBytes("00000002 00000009 00000001")))
  }

  @Test func extendedStatus() {
    var harness = NBDHarness.reading(.extended, contexts: ["x-swarm:present"])
    harness.runs = Self.runs
    #expect(
      harness.answer(to: B.extendedRequest(7, cookie: 7, 100, 20))
        == B.extendedChunk(
          6, 7, 100,
          B.hexBytes("00000002 00000002 0000000000000010 0000000000000001")
            + B.hexBytes("0000000000000004 0000000000000000")))
  }

  @Test func withoutRunsNothingIsClaimed() {
    var harness = NBDHarness.reading(.structured, contexts: ["x-swarm:present"])
    harness.runs = [NBDRun(length: 0, isHere: true)]
    #expect(
      harness.answer(to: B.request(7, cookie: 7, 0, 20))
        == B.chunk(5, 7, B.hexBytes("00000002 00000014 00000000")))
  }

  @Test func emptyRangeIsRefused() {
    var harness = NBDHarness.reading(.structured, contexts: Self.both)
    #expect(
      harness.answer(to: B.request(7, cookie: 7, 0, 0))
        == B.chunk(0x8001, 7, B.errorPayload(22, "the range is empty")))
    #expect(
      harness.answer(to: B.request(7, flags: 4, cookie: 7, 0, 1))
        == B.chunk(0x8001, 7, B.errorPayload(22, "a flag that this command does not have")))
    #expect(
      harness.answer(to: B.request(7, cookie: 7, 4_000, 97))
        == B.chunk(0x8001, 7, B.errorPayload(22, "the range is not inside the export")))
  }

  @Test func contextsOfAnotherExportDoNotCount() {
    var harness = NBDHarness()
    harness.take(B.clientFlags() + B.option(8) + B.contexts(10, "", ["base:allocation"]))
    harness.take(B.information(7, "disk"))
    harness.sent = []
    #expect(
      harness.answer(to: B.request(7, cookie: 7, 0, 1))
        == B.chunk(0x8001, 7, B.errorPayload(22, "no metadata context was chosen")))
  }

  /// Every choice replaces the one before, one that fails too.
  @Test func failedChoiceForgetsTheOneBefore() {
    for failing in [
      B.contexts(10, "nothing", Self.both), B.contexts(10, "disk", ["allocation"]),
      B.contexts(10, "disk", []), B.option(10, [UInt8](repeating: 0, count: 70_000)),
    ] {
      var harness = NBDHarness()
      harness.take(B.clientFlags() + B.option(8) + B.contexts(10, "disk", Self.both) + failing)
      harness.take(B.information(7, "disk"))
      harness.sent = []
      let answer = harness.answer(to: B.request(7, cookie: 7, 0, 1))
      #expect(answer == B.chunk(0x8001, 7, B.errorPayload(22, "no metadata context was chosen")))
    }
  }

  /// However many runs there are, the answer is bounded and says how far it goes.
  @Test func answersAreBounded() {
    var harness = NBDHarness.reading(.structured, contexts: ["x-swarm:present"], size: 1 << 20)
    harness.runs = (0..<(1 << 20)).map { NBDRun(length: 1, isHere: $0.isMultiple(of: 2)) }
    let answer = harness.answer(to: B.request(7, cookie: 7, 0, 1 << 20))
    #expect(answer.count == 20 + 4 + 8 * NBDLimits.statusRuns)
  }

  /// The same as the slowest way: a flag for each byte.
  @Test func mergedRunsSayTheSameOfEachByte() {
    for seed in UInt64(1)...100 {
      var random = SplitMix64(seed: seed)
      var harness = NBDHarness.reading(.structured, contexts: Self.both)
      var bytes: [(UInt32, UInt32)] = []
      for _ in 0..<Int.random(in: 1...30, using: &random) {
        let isHere = random.oneIn(2)
        let isZero = random.oneIn(3)
        let length = Int.random(in: 0...20, using: &random)
        harness.runs.append(NBDRun(length: UInt64(length), isHere: isHere, isZero: isZero))
        bytes += repeatElement((isZero ? 3 : 0, isHere ? 1 : 0), count: length)
      }
      let length = Int.random(in: 1...400, using: &random)
      let answer = harness.answer(to: B.request(7, cookie: 7, 9, UInt32(length)))
      let client = NBDReferenceClient(answer, style: .structured)
      let expected = bytes.isEmpty ? [(0, 0)] : Array(bytes.prefix(length))
      for (id, flags) in [(UInt32(1), expected.map(\.0)), (2, expected.map(\.1))] {
        let extents = client.extents[7]?[id] ?? []
        let told = extents.flatMap { [UInt32](repeating: UInt32($0.flags), count: Int($0.length)) }
        if bytes.isEmpty {
          #expect(told.allSatisfy { $0 == 0 }, "seed \(seed)")
        } else {
          #expect(told == flags, "seed \(seed)")
        }
        for pair in zip(extents, extents.dropFirst()) {
          #expect(pair.0.flags != pair.1.flags, "seed \(seed): two extents of the same")
        }
      }
    }
  }
}
