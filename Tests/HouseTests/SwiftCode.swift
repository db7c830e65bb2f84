import Foundation

/// Swift source with comments and the insides of string literals blanked, line for line, so that a
/// rule about code does not stumble over prose.
struct SwiftCode: Sendable {
  /// The code, in bytes; as many lines as the source.
  private(set) var bytes: [UInt8] = []

  init(_ source: String) {
    var reader = Reader(Array(source.utf8))
    reader.code(until: nil)
    bytes = reader.output
  }

  /// A place where `token` stands by itself: not as part of a longer name.
  func places(of token: String) -> [Int] {
    let token = Array(token.utf8)
    guard let first = token.first, let last = token.last, bytes.count >= token.count else {
      return []
    }
    return occurrences(of: token).filter { start in
      let end = start + token.count
      let joinsBefore = isName(first) && start > 0 && isName(bytes[start - 1])
      let joinsAfter = isName(last) && end < bytes.count && isName(bytes[end])
      return !joinsBefore && !joinsAfter
    }
  }

  /// By the C library: tests are not optimised, and the house is large.
  private func occurrences(of token: [UInt8]) -> [Int] {
    bytes.withUnsafeBytes { bytes in
      guard let base = bytes.baseAddress else { return [] }
      let last = bytes.count - token.count
      var found: [Int] = []
      var next = 0
      while next <= last, let place = memchr(base + next, CInt(token[0]), last - next + 1) {
        let start = UnsafeRawPointer(place) - base
        if memcmp(place, token, token.count) == 0 { found.append(start) }
        next = start + 1
      }
      return found
    }
  }

  /// The line of a place, counted from 1.
  func line(of place: Int) -> Int {
    1 + bytes[..<place].count { $0 == UInt8(ascii: "\n") }
  }

  /// What stands between the first "(" at or after `place` and the ")" that closes it.
  func arguments(at place: Int) -> String {
    guard let open = bytes[place...].firstIndex(of: UInt8(ascii: "(")) else { return "" }
    var depth = 0
    for index in open..<bytes.count {
      if bytes[index] == UInt8(ascii: "(") { depth += 1 }
      if bytes[index] == UInt8(ascii: ")") { depth -= 1 }
      if depth == 0 { return String(decoding: bytes[(open + 1)..<index], as: UTF8.self) }
    }
    return ""
  }

  /// The modules that are imported, with their lines.
  var imports: [(module: String, line: Int)] {
    let kinds: Set<Substring> = ["struct", "class", "enum", "protocol", "func", "var", "let"]
    return places(of: "import").compactMap { place in
      let rest = bytes[(place + 6)...].prefix { $0 != UInt8(ascii: "\n") }
      let words = String(decoding: rest, as: UTF8.self).split(separator: " ")
        .drop { kinds.contains($0) }
      guard let path = words.first, let module = path.split(separator: ".").first else {
        return nil
      }
      return (String(module), line(of: place))
    }
  }

  private func isName(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }
}

/// Copies code and blanks the rest.
private struct Reader {
  let input: [UInt8]
  var position = 0
  var output: [UInt8] = []

  init(_ input: [UInt8]) {
    self.input = input
    output.reserveCapacity(input.count)
  }

  /// Copies code up to the end, or up to the ")" that closes an interpolation.
  mutating func code(until close: UInt8?) {
    var depth = 0
    while position < input.count {
      let byte = input[position]
      switch byte {
      case UInt8(ascii: "/") where has("//"):
        while position < input.count, input[position] != UInt8(ascii: "\n") { blank() }
        continue
      case UInt8(ascii: "/") where has("/*"):
        blockComment()
        continue
      case UInt8(ascii: "#"), UInt8(ascii: "\""):
        if let hashes = literalStart() {
          literal(hashes: hashes)
          continue
        }
      case UInt8(ascii: "("): depth += 1
      case UInt8(ascii: ")"): depth -= 1
      default: break
      }
      copy()
      if close == byte, depth < 0 { return }
    }
  }

  /// How many "#" stand before the quote, when a string literal starts here.
  private func literalStart() -> Int? {
    var end = position
    while end < input.count, input[end] == UInt8(ascii: "#") { end += 1 }
    return end < input.count && input[end] == UInt8(ascii: "\"") ? end - position : nil
  }

  private mutating func literal(hashes: Int) {
    let pounds = String(repeating: "#", count: hashes)
    for _ in 0..<hashes { blank() }
    let quote = has("\"\"\"") ? "\"\"\"" : "\""
    for _ in 0..<quote.utf8.count { copy() }
    while position < input.count {
      guard input[position] == UInt8(ascii: "\"") || input[position] == UInt8(ascii: "\\") else {
        blank()
        continue
      }
      if has(quote + pounds) {
        for _ in 0..<quote.utf8.count { copy() }
        for _ in 0..<hashes { blank() }
        return
      }
      if has("\\" + pounds + "(") {
        for _ in 0...hashes { blank() }
        copy()
        code(until: UInt8(ascii: ")"))
      } else if has("\\" + pounds) {
        for _ in 0...(hashes + 1) where position < input.count { blank() }
      } else {
        blank()
      }
    }
  }

  private mutating func blockComment() {
    var depth = 0
    repeat {
      if has("/*") {
        depth += 1
        blank()
      } else if has("*/") {
        depth -= 1
        blank()
      }
      if position < input.count { blank() }
    } while depth > 0 && position < input.count
  }

  private func has(_ text: String) -> Bool {
    input[position...].starts(with: text.utf8)
  }

  private mutating func copy() {
    output.append(input[position])
    position += 1
  }

  private mutating func blank() {
    let isLineEnd = input[position] == UInt8(ascii: "\n")
    output.append(isLineEnd ? UInt8(ascii: "\n") : UInt8(ascii: " "))
    position += 1
  }
}
