import Testing

/// Each rule on a small bad example, and on the good one beside it: the rules can fail.
@Suite("Rules") struct RuleTests {
  /// The lines that `rule` complains of in a file of that path.
  private func lines(
    _ path: String, _ text: String, _ rule: ([SourceFile]) -> [Finding]
  ) -> [Int] {
    rule([SourceFile(path: path, text: text)]).map(\.line)
  }

  @Test(arguments: [
    ("Store", "Foundation"), ("Store", "Glibc"), ("Store", "Wire"), ("Wire", "Store"),
    ("Metainfo", "Dispatch"), ("Metainfo", "CUV"), ("Metainfo", "Store"), ("Store", "SwarmNode"),
    ("SwarmNode", "SwarmTool"), ("SwarmTool", "CUV"),
  ])
  func wrongImport(target: String, module: String) {
    let path = "Sources/\(target)/File.swift"
    #expect(lines(path, "\nimport \(module)\n", BoundaryRules.imports) == [2])
    #expect(lines(path, "@preconcurrency import \(module)", BoundaryRules.imports) == [1])
    #expect(lines(path, "import struct \(module).Thing", BoundaryRules.imports) == [1])
    #expect(lines(path, "// import \(module)", BoundaryRules.imports) == [])
  }

  @Test(arguments: [
    ("Store", "Metainfo"), ("Wire", "Metainfo"), ("SwarmNode", "Foundation"), ("SwarmNode", "CUV"),
    ("SwarmTool", "ArgumentParser"),
  ])
  func rightImport(target: String, module: String) {
    #expect(lines("Sources/\(target)/File.swift", "import \(module)", BoundaryRules.imports) == [])
  }

  @Test func unknownTargetIsNamed() {
    #expect(!BoundaryRules.imports([SourceFile(path: "Sources/New/A.swift", text: "")]).isEmpty)
  }

  @Test(arguments: [
    "let now = ContinuousClock.now", "let now = Date()", "Task { }", "Task(priority: .low) { }",
    "Task.yield()",
    "let a = b.hashValue", "func read() async {}",
    "Int.random(in: 0..<9)", "Bool.random()", "list.randomElement()", "list.shuffled()",
    "var generator = SystemRandomNumberGenerator()", #"let a = "\(Int.random(in: 0...1))""#,
  ])
  func impurity(code: String) {
    #expect(lines("Sources/Wire/File.swift", code, BoundaryRules.purity) == [1])
    #expect(lines("Sources/SwarmNode/File.swift", code, BoundaryRules.purity) == [])
  }

  @Test(arguments: [
    "Int.random(in: 0..<f(9),\n  using: &generator)", "list.shuffled(using: &generator)",
    "let asyncName = 1", "/// async", "/* Date() /* */ Date() */", #"let a = "Date()""#,
    "let a = \"\"\"\n  Task { \"async\" }\n  \"\"\"", ##"let a = #"" Date() "#"##,
    #"let a = "\" Date() \(b) Date()""#, "UpDate()",
  ])
  func purity(code: String) {
    #expect(lines("Sources/Wire/File.swift", code, BoundaryRules.purity) == [])
  }

  @Test func minting() {
    let code = "let a = PieceIndex(4)\nlet b = LeafIndex.init(4)\nlet c: [BlockIndex] = []"
    #expect(lines("Sources/Wire/File.swift", code, BoundaryRules.minting) == [2, 1])
    #expect(lines("Sources/Metainfo/Geometry/File.swift", code, BoundaryRules.minting) == [])
    #expect(lines("Sources/Store/Merkle/File.swift", code, BoundaryRules.minting) == [1])
  }

  @Test(arguments: ["try! f()", "let a = b as! C", "fatalError(\"\")"])
  func trap(code: String) {
    #expect(lines("Sources/Wire/File.swift", code, BoundaryRules.traps) == [1])
    #expect(lines("Tests/WireTests/File.swift", code, BoundaryRules.traps) == [])
  }

  @Test func stranded() {
    let package = SourceFile(
      path: "Package.swift",
      text: ".target(name: \"A\"), .executableTarget(name: \"B\", path: \"Benchmarks/B\")")
    let good = ["Sources/A/X/a.swift", "Tests/A/a.swift", "Benchmarks/B/b.swift"]
    let bad = ["Sources/C/c.swift", "Benchmarks/b.swift", "a.swift", "Sources/B.swift"]
    let files = (good + bad).map { SourceFile(path: $0, text: "") }
    #expect(UseRules.targets([package] + files).map(\.path) == bad)
    #expect(!UseRules.targets(files).isEmpty)
  }

