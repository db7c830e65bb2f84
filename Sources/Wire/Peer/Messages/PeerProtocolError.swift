/// How a peer broke the protocol, and where. The connection ends.
public struct PeerProtocolError: Error, Hashable, Sendable {
  /// The kind of the faulty message; nil where only its length is known, or for a kind that we do not
  /// know.
  public let message: PeerMessageID?
  /// Where in the message the fault is: bytes after its length prefix, so that the byte which
  /// tells its kind is at 0.
  public let offset: Int
  /// What is wrong.
  public let reason: Reason

  /// What can be wrong with a message.
  public enum Reason: Hashable, Sendable {
    /// The message has a fixed length, or one that its own fields give, and came with another:
    /// both in bytes after the length prefix.
    case length(found: Int, expected: Int)
    /// The message ends inside its fixed fields, after this many bytes.
    case truncated(Int)
    /// The message is longer than its kind ever is: bytes after the length prefix, and the most that
    /// we take.
    case tooLong(UInt32, limit: Int)
    /// A `piece` message without data, which answers no request.
    case emptyBlock
    /// A number of hashes that is not a power of two, or is 1.
    case hashCount(UInt32)
    /// More hashes than we ever ask for.
    case tooManyHashes(UInt32)
    /// A first hash that is not at a multiple of the number of hashes.
    case unaligned(index: UInt32, length: UInt32)
    /// More proof layers than any tree has.
    case tooManyProofLayers(UInt32)
  }
}

extension PeerProtocolError: CustomStringConvertible {
  /// One line: place, reason and specification.
  public var description: String {
    let name = message.map { "\($0)" } ?? "message"
    let source = reason.isOfSpecification ? " (\(message?.specification ?? "BEP 3"))" : ""
    return "\(name) at byte \(offset): \(reason)\(source)"
  }
}

extension PeerProtocolError.Reason {
  /// Whether a specification forbids it, and not only our limits.
  fileprivate var isOfSpecification: Bool {
    switch self {
    case .length, .truncated, .emptyBlock, .hashCount, .unaligned: true
    case .tooLong, .tooManyHashes, .tooManyProofLayers: false
    }
  }
}

extension PeerProtocolError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .length(let found, let expected): "\(found) bytes, \(expected) expected"
    case .truncated(let count): "the message ends after \(count) bytes"
    case .tooLong(let count, let limit): "\(count) bytes, more than \(limit)"
    case .emptyBlock: "there is no data"
    case .hashCount(let count): "\(count) hashes answer nothing"
    case .tooManyHashes(let count): "length \(count) is more than \(WireLimits.hashesLength)"
    case .unaligned(let index, let length):
      "index \(index) is not a multiple of length \(length)"
    case .tooManyProofLayers(let count):
      "\(count) proof layers, more than \(WireLimits.proofLayers)"
    }
  }
}
