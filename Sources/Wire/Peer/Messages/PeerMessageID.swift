/// The byte that tells a message of the peer protocol from the others.
public enum PeerMessageID: UInt8, Hashable, Sendable, CaseIterable {
  /// No requests will be answered. BEP 3.
  case choke = 0
  /// Requests will be answered. BEP 3.
  case unchoke = 1
  /// The sender wants something that the receiver has. BEP 3.
  case interested = 2
  /// The sender wants nothing. BEP 3.
  case notInterested = 3
  /// The sender has a piece now. BEP 3.
  case have = 4
  /// All pieces that the sender has. BEP 3.
  case bitfield = 5
  /// Asks for a block. BEP 3.
  case request = 6
  /// Brings a block. BEP 3.
  case piece = 7
  /// Takes a request back. BEP 3.
  case cancel = 8
  /// The UDP port of the sender's DHT node. BEP 5.
  case port = 9
  /// Advises to download a piece. BEP 6.
  case suggest = 13
  /// The sender has all pieces. BEP 6.
  case haveAll = 14
  /// The sender has no piece. BEP 6.
  case haveNone = 15
  /// Declines a request. BEP 6, BEP 52.
  case reject = 16
  /// A piece that may be requested in spite of a choke. BEP 6.
  case allowedFast = 17
  /// A message of an extension. BEP 10.
  case extended = 20
  /// Asks for hashes of a file's tree. BEP 52.
  case hashRequest = 21
  /// Answers with the hashes. BEP 52.
  case hashes = 22
  /// Declines to answer. BEP 52.
  case hashReject = 23
}

extension PeerMessageID {
  /// The specification of the message, for error texts.
  var specification: String {
    switch self {
    case .choke, .unchoke, .interested, .notInterested, .have, .bitfield, .request, .piece, .cancel:
      "BEP 3"
    case .port: "BEP 5"
    case .suggest, .haveAll, .haveNone, .reject, .allowedFast: "BEP 6"
    case .extended: "BEP 10"
    case .hashRequest, .hashes, .hashReject: "BEP 52"
    }
  }
}

extension PeerMessageID: CustomStringConvertible {
  /// The message's name in its BEP.
  public var description: String {
    switch self {
    case .choke: "choke"
    case .unchoke: "unchoke"
    case .interested: "interested"
    case .notInterested: "not interested"
    case .have: "have"
    case .bitfield: "bitfield"
    case .request: "request"
    case .piece: "piece"
    case .cancel: "cancel"
    case .port: "port"
    case .suggest: "suggest piece"
    case .haveAll: "have all"
    case .haveNone: "have none"
    case .reject: "reject"
    case .allowedFast: "allowed fast"
    case .extended: "extended"
    case .hashRequest: "hash request"
    case .hashes: "hashes"
    case .hashReject: "hash reject"
    }
  }
}
