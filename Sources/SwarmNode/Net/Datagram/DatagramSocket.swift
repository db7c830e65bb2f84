import CGuard
import Glibc
import Wire

/// A UDP socket of one family on a loop: for the DHT, and below multicasts. What cannot be sent is dropped
/// as the network drops datagrams; the caller is told and may ignore it.
final class DatagramSocket {
  /// One datagram.
  struct Packet {
    /// What it says.
    let bytes: [UInt8]
    /// Who says so.
    let source: PeerEndpoint
    /// Number of the interface it came by; 0 where the system does not tell.
    let interface: UInt32
    /// Whether it was sent to a group.
    let wasMulticast: Bool
  }

  /// Where it is bound, the port filled in.
  let endpoint: PeerEndpoint
  let descriptor: Int32
  private var poll: SocketPoll?
  private let datagramBytes: Int
  private var buffer: [UInt8]
  private var heads = [cdatagram_head](
    repeating: cdatagram_head(), count: NetLimits.datagramsInACall)
  private let onReceive: (Packet) -> Void

  /// Binds to an address and port (0 for any port). `shared` lets other programs that agree have the
  /// same port. Datagrams longer than `datagramBytes` are dropped. The error is the system's.
  static func open(
    _ wanted: PeerEndpoint, shared: Bool = false, on loop: EventLoop, datagramBytes: Int = 2_048,
    onReceive: @escaping (Packet) -> Void
  ) -> Result<DatagramSocket, ErrorNumber> {
    var place = cdatagram_place(wanted)
    let made = cdatagram_open(&place, shared)
    guard made >= 0 else { return .failure(.last) }
    guard let real = SocketAddress.filled(by: { getsockname(made, $0, $1) }).endpoint,
      let socket = DatagramSocket(
        made, real, on: loop, datagramBytes: datagramBytes, onReceive: onReceive)
    else {
      let error = ErrorNumber.last
      Glibc.close(made)
      return .failure(error)
    }
    return .success(socket)
  }

  private init?(
    _ descriptor: Int32, _ endpoint: PeerEndpoint, on loop: EventLoop, datagramBytes: Int,
    onReceive: @escaping (Packet) -> Void
  ) {
    self.descriptor = descriptor
    self.endpoint = endpoint
    self.datagramBytes = datagramBytes
    self.onReceive = onReceive
    buffer = [UInt8](repeating: 0, count: datagramBytes * NetLimits.datagramsInACall)
    poll = SocketPoll(on: loop, socket: descriptor) { [unowned self] _ in receive() }
    guard let poll else { return nil }
    poll.watch(.readable)
  }

  /// Sends a datagram, through an interface where one is named, and then from one of its addresses where
  /// one is named. The error is the system's; EAGAIN when its buffer is full.
  @discardableResult
  func send(
    _ bytes: [UInt8], to place: PeerEndpoint, through interface: UInt32 = 0,
    from source: IPAddress? = nil
  ) -> ErrorNumber? {
    guard poll != nil else { return ErrorNumber(rawValue: EBADF) }
    var place = cdatagram_place(place)
    let error = bytes.withUnsafeBytes { bytes in
      guard let source else {
        return cdatagram_send(
          descriptor, bytes.baseAddress, bytes.count, &place, interface, nil)
      }
      var from = cdatagram_place(PeerEndpoint(address: source, port: 0))
      return cdatagram_send(
        descriptor, bytes.baseAddress, bytes.count, &place, interface, &from)
    }
    return error == 0 ? nil : ErrorNumber(rawValue: error)
  }

  /// Receives no more. The loop must run once more after it.
  func close() {
    guard let poll else { return }
    poll.close()
    self.poll = nil
    Glibc.close(descriptor)
  }

  /// Some calls a turn, so that a flood leaves time for others: the loop comes back for the rest.
  private func receive() {
    for _ in 0..<NetLimits.datagramCallsInATurn {
      guard poll != nil else { return }
      let count = buffer.withUnsafeMutableBytes { buffer in
        heads.withUnsafeMutableBufferPointer { heads in
          cdatagram_receive(
            descriptor, buffer.baseAddress, datagramBytes, heads.baseAddress, Int32(heads.count))
        }
      }
      // An error of the socket is that of something sent earlier; reading it has cleared it.
      guard count > 0 else { return }
      for index in 0..<Int(count) where poll != nil {
        let head = heads[index]
        guard head.length > 0, let source = PeerEndpoint(head.source) else { continue }
        let start = index * datagramBytes
        onReceive(
          Packet(
            bytes: Array(buffer[start..<(start + Int(head.length))]), source: source,
            interface: head.interface, wasMulticast: head.was_multicast))
      }
      if count < Int32(NetLimits.datagramsInACall) { return }
    }
  }
}

extension cdatagram_place {
  init(_ endpoint: PeerEndpoint) {
    self.init()
    let bytes = endpoint.address.compact
    family = bytes.count == 4 ? 4 : 6
    port = endpoint.port
    withUnsafeMutableBytes(of: &address) { $0.copyBytes(from: bytes) }
  }
}

extension PeerEndpoint {
  fileprivate init?(_ place: cdatagram_place) {
    guard place.family != 0 else { return nil }
    let count = place.family == 4 ? 4 : 16
    let bytes = withUnsafeBytes(of: place.address) { Array($0.prefix(count)) }
    guard let address = IPAddress(compact: bytes) else { return nil }
    self.init(address: address, port: place.port)
  }
}
