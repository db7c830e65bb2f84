import Metainfo
import Wire

/// What local service discovery wants done, or tells.
public enum LocalDiscoveryEffect: Hashable, Sendable {
  /// Send an announcement to the family's group (`LocalAnnouncement.Group`) through an interface.
  case send([UInt8], NetworkLink)
  /// A machine nearby has a torrent of ours; on which interface it was heard.
  case peer(SHA1Digest, PeerEndpoint, interface: UInt32)
}

/// Local service discovery, which other BitTorrent clients speak: tells the local network what we have,
/// and hears what others have. BEP 14. A state machine without I/O.
///
/// On each link at most one packet a minute; each torrent every five minutes, as long as there are few
/// enough (120) for that, and in turn otherwise.
public struct LocalDiscovery: ~Copyable {
  /// What was said on one link.
  private struct Link {
    let link: NetworkLink
    /// Nothing is sent before.
    var next: Duration
    var lastAnnounced: [SHA1Digest: Duration] = [:]
  }

  /// By which we know our own announcements.
  public let cookie: [UInt8]
  private var random: LocalNetworkRandom
  private var interfaces: [NetworkInterface] = []
  private var links: [Link] = []
  private var infohashes: [SHA1Digest] = []
  private var ours: Set<SHA1Digest> = []
  private var port: UInt16 = 0
  private var effects: [LocalDiscoveryEffect] = []
  private var nextEffectIndex = 0
  /// Packets that were no announcement, since the start.
  public private(set) var malformedCount = 0

  /// One without interfaces and torrents.
  public init(seed: UInt64, now: Duration) {
    random = LocalNetworkRandom(seed: seed)
    let digits = Array("0123456789abcdef".utf8)
    var cookie: [UInt8] = []
    for _ in 0..<16 { cookie.append(digits[Int(random.next() >> 60)]) }
    self.cookie = cookie
  }

  /// The interfaces that there are now. On new ones we announce soon.
  public mutating func setInterfaces(_ wanted: [NetworkInterface], now: Duration) {
    interfaces = wanted
    let present = wanted.flatMap { interface in
      IPFamily.allCases.filter(interface.has).map {
        NetworkLink(interface: interface.index, family: $0)
      }
    }
    links.removeAll { !present.contains($0.link) }
    for link in present.sorted() where !links.contains(where: { $0.link == link }) {
      links.append(Link(link: link, next: now + random.milliseconds(LocalDiscoveryLimits.delay)))
    }
  }

  /// Announces these and listens for them from now on, and for no others. Port 0 announces nothing.
  public mutating func announce(_ wanted: [SHA1Digest], port: UInt16, now: Duration) {
    let wantedSet = Set(wanted)
    let isNew = port != self.port || !wantedSet.isSubset(of: ours)
    if port != self.port {
      for index in links.indices { links[index].lastAnnounced = [:] }
    }
    self.port = port
    ours = []
    infohashes = wanted.filter { ours.insert($0).inserted }
    for index in links.indices {
      links[index].lastAnnounced = links[index].lastAnnounced.filter { wantedSet.contains($0.key) }
      if isNew {
        let soon = now + random.milliseconds(LocalDiscoveryLimits.delay)
        links[index].next = max(links[index].next, soon)
      }
    }
  }

  /// Announces and listens no more. There is no goodbye in BEP 14.
  public mutating func withdraw(now: Duration) { announce([], port: port, now: now) }

  /// Takes a packet that came to port 6771. Only machines nearby count: whoever can make us connect
  /// should at least be able to do it himself.
  public mutating func receive(
    _ datagram: [UInt8], from: PeerEndpoint, on interface: UInt32, now: Duration
  ) {
    guard let interface = interfaces.first(where: { $0.index == interface }),
      interface.isOnLink(from.address) || from.address.isOfASite
    else { return }
    let announcement: LocalAnnouncement
    do {
      announcement = try LocalAnnouncement(parsing: datagram)
    } catch {
      malformedCount += 1
      return
    }
    guard announcement.cookie != cookie else { return }
    let endpoint = PeerEndpoint(address: from.address, port: announcement.port)
    for infohash in announcement.infohashes where ours.contains(infohash) {
      let effect = LocalDiscoveryEffect.peer(
        infohash, endpoint, interface: interface.index)
      if !effects[nextEffectIndex...].contains(effect) { effects.append(effect) }
    }
  }

  /// When `handleTimeout` is to be called next.
  public var deadline: Duration? {
    guard port > 0, !infohashes.isEmpty else { return nil }
    return links.map { due($0) }.min()
  }

  /// Announces what is due.
  public mutating func handleTimeout(now: Duration) {
    guard port > 0, !infohashes.isEmpty else { return }
    for index in links.indices where due(links[index]) <= now {
      let said = links[index].lastAnnounced
      let turn = infohashes.filter { infohash in
        said[infohash].map { $0 + LocalDiscoveryLimits.interval <= now } ?? true
      }
      // Those never announced first, then those longest ago.
      let oldest = turn.enumerated().sorted {
        let (a, b) = (said[$0.element], said[$1.element])
        return a == b ? $0.offset < $1.offset : b.map { b in a.map { $0 < b } ?? true } ?? false
      }
      let chosen = oldest.prefix(LocalAnnouncement.infohashesOfPacket).map(\.element)
      guard !chosen.isEmpty else { continue }
      for infohash in chosen { links[index].lastAnnounced[infohash] = now }
      links[index].next = now + LocalDiscoveryLimits.leastInterval
      let link = links[index].link
      let announcement = LocalAnnouncement(port: port, infohashes: chosen, cookie: cookie)
      effects.append(.send(announcement.encoded(to: .init(link.family)), link))
    }
  }

  private func due(_ link: Link) -> Duration {
    guard link.lastAnnounced.count == infohashes.count,
      let oldest = link.lastAnnounced.values.min()
    else { return link.next }
    return max(link.next, oldest + LocalDiscoveryLimits.interval)
  }

  /// What is to be done next; nil when that was all.
  public mutating func nextEffect() -> LocalDiscoveryEffect? {
    guard nextEffectIndex < effects.count else {
      effects.removeAll(keepingCapacity: true)
      nextEffectIndex = 0
      return nil
    }
    defer { nextEffectIndex += 1 }
    return effects[nextEffectIndex]
  }
}

extension IPAddress {
  /// Whether routers of the Internet carry no packet from it: private (RFC 1918), link-local (RFC 3927,
  /// RFC 4291), unique local (RFC 4193) and loopback.
  public var isOfASite: Bool {
    switch self {
    case .v4(let address):
      let number = address.rawValue
      return number >> 24 == 10 || number >> 20 == 0xac1 || number >> 16 == 0xc0a8
        || number >> 16 == 0xa9fe || number >> 24 == 127
    case .v6(let address):
      return needsInterface || address.high >> 57 == 0xfc >> 1
        || (address.high == 0 && address.low == 1)
    }
  }
}
