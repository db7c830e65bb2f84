import CUV
import Discovery
import Metainfo
import Wire

/// What a node does on the local network.
public struct LocalNetworkConfiguration: Sendable {
  /// Names the service. BEP 26.
  public var peerID: PeerID
  /// TCP and UDP port of the node.
  public var port: UInt16
  /// Addresses at which the node listens; empty for all. Only these are published.
  public var addresses: Set<IPAddress> = []
  /// Whether multicast DNS is spoken.
  public var usesMDNS = true
  /// Whether local service discovery is spoken, BEP 14.
  public var usesLocalDiscovery = true
  /// Whether nodes of this machine only are looked for, too.
  public var includesLoopback = false

  /// Both kinds of discovery for a node that listens everywhere.
  public init(peerID: PeerID, port: UInt16) {
    self.peerID = peerID
    self.port = port
  }
}

/// Finds peers on the local network: sockets, timer and interfaces for `MDNS` and `LocalDiscovery`. Stays
/// on its loop's thread.
public final class LocalNetworkDriver {
  private let configuration: LocalNetworkConfiguration
  private let log: Log
  private let onPeer: (SHA1Digest, PeerEndpoint, UInt32) -> Void
  private var mdns: MDNS
  private var local: LocalDiscovery
  private var mdnsSocket: MulticastSocket?
  private var localSocket: MulticastSocket?
  private let network: NetworkWatch?
  private var listener: NetworkWatch.Listener?
  private var interfaces: [NetworkInterface] = []
  private var timer: DeadlineTimer?
  private var timerDeadline: Duration?
  private var service: MDNSServiceID?
  private var torrents: [SHA1Digest] = []
  private var browses: [SHA1Digest: MDNSBrowseID] = [:]
  private var searched: [MDNSBrowseID: SHA1Digest] = [:]
  private var onEnd: (() -> Void)?
  private var ending: Duration?
  private var isClosed = false

  /// Begins at once. `onPeer` is called on the loop, never before this returns, for each place found and
  /// the interface on which it was, perhaps again and again.
  public convenience init(
    on loop: EventLoop, configuration: LocalNetworkConfiguration, seed: UInt64, log: Log = .none,
    onPeer: @escaping (SHA1Digest, PeerEndpoint, UInt32) -> Void
  ) {
    self.init(
      on: loop, network: NetworkWatch(on: loop), configuration: configuration, seed: seed, log: log,
      onPeer: onPeer)
  }

  /// With a watch that others listen to as well.
  init(
    on loop: EventLoop, network: NetworkWatch?, configuration: LocalNetworkConfiguration,
    seed: UInt64, log: Log, onPeer: @escaping (SHA1Digest, PeerEndpoint, UInt32) -> Void
  ) {
    self.network = network
    self.configuration = configuration
    self.log = log
    self.onPeer = onPeer
    let now = Self.now
    // A name of our own: other responders of this machine publish its host name.
    let label = Array("swarm-\(configuration.peerID.bytes.suffix(6).hex)".utf8)
    mdns = MDNS(configuration: MDNSConfiguration(hostName: label), seed: seed, now: now)
    local = LocalDiscovery(seed: seed ^ 0x14, now: now)
    timer = DeadlineTimer(on: loop) { [unowned self] in wake() }
    if configuration.usesMDNS {
      mdnsSocket = MulticastSocket(
        groups: MDNSGroup.endpoints, hops: MDNSGroup.hops, datagramBytes: DNSLimits.messageBytes,
        on: loop, log: log
      ) { [unowned self] packet in
        mdns.receive(
          packet.bytes, from: packet.source, on: packet.interface,
          wasMulticast: packet.wasMulticast, now: Self.now)
        carryOut()
      }
    }
    if configuration.usesLocalDiscovery {
      localSocket = MulticastSocket(
        groups: [
          .v4: LocalAnnouncement.Group.v4.endpoint, .v6: LocalAnnouncement.Group.v6.endpoint,
        ], hops: MDNSGroup.siteHops, datagramBytes: 2_048, on: loop, log: log
      ) { [unowned self] packet in
        local.receive(packet.bytes, from: packet.source, on: packet.interface, now: Self.now)
        carryOut()
      }
    }
    listener = network?.listen { [unowned self] in lookAtInterfaces() }
    lookAtInterfaces()
  }

  /// How it is doing.
  public var status: LocalNetworkStatus {
    var status = LocalNetworkStatus()
    status.interfaces = interfaces
    status.hasMDNS = mdnsSocket?.isOpen ?? false
    status.hasLocalDiscovery = localSocket?.isOpen ?? false
    status.faults = (mdnsSocket?.faults ?? []) + (localSocket?.faults ?? [])
    return status
  }

  /// The torrents and datasets that are shared and wanted, by truncated infohash or BEP 44 target.
  public func setTorrents(_ wanted: [SHA1Digest]) {
    guard !isClosed, ending == nil else { return }
    let now = Self.now
    torrents = wanted
    local.announce(wanted, port: configuration.port, now: now)
    if configuration.usesMDNS { setServices(now: now) }
    carryOut()
  }

