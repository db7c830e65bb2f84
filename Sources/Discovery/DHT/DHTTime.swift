import Metainfo
import Wire

/// Microseconds since some start: a table of nodes is half as large as with `Duration`.
typealias DHTTime = Int64

extension Duration {
  /// In microseconds, within what can be added to without overflow.
  var dhtTime: DHTTime {
    let (seconds, attoseconds) = components
    let bounded = max(-farthest, min(farthest, seconds))
    return bounded * 1_000_000 + attoseconds / 1_000_000_000_000
  }
}

/// Thirty thousand years, in seconds.
private let farthest: Int64 = 1_000_000_000_000

extension PeerEndpoint {
  /// The network to which it belongs.
  var family: NodeFamilies {
    if case .v4 = address { .v4 } else { .v6 }
  }

  /// With an address that has one name only: a socket for both families writes IPv4 addresses as
  /// `::ffff:192.0.2.1` (RFC 4291, section 2.5.5.2).
  var plain: PeerEndpoint {
    guard case .v6(let bits) = address, bits.high == 0, bits.low >> 32 == 0xffff else {
      return self
    }
    let low = IPv4Address(rawValue: UInt32(truncatingIfNeeded: bits.low))
    return PeerEndpoint(address: .v4(low), port: port)
  }

  /// Whether a datagram can go there: a machine's address, and a port.
  var isReachable: Bool {
    if port == 0 { return false }
    switch address {
    case .v4(let address):
      return address.rawValue >> 24 != 0 && address.rawValue >> 29 != 7
    case .v6(let address):
      return address.high >> 56 != 0xff && !(address.high == 0 && address.low == 0)
        && !(address.high == 0 && address.low >> 32 == 0xffff)
    }
  }
}

extension IPAddress {
  /// The /24 or /64 it belongs to, which one person can be thought to have; nil for addresses of local
  /// networks, of which everyone has all.
  var network: UInt64? {
    if NodeID.isExempt(self) { return nil }
    switch self {
    case .v4(let address): return UInt64(address.rawValue >> 8)
    case .v6(let address): return address.high
    }
  }
}

/// Whom something is counted against: an address, or a /64. In a local network many nodes may share
/// one machine, so there it is a place.
enum DHTSource: Hashable {
  case network(UInt64)
  case place(PeerEndpoint)

  init(_ endpoint: PeerEndpoint) {
    switch endpoint.address {
    case _ where NodeID.isExempt(endpoint.address): self = .place(endpoint)
    case .v4(let address): self = .network(UInt64(address.rawValue))
    case .v6(let address): self = .network(address.high)
    }
  }
}

/// All random choices of a node, those that others must not guess included: SHA-1 over secret, seed and
/// a counter.
struct DHTRandom: RandomNumberGenerator, Sendable {
  private var input: [UInt8]
  private var counter: UInt64 = 0
  /// What is left of the newest digest.
  private var spare: UInt64?

  init(secret: [UInt8], seed: UInt64) {
    input = secret
    withUnsafeBytes(of: seed) { input.append(contentsOf: $0) }
    withUnsafeBytes(of: counter) { input.append(contentsOf: $0) }
  }

  mutating func next() -> UInt64 {
    if let number = spare {
      spare = nil
      return number
    }
    counter &+= 1
    let place = input.count - 8
    for byte in 0..<8 {
      input[place + byte] = UInt8(truncatingIfNeeded: counter >> UInt64(8 * byte))
    }
    return SHA1Digest(hashing: input).withUnsafeBytes { digest in
      spare = digest.loadUnaligned(fromByteOffset: 8, as: UInt64.self)
      return digest.loadUnaligned(as: UInt64.self)
    }
  }
}
