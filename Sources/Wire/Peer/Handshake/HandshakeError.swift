/// What came is not BitTorrent's handshake. The connection ends.
public struct HandshakeError: Error, Hashable, Sendable {
  /// Where the first wrong byte is, from the connection's beginning.
  public let offset: Int
  /// The first wrong byte.
  public let byte: UInt8
  /// Whom the peer seems to have taken us for; nil when nothing fits, as with an encrypted
  /// handshake, which looks like noise.
  public let resembles: ForeignProtocol?

  /// How many bytes from the beginning are looked at to guess: as many as the longest signature.
  static let evidenceByteCount = 8
}

extension HandshakeError: CustomStringConvertible {
  /// One line: place, reason and specification.
  public var description: String {
    let guess = resembles.map { ": this looks like \($0)" } ?? ""
    return "handshake at byte \(offset): \(byte) is not in BitTorrent's (BEP 3)\(guess)"
  }
}

/// Another protocol, by how its client begins: for the operator, who sees scanners and
/// misconfigured programs named.
public enum ForeignProtocol: String, Hashable, Sendable, CaseIterable {
  /// A record of type handshake, version 3. RFC 8446, section 5.1.
  case tls = "TLS"
  /// A request line's method. RFC 9110, section 9.1.
  case http = "HTTP"
  /// An identification string. RFC 4253, section 4.2.
  case ssh = "SSH"
  /// A version and a count of methods. RFC 1928, section 3.
  case socks = "SOCKS"
  /// A TPKT header of version 3. RFC 1006, section 6.
  case rdp = "RDP"

  private var beginnings: [[UInt8]] {
    switch self {
    case .tls: [[0x16, 0x03]]
    case .http:
      ["GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ", "PRI * "].map
      {
        Array($0.utf8)
      }
    case .ssh: [Array("SSH-".utf8)]
    case .socks: [[0x05, 0x01], [0x05, 0x02], [0x05, 0x03], [0x04, 0x01]]
    case .rdp: [[0x03, 0x00]]
    }
  }

  /// The protocol whose client may have begun like this; nil when there is none. As little as the
  /// first byte is enough for a guess.
  init?(startingWith bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty else { return nil }
    let fits = Self.allCases.first { candidate in
      candidate.beginnings.contains { zip($0, bytes).allSatisfy { $0 == $1 } }
    }
    guard let fits else { return nil }
    self = fits
  }
}

extension ForeignProtocol: CustomStringConvertible {
  /// The protocol's name.
  public var description: String { rawValue }
}
