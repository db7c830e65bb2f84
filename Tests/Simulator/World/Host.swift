import Metainfo
import Wire

/// A machine of the simulated network.
final class Host {
  /// Counted from 0.
  let number: Int
  /// Its address, which no other host has.
  let address: IPAddress
  /// Bytes a second that it can send.
  var uploadRate: Double
  /// Bytes a second that it can receive.
  var downloadRate: Double
  /// Its part of the time that a byte is under way, to or from anybody.
  var latency: Duration
  /// Hosts reach each other if they are in the same part of a network that fell apart.
  var part = 0
  /// Whether it is switched on: nobody hears from a host that is not.
  var isUp = true
  /// Whoever takes connections, by port.
  var listeners: [UInt16: Listener] = [:]

  typealias Listener = (Socket) -> (any SocketOwner)?

  /// Until when the line out, and the line in, is busy with what was begun.
  var uplinkFree = Duration.zero
  var downlinkFree = Duration.zero
  var nextPort: UInt16 = 40_000

  init(number: Int, uploadRate: Double, downloadRate: Double, latency: Duration) {
    self.number = number
    self.uploadRate = uploadRate
    self.downloadRate = downloadRate
    self.latency = latency
    address = Self.address(number)
  }

  /// Addresses far enough apart that those of one /24 are few, and some of IPv6.
  static func address(_ number: Int) -> IPAddress {
    if number % 5 == 4 {
      return .v6(IPv6Address(high: 0x2001_0db8_0000_0000 + UInt64(number), low: 1))
    }
    return .v4(IPv4Address(rawValue: 0x0a00_0001 + UInt32(number) << 6))
  }

  func endpoint(_ port: UInt16) -> PeerEndpoint { PeerEndpoint(address: address, port: port) }

  func takePort() -> UInt16 {
    nextPort = nextPort == 65_535 ? 40_000 : nextPort + 1
    return nextPort
  }
}
