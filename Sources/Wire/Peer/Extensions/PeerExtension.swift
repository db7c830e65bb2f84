import Metainfo

/// The extensions that we speak, by their names in the extension handshake. BEP 10, "m".
public enum PeerExtension: String, Hashable, Sendable, CaseIterable {
  /// A piece is no longer there. BEP 54.
  case dontHave = "lt_donthave"
  /// Tells whether the sender downloads anything: the message that libtorrent added to BEP 21.
  case uploadOnly = "upload_only"
  /// The info dictionary, in blocks. BEP 9.
  case metadata = "ut_metadata"
  /// Who else is in the swarm. BEP 11.
  case pex = "ut_pex"
  /// The newest head of the dataset that the torrent belongs to. Our own.
  case head = "sw_head"
  /// Blocks that somebody reads and that the sender gives away before it has their pieces. Our own.
  case reads = "sw_reads"
  /// Blocks as zstd frames. Our own.
  case zstd = "sw_zstd"
}

/// Why the payload of an extension's message cannot be read, and where.
public struct ExtensionError: Error, Hashable, Sendable {
  /// Whose message; nil for the extension handshake.
  public let message: PeerExtension?
  /// Where in the payload the fault is, in bytes.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason

  /// What can be wrong.
  public enum Reason: Hashable, Sendable {
    /// Not canonical bencoding.
    case bencode(BencodeError.Reason)
    /// A value that must be something else; an empty name stands for the payload itself.
    case wrongKind(String, expected: BencodeKind)
    /// A key that must be there is not.
    case missing(String)
    /// A number that cannot be.
    case outOfRange(String, Int64)
    /// A string of compact addresses that does not end where an address does: so many bytes.
    case partialAddress(String, Int)
    /// A payload of a fixed length has another: both in bytes.
    case length(found: Int, expected: Int)
    /// More metadata than a block has, in bytes.
    case blockTooLong(Int)
    /// More bytes than may stand there; an empty name stands for the payload itself.
    case tooLong(String, Int)
    /// Bytes behind the dictionary of a message that ends there.
    case trailingBytes
  }
}

extension ExtensionError: CustomStringConvertible {
  /// One line: place, reason and specification.
  public var description: String {
    let (name, specification) =
      switch message {
      case nil: ("extension handshake", "BEP 10")
      case .dontHave: ("lt_donthave", "BEP 54")
      case .uploadOnly: ("upload_only", "BEP 21")
      case .metadata: ("ut_metadata", "BEP 9")
      case .pex: ("ut_pex", "BEP 11")
      case .head: ("sw_head", "BEP 44")
      case .reads: ("sw_reads", "docs/reads.md")
      case .zstd: ("sw_zstd", "docs/compression.md")
      }
    return "\(name) at byte \(offset): \(reason) (\(specification))"
  }
}

extension ExtensionError.Reason: CustomStringConvertible {
  /// What is wrong, as the end of a sentence.
  public var description: String {
    switch self {
    case .bencode(let reason): "\(reason)"
    case .wrongKind("", let expected): "the payload is no \(expected)"
    case .wrongKind(let key, let expected): "\"\(key)\" is no \(expected)"
    case .missing(let key): "\"\(key)\" is missing"
    case .outOfRange(let key, let value): "\"\(key)\" is \(value)"
    case .partialAddress(let key, let count): "\"\(key)\" has \(count) bytes"
    case .length(let found, let expected): "\(found) bytes, \(expected) expected"
    case .blockTooLong(let count): "a block of \(count) bytes"
    case .tooLong("", let count): "\(count) bytes are too many"
    case .tooLong(let key, let count): "\"\(key)\" has \(count) bytes, which are too many"
    case .trailingBytes: "there is more behind the end"
    }
  }
}
