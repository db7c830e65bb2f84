import Metainfo
import Testing

@testable import SwarmTool

@Suite struct PaintTests {
  @Test(
    arguments: [
      (true, "xterm", nil, true), (false, "xterm", nil, false), (true, "dumb", nil, false),
      (true, nil, nil, false), (true, "", nil, false), (true, "xterm", "1", false),
      // Set to nothing counts as not set.
      (true, "xterm", "", true),
    ] as [(Bool, String?, String?, Bool)])
  func colourIsForTerminals(isTerminal: Bool, term: String?, noColor: String?, isOn: Bool) {
    #expect(Paint.isWanted(isTerminal: isTerminal, term: term, noColor: noColor) == isOn)
  }

  @Test func withoutColourTheTextIsTheSame() {
    #expect(Paint(isOn: false)("a", .fault) == "a")
    let painted = Paint(isOn: true)("a", .fault)
    #expect(painted.hasPrefix("\u{1B}[") && painted.hasSuffix("a\u{1B}[0m"))
  }
}

@Suite struct WrappingTests {
  private static let text =
    "no peers found: check the key, that somebody shares it now; swarm doctor looks at this machine"

  @Test(arguments: 0...120) func nothingIsWiderAndNothingIsLost(width: Int) {
    for indent in [0, 9] {
      let lines = Wrapping.lines(Self.text, width: width, indent: indent)
      #expect(lines.allSatisfy { $0.count < max(width, 1) })
      guard width >= Wrapping.leastWidth else { continue }
      let gap = String(repeating: " ", count: indent)
      #expect(lines.dropFirst().allSatisfy { $0.hasPrefix(gap) })
      let whole = lines.enumerated().map { $0 == 0 ? $1 : String($1.dropFirst(indent)) }
      #expect(whole.joined(separator: " ") == Self.text)
    }
  }

  @Test func wideLettersTakeTwoColumns() {
    #expect("abc".columns == 3 && "données".columns == 7 && "データ".columns == 6)
    #expect("e\u{301}".columns == 1 && "\u{1F4C1}".columns == 2 && "\u{2764}\u{FE0F}".columns == 2)
    #expect("aデータ".prefix(columns: 4) == "aデ" && "aデータ".prefix(columns: 0) == "")
    let lines = Wrapping.lines(String(repeating: "データ", count: 30), width: 50)
    #expect(lines.count == 4 && lines.allSatisfy { $0.columns < 50 })
    #expect(lines.joined() == String(repeating: "データ", count: 30))
  }

  @Test func aWordThatIsTooLongGoesOn() {
    let path = String(repeating: "x", count: 100)
    let lines = Wrapping.lines("at \(path) it is", width: 50)
    let part = String(repeating: "x", count: 49)
    #expect(lines == ["at", part, part, "xx it is"])
  }
}

@Suite struct SuggestionTests {
  private static let names = ["seed", "join", "status", "ls", "rm", "key", "verify"]

  @Test(
    arguments: [
      ("sed", "seed"), ("jion", "join"), ("stauts", "status"), ("verfy", "verify"), ("l", "ls"),
      ("list", nil), ("frobnicate", nil), ("", nil),
    ] as [(String, String?)])
  func theNearestIsMeant(word: String, name: String?) {
    #expect(Suggestion.nearest(to: word, among: Self.names) == name)
  }

  @Test func distances() {
    #expect(Suggestion.distance("", "") == 0)
    #expect(Suggestion.distance("abc", "") == 3)
    #expect(Suggestion.distance("", "abc") == 3)
    #expect(Suggestion.distance("abc", "acb") == 1)
    #expect(Suggestion.distance("kitten", "sitting") == 3)
  }

  @Test(arguments: [
    (["sed"], "there is no command 'sed'; did you mean 'seed'?"),
    (["frobnicate", "x"], "there is no command 'frobnicate'"),
    (["key", "lst"], "there is no command 'lst'; did you mean 'list'?"),
    (["help", "sed"], "there is no command 'sed'; did you mean 'seed'?"),
    (["help", "key", "lst"], "there is no command 'lst'; did you mean 'list'?"),
    (["SEED"], "there is no command 'SEED'; did you mean 'seed'?"),
    (["list"], "there is no command 'list'; did you mean 'ls'?"),
    (["remove", "x"], "there is no command 'remove'; did you mean 'rm'?"),
    (["version"], "there is no command 'version'; did you mean '--version'?"),
  ])
  func unknownCommands(arguments: [String], begin: String) {
    #expect(SwarmTool.unknownCommand(in: arguments)?.hasPrefix(begin) == true)
  }

  @Test(arguments: [
    [], ["--help"], ["help", "seed"], ["seed"], ["key"], ["key", "list"], ["key", "-h"], ["help"],
    ["help", "key"], ["help", "key", "list"], ["help", "--help"], ["seed", "help"],
    ["key", "list", "x"],
  ])
  func knownCommands(arguments: [String]) {
    #expect(SwarmTool.unknownCommand(in: arguments) == nil)
  }

  @Test func theParsersMessagesAreAsOurs() {
    #expect(
      SwarmTool.ownStyle("Error: Unknown option '-x'\nUsage: x") == "unknown option '-x'\nUsage: x")
    #expect(SwarmTool.ownStyle("Error: --timeout 0: at least 1") == "--timeout 0: at least 1")
    #expect(SwarmTool.ownStyle("x") == "x")
  }
}

@Suite struct LinkAdviceTests {
  private static let key = String(repeating: "ab", count: 32)

  private func message(_ text: String) -> String {
    let error = #expect(throws: Failure.self) { try LinkAdvice.parse(Array(text.utf8)) }
    return error?.message ?? ""
  }

  @Test func aLinkWithoutAKeySaysWhatMayHaveHappened() {
    #expect(message("magnet:?dn=data").contains("Put it in quotes"))
    #expect(message("magnet:?xs=urn:btpk:abcd").contains("copied whole"))
    #expect(message("magnet:?xs=urn:btpk:\(Self.key.dropLast())g").contains("copied whole"))
    #expect(message("manget:?xs=urn:btpk:\(Self.key)").contains("magnet:?"))
  }

  @Test func whatIsNoFileIsSaidToBeWhatItMayBe() {
    func missing(_ text: String) -> String { LinkAdvice.missing(Array(text.utf8)) }
    #expect(missing("data") == "data is neither a link nor a key, and there is no such file")
    #expect(missing("https://example.org/x").contains("an address of the web"))
    #expect(missing("\(Self.key.dropLast())g").contains("character 64 is no hexadecimal digit"))
    #expect(missing("ABCDEFGH" + Self.key).contains("character 7 is"))
  }

  @Test func whatIsNoTorrentIsSaidToBeWhatItIs() {
    func strange(_ text: String) -> String {
      TorrentFile.strange(Array("file".utf8), Array(text.utf8))
    }
    #expect(strange("").contains("it is empty"))
    #expect(strange("magnet:?xs=urn:btpk:\(Self.key)\n").contains("give it as @file"))
    #expect(strange(Self.key).contains("give it as @file"))
    #expect(strange("root:x:0").contains("is no .torrent"))
    #expect(!strange("secret words").contains("secret"))
  }
}
