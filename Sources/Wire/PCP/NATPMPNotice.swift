import Metainfo

/// What of a NAT-PMP message matters to one who asked in PCP or listens to announcements; requests
/// in NAT-PMP are libnatpmp's. RFC 6886, sections 3.2.1 and 3.5; RFC 6887, appendix A.
public struct NATPMPNotice: Hashable, Sendable {
  /// 0 for success; 1 says that the router does not know the version it was asked in.
  public var result: UInt16
  /// Seconds since the router's state began.
  public var epoch: UInt32
  /// The router's address on the outside, where the message is about that.
  public var externalAddress: IPv4Address?

  /// A notice from its parts.
  public init(result: UInt16, epoch: UInt32, externalAddress: IPv4Address?) {
    self.result = result
    self.epoch = epoch
    self.externalAddress = externalAddress
  }

  /// Reads a datagram that begins with version 0.
  init(_ datagram: [UInt8]) throws(PCPError) {
    guard datagram.count >= 8 else { throw PCPError(.tooShort(needed: 8), at: datagram.count) }
    guard datagram.count <= WireLimits.pcpBytes else {
      throw PCPError(.tooLong, at: WireLimits.pcpBytes)
    }
    guard datagram[1] & 0x80 != 0 else { throw PCPError(.isRequest, at: 1) }
    result = datagram.number(at: 2)
    epoch = datagram.number(at: 4)
    let isAddress = datagram[1] == 0x80 && result == 0
    if isAddress, datagram.count < 12 {
      throw PCPError(.tooShort(needed: 12), at: datagram.count)
    }
    externalAddress = isAddress ? IPv4Address(rawValue: datagram.number(at: 8)) : nil
  }

  /// The datagram, as a router sends it: about its address, or else about a mapping of UDP.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = [0, externalAddress == nil ? 0x81 : 0x80]
    bytes.append(number: result)
    bytes.append(number: epoch)
    if let externalAddress { bytes.append(number: externalAddress.rawValue) }
    return bytes
  }
}
