/// The byte that tells a message of the peer protocol from the others. BEP 3, BEP 52.
public enum PeerMessageID: UInt8, Hashable, Sendable, CaseIterable {
  /// Asks for hashes of a file's tree. BEP 52.
  case hashRequest = 21
  /// Answers with the hashes. BEP 52.
  case hashes = 22
  /// Declines to answer. BEP 52.
  case hashReject = 23
}

extension PeerMessageID: CustomStringConvertible {
  /// The message's name in BEP 52.
  public var description: String {
    switch self {
    case .hashRequest: "hash request"
    case .hashes: "hashes"
    case .hashReject: "hash reject"
    }
  }
}
