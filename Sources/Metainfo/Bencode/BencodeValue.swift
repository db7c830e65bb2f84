/// A bencoded value that stands for itself: for what is built or kept piece by piece. To read large
/// inputs use `BencodeNode`, to write them `BencodeEncoder`.
public indirect enum BencodeValue: Hashable, Sendable {
  /// A number.
  case integer(Int64)
  /// A string of bytes.
  case string([UInt8])
  /// Values in order.
  case list([BencodeValue])
  /// Values by key; the order is made when they are written.
  case dictionary([[UInt8]: BencodeValue])

  /// A string of UTF-8.
  public static func text(_ text: some StringProtocol) -> BencodeValue { .string(Array(text.utf8)) }

  /// A copy of what was decoded. Recursive: the decoder's limit of depth keeps it shallow.
  public init(_ node: BencodeNode) {
    if let number = node.integer {
      self = .integer(number)
    } else if let contents = node.string {
      self = .string(Array(contents))
    } else if let values = node.list {
      self = .list(values.map(BencodeValue.init))
    } else {
      var pairs: [[UInt8]: BencodeValue] = [:]
      node.dictionary?.forEach { pairs[Array($0.key)] = BencodeValue($0.value) }
      self = .dictionary(pairs)
    }
  }

  /// The canonical encoding.
  public var encoded: [UInt8] {
    var encoder = BencodeEncoder()
    encoder.value(self)
    return encoder.bytes
  }
}
