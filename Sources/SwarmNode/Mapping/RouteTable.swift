import Glibc
import Metainfo
import Wire

/// The default routes in the system's tables.
enum RouteTable {
  /// The way out: a router, and the name of the interface to it.
  struct Route: Hashable {
    var gateway: IPAddress
    var interface: String
    var metric: UInt32
  }

  /// The best default route in `/proc/net/route`: per line the interface, destination and gateway
  /// as numbers in the machine's byte order, flags, two counters, metric, mask.
  static func best4(in table: [UInt8]) -> Route? {
    lines(of: table).compactMap { fields in
      guard fields.count >= 8, hex(fields[1]) == 0, hex(fields[7]) == 0,
        let gateway = hex(fields[2]), gateway != 0, let flags = hex(fields[3]),
        flags & usable == usable, let metric = UInt32(text(fields[6]))
      else { return nil }
      let address = IPv4Address(rawValue: UInt32(bigEndian: UInt32(gateway)))
      return Route(gateway: .v4(address), interface: text(fields[0]), metric: metric)
    }.min { $0.metric < $1.metric }
  }

  /// The best default route in `/proc/net/ipv6_route`: per line destination and its prefix length,
  /// source and its, gateway, metric, two counters, flags, interface; numbers in hex.
  static func best6(in table: [UInt8]) -> Route? {
    lines(of: table).compactMap { fields in
      guard fields.count >= 10, fields[0].allSatisfy({ $0 == UInt8(ascii: "0") }),
        hex(fields[1]) == 0, hex(fields[3]) == 0, fields[4].count == 32,
        let high = hex(fields[4].prefix(16)), let low = hex(fields[4].suffix(16)),
        high | low != 0, let metric = hex(fields[5]), let flags = hex(fields[8]),
        flags & usable == usable
      else { return nil }
      return Route(
        gateway: .v6(IPv6Address(high: high, low: low)), interface: text(fields[9]),
        metric: UInt32(truncatingIfNeeded: metric))
    }.min { $0.metric < $1.metric }
  }

  /// RTF_UP and RTF_GATEWAY.
  private static let usable: UInt64 = 3

  private static func lines(of table: [UInt8]) -> [[ArraySlice<UInt8>]] {
    table.split(separator: UInt8(ascii: "\n")).map { line in
      line.split { $0 == UInt8(ascii: "\t") || $0 == UInt8(ascii: " ") }
    }
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String {
    String(decoding: field, as: UTF8.self)
  }

  private static func hex(_ field: some Collection<UInt8>) -> UInt64? {
    UInt64(String(decoding: field, as: UTF8.self), radix: 16)
  }
}
