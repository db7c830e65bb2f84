import Glibc
import Metainfo
import SwarmNode

/// Shows how a torrent is doing: on a terminal one or two lines that are written anew, in a pipe plain
/// lines every few seconds and at changes, with `--json` an object a line. In the background of a terminal nothing
/// is shown but what is told besides.
///
/// What is told besides goes through here too, so that the lines on the terminal stay the last ones.
final class StatusDisplay: Teller {
  private let isJSON: Bool
  /// Where objects go, one a line; nil for nowhere.
  private let objects: CInt?
  /// Nothing but warnings is shown to people: the terminal is another program's.
  var isQuiet = false {
    didSet { if isQuiet { clear() } }
  }
  /// Whether lines on a terminal are written anew.
  let isInteractive: Bool
  private var drawn = 0
  /// `Console.continuations` when that was drawn.
  private var drawnAt: CInt = 0
  private var lastSettled: [String] = []
  private var lastPlain: (time: ContinuousClock.Instant, waiting: String?, isFinished: Bool)?

  private var lastSearch: (time: ContinuousClock.Instant, view: SearchView)?

  /// How lines of the log begin that people are warned by.
  private enum Level: String, CaseIterable {
    case warning = "warning:"
    case error = "error:"

    var ink: Paint.Ink { self == .warning ? .warning : .fault }
  }

  /// Seconds between plain lines.
  private static let plainInterval = Duration.seconds(10)

  /// With `isJSON` people are told nothing, and objects go to standard output.
  convenience init(isJSON: Bool) {
    self.init(isJSON: isJSON, objectsTo: isJSON ? STDOUT_FILENO : nil)
  }

  /// Objects go to a descriptor, whether people are told things, too, or not.
  init(isJSON: Bool, objectsTo objects: CInt?) {
    self.isJSON = isJSON
    self.objects = objects
    isInteractive = !isJSON && Console.isInteractive
    if isInteractive { Console.countContinuations() }
  }

  /// The figures changed, or time passed.
  func show(_ figures: TransferFigures, _ surroundings: Surroundings) {
    if tellsPrograms { emit(.object(figures.json + surroundings.json)) }
    if isJSON || isQuiet { return }
    if isInteractive {
      draw { figures.lines(width: $0) + surroundings.lines(width: $0) }
    } else {
      let settled = surroundings.settled
      for text in settled where !lastSettled.contains(text) { Console.note(text) }
      lastSettled = settled
      showPlain(figures)
    }
  }

  /// Nothing is known yet but what is looked for.
  func show(_ search: SearchView) {
    if tellsPrograms { emit(search.json) }
    if isJSON || isQuiet { return }
    if isInteractive {
      draw { search.lines(width: $0) }
    } else {
      let now = ContinuousClock.now
      let isNew =
        lastSearch?.view.waiting != search.waiting
        || lastSearch?.view.advice == nil && search.advice != nil
      if let last = lastSearch, !isNew, now - last.time < Self.plainInterval { return }
      lastSearch = (now, search)
      Console.note(search.text)
      if let advice = search.advice { Console.note(advice) }
    }
  }

  /// Writes lines in place of those before; none in the background.
  private func draw(_ lines: (_ width: Int) -> [String]) {
    clear()
    guard Console.isInForeground else { return }
    drawnAt = Console.continuations
    let lines = lines(Console.width)
    Console.overwrite(lines.joined(separator: "\n"))
    drawn = lines.count
  }

  private func showPlain(_ figures: TransferFigures) {
    let now = ContinuousClock.now
    if let last = lastPlain, last.waiting == figures.waitingState,
      last.isFinished == figures.isFinished, now - last.time < Self.plainInterval
    {
      return
    }
    lastPlain = (now, figures.waitingState, figures.isFinished)
    Console.note(figures.plainLine)
  }

  /// A line about the work; with `--json` nothing, since an event says it.
  func note(_ text: String) {
    if isJSON || isQuiet { return }
    clear()
    Console.note(text)
  }

  /// A line of the node's log, as "warning: what is wrong". With `--json` warnings are events, too.
  func log(_ line: String) {
    for level in Level.allCases where line.hasPrefix(level.rawValue + " ") {
      return warn(String(line.dropFirst(level.rawValue.count + 1)), as: level)
    }
    note(line)
  }

  /// Something that is not as it should be.
  func warn(_ text: String) { warn(text, as: .warning) }

  private func warn(_ text: String, as level: Level) {
    event("warning", [("text", .text(text))])
    warnPeople(text, as: level)
  }

  /// The same, where an event tells of it with `--json`.
  func warnPeople(_ text: String) { warnPeople(text, as: .warning) }

  private func warnPeople(_ text: String, as level: Level) {
    if isJSON { return }
    clear()
    // Of another program's terminal it is not known where the cursor is.
    let mark = Paint.errors(level.rawValue, level.ink)
    Console.note((isQuiet ? "\r\n" : "") + "swarm: \(mark) \(text)")
  }

  /// A line of results; with `--json` nothing, since an event says it.
  func result(_ text: String) throws(Failure) {
    if isJSON || isQuiet { return }
    clear()
    try Console.result(text)
  }

  /// Whether there is a program to be told.
  var tellsPrograms: Bool { objects != nil }

  /// An object on a line, where there is a program to be told.
  func event(_ name: String, _ members: [(String, JSON)]) {
    if tellsPrograms { emit(.object([("event", .text(name))] + members)) }
  }

  /// Takes what is drawn off the terminal, unless it is not the last there: behind a stop or a move to the
  /// background comes what the shell has written.
  func clear() {
    if drawn == 0 { return }
    if Console.isInForeground, drawnAt == Console.continuations {
      Console.overwrite(
        "\r\u{1B}[K" + String(repeating: "\u{1B}[A\u{1B}[K", count: drawn - 1))
    }
    drawn = 0
  }

  /// A reader that is gone ends the program elsewhere; a full disk behind a pipe must not end a seed.
  private func emit(_ value: JSON) {
    if let objects { try? Console.result(value.line, to: objects) }
  }
}
