/// Why bytes are no DNS message, and where.
public struct DNSError: Error, Hashable, CustomStringConvertible {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// The message is longer than a multicast DNS message may be.
    case tooLong(Int)
    /// It ends in the middle of something.
    case cutOff
    /// A pointer that does not lead back, RFC 1035, 4.1.4. Else there could be a loop.
    case pointerNotBackwards
    /// A name goes through too many pointers.
    case tooManyPointers
    /// A name is longer than 255 bytes.
    case nameTooLong
    /// The two highest bits of a label's length are 01 or 10.
    case unknownLabelType(UInt8)
    /// The data of a record has not the length that its type has.
    case dataLength(DNSType, Int)
    /// Bytes behind the last record.
    case trailingBytes
  }

  /// Byte of the message.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason

  /// In words.
  public var description: String {
    let what =
      switch reason {
      case .tooLong(let count): "\(count) bytes, more than \(DNSLimits.messageBytes)"
      case .cutOff: "cut off"
      case .pointerNotBackwards: "a pointer that does not lead back (RFC 1035, 4.1.4)"
      case .tooManyPointers: "more than \(DNSLimits.pointers) pointers in a name"
      case .nameTooLong: "a name of more than \(DNSLimits.nameBytes) bytes"
      case .unknownLabelType(let byte): "label of unknown type \(byte >> 6)"
      case .dataLength(let type, let count):
        "\(count) bytes of data do not fit type \(type.rawValue)"
      case .trailingBytes: "bytes behind the last record"
      }
    return "DNS message at byte \(offset): \(what)"
  }
}
