import CGuard
import Discovery
import Glibc
import Metainfo
import Wire

/// A port at which this machine takes part in a group of each family, on the interfaces that it is told,
/// together with other programs that share the port.
final class MulticastSocket {
  private let groups: [IPFamily: PeerEndpoint]
  private var sockets: [IPFamily: DatagramSocket] = [:]
  private var joined: Set<NetworkLink> = []
  /// The IPv4 address that multicasts come from: without a route to the group the system might take
  /// another interface's. Of IPv6 it takes the link-local one.
  private var sources: [NetworkLink: IPAddress] = [:]
  private let log: Log
  /// Why it does without a family that the system has, as the log was told.
  private(set) var faults: [String] = []

  /// Binds the port for each family that the system has. `hops` is the hop limit of all that is sent;
  /// packets of more than `datagramBytes` are dropped.
  init(
    groups: [IPFamily: PeerEndpoint], hops: Int32, datagramBytes: Int, on loop: EventLoop, log: Log,
    onReceive: @escaping (DatagramSocket.Packet) -> Void
  ) {
    self.groups = groups
    self.log = log
    for (family, group) in groups.sorted(by: { $0.key < $1.key }) {
      let anywhere: IPAddress =
        switch family {
        case .v4: .v4(IPv4Address(rawValue: 0))
        case .v6: .v6(IPv6Address(high: 0, low: 0))
        }
      let opened = DatagramSocket.open(
        PeerEndpoint(address: anywhere, port: group.port), shared: true, on: loop,
        datagramBytes: datagramBytes, onReceive: onReceive)
      switch opened {
      case .success(let socket):
        guard cdatagram_prepare_multicast(socket.descriptor, family.rawValue, hops) else {
          let fault = "no multicasts to \(group): \(ErrorNumber.last)"
          faults.append(fault)
          log(.warning, fault)
          socket.close()
          continue
        }
        sockets[family] = socket
      case .failure(let error):
        let fault = "no multicasts to \(group): \(error)"
        // A system without a family is as it should be.
        if error.rawValue == EAFNOSUPPORT {
          log(.debug, fault)
        } else {
          faults.append(fault)
          log(.warning, "\(fault); nobody is found there on the local network")
        }
      }
    }
  }

  /// Whether any family works.
  var isOpen: Bool { !sockets.isEmpty }

  /// Takes part on these interfaces from now on, and on no others.
  func join(_ interfaces: [NetworkInterface]) {
    sources = [:]
    var links: Set<NetworkLink> = []
    for interface in interfaces {
      for address in interface.addresses.map(\.address) {
        let link = NetworkLink(interface: interface.index, family: address.ipFamily)
        if links.insert(link).inserted, link.family == .v4 { sources[link] = address }
      }
    }
    for link in joined.subtracting(links) { setMembership(link, joins: false) }
    for link in links.subtracting(joined).sorted() { setMembership(link, joins: true) }
    joined = links
  }

  private func setMembership(_ link: NetworkLink, joins: Bool) {
    guard let socket = sockets[link.family], let group = groups[link.family] else { return }
    var place = cdatagram_place(group)
    let done = cdatagram_membership(socket.descriptor, &place, link.interface, joins)
    // An interface that is gone has left by itself.
    if !done, joins, errno != EADDRINUSE {
      log(.debug, "cannot join \(group) on interface \(link.interface): \(ErrorNumber.last)")
    }
  }

  /// Sends to the group of a link's family on its interface.
  @discardableResult
  func multicast(_ bytes: [UInt8], on link: NetworkLink) -> ErrorNumber? {
    guard let socket = sockets[link.family], let group = groups[link.family] else {
      return ErrorNumber(rawValue: EAFNOSUPPORT)
    }
    return socket.send(bytes, to: group, through: link.interface, from: sources[link])
  }

  /// Sends to one place.
  @discardableResult
  func send(
    _ bytes: [UInt8], to place: PeerEndpoint, through interface: UInt32
  ) -> ErrorNumber? {
    guard let socket = sockets[place.address.ipFamily] else {
      return ErrorNumber(rawValue: EAFNOSUPPORT)
    }
    return socket.send(bytes, to: place, through: interface)
  }

  /// Leaves everything. The loop must run once more after it.
  func close() {
    for socket in sockets.values { socket.close() }
    sockets = [:]
    joined = []
  }
}
