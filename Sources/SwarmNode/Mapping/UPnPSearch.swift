import CUV
import Discovery
import Glibc
import Metainfo
import Wire

/// Finds where a router describes itself (SSDP, UPnP Device Architecture 1.1, section 1.3.2).
///
/// Not by libminiupnpc's search, which takes answers of everybody on the link, without end and
/// without bound: here only what comes from the router counts, and only if it speaks of itself.
enum UPnPSearch {
  private static let targets = [
    "urn:schemas-upnp-org:device:InternetGatewayDevice:1",
    "urn:schemas-upnp-org:device:InternetGatewayDevice:2", "upnp:rootdevice",
  ]

  /// The URL of the router's description; nil when it does not answer in time.
  static func description(of gateway: Gateway) -> String? {
    guard case .v4(let local) = gateway.local else { return nil }
    let kind = Int32(SOCK_DGRAM.rawValue | SOCK_CLOEXEC.rawValue)
    let socket = Glibc.socket(AF_INET, kind, 0)
    guard socket >= 0 else { return nil }
    defer { close(socket) }
    var interface = in_addr(s_addr: local.rawValue.bigEndian)
    setsockopt(
      socket, Int32(IPPROTO_IP), IP_MULTICAST_IF, &interface,
      socklen_t(MemoryLayout<in_addr>.size))
    let here = PeerEndpoint(address: gateway.local, port: 0)
    guard SocketAddress.with(here, { bind(socket, $0, $1) }) == 0 else { return nil }
    let everyone = IPAddress.v4(IPv4Address(rawValue: 0xefff_fffa))
    let end = monotonicMilliseconds() + MappingDriverLimits.searchMilliseconds
    // Twice, since datagrams get lost.
    for part in 1...2 as ClosedRange<Int64> {
      for target in targets {
        send(target, to: everyone, by: socket)
        send(target, to: gateway.address, by: socket)
      }
      let pause = part == 1 ? end - MappingDriverLimits.searchMilliseconds / 2 : end
      if let found = listen(socket, until: pause, gateway: gateway.address) { return found }
    }
    return nil
  }

  private static func send(_ target: String, to address: IPAddress, by socket: Int32) {
    let text =
      "M-SEARCH * HTTP/1.1\r\nHOST: 239.255.255.250:1900\r\nMAN: \"ssdp:discover\"\r\nMX: 1\r\n"
      + "ST: \(target)\r\n\r\n"
    SocketAddress.with(PeerEndpoint(address: address, port: 1900)) { name, length in
      _ = Array(text.utf8).withUnsafeBytes {
        sendto(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL), name, length)
      }
    }
  }

  private static func listen(_ socket: Int32, until end: Int64, gateway: IPAddress) -> String? {
    var buffer = [UInt8](repeating: 0, count: 2_048)
    for _ in 0..<MappingDriverLimits.searchAnswers {
      let left = end - monotonicMilliseconds()
      var watched = pollfd(fd: socket, events: Int16(POLLIN), revents: 0)
      guard left > 0, poll(&watched, 1, Int32(clamping: left)) > 0 else { return nil }
      let (count, source) = SocketAddress.filled { name, length in
        let flags = Int32(MSG_DONTWAIT)
        return Int32(
          truncatingIfNeeded: recvfrom(socket, &buffer, buffer.count, flags, name, length))
      }
      guard count > 0, source?.address == gateway else { continue }
      if let url = location(in: Array(buffer[..<Int(count)])), host(of: url) == gateway {
        return url
      }
    }
    return nil
  }

  /// The value of the header LOCATION of an answer with status 200; nil for anything else.
  static func location(in answer: [UInt8]) -> String? {
    let lines = answer.split(separator: UInt8(ascii: "\n"))
    guard let first = lines.first, first.starts(with: "HTTP/1.".utf8), first.count >= 12,
      first.dropFirst(8).starts(with: " 200".utf8)
    else { return nil }
    for line in lines.dropFirst() {
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else { continue }
      let name = String(decoding: line[..<colon], as: UTF8.self)
      guard name.lowercased() == "location" else { continue }
      let value = line[(colon + 1)...].filter { $0 > 0x20 && $0 < 0x7f }
      // libminiupnpc's own bound on URLs is about this.
      return value.count <= 255 ? String(decoding: value, as: UTF8.self) : nil
    }
    return nil
  }

  /// The host of an `http` URL, if it is an IPv4 address.
  static func host(of url: String) -> IPAddress? { endpoint(of: url)?.address }

  /// Host and port of an `http` URL whose host is an IPv4 address; nil for any other.
  static func endpoint(of url: String) -> PeerEndpoint? {
    guard url.hasPrefix("http://") else { return nil }
    let rest = url.utf8.dropFirst(7).prefix { $0 != UInt8(ascii: "/") }
    let parts = rest.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
    guard (1...2).contains(parts.count), let address = IPv4Address(Array(parts[0])) else {
      return nil
    }
    let port = parts.count == 1 ? 80 : UInt16(String(decoding: parts[1], as: UTF8.self))
    return port.map { PeerEndpoint(address: .v4(address), port: $0) }
  }
}
