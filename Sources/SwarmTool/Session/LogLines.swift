import SwarmNode
import Synchronization

/// Lines of the node's log, until they are shown between two drawings of the status.
final class LogLines: Sendable {
  private let lines = Mutex<[String]>([])

  /// The log that writes here. The numbers that a node gives its torrents are for who asked for every detail.
  func log(isVerbose: Bool) -> Log {
    Log(threshold: isVerbose ? .debug : .warning) { [self] line in
      lines.withLock { $0.append(isVerbose ? line : Self.withoutNumber(line)) }
    }
  }

  /// A line without "(torrent 3)".
  static func withoutNumber(_ line: String) -> String {
    guard let start = line.firstRange(of: " (torrent "),
      let end = line[start.upperBound...].firstIndex(of: ")"),
      line[start.upperBound..<end].allSatisfy(\.isNumber)
    else { return line }
    return "\(line[..<start.lowerBound])\(line[line.index(after: end)...])"
  }

  /// What came since the last time.
  func take() -> [String] {
    lines.withLock { lines in
      defer { lines = [] }
      return lines
    }
  }
}
