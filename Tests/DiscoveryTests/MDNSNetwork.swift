import Discovery
import Metainfo
import TestSupport
import Wire

/// A machine that speaks multicast DNS, and what it did.
final class MDNSHost {
  var mdns: MDNS
  let number: Int
  /// Interface → the network it is plugged into.
  var plugs: [UInt32: Int] = [:]
  var interfaces: [NetworkInterface] = []
  var sent: [(time: Duration, bytes: [UInt8], to: MDNSDestination)] = []
  var found: [MDNSBrowseID: [String: MDNSInstance]] = [:]
  var lostCount = 0
  var renamed: [String] = []
  var isOff = false

  init(_ number: Int, name: String, seed: UInt64, asksForUnicast: Bool, now: Duration) {
    self.number = number
    var configuration = MDNSConfiguration(hostName: Array(name.utf8))
    configuration.asksForUnicast = asksForUnicast
    mdns = MDNS(configuration: configuration, seed: seed, now: now)
  }

  /// All messages of a time that went to a group.
  func messages(
    _ times: Range<Duration> = .zero..<Duration.seconds(1_000_000)
  ) throws -> [(time: Duration, message: DNSMessage)] {
    try sent.filter { times.contains($0.time) }.map { ($0.time, try DNSMessage(parsing: $0.bytes)) }
  }
}

/// Networks that lose and delay packets, and hand back to each sender what it sent. Everything follows
/// from the seed.
final class MDNSNetwork {
  private struct Delivery {
    let time: Duration
    let bytes: [UInt8]
    let from: PeerEndpoint
    let to: Int
    let interface: UInt32
    let wasMulticast: Bool
  }

  var now = Duration.seconds(1_000)
  var hosts: [MDNSHost] = []
  /// Packets of a hundred that are lost.
  var loss = 0
  /// What is unicast to nobody of ours: to scripted questioners.
  var strays: [(bytes: [UInt8], to: PeerEndpoint)] = []
  private var deliveries: [Delivery] = []
  private var generator: SplitMix64

  init(seed: UInt64) { generator = SplitMix64(seed: seed) }

  func host(_ name: String, network: Int? = 0, asksForUnicast: Bool = false) -> MDNSHost {
    let host = MDNSHost(
      hosts.count + 1, name: name, seed: generator.next(), asksForUnicast: asksForUnicast, now: now)
    hosts.append(host)
    if let network { plug(host, into: network) }
    return host
  }

  static func address(_ host: Int, _ network: Int) -> IPAddress {
    .v4(IPv4Address(rawValue: 0x0a00_0000 | UInt32(network) << 8 | UInt32(host)))
  }

  func plug(_ host: MDNSHost, into network: Int, as interface: UInt32? = nil, both: Bool = false) {
    let index = interface ?? UInt32(10 * host.number + network)
    host.plugs[index] = network
    let number = interface.map { host.number + 100 * Int($0) } ?? host.number
    var addresses = [
      NetworkInterface.Address(Self.address(number & 255, network), prefixLength: 24)
    ]
    if both {
      let address = IPv6Address(high: 0xfe80 << 48, low: UInt64(index))
      addresses.append(NetworkInterface.Address(.v6(address), prefixLength: 64))
    }
    host.interfaces.append(
      NetworkInterface(index: index, name: "eth\(network)", addresses: addresses))
    host.mdns.setInterfaces(host.interfaces, now: now)
    drain(host)
  }

  func unplug(_ host: MDNSHost, from network: Int) {
    let gone = host.plugs.filter { $0.value == network }.map(\.key)
    for index in gone { host.plugs[index] = nil }
    host.interfaces.removeAll { gone.contains($0.index) }
    host.mdns.setInterfaces(host.interfaces, now: now)
    drain(host)
  }

  func run(for time: Duration) {
    let end = now + time
    var turns = 0
    while turns < 2_000_000 {
      turns += 1
      for host in hosts where !host.isOff { drain(host) }
      let timers = hosts.filter { !$0.isOff }.compactMap({ $0.mdns.deadline }).min()
      guard let next = [timers, deliveries.first?.time].compactMap({ $0 }).min(), next <= end else {
        break
      }
      now = max(now, next)
      while let delivery = deliveries.first, delivery.time <= now {
        deliveries.removeFirst()
        deliver(delivery)
      }
      for host in hosts where !host.isOff {
        if let deadline = host.mdns.deadline, deadline <= now { host.mdns.handleTimeout(now: now) }
      }
    }
    precondition(turns < 2_000_000, "a timer that is always due")
    now = end
  }

