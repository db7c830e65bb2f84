import Metainfo
import Wire

/// The control API of a node on a Unix socket (docs/api.md). Belongs to the loop's thread.
public final class ControlServer {
  private let server: HTTPServer
  private let api: ControlAPI
  private let events: EventStream

  /// Listens at `path`, on the loop of `node`. The service is not kept.
  public convenience init(
    at path: [UInt8], for node: Node, log: Log, service: any ControlService
  ) throws(SystemError) {
    try self.init(at: path, on: node.loop, log: log, service: service)
  }

  init(
    at path: [UInt8], on loop: EventLoop, log: Log, service: any ControlService
  ) throws(SystemError) {
    let events = EventStream(on: loop)
    let api = ControlAPI(service, events: events)
    do throws(SystemError) {
      server = try HTTPServer(at: path, on: loop, log: log) { api.handle($0, $1) }
    } catch {
      events.close()
      throw error
    }
    self.events = events
    self.api = api
  }

  /// Tells an event of `--json` (docs/json.md) to who listens: its name, the id of the dataset that it is
  /// about, and its members without `event`.
  public func tell(_ event: String, dataset: String?, _ members: [(String, JSON)]) {
    events.tell(event, dataset: dataset, members)
  }

  /// Whether anybody listens to events.
  public var hasListeners: Bool { events.count > 0 }

  /// Closes the socket and all connections. The loop must run once more after it.
  public func close() {
    events.close()
    server.close()
  }
}
