/// Canonical bencoding, and nothing else. BEP 3, "bencoding".
public enum Bencode {
  /// What is asked of the keys of dictionaries.
  public enum Keys: Sendable {
    /// In ascending order, each once: BEP 3. What is hashed or signed has one form only.
    case canonical
    /// In any order; of those that come twice the first counts. For messages which are read once and
    /// kept nowhere: some programs write them so, and there is nothing to gain from not hearing them.
    case asTheyCome
  }

  /// The one value that `bytes` is, from the first byte to the last.
  public static func decode(
    _ bytes: [UInt8], limits: BencodeLimits = .message, keys: Keys = .canonical
  ) throws(BencodeError) -> BencodeNode {
    let root = try decodePrefix(bytes, limits: limits, keys: keys)
    if root.range.upperBound != bytes.count {
      throw BencodeError(offset: root.range.upperBound, reason: .trailingBytes)
    }
    return root
  }

  /// The value that starts at `offset`, whatever follows it: a BEP 9 `data` message has the
  /// metadata behind its dictionary. The value ended at `range.upperBound` of the result; ranges
  /// and error offsets count from the first byte of `bytes`.
  ///
  /// Precondition: `offset` is within `bytes` or at its end.
  public static func decodePrefix(
    _ bytes: [UInt8], from offset: Int = 0, limits: BencodeLimits = .message,
    keys: Keys = .canonical
  ) throws(BencodeError) -> BencodeNode {
    precondition((0...bytes.count).contains(offset))
    // Nodes keep 32-bit offsets.
    let largest = min(limits.bytes, Int(UInt32.max) - offset)
    if bytes.count - offset > largest {
      throw BencodeError(offset: offset, reason: .tooLarge(largest))
    }
    var decoder = BencodeDecoder(bytes: bytes, at: offset, limits: limits, keys: keys)
    try decoder.decodeValue()
    return BencodeNode(
      document: BencodeDocument(bytes: bytes, records: decoder.records), index: 0)
  }
}

/// Reads one value into a flat list of records. Open containers are on a stack of its own, so that
/// no input can overflow the program's.
struct BencodeDecoder {
  private let bytes: [UInt8]
  private let limits: BencodeLimits
  private let keys: Bencode.Keys
  /// The next byte to read.
  private var at: Int
  /// The containers that have not ended yet, outermost first.
  private var open: [OpenContainer] = []
  /// Every value and key so far, in the order of their first bytes.
  private(set) var records: [BencodeRecord] = []

  private struct OpenContainer {
    let record: Int
    let isDictionary: Bool
    /// Contents of the newest key, to hold the next one against.
    var key: Range<Int>?
    /// A key has come and its value has not.
    var awaitsValue = false

    var awaitsKey: Bool { isDictionary && !awaitsValue }
  }

  init(bytes: [UInt8], at: Int, limits: BencodeLimits, keys: Bencode.Keys) {
    self.bytes = bytes
    self.at = at
    self.limits = limits
    self.keys = keys
  }

  mutating func decodeValue() throws(BencodeError) {
    repeat {
      let byte = try peek()
      if byte == UInt8(ascii: "e"), let container = open.last {
        try close(container)
      } else if let container = open.last, container.awaitsKey {
        try decodeKey(byte, in: container)
      } else {
        try decodeItem(byte)
      }
    } while !open.isEmpty
  }

  private mutating func decodeItem(_ byte: UInt8) throws(BencodeError) {
    let start = at
    switch byte {
    case UInt8(ascii: "0")...UInt8(ascii: "9"):
      try decodeString()
      finishItem()
    case UInt8(ascii: "i"):
      try add(BencodeRecord(start: start, content: start + 1))
      try decodeInteger()
      records[records.count - 1].end = UInt32(at)
      finishItem()
    case UInt8(ascii: "l"), UInt8(ascii: "d"):
      if open.count >= limits.depth { throw fault(.tooDeep(limits.depth), at: start) }
      // What a container keeps in place of an offset is the count of its items.
      try add(BencodeRecord(start: start, content: 0))
      open.append(
        OpenContainer(record: records.count - 1, isDictionary: byte == UInt8(ascii: "d")))
      at += 1
    default:
      throw fault(.unexpectedByte(byte), at: start)
    }
  }

