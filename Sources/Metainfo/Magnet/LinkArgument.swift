/// What a person writes where a link is asked for: a magnet URI, the bare hexadecimal key of a
/// dataset, a `urn:btih:`, `urn:btmh:` or `urn:btpk:`, or else the path of a torrent file. A key may have
/// `@` and the number of a version behind it.
public enum LinkArgument: Hashable, Sendable {
  /// A link; the short forms are links that name one thing and say nothing else.
  case link(MagnetLink)
  /// The path of a torrent file, byte for byte.
  case path([UInt8])

  /// Tells the forms apart. A text that was plainly meant as a link is an error if it is not
  /// one, and never a path: a typing mistake must not end in "no such file". A path that looks
  /// like a link can be written with `./` before it.
  public init(parsing argument: some Collection<UInt8>) throws(MagnetError) {
    var parser = MagnetParser()
    if argument.startsIgnoringCase(with: "magnet:") {
      try parser.parse(argument)
    } else if argument.startsIgnoringCase(with: "urn:") {
      try parser.parseBareURN(argument)
    } else if let (digits, number) = Self.versionOfKey(argument) {
      guard let key = DatasetKey(hex: digits) else {
        throw MagnetError(parameter: nil, offset: 0, reason: .bareDigits(digits.utf8.count))
      }
      try parser.readVersion(number, at: number.startIndex)
      self = .link(MagnetLink(datasetKey: key, version: parser.link.version))
      return
    } else if let digits = Self.bareDigits(argument) {
      guard let key = DatasetKey(hex: digits) else {
        throw MagnetError(parameter: nil, offset: 0, reason: .bareDigits(digits.utf8.count))
      }
      self = .link(MagnetLink(datasetKey: key))
      return
    } else {
      let path = try MagnetParser.bounded(argument)
      if Self.hasTopic(path) { throw MagnetError(parameter: nil, offset: 0, reason: .notMagnet) }
      self = .path(path)
      return
    }
    self = .link(parser.link)
  }

  /// The text when it is nothing but hexadecimal digits, and too many of them for a file's name
  /// that a person would choose: 32 digits, those of the shortest digest in use.
  private static func bareDigits(_ text: some Collection<UInt8>) -> String? {
    let longest = MagnetLimits.uriBytes
    guard (32...longest).contains(text.count), text.allSatisfy({ hexNibble($0) != nil }) else {
      return nil
    }
    return String(decoding: text, as: UTF8.self)
  }

  /// Digits of a key and the number behind an `@`; nil where the text is something else.
  private static func versionOfKey(
    _ text: some Collection<UInt8>
  ) -> (String, ArraySlice<UInt8>)? {
    guard text.count <= MagnetLimits.uriBytes,
      case let (digits, number?) = MagnetParser.splitVersion(Array(text)[...])
    else { return nil }
    return bareDigits(digits).map { ($0, number) }
  }

  /// Whether a magnet URI's first parameter is anywhere in the text.
  private static func hasTopic(_ text: [UInt8]) -> Bool {
    text.indices.contains { index in
      let rest = text[index...]
      return rest.startsIgnoringCase(with: "xt=urn:") || rest.startsIgnoringCase(with: "xs=urn:")
    }
  }
}