  /// Hands a packet of nobody to a host now, and carries out what follows at once.
  func inject(
    _ message: DNSMessage, from: PeerEndpoint, to host: MDNSHost, wasMulticast: Bool? = true
  ) {
    inject(message.encoded()!, from: from, to: host, wasMulticast: wasMulticast)
  }

  func inject(
    _ bytes: [UInt8], from: PeerEndpoint, to host: MDNSHost, wasMulticast: Bool? = true
  ) {
    let interface = host.interfaces[0].index
    host.mdns.receive(bytes, from: from, on: interface, wasMulticast: wasMulticast, now: now)
    drain(host)
  }

  private func deliver(_ delivery: Delivery) {
    guard let host = hosts.first(where: { $0.number == delivery.to }), !host.isOff else { return }
    host.mdns.receive(
      delivery.bytes, from: delivery.from, on: delivery.interface,
      wasMulticast: delivery.wasMulticast, now: now)
  }

  private func drain(_ host: MDNSHost) {
    while let effect = host.mdns.nextEffect() {
      switch effect {
      case .send(let bytes, let destination):
        host.sent.append((now, bytes, destination))
        send(bytes, destination, of: host)
      case .found(let browse, let instance):
        let key = String(decoding: instance.name, as: UTF8.self) + "/\(instance.interface)"
        host.found[browse, default: [:]][key] = instance
      case .lost(let browse, let name, let interface):
        let key = String(decoding: name, as: UTF8.self) + "/\(interface)"
        host.found[browse]?[key] = nil
        host.lostCount += 1
      case .renamed(_, let label): host.renamed.append(String(decoding: label, as: UTF8.self))
      }
    }
  }

  private func send(_ bytes: [UInt8], _ destination: MDNSDestination, of sender: MDNSHost) {
    switch destination {
    case .multicast(let link):
      guard let network = sender.plugs[link.interface],
        let from = address(of: sender, link.interface, link.family)
      else { return }
      for host in hosts {
        for (index, plugged) in host.plugs.sorted(by: { $0.key < $1.key }) where plugged == network
        {
          guard address(of: host, index, link.family) != nil else { continue }
          enqueue(bytes, from: from, to: host, index, isMulticast: true)
        }
      }
    case .unicast(let place, let interface):
      guard let from = address(of: sender, interface, place.address.ipFamily) else { return }
      for host in hosts {
        for each in host.interfaces
        where each.addresses.contains(where: { $0.address == place.address }) {
          enqueue(bytes, from: from, to: host, each.index, isMulticast: false)
          return
        }
      }
      strays.append((bytes, place))
    }
  }

  private func address(of host: MDNSHost, _ interface: UInt32, _ family: IPFamily) -> PeerEndpoint?
  {
    host.interfaces.first { $0.index == interface }?.addresses
      .first { $0.address.ipFamily == family }
      .map { PeerEndpoint(address: $0.address, port: 5_353) }
  }

  private func enqueue(
    _ bytes: [UInt8], from: PeerEndpoint, to host: MDNSHost, _ interface: UInt32, isMulticast: Bool
  ) {
    if Int.random(in: 0..<100, using: &generator) < loss { return }
    let delay = Duration.microseconds(Int.random(in: 100...3_000, using: &generator))
    let delivery = Delivery(
      time: now + delay, bytes: bytes, from: from, to: host.number, interface: interface,
      wasMulticast: isMulticast)
    let place = deliveries.firstIndex { $0.time > delivery.time } ?? deliveries.count
    deliveries.insert(delivery, at: place)
  }
}

/// 20 bytes that stand for a torrent.
func infohash(_ number: Int) -> SHA1Digest { SHA1Digest(hashing: Array("\(number)".utf8)) }

/// A service as a node offers it.
func service(_ name: String, _ torrents: [Int] = [], port: UInt16 = 6_881) -> MDNSService {
  MDNSService(
    type: MDNSServiceType.bitTorrent.name, instance: Array(name.utf8),
    subtypes: Set(torrents.map { MDNSServiceType.subtype(of: infohash($0)) }), port: port,
    txt: [Array("v=1".utf8)])
}
