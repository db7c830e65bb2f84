import Metainfo

/// A Bloom filter of addresses, from which their number can be estimated. BEP 33.
public struct ScrapeFilter: Hashable, Sendable {
  /// Size of a filter, in bytes.
  public static let byteCount = 256

  /// The 256 bytes.
  public private(set) var bytes: [UInt8]

  /// A filter of no addresses.
  public init() { bytes = [UInt8](repeating: 0, count: Self.byteCount) }

  /// A filter from its 256 bytes; nil for another length.
  public init?(_ bytes: some Collection<UInt8>) {
    guard bytes.count == Self.byteCount else { return nil }
    self.bytes = Array(bytes)
  }

  /// Puts an address in; nothing changes if it is in already.
  public mutating func insert(_ address: IPAddress) {
    let hash = SHA1Digest(hashing: address.compact).bytes
    for pair in [0, 2] {
      let bit = (Int(hash[pair]) | Int(hash[pair + 1]) << 8) % (Self.byteCount * 8)
      bytes[bit / 8] |= 1 << UInt8(bit % 8)
    }
  }

  /// Makes it the filter of what is in either.
  public mutating func formUnion(_ other: ScrapeFilter) {
    for index in bytes.indices { bytes[index] |= other.bytes[index] }
  }

  /// About how many addresses are in. Of little use beyond 6,000.
  public var estimate: Double {
    let bits = Double(Self.byteCount * 8)
    let zeros = bytes.reduce(0) { $0 + (~$1).nonzeroBitCount }
    let counted = min(bits - 1, Double(max(zeros, 1)))
    if zeros == Self.byteCount * 8 { return 0 }
    return naturalLogarithm(counted / bits) / (2 * naturalLogarithm(1 - 1 / bits))
  }
}

/// The natural logarithm of a positive number: pure targets have no C library. By the series of
/// 2·artanh, on a significand near 1.
private func naturalLogarithm(_ number: Double) -> Double {
  var significand = number.significand
  var exponent = Double(number.exponent)
  if significand > 1.4 {
    significand /= 2
    exponent += 1
  }
  let ratio = (significand - 1) / (significand + 1)
  var power = ratio
  var sum = 0.0
  for odd in stride(from: 1.0, through: 41, by: 2) {
    sum += power / odd
    power *= ratio * ratio
  }
  return 2 * sum + exponent * 0.693_147_180_559_945_3
}
