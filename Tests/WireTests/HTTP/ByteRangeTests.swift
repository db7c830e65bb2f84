import TestSupport
import Testing
import Wire

@Suite struct ByteRangeTests {
  /// RFC 9110, section 14.1.2, and what is around it.
  @Test(
    arguments: [
      ("bytes=0-499", 10_000, ByteRange.part(0..<500)),
      ("bytes=500-999", 10_000, .part(500..<1_000)),
      ("bytes=-500", 10_000, .part(9_500..<10_000)),
      ("bytes=9500-", 10_000, .part(9_500..<10_000)),
      ("bytes=0-0", 1, .part(0..<1)),
      ("BYTES=0-0", 10, .part(0..<1)),
      ("bytes= 3-4 ", 10, .part(3..<5)),
      ("bytes=,,3-4,", 10, .part(3..<5)),
      ("bytes=0-99999999999999999999999", 10, .part(0..<10)),
      ("bytes=-99999999999999999999999", 10, .part(0..<10)),
      ("bytes=9-99", 10, .part(9..<10)),
      ("bytes=10-", 10, .unsatisfiable),
      ("bytes=99999999999999999999999-", 10, .unsatisfiable),
      ("bytes=-0", 10, .unsatisfiable),
      ("bytes=0-", 0, .unsatisfiable),
      ("bytes=-5", 0, .whole),
      // Several are answered by the whole.
      ("bytes=0-0,-1", 10, .whole),
      ("bytes=0-0, 5-6, 9-", 10, .whole),
      // These are no ranges.
      ("bytes=5-4", 10, .whole),
      ("bytes=-", 10, .whole),
      ("bytes=", 10, .whole),
      ("bytes", 10, .whole),
      ("bytes=a-b", 10, .whole),
      ("bytes=1-2x", 10, .whole),
      ("bytes=1x-2", 10, .whole),
      ("bytes=99999999999999999999999x-", 10, .whole),
      ("bytes=+1-2", 10, .whole),
      ("bytes=1-2-3", 10, .whole),
      ("items=0-4", 10, .whole),
      ("", 10, .whole),
    ] as [(String, UInt64, ByteRange)])
  func headers(text: String, length: UInt64, expected: ByteRange) {
    #expect(ByteRange(header: Array(text.utf8), length: length) == expected)
  }

  @Test func noHeaderIsTheWhole() { #expect(ByteRange(header: nil, length: 5) == .whole) }

  @Test func contentRanges() {
    #expect(ByteRange.part(0..<500).contentRange(of: 1_234) == "bytes 0-499/1234")
    #expect(ByteRange.unsatisfiable.contentRange(of: 1_234) == "bytes */1234")
    #expect(ByteRange.whole.contentRange(of: 1_234) == nil)
  }

  /// What is asked for in the usual form is what is given, byte by byte.
  @Test(arguments: [1, 2, 3])
  func randomRanges(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    for _ in 0..<2_000 {
      let length = UInt64.random(in: 1...40, using: &random)
      let first = UInt64.random(in: 0...50, using: &random)
      let last = UInt64.random(in: 0...50, using: &random)
      let wanted = (0..<length).filter { $0 >= first && $0 <= last }
      let found = ByteRange(header: Array("bytes=\(first)-\(last)".utf8), length: length)
      if last < first {
        #expect(found == .whole)
      } else if let start = wanted.first, let end = wanted.last {
        #expect(found == .part(start..<(end + 1)), "seed \(seed)")
      } else {
        #expect(found == .unsatisfiable, "seed \(seed)")
      }
    }
  }
}

@Suite struct PreconditionsTests {
  private static let tag = EntityTag(strong: "abc")

  @Test(
    arguments: [
      (nil, nil, nil, .proceed(heedsRange: true)),
      ("\"abc\"", nil, nil, .proceed(heedsRange: true)),
      ("*", nil, nil, .proceed(heedsRange: true)),
      ("\"x\", \"abc\"", nil, nil, .proceed(heedsRange: true)),
      // A weak tag never matches where bytes must be the same.
      ("W/\"abc\"", nil, nil, .failed),
      ("\"x\"", nil, nil, .failed),
      ("abc", nil, nil, .failed),
      ("", nil, nil, .failed),
      (nil, "\"abc\"", nil, .notModified),
      (nil, "W/\"abc\"", nil, .notModified),
      (nil, " * ", nil, .notModified),
      (nil, "\"x\" , ,\"abc\"", nil, .notModified),
      (nil, "\"x\"", nil, .proceed(heedsRange: true)),
      (nil, "\"x\" \"abc\"", nil, .proceed(heedsRange: true)),
      (nil, "\"abc", nil, .proceed(heedsRange: true)),
      // If-Match is looked at first.
      ("\"x\"", "\"abc\"", nil, .failed),
      ("\"abc\"", "\"abc\"", nil, .notModified),
      (nil, nil, "\"abc\"", .proceed(heedsRange: true)),
      (nil, nil, "\"x\"", .proceed(heedsRange: false)),
      (nil, nil, "W/\"abc\"", .proceed(heedsRange: false)),
      (nil, nil, "\"abc\", \"abc\"", .proceed(heedsRange: false)),
      (nil, nil, "Sat, 29 Oct 1994 19:43:31 GMT", .proceed(heedsRange: false)),
    ] as [(String?, String?, String?, Preconditions.Verdict)])
  func verdicts(
    match: String?, noneMatch: String?, range: String?, expected: Preconditions.Verdict
  ) {
    let conditions = Preconditions(
      ifMatch: match.map { Array($0.utf8) }, ifNoneMatch: noneMatch.map { Array($0.utf8) },
      ifRange: range.map { Array($0.utf8) })
    #expect(conditions.verdict(on: Self.tag) == expected)
  }

  @Test func tagsAreQuoted() { #expect(Self.tag.text == "\"abc\"") }
}
