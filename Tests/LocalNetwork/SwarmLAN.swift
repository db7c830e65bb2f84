import Glibc
import Metainfo
import SwarmNode
import Wire

/// A node's local discovery alone, for interop/: `swarm-lan PEER-ID PORT INFOHASH…`, all in hexadecimal but
/// the port. Prints each peer once, a JSON object a line, and says goodbye when it is told to end.
/// LAN_KINDS is `mdns`, `lsd` or both with a comma between.
@main struct SwarmLAN {
  static func main() {
    let words = CommandLine.arguments.dropFirst()
    let infohashes = words.dropFirst(2).compactMap { [UInt8](hex: $0).flatMap { SHA1Digest($0) } }
    guard words.count > 2, infohashes.count == words.count - 2,
      let peerID = [UInt8](hex: words[1]).flatMap({ PeerID($0) }), let port = UInt16(words[2])
    else {
      Log.standardError()(.error, "usage: swarm-lan PEER-ID PORT INFOHASH…")
      exit(2)
    }
    SignalWatcher.ignoreBrokenPipes()
    let kinds = getenv("LAN_KINDS").map { String(cString: $0) } ?? "mdns,lsd"
    var configuration = LocalNetworkConfiguration(peerID: peerID, port: port)
    configuration.usesMDNS = kinds.contains("mdns")
    configuration.usesLocalDiscovery = kinds.contains("lsd")
    configuration.includesLoopback = getenv("LAN_LOOPBACK") != nil
    run(configuration, infohashes)
  }

  private static func run(_ configuration: LocalNetworkConfiguration, _ infohashes: [SHA1Digest]) {
    let loop = EventLoop()
    var seen: Set<String> = []
    let driver = LocalNetworkDriver(
      on: loop, configuration: configuration, seed: .random(in: 0 ... .max),
      log: .standardError(threshold: .debug)
    ) { infohash, endpoint, _ in
      let line = #"{"event": "peer", "infohash": "\#(infohash.hex)", "peer": "\#(endpoint)"}"#
      if seen.insert(line).inserted { say(line) }
    }
    var watchers: [SignalWatcher] = []
    for signal in SignalWatcher.endings {
      watchers.append(
        SignalWatcher(on: loop, signal: signal) { _ in
          driver.shutDown { for watcher in watchers { watcher.close() } }
        })
    }
    driver.setTorrents(infohashes)
    say(#"{"event": "started"}"#)
    loop.run()
    say(#"{"event": "ended"}"#)
  }

  private static func say(_ line: String) {
    print(line)
    fflush(nil)
  }
}
