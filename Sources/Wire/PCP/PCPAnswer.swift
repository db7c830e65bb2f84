/// What a router sends: the answer to a request, or by itself that it has begun anew.
public enum PCPAnswer: Hashable, Sendable {
  /// A message of PCP. RFC 6887, section 7.2.
  case pcp(PCPResponse)
  /// A message of NAT-PMP, which routers that know only the older protocol answer with, and which
  /// those that know both announce besides.
  case natPMP(NATPMPNotice)

  /// Reads a datagram. Options and what else follows the payload are stepped over.
  public init(_ datagram: [UInt8]) throws(PCPError) {
    guard let version = datagram.first else { throw PCPError(.tooShort(needed: 2), at: 0) }
    switch version {
    case 0: self = .natPMP(try NATPMPNotice(datagram))
    case PCPRequest.version: self = .pcp(try PCPResponse(datagram))
    default: throw PCPError(.unknownVersion(version), at: 0)
    }
  }
}

/// A router's message in PCP. RFC 6887, section 7.2.
public struct PCPResponse: Hashable, Sendable {
  /// What it answers.
  public enum Operation: Hashable, Sendable {
    /// ANNOUNCE; also sent to all when the router has lost its state.
    case announce
    /// MAP. A refusal repeats the request's payload; nil where a router left it out.
    case map(PCPMapping?)
    /// An opcode that we do not use.
    case unknown(opcode: UInt8)
  }

  /// What it answers.
  public var operation: Operation
  /// Whether it was done, and why not.
  public var result: PCPResult
  /// How long the mapping lasts, or how long the refusal will, in seconds.
  public var lifetime: UInt32
  /// Seconds since the router's state began.
  public var epoch: UInt32

  /// A message from its parts.
  public init(_ operation: Operation, result: PCPResult, lifetime: UInt32, epoch: UInt32) {
    self.operation = operation
    self.result = result
    self.lifetime = lifetime
    self.epoch = epoch
  }

  /// Reads a datagram that begins with version 2.
  init(_ datagram: [UInt8]) throws(PCPError) {
    let head = PCPRequest.headByteCount
    guard datagram.count >= head else {
      throw PCPError(.tooShort(needed: head), at: datagram.count)
    }
    guard datagram.count <= WireLimits.pcpBytes else {
      throw PCPError(.tooLong, at: WireLimits.pcpBytes)
    }
    guard datagram.count.isMultiple(of: 4) else { throw PCPError(.notInWords, at: datagram.count) }
    guard datagram[1] & 0x80 != 0 else { throw PCPError(.isRequest, at: 1) }
    result = PCPResult(rawValue: datagram[3])
    lifetime = datagram.number(at: 4)
    epoch = datagram.number(at: 8)
    switch datagram[1] & 0x7f {
    case 0: operation = .announce
    case 1:
      let needed = head + PCPMapping.byteCount
      if datagram.count >= needed {
        operation = .map(PCPMapping(datagram, at: head))
      } else if result == .success {
        throw PCPError(.tooShort(needed: needed), at: datagram.count)
      } else {
        operation = .map(nil)
      }
    case let opcode: operation = .unknown(opcode: opcode)
    }
  }

  /// The datagram, as a router sends it.
  public var encoded: [UInt8] {
    let opcode: UInt8 =
      switch operation {
      case .announce: 0
      case .map: 1
      case .unknown(let opcode): opcode & 0x7f
      }
    var bytes: [UInt8] = [PCPRequest.version, 0x80 | opcode, 0, result.rawValue]
    bytes.append(number: lifetime)
    bytes.append(number: epoch)
    bytes += [UInt8](repeating: 0, count: 12)
    if case .map(let mapping?) = operation { bytes += mapping.encoded }
    return bytes
  }
}
