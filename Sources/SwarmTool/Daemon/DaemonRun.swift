import ArgumentParser
import Glibc
import Metainfo
import SwarmNode
import Wire

/// A daemon from its start to its end.
///
/// Belongs to the loop's thread.
final class DaemonRun {
  private let loop = EventLoop()
  private let log = LogLines()
  private let lines: DaemonLines
  private let node: Node
  private let roster: Roster
  private let api: ControlServer
  private let listening: [UInt8]
  private var timer: EventTimer?
  private var signals: [SignalWatcher] = []
  private var repeats = Repeats()
  /// When the first signal came.
  private var stopped: ContinuousClock.Instant?

  /// Nobody presses a key twice in this time.
  private static let echo = Duration.milliseconds(200)

  /// Status events, and looking after members.
  private static let interval: UInt64 = 1_000

  init(_ options: NodeOptions, state: StateFolder, sockets: [UInt8]) throws {
    lines = DaemonLines(isJSON: options.isJSON)
    let log = log.log(isVerbose: options.isVerbose)
    node = try options.node(on: loop, log: log)
    let events = Events(lines)
    roster = try Roster(
      on: loop, node: node, network: options.network, state: state, sockets: sockets, lines: lines,
      log: log, tell: events.tell)
    listening = sockets.appending(name: Array("api.sock".utf8))
    api = try Failure.wrap { [listening, node, roster] in
      try ControlServer(at: listening, for: node, log: log, service: roster)
    }
    events.server = api
  }

  /// Where events go: to who listens, and with `--json` to standard output.
  private final class Events {
    var server: ControlServer?
    private let lines: DaemonLines

    init(_ lines: DaemonLines) { self.lines = lines }

    func tell(_ event: String, _ dataset: String?, _ members: [(String, JSON)]) {
      server?.tell(event, dataset: dataset, members)
      lines.event(event, dataset: dataset, members)
    }
  }

  func run() throws {
    for number in SignalWatcher.endings where !SignalWatcher.isIgnored(number) {
      signals.append(SignalWatcher(on: loop, signal: number) { [unowned self] in stop(by: $0) })
    }
    roster.begin()
    let endpoints = node.endpoints.map(\.description)
    lines.note(
      "\(Quantity.count(roster.entries.count, "dataset")), listening at "
        + endpoints.joined(separator: ", ") + "; the control API is at \(printable(listening))")
    lines.event(
      "started", dataset: nil,
      [
        ("listening", .list(endpoints.map { .text($0) })), ("api", .text(printable(listening))),
        ("nbd", .text(printable(roster.devicesPath))),
      ])
    timer = EventTimer(on: loop, everyMilliseconds: Self.interval) { [unowned self] in tick() }
    loop.run()
    showLines()
  }

  private func tick() {
    showLines()
    if stopped != nil { return }
    roster.tick()
    if lines.isJSON || api.hasListeners { roster.tellStatus() }
  }

  private func showLines() {
    for line in log.take() where repeats.isNew(line, now: .now) {
      let isWarning = line.hasPrefix("warning:") || line.hasPrefix("error:")
      lines.note((isWarning ? "swarm: " : "") + line)
    }
  }

  private func stop(by number: CInt) {
    if let stopped {
      // timeout(1) and the like send it to the process and to its group: that is one.
      if ContinuousClock.now - stopped < Self.echo { return }
      lines.note("left at once; what was not yet on disk will be fetched again")
      _exit(128 + number)
    }
    stopped = .now
    lines.note("stopping: writing to disk what has arrived; Ctrl-C again leaves at once")
    roster.end()
    api.close()
    node.stop { [unowned self] in
      timer?.cancel()
      timer = nil
      for watcher in signals { watcher.close() }
      signals = []
    }
  }
}
