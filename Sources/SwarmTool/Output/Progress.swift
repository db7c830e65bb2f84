import SwarmNode

/// Shows how far long work is: on a terminal a bar that renews itself while the program is in the foreground, in a
/// pipe a plain line every few seconds and one at the end.
final class Progress {
  private let verb: String
  private let total: UInt64
  private let done: () -> UInt64
  private let start = ContinuousClock.now
  private let isInteractive = Console.isInteractive
  private var timer: EventTimer?
  private var lastLine = ContinuousClock.now

  /// Starts to show work that has done `done()` of `total` bytes; `verb` as in "hashed".
  init(on loop: EventLoop, verb: String, total: UInt64, done: @escaping () -> UInt64) {
    self.verb = verb
    self.total = total
    self.done = done
    if isInteractive { Console.clearLineWhenInterrupted() }
    timer = EventTimer(on: loop, everyMilliseconds: 100) { [weak self] in self?.tick() }
  }

  /// Clears the bar; in a pipe and for work that was done, says how it went.
  func finish(succeeded: Bool) {
    timer?.cancel()
    timer = nil
    if isInteractive, Console.isInForeground { Console.overwrite("\r\u{1B}[K") }
    if succeeded {
      Console.note(
        "\(verb) \(Quantity.bytes(total)) in \(Self.seconds(elapsed)), \(rate(of: total))")
    }
  }

  private var elapsed: Double {
    let parts = (ContinuousClock.now - start).components
    return Double(parts.seconds) + Double(parts.attoseconds) / 1e18
  }

  private static func seconds(_ time: Double) -> String {
    time < 60 ? "\((time * 100).rounded() / 100) s" : Quantity.duration(seconds: time)
  }

  private func rate(of bytes: UInt64) -> String {
    "\(Quantity.bytes(UInt64(Double(bytes) / max(elapsed, 0.001))))/s"
  }

  private func tick() {
    let bytes = done()
    let share = total == 0 ? 1 : Double(bytes) / Double(total)
    let left = share > 0 ? elapsed / share - elapsed : 0
    let figures = [
      "\(Int(share * 100)) %", "\(Quantity.bytes(bytes)) of \(Quantity.bytes(total))",
      rate(of: bytes),
      "\(Quantity.duration(seconds: left)) left",
    ]
    if isInteractive {
      guard Console.isInForeground else { return }
      let line = Self.line(verb: verb, share: share, figures: figures, width: Console.width)
      Console.overwrite("\r\u{1B}[K" + line)
    } else if ContinuousClock.now - lastLine >= .seconds(5) {
      lastLine = ContinuousClock.now
      Console.note("\(verb) \(figures.joined(separator: "  "))")
    }
  }

  /// What the terminal shows: never wider than it, since a line that wraps cannot be written anew.
  /// Where room lacks, the bar goes first, then the figures in the middle.
  static func line(verb: String, share: Double, figures: [String], width: Int) -> String {
    let most = max(width - 1, 0)
    let whole = figures.joined(separator: "  ")
    let room = min(40, most - whole.count - verb.count - 2)
    if room >= 5 {
      let filled = Int(share * Double(room))
      let bar = String(repeating: "█", count: filled) + String(repeating: "░", count: room - filled)
      return "\(verb) \(bar) \(whole)"
    }
    let shorter = ["\(verb) \(whole)", whole, "\(figures[0])  \(figures[figures.count - 1])"]
    return shorter.first { $0.count <= most } ?? String(figures[0].prefix(most))
  }
}
