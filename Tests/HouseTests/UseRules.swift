import Foundation

/// Rules that every file is used, and every link leads somewhere.
enum UseRules {
  /// Every Swift file lies in a target that Package.swift names.
  static func targets(_ files: [SourceFile]) -> [Finding] {
    guard let package = files.first(where: { $0.path == "Package.swift" }) else {
      return [Finding(path: "Package.swift", message: "is missing")]
    }
    let names = Set(quoted(after: "name:", in: package.text))
    let folders = quoted(after: "path:", in: package.text)
    return files.filter { $0.isSwift && $0.path != "Package.swift" }.compactMap { file in
      let parts = file.path.split(separator: "/").map(String.init)
      if parts.count > 2, ["Sources", "Tests"].contains(parts[0]), names.contains(parts[1]) {
        return nil
      }
      if folders.contains(where: { file.path.hasPrefix($0 + "/") }) { return nil }
      return Finding(path: file.path, message: "lies in no target of Package.swift")
    }
  }

  /// Every script is named by the Makefile, the CI's script, Package.swift, another script, or, with
  /// its whole path, by a test whose bytes it made.
  static func scripts(_ files: [SourceFile]) -> [Finding] {
    let starters: Set<String> = ["Makefile", ".ci/run", "Package.swift"]
    let callers = files.filter { starters.contains($0.path) || $0.isScript }
    return files.filter { $0.isScript && !starters.contains($0.path) }.compactMap { file in
      callers.contains { $0.path != file.path && calls($0, file) } || madeBytes(file, files)
        ? nil : Finding(path: file.path, message: "no script and no make target runs it")
    }
  }

  private static func madeBytes(_ script: SourceFile, _ files: [SourceFile]) -> Bool {
    files.contains {
      $0.isSwift && $0.path.hasPrefix("Tests/") && !$0.path.hasPrefix("Tests/HouseTests/")
        && $0.text.contains(script.path)
    }
  }

  /// Whether `caller` names `script`: by folder and name, or by the name alone when it lies in the
  /// same folder. A Python module is named without its ending by those that import it.
  private static func calls(_ caller: SourceFile, _ script: SourceFile) -> Bool {
    let folder = script.folder.split(separator: "/").last.map { $0 + "/" } ?? ""
    if caller.text.contains(folder + script.name) { return true }
    if caller.folder == script.folder, caller.text.contains(script.name) { return true }
    guard script.name.hasSuffix(".py"), caller.name.hasSuffix(".py") else { return false }
    let module = script.name.dropLast(3)
    return caller.text.contains("import \(module)") || caller.text.contains("from \(module) ")
  }

  /// Every link of a Markdown file to a path leads to a file or folder that is there, and one to a heading of a page
  /// leads to one that it has.
  static func links(_ files: [SourceFile], allPaths: [String]) -> [Finding] {
    let paths = Set(allPaths)
    let folders = Set(
      allPaths.flatMap { path -> [String] in
        let parts = path.split(separator: "/")
        return (0..<parts.count).map { parts[..<$0].joined(separator: "/") }
      })
    let pages = files.filter { $0.path.hasSuffix(".md") }
    let headings = Dictionary(pages.map { ($0.path, anchors(of: $0)) }) { first, _ in first }
    return pages.flatMap { file in
      zip(1..., file.lines).flatMap { number, line in
        targetsOfLinks(in: line).compactMap { target -> Finding? in
          if target.contains(":") { return nil }
          let path = resolve(target, from: file.path) ?? file.path
          guard paths.contains(path) || folders.contains(path) else {
            return Finding(path: file.path, line: number, message: "no file at \(target)")
          }
          let parts = target.split(separator: "#", omittingEmptySubsequences: false)
          guard parts.count == 2, let known = headings[path], !known.contains(String(parts[1]))
          else { return nil }
          return Finding(path: file.path, line: number, message: "no heading at \(target)")
        }
      }
    }
  }

  /// The names by which links lead to a page's headings: small letters, digits, and "-" for blanks.
  private static func anchors(of page: SourceFile) -> Set<String> {
    var isCode = false
    var found: Set<String> = []
    for line in page.lines {
      if line.hasPrefix("```") { isCode.toggle() }
      guard !isCode, line.hasPrefix("#") else { continue }
      let text = line.drop { $0 == "#" || $0 == " " }.lowercased()
      found.insert(
        String(
          text.compactMap {
            $0 == " " ? "-" : $0.isLetter || $0.isNumber || "-_".contains($0) ? $0 : nil
          }
        ))
    }
    return found
  }

