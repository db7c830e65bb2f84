/// Why something is no boot trace, and where.
public struct TraceError: Error, Hashable, Sendable {
  /// What is wrong.
  public let reason: Reason
  /// Where.
  public let place: Place

  /// Where something is wrong.
  public enum Place: Hashable, Sendable {
    /// Bytes from the beginning of the encoded trace.
    case byte(Int)
    /// Which read, counted from 0.
    case read(Int)
  }

  /// What can be wrong with a trace.
  public enum Reason: Hashable, Sendable {
    /// It does not begin as traces do.
    case noTrace
    /// A format that we do not know.
    case version(UInt8)
    /// More bytes than any trace has.
    case tooLong(Int)
    /// It ends too soon.
    case truncated
    /// Bytes behind the last read and the checksum.
    case surplus(Int)
    /// A number of more than 56 bits, or with more bytes than it needs.
    case number
    /// The checksum is that of other bytes.
    case checksum
    /// A file longer than any.
    case fileSize(UInt64)
    /// More reads than we take.
    case tooManyReads(UInt64)
    /// A read of no byte, or of bytes that the file does not have.
    case outside
    /// A read later than a boot lasts, or before the one before it.
    case time
    /// Bytes that another read has as well.
    case overlap
  }

  init(_ reason: Reason, at place: Place) {
    self.reason = reason
    self.place = place
  }
}

extension TraceError: CustomStringConvertible {
  /// One line: place and reason.
  public var description: String {
    switch place {
    case .byte(let offset): "boot trace at byte \(offset): \(reason)"
    case .read(let index): "boot trace, read \(index): \(reason)"
    }
  }
}

extension TraceError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .noTrace: "this is no boot trace"
    case .version(let version): "format \(version), 1 is the only one known"
    case .tooLong(let count): "\(count) bytes, more than \(TraceLimits.bytes)"
    case .truncated: "it ends too soon"
    case .surplus(let count): "\(count) bytes too many"
    case .number: "a number is not written in the shortest way, or too large"
    case .checksum: "the checksum does not match"
    case .fileSize(let size): "a file of \(size) bytes, more than any has"
    case .tooManyReads(let count): "\(count) reads, more than \(TraceLimits.reads)"
    case .outside: "no bytes of the file"
    case .time: "later than a boot lasts, or before the read before it"
    case .overlap: "bytes that another read has as well"
    }
  }
}
