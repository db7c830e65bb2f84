import Metainfo
import TestSupport
import Testing
import Wire

@Suite struct JSONParserTests {
  private func line(_ text: String) throws -> String { try JSONParser.parse(Array(text.utf8)).line }

  private func reason(_ bytes: [UInt8]) -> JSONParser.Reason? {
    do {
      _ = try JSONParser.parse(bytes)
      return nil
    } catch { return error.reason }
  }

  @Test(arguments: [
    ("null", "null"), (" true ", "true"), ("false", "false"), ("0", "0"), ("-0", "0"),
    ("18446744073709551615", "18446744073709551615"),
    ("-9223372036854775808", "-9223372036854775808"),
    ("1.0", "1"), ("1e2", "100"), ("-2.50E+1", "-25"), ("0.5", "0.5"),
    ("\"\"", "\"\""), ("\"a\\u0062\\n\\/\"", "\"ab\\n/\""), ("\"\\ud83d\\ude00\"", "\"😀\""),
    ("\"é\u{2028}\"", "\"é\u{2028}\""), ("[]", "[]"), ("[1,[2]]", "[1, [2]]"), ("{}", "{}"),
    ("\t{\"b\" : 1,\r\n\"a\":{\"c\":[null]}}", "{\"b\": 1, \"a\": {\"c\": [null]}}"),
    // Names that look alike and differ in their bytes are two.
    ("{\"\u{e9}\":1,\"e\u{301}\":2}", "{\"\u{e9}\": 1, \"e\u{301}\": 2}"),
  ])
  func values(text: String, expected: String) throws { #expect(try line(text) == expected) }

  @Test(
    arguments: [
      ("", JSONParser.Reason.end), (" ", .end), ("tru", .noValue), ("nul", .noValue),
      ("+1", .noValue),
      ("01", .number), ("-", .end), ("-x", .number), ("1.", .end), ("1.x", .number), ("1e", .end),
      (".5", .noValue),
      ("1e999", .number), ("NaN", .noValue), ("1 2", .surplus), ("[1,]", .noValue), ("[1", .end),
      ("[1 2]", .punctuation), ("{\"a\" 1}", .punctuation), ("{a:1}", .punctuation),
      ("{\"a\":1,}", .punctuation),
      ("{\"a\":1,\"a\":2}", .duplicate), ("{\"a\":1", .end), ("'a'", .noValue), ("\"a", .end),
      ("\"\t\"", .control), ("\"\\x\"", .escape), ("\"\\u12\"", .escape), ("\"\\u12", .end),
      ("\"\\ud83d\"", .surrogate), ("\"\\ude00\"", .surrogate), ("\"\\ud83d\\u0041\"", .surrogate),
      ("\"\\u+123\"", .escape), ("// c\n1", .noValue), ("\u{feff}1", .noValue),
    ] as [(String, JSONParser.Reason)])
  func faults(text: String, expected: JSONParser.Reason) {
    #expect(reason(Array(text.utf8)) == expected)
  }

  @Test func bounds() {
    let deepest = JSONLimits.depth
    func nested(_ depth: Int) -> [UInt8] {
      Array((String(repeating: "[", count: depth) + String(repeating: "]", count: depth)).utf8)
    }
    #expect(reason(nested(deepest)) == nil)
    #expect(reason(nested(deepest + 1)) == .tooDeep)
    #expect(reason([UInt8](repeating: 0x20, count: JSONLimits.bytes + 1)) == .tooLong)
    func list(_ count: Int) -> [UInt8] {
      Array("[\(Array(repeating: "1", count: count).joined(separator: ","))]".utf8)
    }
    #expect(reason(list(JSONLimits.values - 1)) == nil)
    #expect(reason(list(JSONLimits.values)) == .tooMany)
    #expect(reason([0x22, 0xff, 0x22]) == .encoding)
    #expect(reason([0x22, 0xed, 0xa0, 0x80, 0x22]) == .encoding)
  }

  @Test func faultsHaveAPlace() {
    #expect(throws: JSONParser.Failure.self) { try JSONParser.parse(Array("[1, x]".utf8)) }
    do { _ = try JSONParser.parse(Array("[1, x]".utf8)) } catch {
      #expect("\(error)" == "byte 4: no value begins here")
    }
  }

  /// What is written is read back, on one line or on many.
  @Test(arguments: [1, 2, 3])
  func random(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    for _ in 0..<300 {
      let value = Self.value(&random, depth: 0)
      #expect(try line(value.line) == value.line, "seed \(seed)")
      #expect(
        try JSONParser.parse(Array(value.rendered.utf8)).rendered == value.rendered, "seed \(seed)")
    }
  }

  private static func text(_ random: inout SplitMix64) -> String {
    let pool: [Unicode.Scalar] = [
      "a", "\"", "\\", "\n", "\u{1}", "\u{7f}", "\u{85}", "é", "😀", "/", "\u{2028}",
    ]
    var text = ""
    for _ in 0..<Int.random(in: 0...5, using: &random) {
      text.unicodeScalars.append(pool[Int.random(in: 0..<pool.count, using: &random)])
    }
    return text
  }

  private static func value(_ random: inout SplitMix64, depth: Int) -> JSON {
    switch Int.random(in: 0...(depth < 3 ? 7 : 5), using: &random) {
    case 0: return .null
    case 1: return .bool(Bool.random(using: &random))
    case 2: return .number(UInt64.random(in: 0...UInt64.max, using: &random))
    case 3: return .signed(Int64.random(in: Int64.min...(-1), using: &random))
    case 4: return .real(Double.random(in: -1...1, using: &random))
    case 5: return .text(text(&random))
    case 6:
      return .list(
        (0..<Int.random(in: 0...4, using: &random)).map { _ in value(&random, depth: depth + 1) })
    default:
      return .object(
        (0..<Int.random(in: 0...4, using: &random)).map {
          ("\($0)" + text(&random), value(&random, depth: depth + 1))
        })
    }
  }
}

@Suite struct UnprintableTests {
  @Test(arguments: [1, 2, 3])
  func whatIsShownIsReadBack(seed: UInt64) {
    var random = SplitMix64(seed: seed)
    for _ in 0..<500 {
      let bytes = random.bytes(Int.random(in: 0...12, using: &random))
      #expect(unprintable(printable(bytes)) == bytes, "seed \(seed)")
    }
  }

  @Test(arguments: ["\\", "a\\", "\\q", "\\x", "\\x1", "\\x1g"])
  func otherBackslashesAreNone(text: String) { #expect(unprintable(text) == nil) }
}
