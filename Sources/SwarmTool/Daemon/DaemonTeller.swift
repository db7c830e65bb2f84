import Metainfo
import SwarmNode

/// What a member of a daemon tells: a line in the daemon's log, an event for who listens.
final class DaemonTeller: Teller {
  /// Which dataset it is about.
  let id: String
  /// What people know it by; set when it is known.
  var name = ""
  private let lines: DaemonLines
  private let onEvent: (String, String, [(String, JSON)]) -> Void

  /// `onEvent` is told the event, the dataset's id, and the event's members.
  init(
    _ id: String, _ lines: DaemonLines,
    onEvent: @escaping (_ event: String, _ id: String, _ members: [(String, JSON)]) -> Void
  ) {
    self.id = id
    self.lines = lines
    self.onEvent = onEvent
  }

  func note(_ text: String) { lines.note("\(label): \(text)") }

  func warn(_ text: String) {
    warnPeople(text)
    onEvent("warning", id, [("text", .text(text))])
  }

  func warnPeople(_ text: String) { lines.note("\(label): \(Console.warningMark) \(text)") }

  func result(_ text: String) { note(text) }

  func event(_ name: String, _ members: [(String, JSON)]) { onEvent(name, id, members) }

  private var label: String { name.isEmpty ? String(id.prefix(12)) : name }
}

/// Lines of a daemon, on standard error; with `--json` nothing but events on standard output.
struct DaemonLines {
  /// Whether events are printed instead.
  let isJSON: Bool

  func note(_ text: String) { if !isJSON { Console.note(text) } }

  func event(_ name: String, dataset: String?, _ members: [(String, JSON)]) {
    guard isJSON else { return }
    let about: [(String, JSON)] = dataset.map { [("id", .text($0))] } ?? []
    try? Console.result(JSON.object([("event", .text(name))] + about + members).line)
  }
}
