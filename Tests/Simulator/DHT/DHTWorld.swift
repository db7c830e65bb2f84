import Discovery
import Metainfo
import TestSupport
import Wire

/// A packet on its way.
struct Datagram {
  let bytes: [UInt8]
  let from: PeerEndpoint
  let to: Int
  /// The host that really sent it, whatever `from` says.
  let sender: Int
}

/// Time, chance, hosts and the network between them: all of it follows from one seed.
final class DHTWorld {
  let seed: UInt64
  /// Virtual time, in microseconds.
  private(set) var now: Int64 = 0
  var random: SplitMix64
  private(set) var hosts: [DHTHost] = []
  private var places: [PeerEndpoint: Int] = [:]
  private var agenda = Agenda()
  var weather = Weather()
  /// Hosts of different sides do not reach each other.
  var isDivided = false
  var ledger = Ledger()
  /// Datagrams sent, and those of them that came to somebody.
  private(set) var sent = 0
  private(set) var delivered = 0
  /// A hash of all that was delivered: two runs of one seed have the same.
  private(set) var hash: UInt64 = 0xcbf2_9ce4_8422_2325
  /// The first thing that went wrong; nothing happens after it.
  private(set) var failure: String?
  private var lines: [String] = []
  var isPrinted = false
  private let replay: String

  /// What hosts tell of their lookups.
  var onEffect: (DHTHost, DHTEffect) -> Void = { _, _ in }
  /// What an honest host says, before it goes out.
  var onSpeech: (DHTHost, [UInt8]) -> Void = { _, _ in }
  /// What a hostile host does with a query; false where it behaves.
  var onQuery: (DHTHost, Datagram) -> Bool = { _, _ in false }

  /// What the network does to datagrams.
  struct Weather {
    /// Datagrams of a thousand that are lost, come twice, and come half a second late.
    var lost = 20
    var doubled = 5
    var delayed = 10
    /// How much the way takes, at most, beyond what two hosts always have, in microseconds.
    var jitter: Int64 = 10_000
  }

  /// A NAT forgets for whom it has opened a port after so long. RFC 4787 allows 30 s and more.
  static let natLife: Int64 = 60_000_000

  init(seed: UInt64, replay: String) {
    self.seed = seed
    self.replay = replay
    random = SplitMix64(seed: seed)
  }

  func host(at endpoint: PeerEndpoint) -> DHTHost? { places[endpoint].map { hosts[$0] } }

  /// A host that is there from now on; its node begins with `start`.
  func add(_ host: DHTHost) {
    precondition(host.number == hosts.count, "hosts are numbered as they come")
    hosts.append(host)
    places[host.endpoint] = host.number
    drain(host)
  }

  // MARK: Time

  func after(seconds: Double, _ action: @escaping () -> Void) {
    agenda.add(.action(action), at: now + Int64(seconds * 1_000_000))
  }

  /// Lets time pass, unless something goes wrong.
  func run(seconds: Double, unless isDone: () -> Bool = { false }) {
    let end = now + Int64(seconds * 1_000_000)
    while failure == nil, !isDone() {
      guard let time = agenda.nextTime, time <= end, let item = agenda.popNext() else {
        now = max(now, end)
        return
      }
      now = max(now, time)
      switch item {
      case .datagram(let datagram): deliver(datagram)
      case .timer(let number): wake(hosts[number])
      case .action(let action): action()
      }
    }
  }

  func tearDown() {
    agenda.removeAll()
    (onEffect, onSpeech, onQuery) = ({ _, _ in }, { _, _ in }, { _, _ in false })
  }

  // MARK: What is known of the run

  func note(_ text: @autoclosure () -> String) {
    let micros = String(now % 1_000_000)
    let line =
      "\(now / 1_000_000).\(String(repeating: "0", count: 6 - micros.count))\(micros) \(text())"
    if isPrinted { print(line) }
    if lines.count >= 40 { lines.removeFirst() }
    lines.append(line)
  }

