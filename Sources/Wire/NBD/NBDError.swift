/// How a client broke the protocol so that its stream cannot be followed further, and where. The
/// connection ends. All lesser mistakes are answered.
public struct NBDError: Error, Hashable, Sendable {
  /// What is wrong.
  public let reason: Reason
  /// Where, in bytes from the beginning of what the client sent: where the faulty message begins.
  public let offset: UInt64

  /// What can be wrong with a client's stream.
  public enum Reason: Hashable, Sendable {
    /// Flags that we did not offer, all that were sent. Section "Client flags".
    case clientFlags(UInt32)
    /// No option begins here, but this. Section "Newstyle negotiation".
    case optionMagic(UInt64)
    /// No request begins here, but this. Section "Request message".
    case requestMagic(UInt32)
    /// More bytes of payload than we step over: what an option or a request announces.
    case payload(UInt64)
    /// A name longer than any, in an option to which there is no answer but the export.
    case exportName(UInt32)
    /// `NBD_OPT_EXPORT_NAME` after extended headers were agreed on.
    case exportNameAfterExtendedHeaders
  }

  init(_ reason: Reason, at offset: UInt64) {
    self.reason = reason
    self.offset = offset
  }
}

extension NBDError: CustomStringConvertible {
  /// One line: place and reason.
  public var description: String { "NBD client at byte \(offset): \(reason)" }
}

extension NBDError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .clientFlags(let flags): "flags 0x\(hex(flags)), of which some were not offered"
    case .optionMagic(let magic): "0x\(hex(magic)) where an option should begin"
    case .requestMagic(let magic): "0x\(hex(magic)) where a request should begin"
    case .payload(let count): "\(count) bytes of payload, more than \(NBDLimits.payloadBytes)"
    case .exportName(let count): "a name of \(count) bytes, more than \(NBDLimits.stringBytes)"
    case .exportNameAfterExtendedHeaders: "NBD_OPT_EXPORT_NAME after NBD_OPT_EXTENDED_HEADERS"
    }
  }

  private func hex(_ number: some FixedWidthInteger & UnsignedInteger) -> String {
    String(number, radix: 16)
  }
}
