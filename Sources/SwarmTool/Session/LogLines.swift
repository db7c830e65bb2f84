import SwarmNode
import Synchronization

/// Lines of the node's log, until they are shown between two drawings of the status.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])

  /// The log that writes here.
  func log(isVerbose: Bool) -> Log {
    Log(threshold: isVerbose ? .debug : .warning) { [self] line in
      lines.withLock { $0.append(line) }
    }
  }

  /// What came since the last time.
  func take() -> [String] {
    lines.withLock { lines in
      defer { lines = [] }
      return lines
    }
  }
}
