import Discovery
import Metainfo
import TestSupport
import Wire

/// How long a head takes to be found when a third of all nodes has just left, and how long before: in a
/// network without anything else that goes wrong.
public enum DHTDepartures {
  /// Seconds of virtual time: the median, and the longest of all.
  public struct Times: Sendable {
    /// The median.
    public var median = 0.0
    /// The longest.
    public var longest = 0.0

    init(_ values: [Double]) {
      median = DHTFigures.quantile(0.5, of: values)
      longest = values.max() ?? 0
    }
  }

  /// What was measured.
  public struct Report: Sendable {
    /// nil when all was as it must be.
    public var failure: String?
    /// What was measured, a line.
    public var summary = ""
  }

  /// Heads that are put and looked for, before and after.
  private static let heads = 24
  /// How many times slower it may be afterwards, in the median; libtorrent needs 15 s, thousands of times
  /// as long. What takes less than `unnoticed` seconds counts as that: a machine's own pauses are as long.
  private static let slower = 10.0
  private static let unnoticed = 0.005

  /// Plays one seed. One way between two nodes takes up to `delay` microseconds.
  public static func run(seed: UInt64, nodes: Int, delay: Int64) -> Report {
    let world = DHTWorld(seed: seed, replay: ".build/release/swarm-sim --dht \(seed)")
    world.weather = DHTWorld.Weather(lost: 0, doubled: 0, delayed: 0, jitter: delay / 4)
    var listener: (DHTHost, DHTEffect) -> Void = { _, _ in }
    world.onEffect = { listener($0, $1) }
    for number in 0..<nodes { join(number, world, delay: delay) }
    world.run(seconds: 30)

    /// Puts a head at one node or not, gets it at another: seconds to its end, and to the head.
    func round(_ item: MutableItem, puts: Bool) -> (put: Double, get: Double)? {
      let up = world.hosts.filter(\.isUp)
      let start = world.now
      var (ended, found): (Int64?, Int64?) = (nil, nil)
      var put: (host: Int, id: DHTLookupID)?
      listener = { host, effect in
        switch effect {
        case .ended(let id, _):
          if let put, put.host == host.number, put.id == id { ended = world.now }
        case .mutable(_, let other): if other == item { found = found ?? world.now }
        default: break
        }
      }
      if puts {
        let host = world.random.pick(up)
        put = (host.number, world.with(host) { $0.put(item, cas: nil, now: $1) })
        world.run(seconds: 60) { ended != nil }
      }
      guard let putEnd = puts ? ended : start else { return nil }
      let began = world.now
      for host in up.shuffled(using: &world.random) {
        found = nil
        world.with(host) {
          _ = $0.get(mutable: item.key, salt: [], newerThan: nil, now: $1)
        }
        // One that keeps it itself finds it at once.
        if found == nil { break }
      }
      world.run(seconds: 60) { found != nil }
      let end = found
      listener = { _, _ in }
      return end.map { (Double(putEnd - start) / 1e6, Double($0 - began) / 1e6) }
    }

    func rounds(_ items: [MutableItem], puts: Bool) -> (puts: Times, gets: Times)? {
      let all = items.map { round($0, puts: puts) }
      if all.contains(where: { $0 == nil }) { return nil }
      return (Times(all.compactMap { $0?.put }), Times(all.compactMap { $0?.get }))
    }

    let items = (0..<heads).compactMap { _ in item(world) }
    let before = rounds(items, puts: true)
    let leaving = world.hosts.dropFirst().shuffled(using: &world.random).prefix(nodes / 3)
    for host in leaving { host.isUp = false }
    let kept = rounds(items, puts: false)
    let after = rounds((0..<heads).compactMap { _ in item(world) }, puts: true)
    world.tearDown()
    guard let before, let kept, let after else {
      return Report(failure: "seed \(seed), \(nodes) nodes: a head was not found in a minute")
    }
    var report = Report()
    func text(_ times: Times) -> String {
      "\(milliseconds(times.median)) ms (most \(milliseconds(times.longest)))"
    }
    report.summary =
      "departures, \(nodes) nodes: get \(text(before.gets)), after a third has left "
      + "\(text(kept.gets)); put \(text(before.puts)), then \(text(after.puts))"
    let factors = [
      kept.gets.median / max(unnoticed, before.gets.median),
      after.puts.median / max(unnoticed, before.puts.median),
    ]
    if factors.contains(where: { $0 > slower }) {
      report.failure = "seed \(seed): \(report.summary): \(slower) times as long is allowed"
    }
    return report
  }

  private static func milliseconds(_ seconds: Double) -> Double {
    Double(Int(seconds * 10_000 + 0.5)) / 10
  }

  private static func item(_ world: DHTWorld) -> MutableItem? {
    DatasetSecret(seed: world.random.bytes(DatasetSecret.seedByteCount)).flatMap {
      try? MutableItem(signedBy: $0, sequence: 1, value: Array("4:head".utf8))
    }
  }

  private static func join(_ number: Int, _ world: DHTWorld, delay: Int64) {
    func place(_ number: Int) -> PeerEndpoint {
      let bits = UInt32(0x5000_0001) + UInt32(number) << 8
      return PeerEndpoint(address: .v4(IPv4Address(rawValue: bits)), port: 6881)
    }
    world.after(seconds: Double(number) * 0.01) {
      var configuration = DHTConfiguration()
      configuration.families = .v4
      configuration.secret = world.random.bytes(16)
      configuration.knownAddresses = [place(number).address]
      configuration.bootstrapNodes = number == 0 ? [] : [place(0), place(number / 2)]
      world.add(
        DHTHost(
          number: number, endpoint: place(number),
          latency: Int64.random(in: delay / 8...delay / 2, using: &world.random),
          isBehindNAT: false, vice: nil,
          dht: DHT(
            configuration: configuration, saved: nil, seed: world.random.next(),
            now: .microseconds(world.now))))
    }
  }
}
