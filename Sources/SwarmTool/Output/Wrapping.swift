/// Text in lines that fit a terminal.
enum Wrapping {
  /// Below this a sentence would be a column of single words: it is cut instead.
  static let leastWidth = 40

  /// The words of a text in lines of at most `width - 1` characters, since a line that reaches the margin
  /// cannot be written anew. The second line and those behind it begin with `indent` spaces.
  static func lines(_ text: String, width: Int, indent: Int = 0) -> [String] {
    let most = max(width - 1, 0)
    guard width >= leastWidth, indent < leastWidth / 2 else { return [String(text.prefix(most))] }
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
        if line.count + 1 + rest.count <= most {
          line += " \(rest)"
          continue
        }
        lines.append(line)
        begin()
      }
      // What no line can hold, such as a path, goes on in the next one.
      while line.count + rest.count > most {
        let room = most - line.count
        lines.append("\(line)\(rest.prefix(room))")
        rest = rest.dropFirst(room)
        begin()
      }
      line += rest
      isEmpty = false
    }
    return lines + [line]
  }
}
