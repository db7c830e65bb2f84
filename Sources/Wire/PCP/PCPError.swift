/// A datagram that is no answer of a router. It is dropped.
public struct PCPError: Error, Hashable, Sendable {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// Shorter than what it says it is needs.
    case tooShort(needed: Int)
    /// Longer than any message. RFC 6887, section 7.
    case tooLong
    /// Not a multiple of four bytes. RFC 6887, section 7.
    case notInWords
    /// A request: the bit that marks answers is not set.
    case isRequest
    /// Neither PCP nor NAT-PMP.
    case unknownVersion(UInt8)
  }

  /// What is wrong.
  public let reason: Reason
  /// Where, in bytes from the datagram's beginning.
  public let offset: Int

  init(_ reason: Reason, at offset: Int) {
    self.reason = reason
    self.offset = offset
  }
}

extension PCPError: CustomStringConvertible {
  /// One line: place, reason and specification.
  public var description: String {
    let what =
      switch reason {
      case .tooShort(let needed): "it ends here, \(needed) bytes are the least"
      case .tooLong: "longer than \(WireLimits.pcpBytes) bytes"
      case .notInWords: "its length is no multiple of 4"
      case .isRequest: "a request, not an answer"
      case .unknownVersion(let version): "version \(version), which is neither PCP nor NAT-PMP"
      }
    return "PCP answer at byte \(offset): \(what) (RFC 6887)"
  }
}
