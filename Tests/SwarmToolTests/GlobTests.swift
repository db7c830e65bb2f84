import Testing

@testable import SwarmTool

@Suite struct GlobTests {
  /// Pattern, path, whether the one selects the other.
  @Test(arguments: [
    ("*.csv", "run1.csv", true), ("*.csv", "a/b/run1.csv", true), ("*.csv", "run1.csv.gz", false),
    ("run?.csv", "run1.csv", true), ("run?.csv", "run10.csv", false), ("run?", "runü", true),
    ("run[12].csv", "run2.csv", true), ("run[!12].csv", "run2.csv", false),
    ("run[^12].csv", "run3.csv", true), ("[a-c]x", "bx", true), ("[a-c]x", "dx", false),
    ("[]]", "]", true), ("[!]]", "]", false), ("[a-]", "-", true),
    ("raw", "raw/2024/a.bin", true), ("raw", "x/raw/a.bin", true), ("raw", "x/raws/a.bin", false),
    ("raw/", "raw/a.bin", true), ("/raw", "raw/a.bin", true), ("/raw", "x/raw/a.bin", false),
    ("raw/*.bin", "raw/a.bin", true), ("raw/*.bin", "raw/x/a.bin", false),
    ("raw/*", "raw/x/a.bin", true), ("*/a", "raw/a", true), ("*/a", "a", false),
    ("raw/**/a.bin", "raw/a.bin", true), ("raw/**/a.bin", "raw/x/y/a.bin", true),
    ("**/a.bin", "a.bin", true), ("**/a.bin", "x/y/a.bin", true), ("**/y/*", "x/y/y/z", true),
    ("raw/**", "raw/x", true), ("raw/**", "raw", false), ("**", "x", true), ("**/**", "x", true),
    ("a/**/b/**/c", "a/b/b/x/c", true), ("a/**/b/**/c", "a/b", false),
    ("\\*", "*", true), ("\\*", "x", false), ("*", "", false), ("a**b", "axxb", true),
    ("a*b*c", "abcbc", true), ("a*b*c", "abcb", false), ("e\u{301}", "\u{E9}", false),
  ])
  func selects(pattern: String, path: String, expected: Bool) throws {
    let glob = try #require(Glob(argument: pattern))
    let names = path.split(separator: "/").map { Array($0.utf8) }
    #expect(glob.matches(names) == expected)
  }

  @Test(arguments: ["", "/", "a//b", "[", "[a", "[]", "[b-a]", "a/[/b"])
  func notGlobs(pattern: String) {
    #expect(Glob(argument: pattern) == nil)
  }

  @Test func bytesThatAreNotTextAreCharacters() throws {
    let glob = try #require(Glob(argument: BytePath.encode([0x61, 0xFF]) + "?"))
    #expect(glob.matches([[0x61, 0xFF, 0xFE]]))
    #expect(!glob.matches([[0x61, 0xFE, 0xFE]]))
    #expect(!glob.matches([[0x61, 0xFF]]))
  }

  /// Every pattern of up to four of these characters against every name of up to four, beside the
  /// definition written down as it is said.
  @Test func agreesWithTheDefinition() {
    func words(_ letters: String) -> [String] {
      (1...4).reduce(into: [[""]]) { words, _ in
        words.append(words[words.count - 1].flatMap { word in letters.map { word + "\($0)" } })
      }.dropFirst().flatMap { $0 }
    }
    func slow(_ pattern: Substring, _ name: Substring) -> Bool {
      guard let first = pattern.first else { return name.isEmpty }
      if first == "*" {
        return name.indices.contains { slow(pattern.dropFirst(), name[$0...]) }
          || slow(pattern.dropFirst(), "")
      }
      guard let letter = name.first, first == "?" || first == letter else { return false }
      return slow(pattern.dropFirst(), name.dropFirst())
    }
    for pattern in words("ab*?") {
      guard let glob = Glob(argument: pattern) else {
        Issue.record("\(pattern) is a pattern")
        continue
      }
      for name in words("ab") {
        let expected = pattern == "**" || slow(pattern[...], name[...])
        if glob.matches([Array(name.utf8)]) != expected { Issue.record("\(pattern) \(name)") }
      }
    }
  }
}
