import Metainfo
import Wire

/// Which peers to prefer, the same in every client, and random to anyone who wants to choose. BEP 40.
enum PeerPriority {
  /// The priority of the connection between two peers, whoever asks; higher is better.
  ///
  /// BEP 40 knows no connection between IPv4 and IPv6; there IPv4 counts as its mapped IPv6 address.
  static func priority(_ a: PeerEndpoint, _ b: PeerEndpoint) -> UInt32 {
    let (first, second) = (a.address.unmapped, b.address.unmapped)
    if first == second {
      let (low, high) = (min(a.port, b.port), max(a.port, b.port))
      return CRC32C.of(UInt64(low) << 16 | UInt64(high), byteCount: 4)
    }
    if case .v4(let first) = first, case .v4(let second) = second {
      let (first, second) = masked(first.rawValue, second.rawValue)
      return CRC32C.of(UInt64(min(first, second)) << 32 | UInt64(max(first, second)), byteCount: 8)
    }
    let (x, y) = (halves(first), halves(second))
    let differing = (x.high ^ y.high).leadingZeroBitCount
    let common = differing < 64 ? differing / 8 : 8 + (x.low ^ y.low).leadingZeroBitCount / 8
    // One byte behind what they share, and six at least.
    let kept = max(6, common + 1)
    let mask = (high: mask(min(kept, 8)), low: mask(max(kept - 8, 0)))
    let one = (x.high & mask.high, x.low & mask.low)
    let other = (y.high & mask.high, y.low & mask.low)
    let (low, high) = one < other ? (one, other) : (other, one)
    return CRC32C.finish(
      [low.0, low.1, high.0, high.1].reduce(CRC32C.start) { CRC32C.add($1, 8, $0) })
  }

  private static func masked(_ a: UInt32, _ b: UInt32) -> (UInt32, UInt32) {
    // One byte behind what they share, and two at least.
    let kept = max(2, (a ^ b).leadingZeroBitCount / 8 + 1)
    let mask = UInt32(truncatingIfNeeded: mask(kept) >> 32)
    return (a & mask, b & mask)
  }

  /// The first `bytes` of eight bytes whole, of the others every second bit.
  private static func mask(_ bytes: Int) -> UInt64 {
    0x5555_5555_5555_5555 | ~(UInt64.max >> UInt64(8 * bytes))
  }

  private static func halves(_ address: IPAddress) -> (high: UInt64, low: UInt64) {
    switch address {
    case .v4(let address): (0, 0xffff << 32 | UInt64(address.rawValue))
    case .v6(let address): (address.high, address.low)
    }
  }
}

/// CRC-32C, Castagnoli's polynomial, as iSCSI has it (RFC 3720, appendix B.4).
enum CRC32C {
  /// Before the first byte.
  static let start = UInt32.max

  /// The sum of the last `byteCount` bytes of `word`, the highest first.
  static func of(_ word: UInt64, byteCount: Int) -> UInt32 { finish(add(word, byteCount, start)) }

  /// Takes in the last `byteCount` bytes of `word`, the highest first.
  static func add(_ word: UInt64, _ byteCount: Int, _ sum: UInt32) -> UInt32 {
    var sum = sum
    for shift in stride(from: 8 * (byteCount - 1), through: 0, by: -8) {
      let byte = UInt8(truncatingIfNeeded: word >> UInt64(shift))
      sum = sum >> 8 ^ table[Int(UInt8(truncatingIfNeeded: sum) ^ byte)]
    }
    return sum
  }

  /// After the last byte.
  static func finish(_ sum: UInt32) -> UInt32 { ~sum }

  private static let table: [UInt32] = (0..<256).map { byte in
    (0..<8).reduce(UInt32(byte)) { sum, _ in sum >> 1 ^ (sum & 1 == 1 ? 0x82f6_3b78 : 0) }
  }
}
