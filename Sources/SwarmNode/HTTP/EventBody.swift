import Wire

/// Events for one client, as server-sent events (HTML, section 9.2). Belongs to the loop's thread.
final class EventBody: BodySource {
  private var waiting: [UInt8]
  /// Bytes of `waiting` that went.
  private var sent = 0
  /// Whether nothing is to follow what waits.
  private var isOver = false
  private var isWaiting = false
  private var wake: () -> Void = {}
  private let onCancel: (EventBody) -> Void
  /// Events that were not sent because the client was too slow.
  private(set) var dropped = 0

  /// - Parameter onCancel: called once when nobody listens any more.
  init(onCancel: @escaping (EventBody) -> Void) {
    self.onCancel = onCancel
    // Clients that are cut off come again after so many milliseconds. The comment makes headers leave.
    waiting = Array("retry: 3000\n: the events of this node from now on\n\n".utf8)
  }

  /// An event of a kind. `data` is one line.
  func send(_ kind: String, id: UInt64, data: String) {
    add("id: \(id)\nevent: \(kind)\ndata: \(data)\n\n", isEvent: true)
  }

  /// A sign of life, which also finds out who is gone.
  func beat() { add(":\n\n", isEvent: false) }

  /// No more events come.
  func end() {
    isOver = true
    ring()
  }

  func setWake(_ wake: @escaping () -> Void) { self.wake = wake }

  func next(into buffer: UnsafeMutableRawBufferPointer) -> BodyPart {
    let count = min(buffer.count, waiting.count - sent)
    if count == 0 {
      if isOver { return .end }
      isWaiting = true
      return .later
    }
    waiting.withUnsafeBytes {
      buffer.copyMemory(from: UnsafeRawBufferPointer(rebasing: $0[sent..<(sent + count)]))
    }
    sent += count
    if sent == waiting.count {
      waiting.removeAll(keepingCapacity: true)
      sent = 0
    }
    return .bytes(count)
  }

  func cancel() {
    isOver = true
    onCancel(self)
  }

  private func add(_ text: String, isEvent: Bool) {
    guard !isOver else { return }
    if waiting.count - sent + text.utf8.count <= HTTPServerLimits.eventBytes {
      waiting += text.utf8
    } else if isEvent {
      // What it has not taken yet is stale. An event of which a part went must end.
      dropped += 1
      waiting.removeSubrange(..<sent)
      sent = 0
      waiting += ": events were lost, since they were not read in time\n\n".utf8
      isOver = true
    }
    ring()
  }

  private func ring() {
    guard isWaiting else { return }
    isWaiting = false
    wake()
  }
}
