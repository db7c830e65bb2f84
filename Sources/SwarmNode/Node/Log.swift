import Glibc
import Swarm
import Wire

/// Where the node tells the operator what happens: a line each.
public struct Log: Sendable {
  /// How much the operator should care.
  public enum Level: Int, Comparable, Sendable {
    /// For finding faults.
    case debug
    /// Worth knowing.
    case info
    /// Something does not go as it should; the node goes on.
    case warning
    /// Something cannot be done.
    case error

    /// Whether `a` matters less.
    public static func < (a: Level, b: Level) -> Bool { a.rawValue < b.rawValue }
  }

  /// Lines below are not written.
  public var threshold: Level
  private let write: @Sendable (String) -> Void

  /// A log that writes lines, without their ends, by `write`.
  public init(threshold: Level = .info, write: @escaping @Sendable (String) -> Void) {
    self.threshold = threshold
    self.write = write
  }

  /// A log on standard error.
  public static func standardError(threshold: Level = .info) -> Log {
    Log(threshold: threshold) { line in
      var line = line + "\n"
      line.withUTF8 { bytes in
        var done = 0
        while done < bytes.count {
          let count = Glibc.write(STDERR_FILENO, bytes.baseAddress! + done, bytes.count - done)
          // Whoever read it is gone; there is nobody to tell.
          if count < 0, errno != EINTR { return }
          done += max(0, count)
        }
      }
    }
  }

  /// A log that nobody reads.
  public static let none = Log(threshold: .error) { _ in }

  /// Writes "warning: what happened (torrent 3) (peer 192.0.2.1:6881)".
  public func callAsFunction(
    _ level: Level, _ message: @autoclosure () -> String, torrent: TorrentID? = nil,
    peer: PeerEndpoint? = nil
  ) {
    guard level >= threshold else { return }
    var line = "\(level): \(message())"
    if let torrent { line += " (torrent \(torrent))" }
    if let peer { line += " (peer \(peer))" }
    write(line)
  }
}