  private mutating func decodeKey(
    _ byte: UInt8, in container: OpenContainer
  ) throws(BencodeError) {
    let start = at
    guard (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) else {
      throw fault(.keyNotString, at: start)
    }
    try decodeString()
    let key = records[records.count - 1].contents
    if keys == .canonical, let previous = container.key {
      switch compare(previous, key) {
      case ..<0: break
      case 0: throw fault(.duplicateKey, at: start)
      default: throw fault(.unsortedKey, at: start)
      }
    }
    open[open.count - 1].key = key
    open[open.count - 1].awaitsValue = true
  }

  /// An item of a container has been read: the container counts it.
  private mutating func finishItem() {
    guard let container = open.last else { return }
    open[open.count - 1].awaitsValue = false
    records[container.record].content += 1
  }

  private mutating func close(_ container: OpenContainer) throws(BencodeError) {
    if container.awaitsValue { throw fault(.missingValue, at: at) }
    at += 1
    records[container.record].end = UInt32(at)
    records[container.record].next = UInt32(records.count)
    open.removeLast()
    finishItem()
  }

  /// A string and its record.
  private mutating func decodeString() throws(BencodeError) {
    let start = at
    var length = 0
    while true {
      let byte = try peek()
      if byte == UInt8(ascii: ":") { break }
      guard let digit = Self.digit(byte) else { throw fault(.unexpectedByte(byte), at: at) }
      if at > start && length == 0 { throw fault(.leadingZero, at: start) }
      let (product, first) = length.multipliedReportingOverflow(by: 10)
      let (sum, second) = product.addingReportingOverflow(Int(digit))
      if first || second { throw fault(.lengthOverflow, at: start) }
      length = sum
      at += 1
    }
    at += 1
    if length > bytes.count - at { throw fault(.stringPastEnd(length), at: start) }
    try add(BencodeRecord(start: start, content: at))
    at += length
    records[records.count - 1].end = UInt32(at)
  }

  /// Steps over an integer that `BencodeNode.integer` can read without a check.
  private mutating func decodeInteger() throws(BencodeError) {
    at += 1
    let start = at
    let isNegative = try peek() == UInt8(ascii: "-")
    if isNegative { at += 1 }
    let digits = at
    // Gathered below zero, where there is one number more.
    var value: Int64 = 0
    while true {
      let byte = try peek()
      if byte == UInt8(ascii: "e"), at > digits { break }
      guard let digit = Self.digit(byte) else { throw fault(.unexpectedByte(byte), at: at) }
      if at > digits && value == 0 { throw fault(.leadingZero, at: start) }
      let (product, first) = value.multipliedReportingOverflow(by: 10)
      let (difference, second) = product.subtractingReportingOverflow(Int64(digit))
      if first || second { throw fault(.integerOverflow, at: start) }
      value = difference
      at += 1
    }
    if isNegative && value == 0 { throw fault(.negativeZero, at: start) }
    if !isNegative && value == .min { throw fault(.integerOverflow, at: start) }
    at += 1
  }

  private mutating func add(_ record: BencodeRecord) throws(BencodeError) {
    if records.count >= limits.nodes {
      throw fault(.tooManyNodes(limits.nodes), at: Int(record.start))
    }
    records.append(record)
    records[records.count - 1].next = UInt32(records.count)
  }

  private func peek() throws(BencodeError) -> UInt8 {
    if at >= bytes.count { throw fault(.truncated, at: bytes.count) }
    return bytes[at]
  }

  private func fault(_ reason: BencodeError.Reason, at offset: Int) -> BencodeError {
    BencodeError(offset: offset, reason: reason)
  }

  /// Below 0, 0 or above 0, as the bytes in `left` sort against those in `right`.
  private func compare(_ left: Range<Int>, _ right: Range<Int>) -> Int {
    for (a, b) in zip(left, right) where bytes[a] != bytes[b] {
      return Int(bytes[a]) - Int(bytes[b])
    }
    return left.count - right.count
  }

  private static func digit(_ byte: UInt8) -> UInt8? {
    let digit = byte &- UInt8(ascii: "0")
    return digit <= 9 ? digit : nil
  }
}
