import Glibc
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
    guard argument.first == UInt8(ascii: "@"), argument.count > 1 else { return bare(argument) }
    let file = Array(argument.dropFirst())
    let bytes: [UInt8]
    do throws(SystemError) {
      bytes = try WholeFile.read(file, limit: mostBytes)
    } catch {
      // A .torrent may well have more than a link.
      if file.suffix(8).elementsEqual(".torrent".utf8), error.number == EFBIG {
        throw isTorrent(printable(file))
      }
      throw Failure("\(error)")
    }
    if looksLikeTorrent(bytes) { throw isTorrent(printable(file)) }
    return try firstLine(of: bytes, from: printable(file))
  }

  private static func isTorrent(_ place: String) -> Failure {
    Failure("\(place) is a .torrent: leave out the @")
  }

  /// None begins otherwise than as a dictionary whose first key is a text (BEP 3).
  private static func looksLikeTorrent(_ bytes: [UInt8]) -> Bool {
    bytes.count > 3 && bytes[0] == UInt8(ascii: "d") && (0x30...0x39).contains(bytes[1])
      && bytes.prefix(12).contains(UInt8(ascii: ":"))
  }

  private static func isSpace(_ byte: UInt8) -> Bool {
    byte == 0x20 || (0x09...0x0D).contains(byte)
  }

  private static func firstLine(of bytes: [UInt8], from place: String) throws(Failure) -> [UInt8] {
    if looksLikeTorrent(bytes) { throw Failure("\(place) has a .torrent: name its file instead") }
    // Some editors begin a file with a mark of its encoding.
    let text = bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? bytes.dropFirst(3) : bytes[...]
    let first = text.drop(while: isSpace).prefix { $0 != UInt8(ascii: "\n") }
    let line = Array(first.reversed().drop(while: isSpace).reversed())
    if line.isEmpty { throw Failure("there is no link in \(place)") }
    return bare(line)
  }

  /// Marks that are copied along with a link from a text around it.
  private static let marks: [[UInt8]] =
    ["'", "\"", "<", ">", "`", "“", "”", "„", "‘", "’", "«", "»"].map { Array($0.utf8) }

  /// A link or key without blanks, quotes and brackets around it; what else it may be, such as a path, as it is.
  private static func bare(_ text: [UInt8]) -> [UInt8] {
    var rest = text[...]
    var isDone = false
    while !isDone {
      isDone = true
      if let first = rest.first, isSpace(first) { (rest, isDone) = (rest.dropFirst(), false) }
      if let last = rest.last, isSpace(last) { (rest, isDone) = (rest.dropLast(), false) }
      for mark in marks {
        if rest.starts(with: mark) { (rest, isDone) = (rest.dropFirst(mark.count), false) }
        if rest.suffix(mark.count).elementsEqual(mark), !rest.isEmpty {
          (rest, isDone) = (rest.dropLast(mark.count), false)
        }
      }
    }
    if rest.count == text.count { return text }
    guard case .link? = try? LinkArgument(parsing: rest) else {
      let isInfohash = rest.count == 40 && rest.allSatisfy { LinkAdvice.isHexadecimal($0) }
      return isInfohash ? Array(rest) : text
    }
    return Array(rest)
  }
}
