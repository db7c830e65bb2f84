import ArgumentParser

/// The parser's messages as ours are: what is wrong, and what is right there.
enum ParserAdvice {
  /// A message of the parser about `arguments`; `parse` is asked what it says of others.
  static func message(
    _ message: String, of arguments: [String], parse: ([String]) -> String?
  ) -> String {
    // A mistyped option is likelier to be what is wrong than an argument that is missing.
    if message.hasPrefix("Error: Missing expected argument") {
      for count in 1...most {
        let words = arguments + Array(repeating: "x", count: count)
        guard let other = parse(words) else { break }
        if other.hasPrefix("Error: Unknown option") { return other }
        guard other.hasPrefix("Error: Missing expected argument") else { break }
      }
    }
    return ofValue(message, arguments) ?? message
  }

  /// Arguments that a command must have at the most.
  private static let most = 2

  /// What is said of a value that is none for its option; nil where that is not what is wrong.
  private static func ofValue(_ message: String, _ arguments: [String]) -> String? {
    let lines = message.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false)
    let first = lines.first ?? ""
    guard let option = option(of: first), let right = right(for: option) else { return nil }
    let value: String
    if first.hasPrefix("Error: The value '"), let end = first.firstRange(of: "' is invalid for '") {
      value = String(first[..<end.lowerBound].dropFirst("Error: The value '".count))
    } else if first.hasPrefix("Error: Missing value for '"),
      let place = arguments.lastIndex(of: option), place + 1 < arguments.count
    {
      // One that begins with "-" is taken for an option.
      value = arguments[place + 1]
    } else {
      return nil
    }
    let shown = value.isEmpty ? "\"\"" : value
    let rest = lines.dropFirst().map { "\n\($0)" }.joined()
    return "Error: \(option) \(shown): \(right)\(rest)"
  }

  /// The option that is named in "… for '-n, --limit <limit>'"; an argument as "<old>".
  private static func option(of line: Substring) -> String? {
    guard let start = line.firstRange(of: " for '") else { return nil }
    let words = line[start.upperBound...].prefix { $0 != "'" }.split(separator: " ")
    return words.first { $0.hasPrefix("--") || $0.hasPrefix("<") }.map { word in
      String(word.last == "," ? word.dropLast() : word)
    }
  }

  private static func right(for option: String) -> String? {
    switch option {
    case "--download-limit", "--upload-limit", "--memory":
      "a whole number of bytes, or with K, M, G or T, as in 1536K"
    case "--piece-length": "a power of two from 16K to 256M, or auto"
    case "--max-peers": "from 1 to \(PeerCount.most)"
    case "--listen": "an address and a port, as in 127.0.0.1:6881, or a port alone"
    case "--peer", "--dht-node", "--add": "a host and a port, as in 192.0.2.1:6881"
    case "--tracker", "--web-seed": "a URL with its scheme, as in https://example.org/path"
    case "--only": "a pattern of files, as in '*.csv' or 'raw/**'"
    case "--key": "a dataset's key, which is 64 hexadecimal digits, or a link that has one"
    case "--keep": "a whole number from 0 to 65535"
    case "--read-timeout", "--wait", "--timeout": "a whole number of seconds, at least 1"
    case "--limit": "a whole number, at least 1"
    case "--version", "<old>", "<new>": "a version's number, as in 3"
    default: nil
    }
  }
}