  /// Something that must not be has happened.
  func fail(_ what: String) {
    guard failure == nil else { return }
    let before = lines.map { "  " + $0 }.joined(separator: "\n")
    failure =
      "seed \(seed) at \(Double(now) / 1_000_000) s: \(what)\n\(before)\nreplay: \(replay)"
  }

  // MARK: Datagrams

  /// Sends a datagram, with whatever sender it names.
  func send(_ bytes: [UInt8], from: PeerEndpoint, to: PeerEndpoint, by host: DHTHost) {
    sent += 1
    if host.isBehindNAT { host.open(to, until: now + Self.natLife, now: now) }
    guard let number = places[to] else { return }
    if random.chance(of: weather.lost) { return }
    // One that has grown larger than any link takes is lost as well.
    guard bytes.count <= 65_507 else { return }
    let datagram = Datagram(bytes: bytes, from: from, to: number, sender: host.number)
    let way = host.latency + hosts[number].latency
    for _ in 0..<(random.chance(of: weather.doubled) ? 2 : 1) {
      var time = now + way + Int64.random(in: 0...weather.jitter, using: &random)
      if random.chance(of: weather.delayed) {
        time += Int64.random(in: 0...500_000, using: &random)
      }
      agenda.add(.datagram(datagram), at: time)
    }
  }

  private func deliver(_ datagram: Datagram) {
    let host = hosts[datagram.to]
    guard host.isUp, !host.isBehindNAT || host.isOpen(to: datagram.from, now: now) else { return }
    if isDivided, hosts[datagram.sender].side != host.side { return }
    delivered += 1
    mix(UInt64(truncatingIfNeeded: now))
    mix(UInt64(datagram.to) << 32 | UInt64(datagram.bytes.count))
    mix(UInt64(datagram.bytes.last ?? 0) << 8 | UInt64(datagram.bytes.dropFirst(20).first ?? 0))
    if host.vice != nil, onQuery(host, datagram) { return }
    host.dht.receive(datagram.bytes, from: datagram.from, now: host.time(now))
    drain(host, cause: datagram)
  }

  private func mix(_ value: UInt64) { hash = (hash ^ value) &* 0x0000_0100_0000_01b3 }

  // MARK: Nodes

  /// Does something with a host's node, and lets out what comes of it.
  @discardableResult
  func with<Result>(_ host: DHTHost, _ body: (inout DHT, Duration) -> Result) -> Result {
    let result = body(&host.dht, host.time(now))
    drain(host)
    return result
  }

  private func wake(_ host: DHTHost) {
    guard host.armed == now else { return }
    host.armed = nil
    guard host.isUp else { return }
    host.dht.handleTimeout(now: host.time(now))
    drain(host)
    // Else its owner would call it again and again.
    if let next = host.nextWake, next <= now { fail("host \(host.number) wants no time to pass") }
  }

  /// Carries out what a node wants, and sees when it is to be woken.
  func drain(_ host: DHTHost, cause: Datagram? = nil) {
    var answered = 0
    while let effect = host.dht.nextEffect() {
      guard case .send(let bytes, let to) = effect else {
        onEffect(host, effect)
        continue
      }
      if host.vice == nil {
        onSpeech(host, bytes)
        if places[to] == nil {
          if to == cause?.from { answered += bytes.count } else { ledger.uncalled(bytes, host) }
        }
      }
      send(bytes, from: host.endpoint, to: to, by: host)
    }
    if let cause, answered > 0, let complaint = ledger.reflected(answered, of: cause.bytes.count) {
      fail("host \(host.number) \(complaint)")
    }
    guard host.isUp, let wake = host.nextWake else { return }
    let time = max(wake, now)
    if let armed = host.armed, armed <= time, armed >= now { return }
    host.armed = time
    agenda.add(.timer(host: host.number), at: time)
  }
}

extension SplitMix64 {
  /// Whether something happens that happens so many times in a thousand.
  mutating func chance(of thousandths: Int) -> Bool {
    thousandths > 0 && Int(next() % 1_000) < thousandths
  }

  /// One of several.
  mutating func pick<Element>(_ elements: [Element]) -> Element {
    elements[Int.random(in: elements.indices, using: &self)]
  }
}
