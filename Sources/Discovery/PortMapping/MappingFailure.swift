import Wire

/// Why a port is not mapped.
public enum MappingFailure: Error, Hashable, Sendable {
  /// Nothing answered.
  case noAnswer
  /// The router does not have the service.
  case notOffered(MappingService)
  /// PCP's refusal. RFC 6887, section 7.4.
  case pcp(PCPResult)
  /// NAT-PMP's refusal by its result code. RFC 6886, section 3.5.
  case natPMP(code: Int)
  /// UPnP's refusal by its error code.
  case upnp(code: Int)
  /// The answer makes no sense; what is wrong with it.
  case nonsense(String)
  /// The router was too slow or said too much, and was cut off.
  case cutOff
  /// This host could not ask; the system's words.
  case system(String)

  /// Whether it only says that there is nobody to ask.
  var isSilence: Bool {
    switch self {
    case .noAnswer, .notOffered: true
    default: false
    }
  }
}

extension MappingFailure: CustomStringConvertible {
  /// One line.
  public var description: String {
    switch self {
    case .noAnswer: "the router does not answer"
    case .notOffered(let service): "the router has no \(service)"
    case .pcp(let result): "the router refuses by PCP: \(result)"
    case .natPMP(let code):
      "the router refuses by NAT-PMP: \(Self.natPMPNames[code] ?? "result") (\(code))"
    case .upnp(let code):
      "the router refuses by UPnP: \(Self.upnpNames[code] ?? "error") (\(code))"
    case .nonsense(let what): "the router's answer makes no sense: \(what)"
    case .cutOff: "the router was too slow or said too much"
    case .system(let what): "cannot ask the router: \(what)"
    }
  }

  /// RFC 6886, section 3.5.
  private static let natPMPNames = [
    1: "unsupported version", 2: "not authorised", 3: "network failure", 4: "out of resources",
    5: "unsupported opcode",
  ]
  /// UPnP WANIPConnection:2, table of error codes, in short.
  private static let upnpNames = [
    401: "invalid action", 402: "invalid arguments", 501: "action failed",
    606: "action not authorised", 714: "no such entry", 715: "wildcard as source",
    716: "wildcard as external port", 718: "conflict with another's mapping",
    724: "same port values required", 725: "only permanent leases", 726: "remote host must be any",
    727: "external port must be any", 728: "no port maps available",
    729: "conflict with other mechanisms", 732: "wildcard as internal port",
  ]
}
