import Metainfo
import Wire

/// An announcement on the local network: who sent it has these torrents. BEP 14.
public struct LocalAnnouncement: Hashable, Sendable {
  /// The groups to which announcements go.
  public enum Group: Hashable, Sendable {
    /// 239.192.152.143, of the organisation.
    case v4
    /// ff15::efc0:988f, of the site.
    case v6

    /// The group of a family.
    public init(_ family: IPFamily) {
      switch family {
      case .v4: self = .v4
      case .v6: self = .v6
      }
    }

    /// The group's address and port, as `Host` has it.
    public var endpoint: PeerEndpoint {
      let address: IPAddress =
        switch self {
        case .v4: .v4(IPv4Address(rawValue: 0xefc0_988f))
        case .v6: .v6(IPv6Address(high: 0xff15_0000_0000_0000, low: 0xefc0_988f))
        }
      return PeerEndpoint(address: address, port: LocalDiscoveryLimits.port)
    }
  }

  /// TCP and UDP port of the sender, never 0.
  public var port: UInt16
  /// Torrents and datasets, by infohash.
  public var infohashes: [SHA1Digest]
  /// By which a sender knows its own announcements.
  public var cookie: [UInt8]?

  /// An announcement from its parts.
  public init(port: UInt16, infohashes: [SHA1Digest], cookie: [UInt8]? = nil) {
    self.port = port
    self.infohashes = infohashes
    self.cookie = cookie
  }
}

/// Why bytes are no announcement, and where.
public struct LocalAnnouncementError: Error, Hashable, CustomStringConvertible {
  /// What is wrong.
  public enum Reason: Hashable, Sendable {
    /// More bytes than an announcement has.
    case tooLong
    /// Another request than BT-SEARCH.
    case notASearch
    /// A line without a colon.
    case noHeader
    /// The port is no number from 1 to 65,535, or there is none, or there are two.
    case port
    /// An infohash that is not 40 hexadecimal digits, or none at all.
    case infohash
  }

  /// Byte of the announcement.
  public let offset: Int
  /// What is wrong there.
  public let reason: Reason

  /// In words.
  public var description: String {
    let what =
      switch reason {
      case .tooLong: "more than \(LocalDiscoveryLimits.readBytes) bytes"
      case .notASearch: "no BT-SEARCH (BEP 14)"
      case .noHeader: "a line without a colon"
      case .port: "no port"
      case .infohash: "no infohash of 40 hexadecimal digits"
      }
    return "local announcement at byte \(offset): \(what)"
  }
}

// MARK: - Reading

extension LocalAnnouncement {
  /// Reads an announcement. Headers may come in any order and case; those we do not know, and
  /// infohashes above the bound, are passed over. Lines may end without a carriage return.
  public init(parsing bytes: [UInt8]) throws(LocalAnnouncementError) {
    typealias Failure = LocalAnnouncementError
    guard bytes.count <= LocalDiscoveryLimits.readBytes else {
      throw Failure(offset: LocalDiscoveryLimits.readBytes, reason: .tooLong)
    }
    var lines = bytes.split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)[...]
    guard let first = lines.popFirst(), trimmed(first).starts(with: "BT-SEARCH * HTTP/1.".utf8)
    else { throw Failure(offset: 0, reason: .notASearch) }
    var port: UInt16?
    infohashes = []
    for line in lines {
      let line = trimmed(line)
      if line.isEmpty { break }
      guard let colon = line.firstIndex(of: UInt8(ascii: ":")) else {
        throw Failure(offset: line.startIndex, reason: .noHeader)
      }
      let value = trimmed(line[(colon + 1)...])
      switch String(decoding: trimmed(line[..<colon]), as: UTF8.self).lowercased() {
      case "port":
        guard port == nil, let number = decimal(value), number > 0 else {
          throw Failure(offset: value.startIndex, reason: .port)
        }
        port = number
      case "infohash":
        guard let digits = [UInt8](hex: String(decoding: value, as: UTF8.self)),
          let infohash = SHA1Digest(digits)
        else { throw Failure(offset: value.startIndex, reason: .infohash) }
        if infohashes.count < LocalDiscoveryLimits.infohashes { infohashes.append(infohash) }
      case "cookie": cookie = Array(value.prefix(LocalDiscoveryLimits.cookieBytes))
      default: continue
      }
    }
    guard let port else { throw Failure(offset: bytes.count, reason: .port) }
    guard !infohashes.isEmpty else { throw Failure(offset: bytes.count, reason: .infohash) }
    self.port = port
  }
}

/// Without spaces, tabs and carriage returns at both ends.
private func trimmed(_ bytes: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
  func isSpace(_ byte: UInt8) -> Bool { byte == 0x20 || byte == 0x09 || byte == 0x0d }
  var rest = bytes.drop(while: isSpace)
  while let last = rest.last, isSpace(last) { rest = rest.dropLast() }
  return rest
}

private func decimal(_ digits: ArraySlice<UInt8>) -> UInt16? {
  guard (1...5).contains(digits.count),
    digits.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) })
  else { return nil }
  return UInt16(String(decoding: digits, as: UTF8.self))
}

// MARK: - Writing

extension LocalAnnouncement {
  /// How many infohashes fit 1,400 bytes, whatever the rest is.
  static let infohashesOfPacket =
    (LocalDiscoveryLimits.sentBytes - 120 - LocalDiscoveryLimits.cookieBytes) / 52

  /// The announcement as it goes to a group.
  public func encoded(to group: Group) -> [UInt8] {
    var text = "BT-SEARCH * HTTP/1.1\r\nHost: \(group.endpoint)\r\nPort: \(port)\r\n"
    for infohash in infohashes { text += "Infohash: \(infohash.hex)\r\n" }
    var bytes = Array(text.utf8)
    if let cookie { bytes += "cookie: ".utf8 + cookie + "\r\n".utf8 }
    return bytes + "\r\n\r\n".utf8
  }
}
