/// Reads JSON from outside, and nothing else than JSON. RFC 8259.
///
/// Stricter where the standard leaves it open: names in an object differ, text is of characters (no half
/// of a surrogate pair), numbers are finite.
public struct JSONParser {
  /// Why a text is not JSON, and where.
  public struct Failure: Error, Hashable, Sendable, CustomStringConvertible {
    /// Bytes before what is wrong.
    public let offset: Int
    /// What is wrong.
    public let reason: Reason

    /// "byte 12: a name is given twice".
    public var description: String { "byte \(offset): \(reason.text)" }
  }

  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// More bytes, levels or values than are taken.
    case tooLong, tooDeep, tooMany
    /// The text ends within a value.
    case end
    /// No value begins here, or something follows the value.
    case noValue, surplus
    /// A number that is not written as JSON wants it, or is not finite.
    case number
    /// In a text: a control character, an escape that is none, bytes that are not UTF-8, half a pair.
    case control, escape, encoding, surrogate
    /// In an object or a list: something else than what must follow.
    case punctuation
    /// A name of an object is given twice.
    case duplicate

    var text: String {
      switch self {
      case .tooLong: "the text is too long"
      case .tooDeep: "lists and objects are too deep inside each other"
      case .tooMany: "there are too many values"
      case .end: "the text ends too soon"
      case .noValue: "no value begins here"
      case .surplus: "something follows the value"
      case .number: "a number is not written as JSON wants it"
      case .control: "a text contains a control character"
      case .escape: "a text contains an escape that is none"
      case .encoding: "a text is not UTF-8"
      case .surrogate: "a text contains half of a surrogate pair"
      case .punctuation: "a comma, colon or bracket is missing"
      case .duplicate: "a name is given twice"
      }
    }
  }

  private let bytes: [UInt8]
  private let mostValues: Int
  private var offset = 0
  private var depth = 0
  private var values = 0

  /// The value that a text is, of at most `limit` bytes and so many values.
  public static func parse(
    _ bytes: [UInt8], limit: Int = JSONLimits.bytes, values: Int = JSONLimits.values
  ) throws(Failure) -> JSON {
    var parser = JSONParser(bytes: bytes, mostValues: values)
    guard bytes.count <= limit else { throw parser.failure(.tooLong) }
    let value = try parser.value()
    parser.skipSpace()
    guard parser.offset == bytes.count else { throw parser.failure(.surplus) }
    return value
  }

  private init(bytes: [UInt8], mostValues: Int) {
    self.bytes = bytes
    self.mostValues = mostValues
  }

  private func failure(_ reason: Reason) -> Failure { Failure(offset: offset, reason: reason) }

  private var next: UInt8? { offset < bytes.count ? bytes[offset] : nil }

  private mutating func skipSpace() {
    while let byte = next, byte == 0x20 || byte == 0x09 || byte == 0x0a || byte == 0x0d {
      offset += 1
    }
  }

  /// Steps over a byte if it is the next.
  private mutating func take(_ character: Unicode.Scalar) -> Bool {
    guard next == UInt8(ascii: character) else { return false }
    offset += 1
    return true
  }

  private mutating func value() throws(Failure) -> JSON {
    skipSpace()
    values += 1
    guard values <= mostValues else { throw failure(.tooMany) }
    guard let byte = next else { throw failure(.end) }
    switch byte {
    case UInt8(ascii: "{"): return .object(try members())
    case UInt8(ascii: "["): return .list(try elements())
    case UInt8(ascii: "\""): return .text(try text())
    case UInt8(ascii: "t"): return try word("true", .bool(true))
    case UInt8(ascii: "f"): return try word("false", .bool(false))
    case UInt8(ascii: "n"): return try word("null", .null)
    case UInt8(ascii: "-"), UInt8(ascii: "0")...UInt8(ascii: "9"): return try number()
    default: throw failure(.noValue)
    }
  }

  private mutating func word(_ word: StaticString, _ value: JSON) throws(Failure) -> JSON {
    let letters = UnsafeBufferPointer(start: word.utf8Start, count: word.utf8CodeUnitCount)
    guard bytes[offset...].starts(with: letters) else { throw failure(.noValue) }
    offset += letters.count
    return value
  }

  private mutating func enter() throws(Failure) {
    depth += 1
    guard depth <= JSONLimits.depth else { throw failure(.tooDeep) }
    offset += 1
    skipSpace()
  }

  private mutating func elements() throws(Failure) -> [JSON] {
    try enter()
    defer { depth -= 1 }
    var elements: [JSON] = []
    if take("]") { return elements }
    while true {
      elements.append(try value())
      skipSpace()
      if take("]") { return elements }
      guard take(",") else { throw failure(next == nil ? .end : .punctuation) }
    }
  }

  private mutating func members() throws(Failure) -> [(String, JSON)] {
    try enter()
    defer { depth -= 1 }
    var members: [(String, JSON)] = []
    // By bytes: Swift's own equality takes different spellings of a character for the same.
    var names: Set<[UInt8]> = []
    if take("}") { return members }
    while true {
      skipSpace()
      let start = offset
      guard next == UInt8(ascii: "\"") else { throw failure(next == nil ? .end : .punctuation) }
      let name = try text()
      guard names.insert(Array(name.utf8)).inserted else {
        throw Failure(offset: start, reason: .duplicate)
      }
      skipSpace()
      guard take(":") else { throw failure(next == nil ? .end : .punctuation) }
      members.append((name, try value()))
      skipSpace()
      if take("}") { return members }
      guard take(",") else { throw failure(next == nil ? .end : .punctuation) }
    }
  }

  // MARK: Numbers

  private mutating func digits() throws(Failure) {
    let start = offset
    while let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) { offset += 1 }
    guard offset > start else { throw failure(next == nil ? .end : .number) }
  }

  /// Whole numbers exactly where 64 bits hold them; what is written with a fraction or an exponent and is
  /// whole is a whole number too, since JSON knows but one kind.
  private mutating func number() throws(Failure) -> JSON {
    let start = offset
    let isNegative = take("-")
    if take("0") {
      if let byte = next, (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) {
        throw failure(.number)
      }
    } else {
      try digits()
    }
    if take(".") { try digits() }
    if take("e") || take("E") {
      _ = take("+") || take("-")
      try digits()
    }
    let text = String(decoding: bytes[start..<offset], as: UTF8.self)
    if !isNegative, let number = UInt64(text) { return .number(number) }
    if let number = Int64(text) { return number < 0 ? .signed(number) : .number(0) }
    guard let real = Double(text), real.isFinite else {
      throw Failure(offset: start, reason: .number)
    }
    // Above, a double stands for many whole numbers.
    guard real.magnitude <= 0x1p53, real.rounded() == real else { return .real(real) }
    return real < 0 ? .signed(Int64(real)) : .number(UInt64(real))
  }

  // MARK: Texts

  private mutating func text() throws(Failure) -> String {
    offset += 1
    var utf8: [UInt8] = []
    while let byte = next {
      switch byte {
      case UInt8(ascii: "\""):
        guard let text = String(validating: utf8, as: UTF8.self) else { throw failure(.encoding) }
        offset += 1
        return text
      case UInt8(ascii: "\\"):
        let scalar = try escape()
        utf8.append(contentsOf: String(scalar).utf8)
      case ..<0x20: throw failure(.control)
      default:
        utf8.append(byte)
        offset += 1
      }
    }
    throw failure(.end)
  }

  private mutating func escape() throws(Failure) -> Unicode.Scalar {
    let start = offset
    offset += 1
    guard let byte = next else { throw failure(.end) }
    offset += 1
    switch byte {
    case UInt8(ascii: "\""), UInt8(ascii: "\\"), UInt8(ascii: "/"): return Unicode.Scalar(byte)
    case UInt8(ascii: "b"): return "\u{8}"
    case UInt8(ascii: "f"): return "\u{c}"
    case UInt8(ascii: "n"): return "\n"
    case UInt8(ascii: "r"): return "\r"
    case UInt8(ascii: "t"): return "\t"
    case UInt8(ascii: "u"): break
    default: throw Failure(offset: start, reason: .escape)
    }
    let first = try unit()
    if let scalar = Unicode.Scalar(UInt32(first)) { return scalar }
    guard UTF16.isLeadSurrogate(first), take("\\"), take("u") else {
      throw Failure(offset: start, reason: .surrogate)
    }
    let second = try unit()
    guard UTF16.isTrailSurrogate(second),
      let scalar = Unicode.Scalar(
        0x1_0000 + (UInt32(first) - 0xd800) << 10 + (UInt32(second) - 0xdc00))
    else { throw Failure(offset: start, reason: .surrogate) }
    return scalar
  }

  private mutating func unit() throws(Failure) -> UInt16 {
    let digits = bytes[offset...].prefix(4)
    guard digits.allSatisfy({ Unicode.Scalar($0).properties.isASCIIHexDigit }) else {
      throw failure(.escape)
    }
    guard digits.count == 4, let unit = UInt16(String(decoding: digits, as: UTF8.self), radix: 16)
    else { throw failure(.end) }
    offset += 4
    return unit
  }
}
