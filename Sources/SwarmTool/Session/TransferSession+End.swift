import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// How a session ends, and what is said then.
extension TransferSession {
  /// Nobody presses a key twice in this time.
  private static let echo = Duration.milliseconds(200)

  func watchSignals() {
    for number in SignalWatcher.endings where !SignalWatcher.isIgnored(number) {
      signals.append(
        SignalWatcher(on: loop, signal: number) { [unowned self] number in interrupted(by: number) }
      )
    }
  }

  private func interrupted(by number: CInt) {
    if task.machine?.takes(signal: number) == true { return }
    if let interruption {
      // timeout(1) and the like send it to the process and to its group: that is one.
      if ContinuousClock.now - interruption < Self.echo { return }
      display.clear()
      Console.note("left at once; what was not yet on disk will be fetched again")
      _exit(128 + number)
    }
    interruption = .now
    stop(.signal(number))
    display.note("stopping: writing to disk what has arrived; Ctrl-C again leaves at once")
  }

  func fail(_ message: String) { stop(.failed(message)) }

  func stop(_ end: End) {
    guard self.end == nil else { return }
    member.updateFigures()
    member.end()
    self.end = end
    task.machine?.sessionEnds()
    server?.close()
    node.stop { [unowned self] in
      timer?.cancel()
      timer = nil
      task.machine?.close()
      for watcher in signals { watcher.close() }
      signals = []
    }
  }

  /// Says what is kept, and how the program ends.
  func conclude() throws {
    let figures = member.figures
    let place = (member.subject?.content()).flatMap { $0 }.map { printable($0) }
    let reason =
      switch end {
      case .signal(let number): "signal \(number)"
      case .finished, nil: "finished"
      case .failed(let message): message
      }
    display.event(
      "stopped",
      [
        ("reason", .text(reason)), ("finished", .bool(figures.isFinished)),
        ("done", .number(figures.doneBytes)), ("wanted", .number(figures.wantedBytes)),
        ("downloaded", .number(figures.downloadedBytes)),
        ("uploaded", .number(figures.uploadedBytes)),
        ("path", .text(orNull: place)),
      ])
    if case .failed(let message) = end { throw Failure(message) }
    if let machine = task.machine, let status = machine.conclude(display, place: place) {
      if status != 0 { throw ExitCode(status) }
      return
    }
    display.note(figures.summary(place: place))
    if case .signal(let number) = end, !task.plan.isSeed, !figures.isFinished {
      throw ExitCode(128 + number)
    }
  }
}
