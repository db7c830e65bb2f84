import ArgumentParser

/// A URL on the command line: a scheme, something after it, and no ASCII that a URL must write in
/// per cents (RFC 3986, section 2). Letters beyond ASCII pass, as people copy them from browsers
/// (RFC 3987); bytes that are not UTF-8 do not.
struct ArgumentURL: ExpressibleByArgument, Hashable {
  let text: String

  init?(argument: String) {
    guard let separator = argument.firstRange(of: "://") else { return nil }
    let scheme = argument[..<separator.lowerBound]
    let rest = argument[separator.upperBound...]
    guard let first = scheme.utf8.first, Self.isLetter(first), !rest.isEmpty,
      scheme.utf8.allSatisfy({ Self.isLetter($0) || "0123456789+-.".utf8.contains($0) }),
      argument.unicodeScalars.allSatisfy(Self.canStand)
    else { return nil }
    text = argument
  }

  private static func canStand(_ scalar: Unicode.Scalar) -> Bool {
    if scalar.isASCII {
      return 0x21...0x7E ~= scalar.value && !"\"<>\\^`{|}".unicodeScalars.contains(scalar)
    }
    return switch scalar.properties.generalCategory {
    // Private use stands for bytes that are not UTF-8 (`BytePath`).
    case .control, .format, .spaceSeparator, .lineSeparator, .paragraphSeparator, .privateUse,
      .unassigned:
      false
    default: true
    }
  }

  private static func isLetter(_ byte: UInt8) -> Bool {
    UInt8(ascii: "a")...UInt8(ascii: "z") ~= byte | 0x20
  }
}
