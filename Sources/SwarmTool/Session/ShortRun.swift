import Glibc
import Metainfo
import Swarm
import SwarmNode

/// A node that runs for a moment, to ask or to tell others something. Ends by itself, or by any signal.
///
/// Belongs to the loop's thread.
final class ShortRun {
  /// The node.
  let node: Node
  /// When it began.
  let start = ContinuousClock.now
  /// Told what the node tells.
  var onNotice: (Notice) -> Void = { _ in }

  /// What is said when a signal ends it; nil for nothing.
  var lastWords: (() -> String)?

  private let loop: EventLoop
  private let lines: LogLines
  /// nil where nothing is shown meanwhile.
  private let display: StatusDisplay?
  private var timer: EventTimer?
  private var signals: [SignalWatcher] = []
  /// The signal that ended it.
  private var endSignal: CInt?
  private let isVerbose: Bool

  /// How often it is looked whether the end is reached, in milliseconds.
  private static let interval: UInt64 = 250

  init(
    _ network: NetworkOptions, state: StateFolder, mapsPorts: Bool = false, display: StatusDisplay?
  ) throws(Failure) {
    let (loop, lines) = (EventLoop(), LogLines())
    (self.loop, self.lines, self.display) = (loop, lines, display)
    isVerbose = network.isVerbose
    node = try network.node(
      NetworkOptions.core, on: loop, state: state, mapsPorts: mapsPorts,
      log: lines.log(isVerbose: network.isVerbose))
    node.onNotice = { [unowned self] notice in
      if isVerbose { tellPeer(notice) }
      onNotice(notice)
    }
  }

  /// Seconds since it began.
  var seconds: Int { Int((ContinuousClock.now - start).components.seconds) }

  /// Runs until `isDone`, which is asked a few times a second, or `limit` seconds are over. Called once.
  func run(atMost limit: Int, isDone: @escaping () -> Bool) {
    if lastWords == nil { Console.clearLineWhenInterrupted() } else { watchSignals() }
    timer = EventTimer(on: loop, everyMilliseconds: Self.interval) { [unowned self] in
      for line in lines.take() { tell(line) }
      if isDone() || seconds >= limit { stop() }
    }
    loop.run()
    display?.clear()
    if let end = endSignal {
      _ = signal(end, SIG_DFL)
      _ = raise(end)
    }
  }

  private func watchSignals() {
    for number in SignalWatcher.endings where !SignalWatcher.isIgnored(number) {
      signals.append(
        SignalWatcher(on: loop, signal: number) { [unowned self] number in
          if endSignal != nil { _exit(128 + number) }
          endSignal = number
          display?.clear()
          if let lastWords { Console.note(lastWords()) }
          stop()
        })
    }
  }

  private func tellPeer(_ notice: Notice) {
    let text: String
    switch notice {
    case .peerConnected(_, _, let endpoint): text = "peer \(endpoint) connected"
    case .peerGone(_, _, let endpoint, let end): text = "peer \(endpoint) gone: \(end.text)"
    default: return
    }
    if let display { display.note(text) } else { Console.note(text) }
  }

  private func tell(_ line: String) {
    if let display { return display.log(line) }
    // What was asked for by -v; else programs are told what matters by what is asked for.
    if isVerbose { Console.note("swarm: " + line) }
  }

  private func stop() {
    guard !node.isStopping else { return }
    node.stop { [unowned self] in
      timer?.cancel()
      timer = nil
      for watcher in signals { watcher.close() }
      signals = []
    }
  }
}
