/// What a bencoded value can be. BEP 3.
public enum BencodeKind: String, Hashable, Sendable {
  /// `i3e`
  case integer
  /// `4:spam`
  case string
  /// `le`
  case list
  /// `de`
  case dictionary
}

/// One decoded value: a view into the input, which it keeps alive. Strings are not copied.
public struct BencodeNode: Sendable {
  let document: BencodeDocument
  let index: Int

  private var record: BencodeRecord { document.records[index] }

  /// What the value is.
  public var kind: BencodeKind {
    switch document.bytes[Int(record.start)] {
    case UInt8(ascii: "i"): .integer
    case UInt8(ascii: "l"): .list
    case UInt8(ascii: "d"): .dictionary
    default: .string
    }
  }

  /// Where the value's bytes are in the input, first to last.
  public var range: Range<Int> { Int(record.start)..<Int(record.end) }

  /// The value's exact bytes.
  public var encoded: ArraySlice<UInt8> { document.bytes[range] }

  /// The number; nil when the value is something else.
  public var integer: Int64? {
    guard kind == .integer else { return nil }
    var value: Int64 = 0
    var isNegative = false
    for byte in document.bytes[Int(record.content)..<Int(record.end) - 1] {
      if byte == UInt8(ascii: "-") {
        isNegative = true
      } else {
        // In range: the decoder has checked.
        value = value &* 10 &- Int64(byte &- UInt8(ascii: "0"))
      }
    }
    return isNegative ? value : -value
  }

  /// The string's contents; nil when the value is something else.
  public var string: ArraySlice<UInt8>? {
    kind == .string ? document.bytes[record.contents] : nil
  }

  /// The list's values; nil when the value is something else.
  public var list: BencodeList? {
    guard kind == .list else { return nil }
    return BencodeList(document: document, first: index + 1, count: Int(record.content))
  }

  /// The dictionary's pairs; nil when the value is something else.
  public var dictionary: BencodeDictionary? {
    guard kind == .dictionary else { return nil }
    return BencodeDictionary(document: document, first: index + 1, count: Int(record.content))
  }

  /// The dictionary's value under `key`; nil when there is none, or no dictionary. Takes time in
  /// proportion to the pairs before it.
  public subscript(key: StaticString) -> BencodeNode? {
    key.withUTF8Buffer { self[bytes: $0] }
  }

  /// The dictionary's value under `key`; nil when there is none, or no dictionary. Takes time in
  /// proportion to the pairs before it.
  public subscript(bytes key: some Collection<UInt8>) -> BencodeNode? {
    dictionary?.first { $0.key.elementsEqual(key) }?.value
  }
}

/// The values of a list, in order.
public struct BencodeList: Sequence, IteratorProtocol, Sendable {
  let document: BencodeDocument
  var first: Int
  /// How many values there are; in an iterator, how many are left.
  public private(set) var count: Int

  init(document: BencodeDocument, first: Int, count: Int) {
    self.document = document
    self.first = first
    self.count = count
  }

  /// The next value.
  public mutating func next() -> BencodeNode? {
    if count == 0 { return nil }
    count -= 1
    defer { first = Int(document.records[first].next) }
    return BencodeNode(document: document, index: first)
  }
}

/// The pairs of a dictionary, in ascending order of their keys; where they were read `asTheyCome`, in the
/// input's order.
public struct BencodeDictionary: Sequence, IteratorProtocol, Sendable {
  let document: BencodeDocument
  var first: Int
  /// How many pairs there are; in an iterator, how many are left.
  public private(set) var count: Int

  init(document: BencodeDocument, first: Int, count: Int) {
    self.document = document
    self.first = first
    self.count = count
  }

  /// The next pair.
  public mutating func next() -> (key: ArraySlice<UInt8>, value: BencodeNode)? {
    if count == 0 { return nil }
    count -= 1
    let key = document.records[first]
    let value = BencodeNode(document: document, index: first + 1)
    first = Int(document.records[first + 1].next)
    return (document.bytes[key.contents], value)
  }
}

/// An input and what was found in it.
final class BencodeDocument: Sendable {
  let bytes: [UInt8]
  /// Values and keys in the order of their first bytes: a container is followed by its items, a
  /// dictionary's alternate between key and value.
  let records: [BencodeRecord]

  init(bytes: [UInt8], records: [BencodeRecord]) {
    self.bytes = bytes
    self.records = records
  }
}

/// One value or key in 16 bytes.
struct BencodeRecord {
  /// Offset of the first byte.
  let start: UInt32
  /// Offset behind the last byte.
  var end: UInt32 = 0
  /// Strings and integers: offset of the contents. Lists and dictionaries: count of items or pairs.
  var content: UInt32
  /// Index of the record behind this one and all that is inside it.
  var next: UInt32 = 0

  init(start: Int, content: Int) {
    self.start = UInt32(start)
    self.content = UInt32(content)
  }

  /// A string's contents.
  var contents: Range<Int> { Int(content)..<Int(end) }
}
