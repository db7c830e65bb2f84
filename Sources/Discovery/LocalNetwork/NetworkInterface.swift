import Metainfo
import Wire

/// IPv4 or IPv6.
public enum IPFamily: UInt8, Hashable, Sendable, CaseIterable, Comparable {
  /// IPv4.
  case v4 = 4
  /// IPv6.
  case v6 = 6

  /// IPv4 before IPv6.
  public static func < (a: IPFamily, b: IPFamily) -> Bool { a.rawValue < b.rawValue }
}

extension IPAddress {
  /// Which kind of address it is.
  public var ipFamily: IPFamily {
    switch self {
    case .v4: .v4
    case .v6: .v6
    }
  }

  /// Whether it means something only together with an interface: fe80::/10. RFC 4291, 2.5.6.
  public var needsInterface: Bool {
    if case .v6(let address) = self { address.high >> 54 == 0xfe80 >> 6 } else { false }
  }
}

/// An interface of this machine that can multicast, as the system lists it.
public struct NetworkInterface: Hashable, Sendable {
  /// An address of the interface, and how many of its first bits are those of the network.
  public struct Address: Hashable, Sendable {
    /// The interface's own address.
    public var address: IPAddress
    /// Bits, up to 32 or 128.
    public var prefixLength: UInt8

    /// An address with its network.
    public init(_ address: IPAddress, prefixLength: UInt8) {
      self.address = address
      self.prefixLength = prefixLength
    }

    /// Whether `other` is in the same network.
    public func covers(_ other: IPAddress) -> Bool {
      guard other.ipFamily == address.ipFamily else { return false }
      var bits = Int(prefixLength)
      for (mine, its) in zip(address.compact, other.compact) {
        if bits <= 0 { return true }
        let mask: UInt8 = bits >= 8 ? 0xff : ~(0xff >> UInt8(bits))
        if (mine ^ its) & mask != 0 { return false }
        bits -= 8
      }
      return true
    }
  }

  /// The system's number for it.
  public var index: UInt32
  /// The system's name for it, such as `eth0`.
  public var name: String
  /// Its addresses.
  public var addresses: [Address]

  /// An interface from its parts.
  public init(index: UInt32, name: String, addresses: [Address]) {
    self.index = index
    self.name = name
    self.addresses = addresses
  }

  /// Whether it has an address of the family.
  public func has(_ family: IPFamily) -> Bool {
    addresses.contains { $0.address.ipFamily == family }
  }

  /// Whether a machine with that address is reached without a router. RFC 6762, 11.
  public func isOnLink(_ address: IPAddress) -> Bool {
    address.needsInterface || addresses.contains { $0.covers(address) }
  }
}

/// One family on one interface: what a multicast is sent to.
public struct NetworkLink: Hashable, Sendable, Comparable {
  /// The interface's number.
  public var interface: UInt32
  /// IPv4 or IPv6.
  public var family: IPFamily

  /// A link from its parts.
  public init(interface: UInt32, family: IPFamily) {
    self.interface = interface
    self.family = family
  }

  /// The order of interfaces, IPv4 first.
  public static func < (a: NetworkLink, b: NetworkLink) -> Bool {
    (a.interface, a.family.rawValue) < (b.interface, b.family.rawValue)
  }
}

/// The generator of this part: all of its choices follow from one seed (Steele, Lea, Flood 2014).
/// Not for secrets.
struct LocalNetworkRandom: RandomNumberGenerator, Sendable {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func milliseconds(_ range: ClosedRange<Int>) -> Duration {
    .milliseconds(Int.random(in: range, using: &self))
  }
}
