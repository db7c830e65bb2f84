import TestSupport
import Wire

/// The run, from its beginning to its end.
extension DHTSwarm {
  /// Plays one seed. With `prints` what hosts look for is printed as it ends.
  public static func run(seed: UInt64, nodes: Int, prints: Bool = false) -> DHTReport {
    let swarm = DHTSwarm(seed: seed, nodes: nodes, prints: prints)
    swarm.play()
    let report = swarm.report()
    swarm.world.tearDown()
    return report
  }

  private func play() {
    let joining = max(60, Double(count) / 40)
    gather(seconds: joining)
    world.run(seconds: joining + 60)
    begin()
    run(seconds: 360)
    enter(.divided)
    world.isDivided = true
    run(seconds: isLong ? 2_100 : 300)
    world.isDivided = false
    // After five minutes tables still know the others. After a long time they have to be met anew,
    // which happens by places that all were told of, every quarter of an hour.
    enter(.healing)
    run(seconds: isLong ? 1_200 : 30)
    enter(.healed)
    lookAcross()
    run(seconds: 60)
    enter(.deserted)
    desert()
    run(seconds: 40)
  }

  /// Whether the network is in two parts for so long that none knows of the other afterwards.
  private var isLong: Bool { world.seed.isMultiple(of: 3) }

  private func enter(_ phase: DHTPhase) {
    self.phase = phase
    world.note("phase \(phase)")
  }

  /// Lets time pass, and looks at all nodes every minute.
  private func run(seconds: Double) {
    var left = seconds
    while left > 0, world.failure == nil {
      world.run(seconds: min(60, left))
      left -= 60
      inspect()
    }
  }

  /// Hosts begin to publish, announce and look.
  private func begin() {
    for dataset in datasets { keepPublishing(dataset) }
    for torrent in torrents.indices {
      for _ in 0..<4 { if let host = someHost() { announce(torrent, host) } }
    }
    for _ in datasets { if let host = someHost() { putValue(host) } }
    world.after(seconds: 10) { [self] in keepLooking() }
    world.after(seconds: 30) { [self] in keepJumping() }
  }

  private func keepPublishing(_ dataset: DHTDataset) {
    publish(dataset)
    world.after(seconds: Double.random(in: 60...180, using: &world.random)) { [self] in
      if phase != .deserted { keepPublishing(dataset) }
    }
  }

  /// Lookups of all kinds, of one host in some hundreds each second.
  private func keepLooking() {
    if phase == .deserted || phase == .healed { return }
    if let host = someHost() {
      switch Int.random(in: 0..<10, using: &world.random) {
      case 0..<4: get(world.random.pick(datasets), host)
      case 4..<7: findPeers(Int.random(in: torrents.indices, using: &world.random), host)
      case 7: announce(Int.random(in: torrents.indices, using: &world.random), host)
      case 8: getValue(Int.random(in: values.indices, using: &world.random), host)
      default: if world.random.chance(of: 300) { putValue(host) }
      }
    }
    let each = 500 / Double(count)
    world.after(seconds: Double.random(in: 0...(2 * each), using: &world.random)) { [self] in
      keepLooking()
    }
  }

  private func keepJumping() {
    jumpClocks()
    world.after(seconds: 60) { [self] in keepJumping() }
  }

  /// What was stored on one side is looked for on the other.
  private func lookAcross() {
    for dataset in datasets {
      // After long what was put on one side alone is replaced: by the publisher, who is on one side.
      let publisher = world.hosts[dataset.publisher].side
      guard let side = isLong ? publisher : dataset.newestSide else { continue }
      for _ in 0..<(isLong ? 20 : 4) { if let host = someHost(on: 1 - side) { get(dataset, host) } }
    }
    for torrent in torrents.indices {
      guard let side = torrents[torrent].newestSide(now: world.now) else { continue }
      for _ in 0..<2 { if let host = someHost(on: 1 - side) { findPeers(torrent, host) } }
    }
    for value in values.indices.suffix(40) {
      guard let side = values[value].newestSide(now: world.now) else { continue }
      for _ in 0..<2 { if let host = someHost(on: 1 - side) { getValue(value, host) } }
    }
  }

  /// A third of all hosts is gone, and what they kept is looked for at once.
  private func desert() {
    for host in world.hosts where mayLeave(host) && world.random.chance(of: 333) { leave(host) }
    for dataset in datasets {
      for _ in 0..<4 { if let host = someHost() { get(dataset, host) } }
    }
    for torrent in torrents.indices { if let host = someHost() { findPeers(torrent, host) } }
  }

  // MARK: What is measured

  private func report() -> DHTReport {
    var report = DHTReport()
    for phase in DHTPhase.allCases {
      for kind in DHTErrand.Kind.allCases {
        guard let figures = figures["\(phase) \(kind)"] else { continue }
        report.figures.append(("\(phase) \(kind)", figures))
        let least = Self.leastRate(kind, phase)
        if figures.tried >= 20, figures.rate < least {
          world.fail("\(phase) \(kind): \(figures.rate) succeeded, below \(least)")
        }
      }
    }
    report.figures.append(("besieged get", besieged))
    if besieged.tried >= 20, besieged.rate < Self.leastBesieged {
      world.fail("besieged get: \(besieged.rate) succeeded, below \(Self.leastBesieged)")
    }
    let ledger = world.ledger
    report.notes.append(
      "\(world.hosts.count) nodes, \(world.hosts.count { !$0.isHonest }) of them hostile, "
        + "\(world.hosts.count { $0.isUp }) up at the end, \(underworld.lies) lies")
    report.notes.append(
      "bytes to those who did not ask: at worst \(rounded(ledger.worst)) times the question, "
        + "\(rounded(Double(ledger.reflected) / Double(max(1, ledger.asked)))) in the mean; "
        + "\(ledger.uncalled) queries to invented nodes")
    report.notes.append(
      "\(world.sent) datagrams, \(world.now / 1_000_000) s of virtual time, hash "
        + String(world.hash, radix: 16))
    report.hash = world.hash
    report.delivered = world.delivered
    report.failure = world.failure
    return report
  }

  private func rounded(_ value: Double) -> Double { Double(Int(value * 100 + 0.5)) / 100 }

  /// Which share of lookups has to succeed. What is stored is on 8 nodes, of which a fifth lies; so while
  /// all are there nearly all has to be found. Of those 8 none is left that is honest and on one's own
  /// side in 0.6 to the 8th, that is 1.7 % of cases, which then fail for everybody who looks; and hosts
  /// that come back while the network is in two parts know few of their side. When a third has left it
  /// is 0.47 to the 8th, 0.2 %. With 20 heads and 4 who look for each, one that is lost is 5 %.
  private static func leastRate(_ kind: DHTErrand.Kind, _ phase: DHTPhase) -> Double {
    switch phase {
    case .steady: 0.98
    case .divided: 0.85
    case .healing: 0
    case .healed: 0.85
    case .deserted: 0.9
    }
  }

  /// The same where half of the 8 are hostile hosts that have chosen their places.
  private static let leastBesieged = 0.75
}
