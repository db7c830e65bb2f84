import Metainfo

/// 12 random bytes by which a router knows who made a mapping. RFC 6887, section 11.1.
public struct PCPNonce: Hashable, Sendable {
  /// The first eight bytes, the first of them highest.
  public let high: UInt64
  /// The last four bytes.
  public let low: UInt32

  /// A nonce from its 96 bits.
  public init(high: UInt64, low: UInt32) {
    self.high = high
    self.low = low
  }
}

/// The payload of a MAP request or answer: a port of this host and the router's port that leads to
/// it. RFC 6887, section 11.1; 36 bytes.
public struct PCPMapping: Hashable, Sendable {
  /// Bytes on the wire.
  public static let byteCount = 36
  /// IANA's number of TCP.
  public static let tcp: UInt8 = 6
  /// IANA's number of UDP.
  public static let udp: UInt8 = 17

  /// The same in a request, its answer, and all that follow for this mapping.
  public var nonce: PCPNonce
  /// Transport protocol by IANA's number: 6 is TCP, 17 is UDP.
  public var transport: UInt8
  /// This host's port.
  public var internalPort: UInt16
  /// The router's port: suggested in a request, where 0 is no wish; assigned in an answer.
  public var externalPort: UInt16
  /// The router's address: suggested in a request, where the family's zero is no wish; assigned in
  /// an answer.
  public var externalAddress: IPAddress

  /// A payload from its fields.
  public init(
    nonce: PCPNonce, transport: UInt8, internalPort: UInt16, externalPort: UInt16,
    externalAddress: IPAddress
  ) {
    self.nonce = nonce
    self.transport = transport
    self.internalPort = internalPort
    self.externalPort = externalPort
    self.externalAddress = externalAddress
  }

  /// The 36 bytes.
  public var encoded: [UInt8] {
    var bytes: [UInt8] = []
    bytes.reserveCapacity(Self.byteCount)
    bytes.append(number: nonce.high)
    bytes.append(number: nonce.low)
    bytes += [transport, 0, 0, 0]
    bytes.append(number: internalPort)
    bytes.append(number: externalPort)
    bytes += externalAddress.in128Bits
    return bytes
  }

  /// Reads 36 bytes at `offset`.
  ///
  /// Precondition: they are there.
  init(_ bytes: [UInt8], at offset: Int) {
    nonce = PCPNonce(
      high: bytes.number(at: offset), low: bytes.number(at: offset + 8))
    transport = bytes[offset + 12]
    internalPort = bytes.number(at: offset + 16)
    externalPort = bytes.number(at: offset + 18)
    externalAddress = IPAddress(in128Bits: bytes, at: offset + 20)
  }
}

extension IPAddress {
  /// 16 bytes; IPv4 as an IPv4-mapped address. RFC 6887, section 5.
  var in128Bits: [UInt8] {
    switch self {
    case .v4: [UInt8](repeating: 0, count: 10) + [0xff, 0xff] + compact
    case .v6: compact
    }
  }

  /// Reads 16 bytes at `offset`, which must be there.
  init(in128Bits bytes: [UInt8], at offset: Int) {
    let high: UInt64 = bytes.number(at: offset)
    let low: UInt64 = bytes.number(at: offset + 8)
    if high == 0, low >> 32 == 0xffff {
      self = .v4(IPv4Address(rawValue: UInt32(truncatingIfNeeded: low)))
    } else {
      self = .v6(IPv6Address(high: high, low: low))
    }
  }
}

extension [UInt8] {
  /// Appends a number, highest byte first.
  mutating func append<Number: FixedWidthInteger>(number: Number) {
    Swift.withUnsafeBytes(of: number.bigEndian) { self += $0 }
  }

  /// The number whose highest byte is at `offset`; all its bytes must be there.
  func number<Number: FixedWidthInteger & UnsignedInteger>(at offset: Int) -> Number {
    self[offset..<(offset + MemoryLayout<Number>.size)].reduce(0) { $0 << 8 | Number($1) }
  }
}