  /// What a Markdown file names in backquotes is there: paths below the folders of code, files of
  /// code by their names, types by theirs. In ARCHITECTURE.md also the folders of the house's picture.
  static func names(_ files: [SourceFile], allPaths: [String]) -> [Finding] {
    var known = Set(allPaths)
    for path in allPaths {
      let parts = path.split(separator: "/")
      known.insert(String(parts.last ?? ""))
      for count in 1..<max(1, parts.count) {
        known.insert(parts[..<count].joined(separator: "/"))
        known.insert(String(parts[count - 1]))
      }
    }
    let words = Set(
      files.filter { $0.isSwift || $0.isScript }.flatMap {
        $0.text.utf8.split { !isWord($0) }.map { String(Substring($0)) }
      })
    return files.filter { $0.path.hasSuffix(".md") }.flatMap { page -> [Finding] in
      var isPicture = false
      return zip(1..., page.lines).flatMap { number, line -> [Finding] in
        if line.hasPrefix("```") {
          isPicture.toggle()
          return []
        }
        let missing =
          isPicture
          ? page.path == "ARCHITECTURE.md" ? folders(in: line).filter { !known.contains($0) } : []
          : quotations(in: line).filter { isMissing($0, known, words) }
        return missing.map { Finding(path: page.path, line: number, message: "no \($0)") }
      }
    }
  }

  /// Swift in documents is code of some test: it compiles, and does what the test says.
  static func samples(_ files: [SourceFile]) -> [Finding] {
    let tests = files.filter { $0.isSwift && $0.path.hasPrefix("Tests/") }.map {
      $0.lines.map(unindented).joined(separator: "\n")
    }
    return files.filter { $0.path.hasSuffix(".md") }.flatMap { page -> [Finding] in
      let blocks = page.text.components(separatedBy: "\n```swift\n").dropFirst()
      return blocks.compactMap { block in
        let lines = block.components(separatedBy: "\n```")[0].split(
          separator: "\n", omittingEmptySubsequences: false)
        let sample = lines.map(unindented).joined(separator: "\n")
        if tests.contains(where: { $0.contains(sample) }) { return nil }
        return Finding(path: page.path, message: "no test has the sample \(lines.first ?? "")")
      }
    }
  }

  private static func unindented(_ line: Substring) -> Substring { line.drop { $0 == " " } }

  private static func isWord(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  /// What stands between backquotes, up to a space.
  private static func quotations(in line: Substring) -> [String] {
    line.split(separator: "`", omittingEmptySubsequences: false).enumerated()
      .filter { $0.offset % 2 == 1 }
      .map { String($0.element.prefix { $0 != " " }) }
  }

  /// Folders that a line of a picture names: "Core" for `Core/`.
  private static func folders(in line: Substring) -> [String] {
    let parts: [Substring] = line.split(whereSeparator: { " ,;:".contains($0) })
    return parts.filter { $0.count > 1 && $0.last == "/" }.map { String($0.dropLast()) }
  }

  private static func isMissing(
    _ name: String, _ paths: Set<String>, _ words: Set<String>
  ) -> Bool {
    let tops = ["Sources/", "Tests/", "interop/", "Benchmarks/", "Scripts/", "docs/", "Packaging/"]
    let path = name.last == "/" ? String(name.dropLast()) : name
    if tops.contains(where: name.hasPrefix) { return !paths.contains(path) }
    let endings = [".swift", ".py", ".sh", ".c", ".h"]
    if endings.contains(where: name.hasSuffix) {
      // Neither one of several, as in Routes+….swift, nor a path somewhere else.
      let isName = name.utf8.allSatisfy { isWord($0) || "+.".utf8.contains($0) }
      return isName && !paths.contains(name)
    }
    let parts = name.split(separator: ".")
    let isType = parts.first.map(isCamel) ?? false
    return isType && !parts.allSatisfy { words.contains(String($0)) }
  }

  /// A name of a type of two words or more, such as PieceGeometry. One word may be anything.
  private static func isCamel(_ name: Substring) -> Bool {
    let letters = Array(name)
    guard letters.count > 3, name.utf8.allSatisfy(isWord), !name.contains("_") else { return false }
    return letters[0].isUppercase && letters[1].isLowercase
      && letters.dropFirst(2).contains(where: \.isUppercase)
  }

  /// The path below the root that a link leads to; nil for a web address or a place in the page.
  private static func resolve(_ target: String, from page: String) -> String? {
    let path = target.prefix { $0 != "#" }
    if path.isEmpty || path.contains(":") { return nil }
    var parts = page.split(separator: "/").dropLast()
    for part in path.split(separator: "/") where part != "." {
      if part == ".." { parts = parts.dropLast() } else { parts.append(part) }
    }
    return parts.joined(separator: "/")
  }

  /// What stands in the round brackets of `[text](target)`.
  private static func targetsOfLinks(in line: Substring) -> [String] {
    line.split(separator: "](").dropFirst().map { String($0.prefix { $0 != ")" && $0 != " " }) }
  }

  /// The string literals that follow `label`.
  private static func quoted(after label: String, in text: String) -> [String] {
    text.split(separator: label).dropFirst().compactMap { rest in
      let trimmed = rest.drop { $0 == " " || $0 == "\n" }
      guard trimmed.first == "\"" else { return nil }
      return String(trimmed.dropFirst().prefix { $0 != "\"" })
    }
  }
}
