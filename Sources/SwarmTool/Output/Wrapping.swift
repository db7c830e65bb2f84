/// Text in lines that fit a terminal.
enum Wrapping {
  /// Below this a sentence would be a column of single words: it is cut instead.
  static let leastWidth = 40

  /// The words of a text in lines of at most `width - 1` columns, since a line that reaches the margin
  /// cannot be written anew. The second line and those behind it begin with `indent` spaces.
  static func lines(_ text: String, width: Int, indent: Int = 0) -> [String] {
    let most = max(width - 1, 0)
    guard width >= leastWidth, indent < leastWidth / 2 else { return [text.prefix(columns: most)] }
    var lines: [String] = []
    var line = ""
    var isEmpty = true
    func begin() {
      line = lines.isEmpty ? "" : String(repeating: " ", count: indent)
      isEmpty = true
    }
    for word in text.split(separator: " ", omittingEmptySubsequences: false) {
      var rest = word
      if !isEmpty {
        if line.columns + 1 + rest.columns <= most {
          line += " \(rest)"
          continue
        }
        lines.append(line)
        begin()
      }
      // What no line can hold, such as a path, goes on in the next one.
      while line.columns + rest.columns > most {
        let part = String(rest).prefix(columns: most - line.columns)
        lines.append("\(line)\(part)")
        rest = rest.dropFirst(part.count)
        begin()
      }
      line += rest
      isEmpty = false
    }
    return lines + [line]
  }
}
