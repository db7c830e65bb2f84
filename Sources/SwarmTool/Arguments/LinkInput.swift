import Metainfo
import SwarmNode

/// A link as it is given on the command line: itself, `@FILE` for the first line of a file, or `-` for that of
/// standard input. Other users of the machine see the words of a command, and the link of a private dataset is
/// its key.
enum LinkInput {
  /// Bytes that are read: a link has fewer.
  private static let mostBytes = 16_384

  /// The link or path that is meant. A path that begins with `@` is written as `./@…`.
  static func resolve(_ argument: [UInt8]) throws(Failure) -> [UInt8] {
    unescaped(try text(argument))
  }

  /// A magnet link that was copied from the source of a web page has `&amp;` between its parts: left so, all parts
  /// but the first would be unknown ones, the read key among them.
  private static func unescaped(_ text: [UInt8]) -> [UInt8] {
    let entity = Array("&amp;".utf8)
    guard String(decoding: text.prefix(7), as: UTF8.self).lowercased() == "magnet:" else {
      return text
    }
    var (result, rest) = ([UInt8](), text[...])
    while let byte = rest.first {
      result.append(byte)
      rest = rest.starts(with: entity) ? rest.dropFirst(entity.count) : rest.dropFirst()
    }
    return result
  }

  private static func text(_ argument: [UInt8]) throws(Failure) -> [UInt8] {
    if argument == [UInt8(ascii: "-")] {
      return try firstLine(of: Console.input(limit: mostBytes), from: "standard input")
    }
    guard argument.first == UInt8(ascii: "@"), argument.count > 1 else { return argument }
    let file = Array(argument.dropFirst())
    let bytes = try Failure.wrap { try WholeFile.read(file, limit: mostBytes) }
    return try firstLine(of: bytes, from: printable(file))
  }

  private static func firstLine(of bytes: [UInt8], from place: String) throws(Failure) -> [UInt8] {
    let isSpace: (UInt8) -> Bool = { $0 == 0x20 || (0x09...0x0D).contains($0) }
    let text = bytes.drop(while: isSpace).prefix { $0 != UInt8(ascii: "\n") }
    let line = Array(text.reversed().drop(while: isSpace).reversed())
    if line.isEmpty { throw Failure("there is no link in \(place)") }
    return line
  }
}
