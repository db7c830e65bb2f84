/// What a router says to a request. RFC 6887, section 7.4.
public struct PCPResult: RawRepresentable, Hashable, Sendable {
  /// The code on the wire.
  public let rawValue: UInt8

  /// A result from its code, known or not.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// It is done.
  public static let success = PCPResult(rawValue: 0)
  /// The router does not speak this version.
  public static let unsupportedVersion = PCPResult(rawValue: 1)
  /// Policy or another client's mapping forbids it.
  public static let notAuthorized = PCPResult(rawValue: 2)
  /// The router could not read the request.
  public static let malformedRequest = PCPResult(rawValue: 3)
  /// The router does not know the opcode.
  public static let unsupportedOpcode = PCPResult(rawValue: 4)
  /// The router does not know an option that it must.
  public static let unsupportedOption = PCPResult(rawValue: 5)
  /// The router could not read an option.
  public static let malformedOption = PCPResult(rawValue: 6)
  /// The router has no connection of its own.
  public static let networkFailure = PCPResult(rawValue: 7)
  /// The router is out of ports or memory.
  public static let noResources = PCPResult(rawValue: 8)
  /// The router does not map this transport protocol.
  public static let unsupportedProtocol = PCPResult(rawValue: 9)
  /// The client has as many mappings as it may.
  public static let quotaExceeded = PCPResult(rawValue: 10)
  /// The external port or address asked for cannot be had.
  public static let cannotProvideExternal = PCPResult(rawValue: 11)
  /// The request came from another address than it says: there is a NAT on the way to the router.
  public static let addressMismatch = PCPResult(rawValue: 12)
  /// Too many remote peers in filters.
  public static let excessiveRemotePeers = PCPResult(rawValue: 13)

  /// The name in RFC 6887; nil for a code that it does not have.
  public var name: String? {
    Int(rawValue) < Self.names.count ? Self.names[Int(rawValue)] : nil
  }

  private static let names = [
    "SUCCESS", "UNSUPP_VERSION", "NOT_AUTHORIZED", "MALFORMED_REQUEST", "UNSUPP_OPCODE",
    "UNSUPP_OPTION", "MALFORMED_OPTION", "NETWORK_FAILURE", "NO_RESOURCES", "UNSUPP_PROTOCOL",
    "USER_EX_QUOTA", "CANNOT_PROVIDE_EXTERNAL", "ADDRESS_MISMATCH", "EXCESSIVE_REMOTE_PEERS",
  ]
}

extension PCPResult: CustomStringConvertible {
  /// `NOT_AUTHORIZED (2)`, or the code alone.
  public var description: String { name.map { "\($0) (\(rawValue))" } ?? "result \(rawValue)" }
}
