import Glibc

/// Whether a node could listen somewhere, for asking before long work.
public enum ListenCheck {
  /// Throws what a node that listens at these addresses now would throw.
  public static func run(_ addresses: [ListenAddress]) throws(NodeError) {
    let sockets = try ListenSockets.open(addresses, log: Log(threshold: .error) { _ in })
    for socket in sockets { close(socket.descriptor) }
  }
}
