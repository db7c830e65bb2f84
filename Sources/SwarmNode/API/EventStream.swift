import Wire

/// What happens in a node, told to whoever listens. Belongs to the loop's thread.
final class EventStream {
  private var listeners: [ObjectIdentifier: EventBody] = [:]
  private var last: UInt64 = 0
  private var timer: EventTimer?

  init(on loop: EventLoop) {
    timer = EventTimer(on: loop, everyMilliseconds: HTTPServerLimits.heartbeatMilliseconds) {
      [unowned self] in
      for listener in listeners.values { listener.beat() }
    }
  }

  /// How many listen.
  var count: Int { listeners.count }

  /// One more who listens; nil where there are too many.
  func listen() -> EventBody? {
    guard listeners.count < HTTPServerLimits.eventClients else { return nil }
    let body = EventBody { [weak self] in self?.listeners[ObjectIdentifier($0)] = nil }
    listeners[ObjectIdentifier(body)] = body
    return body
  }

  /// Tells an event: an object with the members `event` and `id`, of its dataset, before the others.
  func tell(_ kind: String, dataset: String?, _ members: [(String, JSON)]) {
    last += 1
    guard !listeners.isEmpty else { return }
    let data = JSON.object([("event", .text(kind)), ("id", .text(orNull: dataset))] + members)
      .line
    for listener in listeners.values { listener.send(kind, id: last, data: data) }
  }

  /// Ends all streams. The loop must run once more after it.
  func close() {
    timer?.cancel()
    timer = nil
    for listener in listeners.values { listener.end() }
  }
}
