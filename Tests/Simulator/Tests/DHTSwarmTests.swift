import Metainfo
import TestSupport
import Testing
import Wire

@testable import DHTSimulator

/// Nodes of the DHT among hostile ones. `make sim` plays more of them, faster.
@Suite struct DHTSwarmTests {
  @Test func whatIsPutIsFoundAmongTheHostile() {
    let first = DHTSwarm.run(seed: 1, nodes: 60)
    #expect(first.failure == nil, "\(first.failure ?? "")")
    #expect(first.delivered > 5_000)
    let tried = first.figures.reduce(0) { $0 + $1.figures.tried }
    #expect(tried > 50 && first.figures.contains { $0.name == "healed get" })
    // Nothing but the seed decides.
    let second = DHTSwarm.run(seed: 1, nodes: 60)
    #expect(first.delivered == second.delivered && first.hash == second.hash)
    #expect(DHTSwarm.run(seed: 2, nodes: 60).hash != first.hash)
  }

  @Test func departuresAreMeasured() {
    let report = DHTDepartures.run(seed: 1, nodes: 30, delay: 100_000)
    #expect(report.failure == nil && report.summary.hasPrefix("departures, 30 nodes"))
  }

  /// The checks can fail: answers with heads that go back or that nobody published, long answers.
  @Test(arguments: ["back", "forged", "long", "fine"])
  func liesAreNoticed(lie: String) throws {
    let swarm = DHTSwarm(seed: 3, nodes: 60, prints: false)
    swarm.gather(seconds: 5)
    swarm.world.run(seconds: 10)
    #expect(swarm.world.failure == nil)
    let host = swarm.world.hosts[2]
    let dataset = swarm.datasets[0]
    let items = (0..<2).map { _ in dataset.publish(random: &swarm.world.random) }
    func answer(_ item: MutableItem, number: Int64) -> [UInt8] {
      var response = KRPCResponse(id: .zero)
      (response.key, response.sequence) = (item.key, number)
      (response.value, response.signature) = (item.value, item.signature)
      return KRPCMessage(transaction: [1], body: .response(response)).encoded
    }
    swarm.said(host, answer(items[1], number: 2))
    switch lie {
    case "back": swarm.said(host, answer(items[0], number: 1))
    case "forged": swarm.said(host, answer(items[0], number: 2))
    case "long": swarm.said(host, [UInt8](repeating: 0, count: 1_500))
    default: swarm.said(host, answer(items[1], number: 2))
    }
    #expect((swarm.world.failure == nil) == (lie == "fine"))
  }

  @Test func reflectionHasABound() {
    var ledger = Ledger()
    #expect(ledger.reflected(1_000, of: 100) == nil)
    #expect(ledger.reflected(2_000, of: 100) != nil)
  }

  @Test func agendaKeepsOrder() {
    var random = SplitMix64(seed: 4)
    var agenda = Agenda()
    var times: [Int64] = []
    for number in 0..<500 {
      times.append(Int64.random(in: 0..<50, using: &random))
      agenda.add(.timer(host: number), at: times[number])
    }
    var order: [Int] = []
    while let item = agenda.popNext() { if case .timer(let host) = item { order.append(host) } }
    #expect(order == times.indices.sorted { (times[$0], $0) < (times[$1], $1) })
  }
}
