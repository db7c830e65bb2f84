import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// Many who want the same thing at once, of one who has it, and whose line is no better than theirs.
public enum FlashCrowd {
  /// What it cost.
  public struct Result: Sendable {
    /// What went wrong, if anything did.
    public var failure: String?
    /// Payload that the seed sent, as a multiple of the content.
    public var seedCopies = 0.0
    /// When the last of the crowd was done, as a multiple of the time that the seed's line takes for
    /// one copy.
    public var lastFinished = 0.0
    /// When the free rider was done, likewise; nil when it never was, or there is none.
    public var freeRiderFinished: Double?
    /// When half of the crowd was done, likewise.
    public var halfFinished = 0.0
  }

  /// Bytes a second of every line out.
  private static let rate = 500_000.0

  /// A crowd that comes within a second.
  ///
  /// - Parameters:
  ///   - leeches: how many nodes want the content.
  ///   - bytes: size of the content.
  ///   - freeRiders: how many take and give nothing.
  public static func run(
    seed: UInt64, leeches: Int = 50, bytes: Int = 4 << 20, freeRiders: Int = 0
  ) -> Result {
    do {
      let scenario = try Scenario(seed: seed) { random in
        try Dataset(kind: .v2, sizes: [bytes], pieceLength: 65_536, random: &random)
      }
      defer { scenario.tearDown() }
      return play(scenario, leeches: leeches, freeRiders: freeRiders)
    } catch {
      return Result(failure: "\(error)")
    }
  }

  private static func play(_ scenario: Scenario, leeches: Int, freeRiders: Int) -> Result {
    let world = scenario.world
    let source = scenario.addNode(
      plan(scenario, content: .proven(leaves: scenario.dataset.leaves)), on: host(scenario))
    let hosts = (0..<leeches).map { _ in host(scenario) }
    for host in hosts {
      var plan = plan(scenario, content: .owned)
      plan.peers = [source.endpoint]
      for _ in 0..<8 {
        plan.peers.append(scenario.random.pick(hosts).endpoint(SimulatedNode.port))
      }
      scenario.addNode(plan, on: host)
    }
    for _ in 0..<freeRiders {
      scenario.addPeer(.freeRider, on: host(scenario), hasContent: false, wantsContent: true)
    }
    scenario.nameTheHonest()
    for node in scenario.nodes {
      world.after(scenario.random.duration(.zero ... .seconds(1))) { node.start() }
    }
    for peer in scenario.peers {
      world.after(.seconds(1)) {
        peer.start()
        for node in scenario.nodes { peer.connect(to: node.endpoint) }
      }
    }
    world.run(until: .seconds(1_000), unless: { scenario.isFinished })
    if !scenario.isFinished { world.fail("not finished: \(scenario.standstill)") }
    var result = Result(failure: world.failure?.description)
    let copy = Double(scenario.dataset.totalBytes) / rate
    result.seedCopies = Double(source.uploadedBytes) / Double(scenario.dataset.totalBytes)
    let times = scenario.nodes.compactMap(\.finishedAt?.inSeconds).sorted()
    result.lastFinished = (times.last ?? 0) / copy
    result.halfFinished = times.isEmpty ? 0 : times[times.count / 2] / copy
    world.run(until: .seconds(2_000), unless: { scenario.peers.allSatisfy(\.isFinished) })
    result.freeRiderFinished = scenario.peers.compactMap(\.finishedAt?.inSeconds).min().map {
      $0 / copy
    }
    scenario.stop()
    result.failure = world.failure?.description
    return result
  }

  private static func host(_ scenario: Scenario) -> Host {
    scenario.addHost(upload: rate, download: rate * 8)
  }

  private static func plan(
    _ scenario: Scenario, content: TorrentRequest.Content
  ) -> NodePlan {
    guard let id = PeerID(scenario.random.bytes(20)) else {
      preconditionFailure("20 bytes are a name")
    }
    return NodePlan(
      source: scenario.wholeTorrent, content: content,
      configuration: SwarmConfiguration(peerID: id))
  }
}
