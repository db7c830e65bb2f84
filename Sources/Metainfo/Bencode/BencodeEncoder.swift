/// Writes canonical bencoding, value by value, into one array. BEP 3, "bencoding".
///
///     encoder.beginDictionary()
///     encoder.key("piece length")
///     encoder.integer(65_536)
///     encoder.end()
///
/// What it writes is canonical because it insists on it: keys come in ascending order.
public struct BencodeEncoder: Sendable {
  /// What has been written.
  public private(set) var bytes: [UInt8] = []
  /// For each open container the range of its newest key in `bytes`, empty at first. Lists have a
  /// place here too.
  private var keys: [Range<Int>] = []

  /// An encoder with room for `capacity` bytes.
  public init(capacity: Int = 0) { bytes.reserveCapacity(capacity) }

  /// A number.
  public mutating func integer(_ value: Int64) {
    bytes.append(UInt8(ascii: "i"))
    if value < 0 { bytes.append(UInt8(ascii: "-")) }
    appendDecimal(value.magnitude)
    bytes.append(UInt8(ascii: "e"))
  }

  /// A string of bytes.
  public mutating func string(_ contents: some Collection<UInt8>) {
    appendDecimal(UInt64(contents.count))
    bytes.append(UInt8(ascii: ":"))
    bytes.append(contentsOf: contents)
  }

  /// A string of UTF-8.
  public mutating func string(_ text: some StringProtocol) { string(text.utf8) }

  /// The string that the digests are, one behind the other.
  public mutating func string(_ digests: [SHA256Digest]) {
    digests.withUnsafeBytes { string($0) }
  }

  /// The string that the digests are, one behind the other.
  public mutating func string(_ digests: [SHA1Digest]) {
    digests.withUnsafeBytes { string($0) }
  }

  /// Starts a list: values up to the next `end()` of this level are its values.
  public mutating func beginList() {
    bytes.append(UInt8(ascii: "l"))
    keys.append(0..<0)
  }

  /// Starts a dictionary: up to the next `end()` of this level keys and values alternate.
  public mutating func beginDictionary() {
    bytes.append(UInt8(ascii: "d"))
    keys.append(0..<0)
  }

  /// Ends the innermost list or dictionary.
  public mutating func end() {
    bytes.append(UInt8(ascii: "e"))
    keys.removeLast()
  }

  /// A key of the innermost dictionary; its value follows.
  ///
  /// Precondition: it sorts behind the key before it.
  public mutating func key(_ key: StaticString) { key.withUTF8Buffer { self.key($0) } }

  /// A key of the innermost dictionary; its value follows.
  ///
  /// Precondition: it sorts behind the key before it.
  public mutating func key(_ key: some Collection<UInt8>) {
    string(key)
    let range = (bytes.count - key.count)..<bytes.count
    let level = keys.count - 1
    // A range of 0..<0 is that of no key: a key's contents never start at the first byte.
    precondition(
      keys[level].upperBound == 0
        || bytes[keys[level]].lexicographicallyPrecedes(bytes[range]),
      "dictionary keys are written in ascending order")
    keys[level] = range
  }

  /// A value that is encoded already, verbatim.
  ///
  /// Precondition (not checked): it is one canonical value.
  public mutating func encoded(_ value: some Collection<UInt8>) {
    bytes.append(contentsOf: value)
  }

  /// A value and all that is in it.
  public mutating func value(_ value: BencodeValue) {
    switch value {
    case .integer(let number): integer(number)
    case .string(let contents): string(contents)
    case .list(let values):
      beginList()
      for item in values { self.value(item) }
      end()
    case .dictionary(let pairs):
      beginDictionary()
      for (key, item) in pairs.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
        self.key(key)
        self.value(item)
      }
      end()
    }
  }

  private mutating func appendDecimal(_ number: UInt64) {
    if number >= 10 { appendDecimal(number / 10) }
    bytes.append(UInt8(ascii: "0") + UInt8(number % 10))
  }
}
