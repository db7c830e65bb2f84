/// Rules about the text of every file.
enum TextRules {
  /// Lines of code a file may have. Above 300 it is worth a look, above this it must be cut.
  static let longestFile = 600

  /// No file of code longer than `longestFile` lines.
  static func length(_ files: [SourceFile]) -> [Finding] {
    let endings = [".swift", ".c", ".h", ".sh", ".py"]
    return files.filter { file in endings.contains(where: file.path.hasSuffix) }.compactMap {
      $0.lines.count > longestFile
        ? Finding(path: $0.path, message: "\($0.lines.count) lines, more than \(longestFile)") : nil
    }
  }

  /// No tabs but in Makefiles, no space at the end of a line, no merge marker, no path of one
  /// person's machine, no note of work left undone.
  static func lines(_ files: [SourceFile]) -> [Finding] {
    files.flatMap { file in
      zip(1..., file.lines).compactMap { number, line in
        fault(in: line, of: file).map {
          Finding(path: file.path, line: number, message: $0)
        }
      }
    }
  }

  // Written so that this file does not break its own rules.
  private static let machineFolders = ["work", "root", "home"].map { "/" + $0 + "/" }
  private static let notes = ["TO" + "DO", "FIX" + "ME"]
  private static let markers = ["<", "=", ">", "|"].map { String(repeating: $0, count: 7) }

  private static func fault(in line: Substring, of file: SourceFile) -> String? {
    let bytes = Array(line.utf8)
    if bytes.contains(UInt8(ascii: "\t")), file.name != "Makefile" { return "a tab" }
    if bytes.last == UInt8(ascii: " ") || bytes.last == UInt8(ascii: "\r") {
      return "white space at the end"
    }
    if let marker = markers.first(where: { line == $0 || line.hasPrefix($0 + " ") }) {
      return "merge marker \(marker)"
    }
    if let note = notes.first(where: { line.contains($0) }) { return note }
    for folder in machineFolders where startsPath(folder, in: line) {
      return "path of one machine: \(folder)"
    }
    return nil
  }

  /// Whether `folder` stands in `line` as the start of a path, not in the middle of one.
  private static func startsPath(_ folder: String, in line: Substring) -> Bool {
    guard line.contains(folder) else { return false }
    var before: Character = " "
    for (index, pair) in line.split(separator: folder, omittingEmptySubsequences: false)
      .enumerated()
    {
      if index > 0, !(before.isLetter || before.isNumber || "._-})*".contains(before)) {
        return true
      }
      before = pair.last ?? " "
    }
    return false
  }
}
