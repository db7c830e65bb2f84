/// An IPv4 address.
public struct IPv4Address: Hashable, Sendable {
  /// The address, its first byte highest.
  public let rawValue: UInt32

  /// An address from its 32 bits, its first byte highest.
  public init(rawValue: UInt32) { self.rawValue = rawValue }

  /// An address in dotted decimal, `192.0.2.1`: four numbers below 256 without leading zeros;
  /// nil for anything else.
  public init?(_ text: some Collection<UInt8>) {
    let parts = text.split(
      separator: UInt8(ascii: "."), maxSplits: 4, omittingEmptySubsequences: false)
    guard parts.count == 4 else { return nil }
    var bits: UInt32 = 0
    for part in parts {
      guard let byte = decimal(part, max: 255), part.count == String(byte).utf8.count else {
        return nil
      }
      bits = bits << 8 | UInt32(byte)
    }
    rawValue = bits
  }
}

extension IPv4Address: CustomStringConvertible {
  /// Dotted decimal.
  public var description: String {
    stride(from: 24, through: 0, by: -8).map { String(rawValue >> UInt32($0) & 255) }
      .joined(separator: ".")
  }
}

/// An IPv6 address, without zone.
public struct IPv6Address: Hashable, Sendable {
  /// The first eight bytes, the first of them highest.
  public let high: UInt64
  /// The last eight bytes, the first of them highest.
  public let low: UInt64

  /// An address from its 128 bits.
  public init(high: UInt64, low: UInt64) {
    self.high = high
    self.low = low
  }

  /// An address in any of the forms of RFC 4291, section 2.2; nil for anything else, zones
  /// included.
  public init?(_ text: some Collection<UInt8>) {
    let text = Array(text)
    // The longest is eight groups of four digits, the last two written as IPv4.
    guard text.count <= 45 else { return nil }
    let colon = UInt8(ascii: ":")
    let gap = text.indices.dropLast().first { text[$0] == colon && text[$0 + 1] == colon }
    var groups: [UInt16]
    if let gap {
      guard let before = Self.groups(text[..<gap], mayEndInIPv4: false),
        let after = Self.groups(text[(gap + 2)...], mayEndInIPv4: true),
        before.count + after.count < 8
      else { return nil }
      groups = before + [UInt16](repeating: 0, count: 8 - before.count - after.count) + after
    } else {
      guard let all = Self.groups(text[...], mayEndInIPv4: true), all.count == 8 else { return nil }
      groups = all
    }
    self.init(
      high: groups[..<4].reduce(0) { $0 << 16 | UInt64($1) },
      low: groups[4...].reduce(0) { $0 << 16 | UInt64($1) })
  }

  private static func groups(_ text: ArraySlice<UInt8>, mayEndInIPv4: Bool) -> [UInt16]? {
    if text.isEmpty { return [] }
    let parts = text.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    var groups: [UInt16] = []
    for (index, part) in parts.enumerated() {
      if mayEndInIPv4, index == parts.count - 1, let address = IPv4Address(part) {
        groups.append(UInt16(address.rawValue >> 16))
        groups.append(UInt16(address.rawValue & 0xffff))
      } else {
        guard (1...4).contains(part.count) else { return nil }
        var group: UInt16 = 0
        for digit in part {
          guard let nibble = hexNibble(digit) else { return nil }
          group = group << 4 | UInt16(nibble)
        }
        groups.append(group)
      }
    }
    return groups
  }
}

extension IPv6Address: CustomStringConvertible {
  /// The canonical form of RFC 5952: lower case, the longest run of zero groups as `::`, and
  /// IPv4-mapped addresses ending in dotted decimal.
  public var description: String {
    if high == 0, low >> 32 == 0xffff {
      return "::ffff:\(IPv4Address(rawValue: UInt32(truncatingIfNeeded: low)))"
    }
    let groups = [high, low].flatMap { half in
      stride(from: 48, through: 0, by: -16).map { half >> UInt64($0) & 0xffff }
    }
    let texts = groups.map { String($0, radix: 16) }
    guard let zeros = Self.longestZeroRun(groups) else { return texts.joined(separator: ":") }
    return texts[..<zeros.lowerBound].joined(separator: ":") + "::"
      + texts[zeros.upperBound...].joined(separator: ":")
  }

  /// The first longest run of at least two zero groups.
  private static func longestZeroRun(_ groups: [UInt64]) -> Range<Int>? {
    var best = 0..<0
    var start = 0
    for index in groups.indices {
      if groups[index] != 0 { start = index + 1 }
      if index + 1 - start > best.count { best = start..<(index + 1) }
    }
    return best.count > 1 ? best : nil
  }
}
