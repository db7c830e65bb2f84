import Discovery
import Glibc
import SwarmNode

/// Maps the ports named, as in `swarm-map TCP:6881 UDP:6881`, until it is interrupted. Each line on
/// standard output is how it stands: all mappings, with "; " between them. For interop/miniupnpd.
@main
struct SwarmMap {
  static func main() {
    let wanted = CommandLine.arguments.dropFirst().compactMap { argument -> PortWanted? in
      let parts = argument.split(separator: ":")
      guard parts.count == 2, let port = UInt16(parts[1]) else { return nil }
      return PortWanted(parts[0] == "UDP" ? .udp : .tcp, port)
    }
    SignalWatcher.ignoreBrokenPipes()
    let loop = EventLoop()
    let driver = PortMappingDriver(
      on: loop, wanted: wanted, log: .standardError(threshold: .debug)
    ) { mappings in
      say(mappings.map(\.description).joined(separator: "; "))
    }
    var watchers: [SignalWatcher] = []
    for signal in [SIGINT, SIGTERM] {
      watchers.append(
        SignalWatcher(on: loop, signal: signal) { _ in
          for watcher in watchers { watcher.close() }
          watchers = []
          driver.stop { say("stopped") }
        })
    }
    loop.run()
  }

  /// A line at once, whoever reads it.
  private static func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = bytes.withUnsafeBytes { write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }
}
