import Discovery
import Glibc
import Metainfo
import SwarmNode
import Wire

/// A node of the DHT alone, for interop/: `swarm-dht LISTEN [NODE…]`, places as ADDRESS:PORT. Each line on
/// standard input is a command, whose answers are JSON objects, a line each, with the command's number
/// from 1 as "command"; the last of them has "event": "ended". Bytes are hexadecimal, "-" for none.
///
///     peers INFOHASH [PORT]                 with a port it announces itself, too
///     get KEY SALT                          mutable items
///     put SEED SALT SEQUENCE VALUE [CAS]    the value bencoded
///     get-immutable TARGET
///     put-immutable VALUE
///     status
///
/// It ends with its input.
@main
struct SwarmDHT {
  static func main() {
    let places = CommandLine.arguments.dropFirst().compactMap {
      try? PeerAddress(parsing: Array($0.utf8))
    }
    guard let listen = places.first?.endpoint, places.count == CommandLine.arguments.count - 1
    else {
      Log.standardError()(.error, "usage: swarm-dht LISTEN [NODE…]")
      exit(2)
    }
    SignalWatcher.ignoreBrokenPipes()
    let loop = EventLoop()
    var configuration = DHTConfiguration()
    configuration.enforcesNodeIDs = false
    configuration.limitsNetworks = false
    let driver = DHTDriver(
      on: loop, places: [listen], configuration: configuration,
      bootstrap: Array(places.dropFirst()), file: nil, seed: .random(in: 0 ... .max),
      log: .standardError(threshold: .debug))
    guard driver.port != nil else { exit(1) }
    let desk = Desk(driver, loop)
    desk.read()
    loop.run()
    withExtendedLifetime(desk) {}
  }
}

/// Takes commands and says what comes of them.
private final class Desk {
  private let driver: DHTDriver
  private let loop: EventLoop
  private var count = 0
  private var commands: [DHTLookupID: Int] = [:]

  init(_ driver: DHTDriver, _ loop: EventLoop) {
    (self.driver, self.loop) = (driver, loop)
    driver.onEffect = { [unowned self] in tell($0) }
  }

  /// The next line: waited for beside the loop.
  func read() {
    loop.perform({ readLine() }) { [unowned self] line in
      guard let line else { return driver.close() }
      count += 1
      if let lookup = begin(line.split(separator: " ").map(String.init)) {
        commands[lookup] = count
        driver.drain()
      }
      read()
    }
  }

  private func begin(_ words: [String]) -> DHTLookupID? {
    func bytes(_ index: Int) -> [UInt8]? {
      guard words.indices.contains(index) else { return nil }
      return words[index] == "-" ? [] : [UInt8](hex: words[index])
    }
    switch words.first {
    case "status":
      let status = driver.status
      say(
        count, "status",
        [
          ("nodes", "\((status.v4?.goodNodes ?? 0) + (status.v6?.goodNodes ?? 0))"),
          ("items", "\(status.items)"), ("torrents", "\(status.torrents)"),
          ("malformed", "\(status.malformed)"),
        ])
    case "peers":
      guard let infohash = bytes(1).flatMap({ SHA1Digest($0) }) else { break }
      let port = words.count > 2 ? UInt16(words[2]) : nil
      return driver.begin { $0.findPeers(of: infohash, announcing: port, isSeed: false, now: $1) }
    case "get":
      guard let key = bytes(1).flatMap({ DatasetKey($0) }), let salt = bytes(2) else { break }
      return driver.begin { $0.get(mutable: key, salt: salt, newerThan: nil, now: $1) }
    case "put":
      guard let secret = bytes(1).flatMap({ DatasetSecret(seed: $0) }), let salt = bytes(2),
        words.count > 4, let sequence = Int64(words[3]), let value = bytes(4),
        let item = try? MutableItem(
          signedBy: secret, salt: salt, sequence: sequence, value: value)
      else { break }
      let cas = words.count > 5 ? Int64(words[5]) : nil
      return driver.begin { $0.put(item, cas: cas, now: $1) }
    case "get-immutable":
      guard let target = bytes(1).flatMap({ SHA1Digest($0) }) else { break }
      return driver.begin { $0.get(immutable: target, now: $1) }
    case "put-immutable":
      guard let value = bytes(1), let item = try? ImmutableItem(value: value) else { break }
      return driver.begin { $0.put(item, now: $1) }
    default: break
    }
    say(count, "ended", [("answered", "0")])
    return nil
  }

  private func tell(_ effect: DHTEffect) {
    switch effect {
    case .send: break
    case .peers(let lookup, let peers):
      let list = peers.map { #""\#($0)""# }.joined(separator: ", ")
      say(commands[lookup], "peers", [("peers", "[\(list)]")])
    case .mutable(let lookup, let item):
      say(
        commands[lookup], "mutable",
        [("sequence", "\(item.sequence)"), ("value", #""\#(item.value.hex)""#)])
    case .immutable(let lookup, let item):
      say(commands[lookup], "immutable", [("value", #""\#(item.value.hex)""#)])
    case .ended(let lookup, let outcome):
      let errors = outcome.errors.sorted { $0.key < $1.key }.map { #""\#($0.key)": \#($0.value)"# }
      say(
        commands.removeValue(forKey: lookup), "ended",
        [
          ("answered", "\(outcome.answered)"), ("stored", "\(outcome.stored)"),
          ("errors", "{\(errors.joined(separator: ", "))}"),
        ])
    case .externalAddress: break
    }
  }

  private func say(_ command: Int?, _ event: String, _ more: [(String, String)]) {
    guard let command else { return }
    let fields = more.map { #""\#($0.0)": \#($0.1)"# }.joined(separator: ", ")
    let line = Array(#"{"command": \#(command), "event": "\#(event)", \#(fields)}\#n"#.utf8)
    // Not through stdio: to flush it waits for the thread that reads.
    _ = line.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
  }
}

extension PeerAddress {
  /// nil where it is a name.
  fileprivate var endpoint: PeerEndpoint? {
    switch host {
    case .ipv4(let address): PeerEndpoint(address: .v4(address), port: port)
    case .ipv6(let address): PeerEndpoint(address: .v6(address), port: port)
    case .name: nil
    }
  }
}
