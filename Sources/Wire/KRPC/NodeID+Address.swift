import Metainfo

/// Ids that are tied to the address of their node. BEP 42.
extension NodeID {
  /// An id that `address` may have: 21 bits follow from the address and from three bits that are
  /// chosen, as the last byte says; the others are free. BEP 42, "Node ID restriction".
  public static func random(
    for address: IPAddress, using generator: inout some RandomNumberGenerator
  ) -> NodeID {
    let free = random(using: &generator)
    let hash = prefix(of: address, choice: UInt8(truncatingIfNeeded: free.low))
    let mask: UInt64 = 0xffff_f800_0000_0000
    return NodeID(
      high: UInt64(hash) << 32 & mask | free.high & ~mask, middle: free.middle, low: free.low)
  }

  /// Whether a node at `address` may have this id. Addresses of local networks may have any.
  public func isAllowed(at address: IPAddress) -> Bool {
    if Self.isExempt(address) { return true }
    let hash = Self.prefix(of: address, choice: UInt8(truncatingIfNeeded: low))
    return (UInt32(truncatingIfNeeded: high >> 32) ^ hash) & 0xffff_f800 == 0
  }

  /// Whether ids at this address are free: networks that are not the internet. BEP 42, "Enforcement",
  /// and the same kinds of IPv6 (RFC 4193, RFC 4291).
  public static func isExempt(_ address: IPAddress) -> Bool {
    switch address {
    case .v4(let address):
      let bits = address.rawValue
      return bits >> 24 == 10 || bits >> 20 == 0xac1 || bits >> 16 == 0xc0a8
        || bits >> 16 == 0xa9fe || bits >> 24 == 127
    case .v6(let address):
      return address.high >> 57 == 0xfc >> 1 || address.high >> 54 == 0xfe80 >> 6
        || address.high == 0 && address.low == 1
    }
  }

  /// The hash whose first 21 bits an id starts with. Of `choice`, the id's last byte, three bits count.
  private static func prefix(of address: IPAddress, choice: UInt8) -> UInt32 {
    switch address {
    case .v4(let address):
      let masked = address.rawValue & 0x030f_3fff | UInt32(choice & 7) << 29
      return crc32c(UInt64(masked), bytes: 4)
    case .v6(let address):
      let masked = address.high & 0x0103_070f_1f3f_7fff | UInt64(choice & 7) << 61
      return crc32c(masked, bytes: 8)
    }
  }

  /// CRC-32C (Castagnoli, RFC 3720) of the low `bytes` bytes of a number, the highest first.
  static func crc32c(_ number: UInt64, bytes: Int) -> UInt32 {
    var crc = ~UInt32(0)
    for index in (0..<bytes).reversed() {
      crc ^= UInt32(UInt8(truncatingIfNeeded: number >> UInt64(8 * index)))
      for _ in 0..<8 { crc = crc >> 1 ^ (crc & 1 == 1 ? 0x82f6_3b78 : 0) }
    }
    return ~crc
  }
}
