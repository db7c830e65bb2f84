/// What a host asks its router. RFC 6887, sections 7.1 and 11.
///
/// Without options: the host speaks for itself (no THIRD_PARTY) and takes what port it gets (no
/// PREFER_FAILURE).
public struct PCPRequest: Hashable, Sendable {
  /// The router's UDP port.
  public static let serverPort: UInt16 = 5351
  /// The UDP port at which hosts hear what routers announce to all.
  public static let announcementPort: UInt16 = 5350
  /// The version of the protocol.
  public static let version: UInt8 = 2
  /// Bytes before the payload, in requests and answers.
  public static let headByteCount = 24

  /// What is asked for.
  public enum Operation: Hashable, Sendable {
    /// Nothing but an answer, which has the router's epoch. RFC 6887, section 14.1.
    case announce
    /// A mapping; with a lifetime of 0 its end.
    case map(PCPMapping)
  }

  /// What is asked for.
  public var operation: Operation
  /// How long a mapping should last, in seconds; 0 removes it.
  public var lifetime: UInt32
  /// The address that the request is sent from.
  public var client: IPAddress

  /// A request from its parts.
  public init(_ operation: Operation, lifetime: UInt32, client: IPAddress) {
    self.operation = operation
    self.lifetime = lifetime
    self.client = client
  }

  /// The datagram.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = [Self.version, operation.opcode, 0, 0]
    bytes.append(number: lifetime)
    bytes += client.in128Bits
    if case .map(let mapping) = operation { bytes += mapping.encoded }
    return bytes
  }
}

extension PCPRequest.Operation {
  /// RFC 6887, section 19.2.
  fileprivate var opcode: UInt8 {
    switch self {
    case .announce: 0
    case .map: 1
    }
  }
}
