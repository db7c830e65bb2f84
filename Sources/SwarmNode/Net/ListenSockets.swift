import Glibc
import Wire

/// The sockets that a node listens with.
enum ListenSockets {
  struct Opened {
    let descriptor: Int32
    let endpoint: PeerEndpoint
  }

  /// How often a free port is drawn that turns out to be another's in the other family.
  private static let draws = 16

  /// Listens at all addresses, or at none.
  static func open(_ addresses: [ListenAddress], log: Log) throws(NodeError) -> [Opened] {
    for _ in 1..<draws {
      if let opened = try attempt(addresses, log: log, sharesPort: true) { return opened }
    }
    return try attempt(addresses, log: log, sharesPort: false) ?? []
  }

  /// nil: the port that was free for the first is not free for another.
  private static func attempt(
    _ addresses: [ListenAddress], log: Log, sharesPort: Bool
  ) throws(NodeError) -> [Opened]? {
    var opened: [Opened] = []
    var drawn: UInt16?
    func closeAll() { for socket in opened { close(socket.descriptor) } }
    for address in addresses {
      let shared = address.port == 0 && sharesPort ? drawn : nil
      let wanted = PeerEndpoint(address: address.address, port: shared ?? address.port)
      switch Sockets.listen(on: wanted) {
      case .success((let descriptor, let endpoint)):
        if address.port == 0 { drawn = endpoint.port }
        opened.append(Opened(descriptor: descriptor, endpoint: endpoint))
      case .failure(let error):
        if shared != nil, error.rawValue == EADDRINUSE {
          closeAll()
          return nil
        }
        if address.isOptional, [EAFNOSUPPORT, EADDRNOTAVAIL].contains(error.rawValue) {
          log(.info, "does not listen at \(address): \(error)")
          continue
        }
        closeAll()
        throw .listen(address, errno: error.rawValue, reason: error.description)
      }
    }
    return opened
  }
}
