import ArgumentParser
import Metainfo

/// A pattern for paths: `*` any characters of one name, `?` one character, `[a-z]` one of these,
/// `[!a-z]` none of these, `**` any number of folders, `\` takes the next character as it is.
///
/// With a slash in it it is held against the whole path below the dataset's folder, without one
/// against every name on the way. What matches a folder matches all that is in it.
struct Glob: ExpressibleByArgument, Hashable {
  private let text: [UInt8]
  private let segments: [Segment]
  private let isWholePath: Bool

  private enum Segment: Hashable {
    /// `**`
    case folders
    case name([Token])
  }

  private enum Token: Hashable {
    case any
    case one
    case literal(UInt32)
    case set([ClosedRange<UInt32>], isNegated: Bool)
  }

  init?(argument: String) { self.init(BytePath(argument: argument).bytes) }

  /// A pattern; nil for an empty one, one with nothing between two slashes, and a `[` without `]`.
  init?(_ text: [UInt8]) {
    self.text = text
    let parts = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    isWholePath = parts.count > 1
    var segments: [Segment] = []
    // A slash at the beginning or end does no harm: people write "/data" and "data/".
    for (index, part) in parts.enumerated() {
      if part.isEmpty {
        guard parts.count > 1, index == 0 || index == parts.count - 1 else { return nil }
      } else if part.elementsEqual("**".utf8) {
        if segments.last != .folders { segments.append(.folders) }
      } else {
        guard let tokens = Self.tokens(Self.characters(part)) else { return nil }
        segments.append(.name(tokens))
      }
    }
    if segments.isEmpty { return nil }
    self.segments = segments
  }

  /// Whether the path, or a folder that it lies in, matches.
  func matches(_ path: ContentPath) -> Bool { matches(path.elements.map(\.bytes)) }

  /// Whether the path with these names, or a folder that it lies in, matches.
  func matches(_ names: [[UInt8]]) -> Bool {
    let names = names.map { Self.characters($0[...]) }
    if isWholePath {
      return (1...max(names.count, 1)).contains { matches(names.prefix($0)) }
    }
    return names.contains { matches([$0]) }
  }

  /// Names against segments as characters against tokens: the last `**` that was passed takes one
  /// name more whenever what follows it does not fit.
  private func matches(_ names: ArraySlice<[UInt32]>) -> Bool {
    var segment = 0
    var name = names.startIndex
    var retry: (segment: Int, name: Int)?
    while name < names.endIndex {
      if segment < segments.count {
        if case .folders = segments[segment] {
          retry = (segment, name)
          segment += 1
          continue
        }
        if case .name(let tokens) = segments[segment], Self.match(tokens, names[name]) {
          segment += 1
          name += 1
          continue
        }
      }
      guard let (last, start) = retry else { return false }
      retry = (last, start + 1)
      segment = last + 1
      name = start + 1
    }
    // Names that are used up before a `**` at the end: it is what lies in a folder, not the folder.
    return segment == segments.count
  }

  private static func match(_ tokens: [Token], _ name: [UInt32]) -> Bool {
    var (token, place) = (0, 0)
    var retry: (token: Int, place: Int)?
    while place < name.count {
      if token < tokens.count {
        if tokens[token] == .any {
          retry = (token, place)
          token += 1
          continue
        }
        if fits(tokens[token], name[place]) {
          token += 1
          place += 1
          continue
        }
      }
      guard let (last, start) = retry else { return false }
      retry = (last, start + 1)
      token = last + 1
      place = start + 1
    }
    return tokens[token...].allSatisfy { $0 == .any }
  }

  private static func fits(_ token: Token, _ character: UInt32) -> Bool {
    switch token {
    case .any, .one: true
    case .literal(let expected): character == expected
    case .set(let ranges, let isNegated):
      ranges.contains { $0.contains(character) } != isNegated
    }
  }

  /// Code points; a byte that is not UTF-8 stands for itself, beyond all of them.
  private static func characters(_ bytes: ArraySlice<UInt8>) -> [UInt32] {
    var characters: [UInt32] = []
    var rest = bytes
    while let first = rest.first {
      var decoder = UTF8()
      var source = rest.makeIterator()
      if case .scalarValue(let scalar) = decoder.decode(&source) {
        characters.append(scalar.value)
        rest = rest.dropFirst(UTF8.width(scalar))
      } else {
        characters.append(0x11_0000 + UInt32(first))
        rest = rest.dropFirst()
      }
    }
    return characters
  }

  private static func tokens(_ text: [UInt32]) -> [Token]? {
    func at(_ index: Int) -> Character? {
      index < text.count ? Unicode.Scalar(text[index]).map(Character.init) : nil
    }
    var tokens: [Token] = []
    var index = 0
    while index < text.count {
      switch at(index) {
      case "*":
        if tokens.last != .any { tokens.append(.any) }
        index += 1
      case "?":
        tokens.append(.one)
        index += 1
      case "[":
        guard let (token, end) = set(text, from: index + 1) else { return nil }
        tokens.append(token)
        index = end
      case "\\" where index + 1 < text.count:
        tokens.append(.literal(text[index + 1]))
        index += 2
      default:
        tokens.append(.literal(text[index]))
        index += 1
      }
    }
    return tokens
  }

  /// What stands between `[` and `]`, and where it goes on behind. A `]` in first place is itself.
  private static func set(_ text: [UInt32], from start: Int) -> (Token, Int)? {
    let (close, dash) = (UInt32(UInt8(ascii: "]")), UInt32(UInt8(ascii: "-")))
    var index = start
    var isNegated = false
    if index < text.count,
      text[index] == UInt32(UInt8(ascii: "!"))
        || text[index] == UInt32(UInt8(ascii: "^"))
    {
      isNegated = true
      index += 1
    }
    var ranges: [ClosedRange<UInt32>] = []
    while index < text.count {
      let first = text[index]
      if first == close, !ranges.isEmpty { return (.set(ranges, isNegated: isNegated), index + 1) }
      if index + 2 < text.count, text[index + 1] == dash, text[index + 2] != close {
        guard first <= text[index + 2] else { return nil }
        ranges.append(first...text[index + 2])
        index += 3
      } else {
        ranges.append(first...first)
        index += 1
      }
    }
    return nil
  }
}

extension Glob: CustomStringConvertible {
  var description: String { printable(text) }
}
