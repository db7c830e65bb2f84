import Metainfo
import Store
import Swarm
import Wire

/// Offers files of a node's torrents as block devices on a Unix socket, by the protocol of NBD. Belongs
/// to the loop's thread.
public final class NBDServer {
  /// What is offered. The first one is also had without a name.
  public var exports: [BlockExport] = []
  /// Asked for names that are none of these exports'.
  public var lookUp: ([UInt8]) -> BlockExport? = { _ in nil }
  /// What was done so far.
  public internal(set) var figures = BlockExportFigures()

  /// Told what becomes of the boot trace of an export when its first client comes.
  public var onTrace: (BlockExport, TraceUse) -> Void = { _, _ in }

  let node: Node
  let log: Log
  private(set) lazy var traces = ExportTraces(node, log: log) { [unowned self] in onTrace($0, $1) }
  private var listener: LocalListener?
  private var connections: [ObjectIdentifier: NBDConnection] = [:]

  /// Listens at `path`. The node is not kept running by it.
  public init(at path: [UInt8], for node: Node, log: Log) throws(SystemError) {
    self.node = node
    self.log = log
    listener = try LocalListener(at: path, on: node.loop, log: log) { [unowned self] in accept($0) }
    node.onTurnEnd = { [weak self] in self?.flush() }
  }

  /// Closes the socket and all connections. Requests that wait are answered with an error first.
  public func close() {
    listener?.close()
    listener = nil
    // Before the clients are gone: one that is there may go on with another node.
    traces.close()
    for connection in connections.values { connection.shutDown() }
    connections = [:]
    node.onTurnEnd = {}
  }

  /// Whether a client is connected that reads files of the torrent.
  public func isReading(_ torrent: TorrentID) -> Bool {
    connections.values.contains { $0.torrent == torrent }
  }

  func export(named name: [UInt8]) -> BlockExport? {
    name.isEmpty ? exports.first : exports.first { $0.names.contains(name) } ?? lookUp(name)
  }

  private func accept(_ socket: Int32) {
    let made = NBDConnection(owning: socket, of: self)
    guard let made else { return }
    guard connections.count < NBDServerLimits.connections else {
      log(.warning, "a client of the NBD socket is refused: \(connections.count) are connected")
      made.close()
      return
    }
    connections[ObjectIdentifier(made)] = made
    figures.clients = connections.count
    made.begin()
  }

  func remove(_ connection: NBDConnection) {
    connections[ObjectIdentifier(connection)] = nil
    figures.clients = connections.count
  }

  /// Sends what the node's turn brought.
  private func flush() {
    for connection in connections.values where connection.hasNews { connection.flush() }
  }
}
