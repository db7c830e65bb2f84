/// Which part of a file a client wants. RFC 9110, section 14.
public enum ByteRange: Hashable, Sendable {
  /// All of it: status 200.
  case whole
  /// These bytes, of which there is one at least: status 206.
  case part(Range<UInt64>)
  /// Bytes that there are not: status 416.
  case unsatisfiable

  /// What a `Range` header asks for of a file.
  ///
  /// A header that is malformed, or of another unit, is none (section 14.2). Several ranges are answered as
  /// the whole, which the standard leaves to the server: those who ask for several must read that, and our
  /// readers (curl, databases, pandas) ask for one at a time.
  ///
  /// - Parameters:
  ///   - header: its value; nil where there is none.
  ///   - length: bytes in the file.
  public init(header: [UInt8]?, length: UInt64) {
    self = header.flatMap { Self.decide($0, length) } ?? .whole
  }

  /// nil: as if there were no header.
  private static func decide(_ header: [UInt8], _ length: UInt64) -> ByteRange? {
    let parts = header.split(
      separator: UInt8(ascii: "="), maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, String(decoding: parts[0], as: UTF8.self).lowercased() == "bytes" else {
      return nil
    }
    // Empty elements of a list are to be passed over. Section 5.6.1.2.
    let items = parts[1].split(separator: UInt8(ascii: ",")).map(trimmed).filter { !$0.isEmpty }
    guard items.count == 1, let item = items.first,
      let dash = item.firstIndex(of: UInt8(ascii: "-"))
    else { return nil }
    let (first, last) = (item[..<dash], item[(dash + 1)...])
    if first.isEmpty {
      guard let count = number(last) else { return nil }
      if count == 0 { return .unsatisfiable }
      // Nothing of an empty file cannot be named in Content-Range.
      return length == 0 ? .whole : .part((length - min(count, length))..<length)
    }
    guard let start = number(first) else { return nil }
    var end = UInt64.max
    if !last.isEmpty {
      guard let number = number(last), number >= start else { return nil }
      end = number
    }
    if start >= length { return .unsatisfiable }
    return .part(start..<(min(end, length - 1) + 1))
  }

  /// Decimal digits and nothing else; what does not fit in 64 bits is the largest that does.
  private static func number(_ digits: ArraySlice<UInt8>) -> UInt64? {
    guard !digits.isEmpty else { return nil }
    var value: UInt64 = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(digit) else { return nil }
      let (tens, isLost) = value.multipliedReportingOverflow(by: 10)
      let (sum, isMore) = tens.addingReportingOverflow(UInt64(digit - UInt8(ascii: "0")))
      value = isLost || isMore ? .max : sum
      if value == .max { break }
    }
    guard digits.allSatisfy((UInt8(ascii: "0")...UInt8(ascii: "9")).contains) else { return nil }
    return value
  }

  /// The value of `Content-Range` that goes with it; nil for the whole. Section 14.4.
  public func contentRange(of length: UInt64) -> String? {
    switch self {
    case .whole: nil
    case .part(let range): "bytes \(range.lowerBound)-\(range.upperBound - 1)/\(length)"
    case .unsatisfiable: "bytes */\(length)"
    }
  }
}

/// Without spaces and tabs at its ends. RFC 9110, section 5.6.3.
func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  let isSpace = { (byte: UInt8) in byte == 0x20 || byte == 0x09 }
  guard let first = bytes.firstIndex(where: { !isSpace($0) }),
    let last = bytes.lastIndex(where: { !isSpace($0) })
  else { return [] }
  return bytes[first...last]
}
