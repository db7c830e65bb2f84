import CUV
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
  /// Looks for the next request instead of sleeping, where one comes soon after each answer.
  private var attention = Attention()
  private var waker: IdleHook?
  private var connections: [ObjectIdentifier: NBDConnection] = [:]
  /// Set while failures are counted instead of told.
  private var failureTimer: DeadlineTimer?
  private var untold: (count: Int, last: String, torrent: TorrentID?) = (0, "", nil)

  /// Listens at `path`. The node is not kept running by it.
  public init(at path: [UInt8], for node: Node, log: Log) throws(SystemError) {
    self.node = node
    self.log = log
    listener = try LocalListener(at: path, on: node.loop, log: log) { [unowned self] in accept($0) }
    node.onTurnEnd = { [weak self] in self?.flush() }
    waker = IdleHook(on: node.loop) { [unowned self] in
      if !attention.goesOn(at: uv_hrtime()) { waker?.stop() }
    }
  }

  /// Closes the socket and all connections. Requests that wait are answered with an error first.
  public func close() {
    listener?.close()
    listener = nil
    waker?.close()
    waker = nil
    // Before the clients are gone: one that is there may go on with another node.
    traces.close()
    for connection in connections.values { connection.shutDown() }
    connections = [:]
    tellFailures()
    failureTimer?.close()
    failureTimer = nil
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
    shareWindow()
    figures.clients = connections.count
    made.begin()
  }

  func remove(_ connection: NBDConnection) {
    connections[ObjectIdentifier(connection)] = nil
    shareWindow()
    figures.clients = connections.count
  }

  /// What all connections may owe together is bounded.
  private func shareWindow() {
    let share = NBDServerLimits.windows / max(connections.count, 1)
    for connection in connections.values {
      connection.session.window = min(NBDServerLimits.window, share)
    }
  }

  /// A client has sent something.
  func asked() {
    attention.asked(at: uv_hrtime())
    waker?.stop()
  }

  /// A client has all that it asked for.
  func answered() {
    if attention.answered(at: uv_hrtime()) { waker?.start() }
  }

  /// A read has failed: the operator is told at once, of many at a time by their number.
  func failed(_ text: String, torrent: TorrentID?) {
    if untold.count == 0, failureTimer?.isSet != true {
      log(.warning, text, torrent: torrent)
    } else {
      untold = (untold.count + 1, text, torrent)
    }
    if failureTimer == nil {
      failureTimer = DeadlineTimer(on: node.loop) { [unowned self] in tellFailures() }
    }
    if failureTimer?.isSet != true {
      failureTimer?.set(milliseconds: NBDServerLimits.failureInterval)
    }
  }

  private func tellFailures() {
    guard untold.count > 0 else { return }
    let others = untold.count > 1 ? " (and \(untold.count - 1) others)" : ""
    log(.warning, untold.last + others, torrent: untold.torrent)
    untold = (0, "", nil)
    failureTimer?.set(milliseconds: NBDServerLimits.failureInterval)
  }

  /// Sends what the node's turn brought.
  private func flush() {
    for connection in connections.values where connection.hasNews { connection.flush() }
  }
}
