/// Where and why bytes are not canonical bencoding. BEP 3, "bencoding".
public struct BencodeError: Error, Hashable, Sendable {
  /// Offset of the fault in the input, in bytes: of the byte that cannot stand there, or of the
  /// first byte of the number or key that is wrong; the input's length when it ends too early.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason

  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// The input ends inside a value.
    case truncated
    /// Bytes follow the value.
    case trailingBytes
    /// A byte that cannot stand where it stands.
    case unexpectedByte(UInt8)
    /// A number or a string length that starts with a superfluous zero.
    case leadingZero
    /// The number `-0`.
    case negativeZero
    /// A number that does not fit 64 bits with sign.
    case integerOverflow
    /// A string length past 2^63.
    case lengthOverflow
    /// A string of this many bytes, which is more than follow.
    case stringPastEnd(Int)
    /// A dictionary key that is not a string.
    case keyNotString
    /// A dictionary key twice.
    case duplicateKey
    /// A dictionary key that belongs before the one in front of it.
    case unsortedKey
    /// A dictionary that ends after a key.
    case missingValue
    /// More containers inside each other than the limit, which is this.
    case tooDeep(Int)
    /// More values than the limit, which is this.
    case tooManyNodes(Int)
    /// More bytes than the limit, which is this.
    case tooLarge(Int)
  }
}

extension BencodeError: CustomStringConvertible {
  /// "byte 12: a number starts with 0".
  public var description: String { "byte \(offset): \(reason)" }
}

extension BencodeError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .truncated: "the data ends in the middle of a value"
    case .trailingBytes: "there is more data behind the end"
    case .unexpectedByte(let byte): "unexpected byte \"\(printable([byte]))\""
    case .leadingZero: "a number starts with a superfluous 0"
    case .negativeZero: "the number is -0"
    case .integerOverflow: "the number does not fit 64 bits"
    case .lengthOverflow: "the string length does not fit 63 bits"
    case .stringPastEnd(let length): "a string of \(length) bytes goes past the end"
    case .keyNotString: "a dictionary key is not a string"
    case .duplicateKey: "a dictionary key comes twice"
    case .unsortedKey: "a dictionary key is not in order"
    case .missingValue: "a dictionary key has no value"
    case .tooDeep(let limit): "more than \(limit) lists and dictionaries inside each other"
    case .tooManyNodes(let limit): "more than \(limit) values"
    case .tooLarge(let limit): "more than \(limit) bytes"
    }
  }
}
