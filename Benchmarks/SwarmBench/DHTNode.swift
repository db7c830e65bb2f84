import Discovery
import Glibc
import Metainfo
import SwarmNode
import Wire

/// A node of the DHT that stores and finds heads as a line of standard input asks it to, and says how
/// long that took: `put`, or `get KEY`. Ends with standard input.
final class DHTNode {
  private let listen: String
  private let node: String
  private let loop = EventLoop()
  private var driver: DHTDriver?
  /// What is being done.
  private var work: (id: DHTLookupID, what: String, since: ContinuousClock.Instant)?
  /// After so long the first value came.
  private var first: Double?

  /// It listens at one place, and knows another to begin with, both ADDRESS:PORT.
  init(listen: String, node: String) { (self.listen, self.node) = (listen, node) }

  func run() {
    var configuration = DHTConfiguration()
    configuration.enforcesNodeIDs = false
    configuration.limitsNetworks = false
    guard let place = ListenAddress(text: listen), let other = try? PeerAddress(parsing: node.utf8)
    else { return say(#"{"event": "failed"}"#) }
    let driver = DHTDriver(
      on: loop, places: [PeerEndpoint(address: place.address, port: place.port)],
      configuration: configuration, bootstrap: [other], file: nil,
      seed: UInt64.random(in: 0...UInt64.max), log: .none)
    guard driver.port != nil else { return say(#"{"event": "failed"}"#) }
    self.driver = driver
    driver.onEffect = { [unowned self] in take($0) }
    say(#"{"event": "ready"}"#)
    listenToInput()
    loop.run()
  }

  private func listenToInput() {
    loop.perform({ readLine() }) { [unowned self] line in
      guard let line else {
        driver?.close()
        return
      }
      obey(line.split(separator: " "))
      listenToInput()
    }
  }

  private func obey(_ words: [Substring]) {
    guard let driver else { return }
    switch (words.first, words.count) {
    case ("put", 1):
      let seed = (0..<DatasetSecret.seedByteCount).map { _ in UInt8.random(in: 0...255) }
      guard let secret = DatasetSecret(seed: seed), let item = item(of: secret) else { return }
      start("\(secret.key)", driver.begin { $0.put(item, cas: nil, now: $1) })
    case ("get", 2):
      guard let key = DatasetKey(hex: String(words[1])) else { return }
      start(
        "\(key)", driver.begin { $0.get(mutable: key, salt: [], newerThan: nil, now: $1) })
    case ("nodes", 1):
      let nodes = driver.status.v4.map { $0.goodNodes + $0.questionableNodes } ?? 0
      say(#"{"event": "nodes", "count": \#(nodes)}"#)
    default: say(#"{"event": "unknown"}"#)
    }
  }

  private func start(_ key: String, _ id: DHTLookupID) {
    work = (id, key, .now)
    first = nil
    driver?.drain()
  }

  private func item(of secret: DatasetSecret) -> MutableItem? {
    try? MutableItem(
      signedBy: secret, salt: [], sequence: 1, value: Array("12:Hello World!".utf8))
  }

  private func take(_ effect: DHTEffect) {
    guard let work else { return }
    let seconds = (ContinuousClock.now - work.since) / .seconds(1)
    switch effect {
    case .mutable(work.id, _): first = first ?? seconds
    case .ended(work.id, let outcome):
      self.work = nil
      say(
        """
        {"event": "ended", "key": "\(work.what)", "first": \(first.map { "\($0)" } ?? "null"), \
        "all": \(seconds), "asked": \(outcome.asked), "answered": \(outcome.answered), \
        "stored": \(outcome.stored)}
        """)
    default: break
    }
  }

  /// Past the C library's streams: to flush all of them would wait for the thread that reads.
  private func say(_ line: String) {
    let bytes = Array((line + "\n").utf8)
    _ = write(STDOUT_FILENO, bytes, bytes.count)
  }
}
