/// Percent-encoding of parameters. RFC 3986, section 2.1.
public enum PercentCoding {
  /// Appends `bytes` with everything escaped but the unreserved characters, which every client
  /// reads back alike.
  public static func encode(_ bytes: some Sequence<UInt8>, into text: inout [UInt8]) {
    for byte in bytes {
      if isUnreserved(byte) {
        text.append(byte)
      } else {
        let digits = StaticString("0123456789ABCDEF").utf8Start
        text.append(UInt8(ascii: "%"))
        text.append(digits[Int(byte >> 4)])
        text.append(digits[Int(byte & 15)])
      }
    }
  }

  /// The bytes that `text` stands for.
  ///
  /// - Parameter plusIsSpace: whether `+` stands for a space, as HTML forms write it.
  /// - Throws: the index in `text` of a `%` without two hexadecimal digits after it.
  public static func decode(
    _ text: ArraySlice<UInt8>, plusIsSpace: Bool
  ) throws(BadEscape) -> [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(text.count)
    var index = text.startIndex
    while index < text.endIndex {
      let byte = text[index]
      if byte == UInt8(ascii: "%") {
        guard index + 2 < text.endIndex, let high = hexNibble(text[index + 1]),
          let low = hexNibble(text[index + 2])
        else { throw BadEscape(index: index) }
        bytes.append(high << 4 | low)
        index += 3
      } else {
        bytes.append(plusIsSpace && byte == UInt8(ascii: "+") ? UInt8(ascii: " ") : byte)
        index += 1
      }
    }
    return bytes
  }

  /// Where an escape is cut short or is not hexadecimal.
  public struct BadEscape: Error {
    /// The place of the "%".
    public let index: Int
  }

  private static func isUnreserved(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "A")...UInt8(ascii: "Z"), UInt8(ascii: "a")...UInt8(ascii: "z"): true
    case UInt8(ascii: "0")...UInt8(ascii: "9"): true
    case UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"), UInt8(ascii: "~"): true
    default: false
    }
  }
}
