import CGuard
import Discovery
import Glibc
import Wire

/// The interfaces of this machine.
enum NetworkInterfaces {
  /// Those that are up and can multicast, with the addresses that can be used already. The loopback
  /// interface only on demand: it reaches nobody else.
  static func list(includingLoopback: Bool = false) -> [NetworkInterface] {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return [] }
    defer { freeifaddrs(first) }
    let tentative = tentativeAddresses()
    var found: [UInt32: NetworkInterface] = [:]
    var next = first
    while let entry = next?.pointee {
      next = entry.ifa_next
      let isLoopback = entry.ifa_flags & UInt32(IFF_LOOPBACK) != 0
      guard entry.ifa_flags & UInt32(IFF_UP) != 0,
        isLoopback ? includingLoopback : entry.ifa_flags & UInt32(IFF_MULTICAST) != 0,
        let name = entry.ifa_name, let address = entry.ifa_addr.flatMap(endpoint)?.address,
        case let index = if_nametoindex(name), index > 0, !tentative.contains(address)
      else { continue }
      let mask = entry.ifa_netmask.flatMap(endpoint)?.address.compact ?? []
      let bits = mask.reduce(0) { $0 + $1.nonzeroBitCount }
      found[
        index,
        default: NetworkInterface(index: index, name: String(cString: name), addresses: [])
      ].addresses.append(.init(address, prefixLength: UInt8(bits)))
    }
    return found.values.sorted { $0.index < $1.index }
  }

  /// The addresses of all interfaces that are up, whatever else they can.
  static func addresses() -> Set<IPAddress> {
    var first: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&first) == 0 else { return [] }
    defer { freeifaddrs(first) }
    var found: Set<IPAddress> = []
    var next = first
    while let entry = next?.pointee {
      next = entry.ifa_next
      guard entry.ifa_flags & UInt32(IFF_UP) != 0,
        let address = entry.ifa_addr.flatMap(endpoint)?.address
      else { continue }
      found.insert(address)
    }
    return found.subtracting(tentativeAddresses())
  }

  private static func endpoint(_ name: UnsafeMutablePointer<sockaddr>) -> PeerEndpoint? {
    SocketAddress.endpoint(at: UnsafePointer(name))
  }

  /// IPv6 addresses that somebody else might have: nothing can be sent from them for a second or two
  /// (RFC 4862, 5.4), and the system tells when that is over. getifaddrs does not say which they are.
  private static func tentativeAddresses() -> Set<IPAddress> {
    guard let file = fopen("/proc/net/if_inet6", "re") else { return [] }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    var found: Set<IPAddress> = []
    while fgets(&line, Int32(line.count), file) != nil {
      let fields = line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:))
        .split(whereSeparator: { $0 == 0x20 || $0 == 0x0a })
        .map { String(decoding: $0, as: UTF8.self) }
      // Address, interface, prefix, scope, flags, name; IFA_F_TENTATIVE is 0x40.
      guard fields.count >= 5, let flags = UInt32(fields[4], radix: 16), flags & 0x40 != 0,
        let bytes = [UInt8](hex: fields[0]), let address = IPAddress(compact: bytes)
      else { continue }
      found.insert(address)
    }
    return found
  }
}
