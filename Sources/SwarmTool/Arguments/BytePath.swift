import ArgumentParser

/// A path from the command line, byte for byte. Names on Linux need not be UTF-8; the parser's
/// strings must be.
///
/// Before parsing, `arguments` writes each byte that is not UTF-8 as one private-use character, and
/// `init(argument:)` turns it back.
struct BytePath: ExpressibleByArgument, Hashable {
  let bytes: [UInt8]

  init(argument: String) { bytes = Self.decode(argument) }

  init(_ bytes: [UInt8]) { self.bytes = bytes }

  /// The program's arguments without its name.
  static var arguments: [String] {
    (1..<Int(max(CommandLine.argc, 1))).compactMap { index in
      CommandLine.unsafeArgv[index].map { argument in
        encode(
          UnsafeBufferPointer(start: argument, count: length(argument)).map(UInt8.init(bitPattern:))
        )
      }
    }
  }

  private static func length(_ text: UnsafePointer<CChar>) -> Int {
    var count = 0
    while text[count] != 0 { count += 1 }
    return count
  }

  /// The last 256 code points of all stand for the bytes. Real uses of them count as bytes that
  /// are not UTF-8, so that every text has exactly one reading.
  private static let firstStandIn: UInt32 = 0x10_FF00

  static func encode(_ bytes: [UInt8]) -> String {
    var text = String.UnicodeScalarView()
    var rest = bytes[...]
    while let first = rest.first {
      var decoder = UTF8()
      var source = rest.makeIterator()
      if case .scalarValue(let scalar) = decoder.decode(&source), scalar.value < firstStandIn {
        text.append(scalar)
        rest = rest.dropFirst(UTF8.width(scalar))
      } else {
        text.append(Unicode.Scalar(firstStandIn + UInt32(first)) ?? "?")
        rest = rest.dropFirst()
      }
    }
    return String(text)
  }

  static func decode(_ text: String) -> [UInt8] {
    text.unicodeScalars.flatMap { scalar in
      scalar.value < firstStandIn ? Array(UTF8.encode(scalar)!) : [UInt8(scalar.value & 0xFF)]
    }
  }
}
