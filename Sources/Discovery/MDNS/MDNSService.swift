import Metainfo
import Wire

/// What kind of service it is. RFC 6763, 7.
public struct MDNSServiceType: Hashable, Sendable {
  /// The whole type, such as `_bittorrent._tcp.local`.
  public let name: DomainName
  /// The subtype's label, such as `_32f1…`; nil for all services of the type.
  public let subtype: [UInt8]?

  /// `_<subtype>._sub` below a type. nil when a name would be too long.
  public init?(_ name: DomainName, subtype: [UInt8]? = nil) {
    self.name = name
    self.subtype = subtype
    guard subtype == nil || question != nil else { return nil }
  }

  private init(bitTorrent subtype: [UInt8]?) {
    name = .bitTorrentService
    self.subtype = subtype
  }

  /// All BitTorrent peers. BEP 26.
  public static let bitTorrent = MDNSServiceType(bitTorrent: nil)

  /// The peers of one torrent or dataset: infohash (truncated if it is of v2), or BEP 44 target of the
  /// key. BEP 26 has 40 hexadecimal digits.
  public static func bitTorrent(_ infohash: SHA1Digest) -> MDNSServiceType {
    MDNSServiceType(bitTorrent: subtype(of: infohash))
  }

  /// The subtype's label of a torrent or dataset.
  public static func subtype(of infohash: SHA1Digest) -> [UInt8] {
    [UInt8(ascii: "_")] + Array(infohash.hex.utf8)
  }

  /// The name whose PTR records are its instances. RFC 6763, 7.1.
  var question: DomainName? {
    guard let subtype else { return name }
    return name.child(Array("_sub".utf8))?.child(subtype)
  }
}

extension DomainName {
  /// Checked by a test: our own names are within bounds.
  static let bitTorrentService = DomainName("_bittorrent._tcp.local") ?? .root
  static let serviceTypes = DomainName("_services._dns-sd._udp.local") ?? .root
  static let local = DomainName("local") ?? .root
}

/// A service that we offer.
public struct MDNSService: Hashable, Sendable {
  /// What it is.
  public var type: DomainName
  /// The name of this instance: up to 63 bytes, for BitTorrent the peer id in hex (BEP 26). Another one
  /// is found when somebody has it.
  public var instance: [UInt8]
  /// Labels of subtypes, such as `_32f1…`.
  public var subtypes: Set<[UInt8]>
  /// TCP or UDP port.
  public var port: UInt16
  /// Texts, `key=value`, up to 255 bytes each and 1,000 in all. RFC 6763, 6.
  public private(set) var txt: [[UInt8]]

  /// A service from its parts. Labels that are no labels and texts for which there is no room are left
  /// out; of a longer instance the first 63 bytes count.
  public init(
    type: DomainName, instance: [UInt8], subtypes: Set<[UInt8]> = [], port: UInt16,
    txt: [[UInt8]] = []
  ) {
    self.type = type
    self.instance = instance
    self.subtypes = subtypes
    self.port = port
    var room = MDNSLimits.textBytes
    self.txt = txt.filter { text in
      guard (1...255).contains(text.count), text.count < room else { return false }
      room -= 1 + text.count
      return true
    }
  }

  /// The one service of a node, with a subtype for each torrent and dataset.
  public static func bitTorrent(
    peerID: PeerID, infohashes: some Sequence<SHA1Digest>, port: UInt16
  ) -> MDNSService {
    MDNSService(
      type: .bitTorrentService, instance: Array(peerID.hex.utf8),
      subtypes: Set(infohashes.map(MDNSServiceType.subtype(of:))), port: port)
  }
}

extension PeerID {
  /// 40 hexadecimal digits.
  var hex: String { bytes.hex }
}

/// A service that we offer, by number.
public struct MDNSServiceID: Hashable, Sendable { let rawValue: Int }

/// A search that goes on, by number.
public struct MDNSBrowseID: Hashable, Sendable { let rawValue: Int }

/// A service that somebody offers.
public struct MDNSInstance: Hashable, Sendable {
  /// Its name, without the type.
  public var name: [UInt8]
  /// The host that offers it.
  public var host: DomainName
  /// Where it can be reached. Addresses that mean something on `interface` only (fe80::/10) are among
  /// them where there are no others.
  public var endpoints: [PeerEndpoint]
  /// Its texts; none yet when they have not come.
  public var txt: [[UInt8]]
  /// The interface on which it was found.
  public var interface: UInt32
}

/// Where a packet goes.
public enum MDNSDestination: Hashable, Sendable {
  /// To 224.0.0.251 or ff02::fb, port 5353, from port 5353, with a hop limit of 255.
  case multicast(NetworkLink)
  /// To one place through an interface, from port 5353, with a hop limit of 255.
  case unicast(PeerEndpoint, interface: UInt32)
}

/// What multicast DNS wants done, or tells.
public enum MDNSEffect: Hashable, Sendable {
  /// Send a packet.
  case send([UInt8], MDNSDestination)
  /// Somebody offers what is searched, or offers it elsewhere than before.
  case found(MDNSBrowseID, MDNSInstance)
  /// That instance is not there any more, on that interface.
  case lost(MDNSBrowseID, name: [UInt8], interface: UInt32)
  /// The name was somebody else's; the service is now offered under this one.
  case renamed(MDNSServiceID, [UInt8])
}

/// What multicast DNS is to be.
public struct MDNSConfiguration: Hashable, Sendable {
  /// The label of our host, such as `swarm-1f2e3d4c`: should be one that nobody else on this machine
  /// uses, since a responder on the same machine has addresses under a name of its own.
  public var hostName: [UInt8]
  /// Asks to be answered by unicast at first (RFC 6762, 5.4). Only when nobody shares our port, because
  /// a unicast goes to one of those who share it (section 15).
  public var asksForUnicast = false

  /// A configuration for a host of that name. A label that is none becomes `swarm`.
  public init(hostName: [UInt8]) {
    self.hostName = hostName.isEmpty ? Array("swarm".utf8) : Array(hostName.prefix(48))
  }
}