  private func setServices(now: Duration) {
    let offered = MDNSService.bitTorrent(
      peerID: configuration.peerID, infohashes: torrents, port: configuration.port)
    if let service {
      mdns.update(service, offered, now: now)
    } else if !torrents.isEmpty {
      service = mdns.publish(offered, now: now)
    }
    let wanted = Set(torrents)
    for (infohash, browse) in browses where !wanted.contains(infohash) {
      mdns.stop(browse)
      browses[infohash] = nil
      searched[browse] = nil
    }
    for infohash in torrents where browses[infohash] == nil {
      let browse = mdns.browse(.bitTorrent(infohash), now: now)
      browses[infohash] = browse
      searched[browse] = infohash
    }
  }

  /// Says goodbye and closes everything; `completion` is called on the loop, a second later at most.
  public func shutDown(completion: @escaping () -> Void) {
    guard !isClosed, ending == nil else { return }
    let now = Self.now
    onEnd = completion
    ending = now + .seconds(1)
    local.withdraw(now: now)
    mdns.shutDown(now: now)
    if let listener { network?.stop(listener) }
    listener = nil
    carryOut()
    // Never from within the call.
    if mdns.hasEnded { set(timer: now) }
  }

  private func close() {
    isClosed = true
    mdnsSocket?.close()
    localSocket?.close()
    timer?.close()
    (mdnsSocket, localSocket, timer) = (nil, nil, nil)
    let completion = onEnd
    onEnd = nil
    completion?()
  }

  private func lookAtInterfaces() {
    guard !isClosed, ending == nil else { return }
    let now = Self.now
    var interfaces = NetworkInterfaces.list(includingLoopback: configuration.includesLoopback)
    if !configuration.addresses.isEmpty {
      for index in interfaces.indices {
        interfaces[index].addresses.removeAll { !configuration.addresses.contains($0.address) }
      }
      interfaces.removeAll { $0.addresses.isEmpty }
    }
    self.interfaces = interfaces
    mdnsSocket?.join(interfaces)
    localSocket?.join(interfaces)
    if configuration.usesMDNS { mdns.setInterfaces(interfaces, now: now) }
    if configuration.usesLocalDiscovery { local.setInterfaces(interfaces, now: now) }
    carryOut()
  }

  private func wake() {
    let now = Self.now
    timerDeadline = nil
    if let deadline = mdns.deadline, deadline <= now { mdns.handleTimeout(now: now) }
    if let deadline = local.deadline, deadline <= now { local.handleTimeout(now: now) }
    carryOut()
    if let ending, mdns.hasEnded || now >= ending { close() }
  }

  private func carryOut() {
    while let effect = mdns.nextEffect() {
      switch effect {
      case .send(let bytes, .multicast(let link)): mdnsSocket?.multicast(bytes, on: link)
      case .send(let bytes, .unicast(let place, let interface)):
        mdnsSocket?.send(bytes, to: place, through: interface)
      case .found(let browse, let instance):
        guard let infohash = searched[browse] else { continue }
        for endpoint in instance.endpoints { onPeer(infohash, endpoint, instance.interface) }
      case .lost: continue
      case .renamed(_, let name):
        log(.info, "the local network has our name already; now we are \(printable(name))")
      }
    }
    while let effect = local.nextEffect() {
      switch effect {
      case .send(let bytes, let link): localSocket?.multicast(bytes, on: link)
      case .peer(let infohash, let endpoint, let interface): onPeer(infohash, endpoint, interface)
      }
    }
    if ending == nil || !mdns.hasEnded {
      set(timer: [mdns.deadline, local.deadline, ending].compactMap { $0 }.min())
    }
  }

  private func set(timer deadline: Duration?) {
    guard let timer, deadline != timerDeadline else { return }
    timerDeadline = deadline
    guard let deadline else {
      timer.clear()
      return
    }
    let wait = max(.zero, deadline - Self.now)
    // Rounded up: a wake that is early would find nothing due.
    let (seconds, attoseconds) = wait.components
    let milliseconds = seconds * 1_000 + (attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000
    timer.set(milliseconds: UInt64(clamping: milliseconds))
  }

  /// Time that only goes forward.
  private static var now: Duration { .nanoseconds(Int64(clamping: uv_hrtime())) }
}

/// Where multicast DNS is spoken. RFC 6762, 3 and 11.
enum MDNSGroup {
  static let hops: Int32 = 255
  /// Of BEP 14, whose groups reach as far as a site lets them.
  static let siteHops: Int32 = 8
  static let endpoints: [IPFamily: PeerEndpoint] = [
    .v4: PeerEndpoint(
      address: .v4(IPv4Address(rawValue: 0xe000_00fb)), port: MDNSLimits.port),
    .v6: PeerEndpoint(
      address: .v6(IPv6Address(high: 0xff02 << 48, low: 0xfb)), port: MDNSLimits.port),
  ]
}
