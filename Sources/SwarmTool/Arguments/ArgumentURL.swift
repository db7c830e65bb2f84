import ArgumentParser

/// A URL on the command line: a scheme, something after it, and nothing that a URL must write in
/// per cents. RFC 3986, section 2.
struct ArgumentURL: ExpressibleByArgument, Hashable {
  let text: String

  init?(argument: String) {
    guard let separator = argument.firstRange(of: "://") else { return nil }
    let scheme = argument[..<separator.lowerBound]
    let rest = argument[separator.upperBound...]
    guard let first = scheme.utf8.first, Self.isLetter(first), !rest.isEmpty,
      scheme.utf8.allSatisfy({ Self.isLetter($0) || "0123456789+-.".utf8.contains($0) }),
      BytePath.decode(argument).allSatisfy({ 0x21...0x7E ~= $0 && !"\"<>\\^`{|}".utf8.contains($0) }
      )
    else { return nil }
    text = argument
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
  }
}
