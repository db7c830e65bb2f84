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

  private let loop: EventLoop
  private let lines: LogLines
  /// nil where nothing is shown meanwhile.
  private let display: StatusDisplay?
  private var timer: EventTimer?

  /// How often it is looked whether the end is reached, in milliseconds.
  private static let interval: UInt64 = 250

  init(
    _ network: NetworkOptions, state: StateFolder, mapsPorts: Bool = false, display: StatusDisplay?
  ) throws(Failure) {
    let (loop, lines) = (EventLoop(), LogLines())
    (self.loop, self.lines, self.display) = (loop, lines, display)
    node = try network.node(
      NetworkOptions.core, on: loop, state: state, mapsPorts: mapsPorts,
      log: lines.log(isVerbose: false))
  }

  /// Seconds since it began.
  var seconds: Int { Int((ContinuousClock.now - start).components.seconds) }

  /// Runs until `isDone`, which is asked a few times a second, or `limit` seconds are over. Called once.
  func run(atMost limit: Int, isDone: @escaping () -> Bool) {
    Console.clearLineWhenInterrupted()
    timer = EventTimer(on: loop, everyMilliseconds: Self.interval) { [unowned self] in
      for line in lines.take() { display?.log(line) }
      if isDone() || seconds >= limit { stop() }
    }
    loop.run()
    display?.clear()
  }

  private func stop() {
    guard !node.isStopping else { return }
    node.stop { [unowned self] in
      timer?.cancel()
      timer = nil
    }
  }
}