  @Test func unusedScript() {
    let files = [
      SourceFile(path: "Makefile", text: "test:\n\tScripts/used.sh\n"),
      SourceFile(path: "Scripts/used.sh", text: "Scripts/helper.py"),
      SourceFile(path: "Scripts/helper.py", text: "import module"),
      SourceFile(path: "Scripts/module.py", text: ""),
      SourceFile(path: "Scripts/unused.sh", text: "unused.sh calls itself"),
      SourceFile(path: "Tests/WireTests/Bytes.swift", text: "// By interop/capture.py; unused.sh"),
      SourceFile(path: "interop/capture.py", text: ""),
      SourceFile(path: "interop/idle", text: "#!/bin/sh\n"),
      SourceFile(path: "interop/used.sh", text: ""),
    ]
    #expect(
      UseRules.scripts(files).map(\.path) == [
        "Scripts/unused.sh", "interop/idle", "interop/used.sh",
      ])
  }

  @Test func deadLink() {
    let page = SourceFile(
      path: "docs/page.md",
      text: """
        [a](other.md) [b](../README.md#top) [c](https://example.org/x) [d](#here-it-is) [e](../docs)
        [f](gone.md)
        [g](../docs/none/x.md "title")
        ## Here: it is
        [h](#here) [i](../README.md#top-2)
        ```
        # no-heading
        ```
        [j](#no-heading)
        """)
    let readme = SourceFile(path: "README.md", text: "# Top\n")
    let paths = ["docs/page.md", "docs/other.md", "README.md"]
    #expect(UseRules.links([page, readme], allPaths: paths).map(\.line) == [2, 3, 5, 5, 9])
  }

  @Test func goneName() {
    let page = SourceFile(
      path: "ARCHITECTURE.md",
      text: """
        `Sources/Store/Tree.swift`, `Tree.swift`, `HashTree`, `HashTree.grow`; `make`, `GitHub2x`, `Range`
        `Sources/Store/` `Sources/Gone/A.swift`
        `Gone.swift` is not
        `HashForest` is not, `HashTree.shrink` neither
        ```
        Store/  trees; Gone/ was
        ```
        `https://example.org/HashForest` `--NoOption` Gone.swift
        """)
    let code = SourceFile(
      path: "Sources/Store/Tree.swift", text: "struct HashTree { func grow() {} }")
    let known = SourceFile(path: "Tests/a.swift", text: "let GitHub2x = 1")
    let found = UseRules.names([page, code, known], allPaths: [page.path, code.path])
    #expect(found.map(\.line) == [2, 3, 4, 4, 6])
  }

  @Test func untriedSample() {
    let tried = SourceFile(path: "Tests/ATests.swift", text: "  {\n    a()\n      b()\n  }")
    func found(_ block: String) -> Int {
      let page = SourceFile(path: "a.md", text: "x\n\n```swift\n\(block)\n```\n")
      return UseRules.samples([tried, page]).count
    }
    #expect(found("a()\n  b()") == 0)
    #expect(found("a()\nb()\nc()") == 1)
    #expect(UseRules.samples([SourceFile(path: "a.md", text: "```sh\nc()\n```\n")]) == [])
  }

  @Test func longFile() {
    let text = String(repeating: "\n", count: TextRules.longestFile)
    #expect(TextRules.length([SourceFile(path: "a.swift", text: text)]).count == 1)
    #expect(TextRules.length([SourceFile(path: "a.swift", text: String(text.dropLast()))]) == [])
    #expect(TextRules.length([SourceFile(path: "a.txt", text: text)]) == [])
  }

  @Test(arguments: [
    "a\tb", "a ", "a\r", "<<<<" + "<<< HEAD", "====" + "===", ">>>>" + ">>> branch",
    "// TO" + "DO: later", "FIX" + "ME", "cd /wo" + "rk/main", "\"/ro" + "ot/x\"", "=/ho" + "me/me",
  ])
  func uncleanLine(line: String) {
    #expect(lines("a.swift", "fine\n\(line)\nfine\n", TextRules.lines) == [2])
  }

  @Test(arguments: ["a b", "  a", "$HO" + "ME/bin", "interop/wo" + "rk/x", "==", "homework"])
  func cleanLine(line: String) {
    #expect(lines("a.swift", line, TextRules.lines) == [])
    #expect(lines("Makefile", "\t" + line, TextRules.lines) == [])
  }
}
