import ArgumentParser
import Metainfo
import SwarmNode
import Wire

/// `--peer HOST:PORT`.
struct PeerArgument: ExpressibleByArgument, Hashable {
  let address: PeerAddress

  init?(argument: String) {
    guard let address = try? PeerAddress(parsing: Array(argument.utf8)) else { return nil }
    self.address = address
  }
}

/// `--listen`: `ADDR:PORT`, or a port at all addresses of the machine. Port 0 is any that is free.
struct ListenArgument: ExpressibleByArgument, Hashable, CustomStringConvertible {
  /// Where to listen: one place, or the same port for IPv6 and IPv4.
  let addresses: [ListenAddress]

  init?(argument: String) {
    let digits = argument.first == ":" ? argument.dropFirst() : argument[...]
    if let port = Self.port(digits) {
      addresses = Self.everywhere(port: port)
      return
    }
    guard let colon = argument.lastIndex(of: ":"),
      let port = Self.port(argument[argument.index(after: colon)...])
    else { return nil }
    let host = argument[..<colon]
    if host == "*" {
      addresses = Self.everywhere(port: port)
    } else if let address = Self.address(host) {
      addresses = [ListenAddress(address: address, port: port)]
    } else {
      return nil
    }
  }

  var description: String { addresses.map(\.description).joined(separator: ", ") }

  /// All addresses of the machine, of both kinds.
  static func everywhere(port: UInt16) -> [ListenAddress] {
    [.anyIPv4(port: port), .anyIPv6(port: port)]
  }

  private static func address(_ host: Substring) -> IPAddress? {
    if host.first == "[", host.last == "]" {
      return IPv6Address(Array(host.dropFirst().dropLast().utf8)).map { .v6($0) }
    }
    return IPv4Address(Array(host.utf8)).map { .v4($0) }
  }

  private static func port(_ digits: Substring) -> UInt16? {
    guard !digits.isEmpty, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { return nil }
    return UInt16(digits)
  }
}

/// `--max-peers`: at least one.
struct PeerCount: ExpressibleByArgument, Hashable {
  let number: Int

  init?(argument: String) {
    guard argument.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = Int(argument),
      1...Self.most ~= number
    else { return nil }
    self.number = number
  }

  /// Far beyond what one machine serves well, and what file descriptors are left for.
  static let most = 100_000
}
