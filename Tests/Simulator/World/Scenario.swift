import Metainfo
import Store
import Swarm
import TestSupport
import Wire

/// A swarm made from a seed: content, honest nodes, peers of all sorts, and what goes wrong.
final class Scenario {
  let world: World
  let network: Network
  let dataset: Dataset
  private(set) var nodes: [SimulatedNode] = []
  private(set) var peers: [ScriptedPeer] = []
  var random: SplitMix64
  /// The node that has all from the beginning, and keeps it.
  private(set) var source: SimulatedNode?

  init(
    seed: UInt64, replay: String? = nil, makeDataset: (inout SplitMix64) throws -> Dataset
  ) throws {
    world = World(seed: seed, replay: replay)
    network = Network(world: world)
    random = world.fork()
    dataset = try makeDataset(&random)
  }

  /// Ends everything: what waits and those who wait for it hold each other.
  func tearDown() {
    network.tearDown()
    world.tearDown()
    nodes = []
    peers = []
    source = nil
  }

  // MARK: Members

  func addHost(upload: Double? = nil, download: Double? = nil) -> Host {
    let upload = upload ?? Double(random.logarithmic(100_000...10_000_000))
    let latency = random.duration(.microseconds(100) ... .milliseconds(60))
    return network.addHost(
      uploadRate: upload, downloadRate: download ?? upload * 4, latency: latency)
  }

  @discardableResult
  func addNode(_ plan: NodePlan, on host: Host) -> SimulatedNode {
    let node = SimulatedNode(network: network, host: host, dataset: dataset, plan: plan)
    nodes.append(node)
    if source == nil, plan.isInPlace { source = node }
    return node
  }

  @discardableResult
  func addPeer(
    _ vice: Vice, on host: Host, hasContent: Bool = true, wantsContent: Bool = false
  ) -> ScriptedPeer {
    let peer = ScriptedPeer(
      network: network, host: host, dataset: dataset, vice: vice, hasContent: hasContent,
      wantsContent: wantsContent)
    peers.append(peer)
    return peer
  }

  /// Tells every node who is honest: no other is accused.
  func nameTheHonest() {
    let honest = Set(
      nodes.map(\.host.address) + peers.filter { $0.vice == .none }.map(\.host.address))
    for node in nodes { node.honest = honest }
  }

  // MARK: Plans

  func configuration() -> SwarmConfiguration {
    guard let id = PeerID(random.bytes(20)) else { preconditionFailure("20 bytes are a name") }
    var configuration = SwarmConfiguration(peerID: id)
    configuration.poolBuffers = random.pick([96, 256, 1_024])
    configuration.payloadBytes = random.pick([1 << 20, 4 << 20, 32 << 20])
    configuration.uploadSlots = random.pick([2, 4, 8])
    // Three of four: no draw of its own, so that seeds play what they played before.
    configuration.compresses = id.bytes[0] % 4 != 0
    configuration.frameCacheBytes = id.bytes[1].isMultiple(of: 2) ? 1 << 20 : 60_000
    if random.oneIn(6) { configuration.connections = 12 }
    if random.oneIn(6) { configuration.uploadLimit = 400_000 }
    if random.oneIn(6) { configuration.downloadLimit = 400_000 }
    return configuration
  }

  var wholeTorrent: TorrentRequest.Source { .torrent(dataset.info, dataset.pieceLayers) }

  /// Only the infohash, as in a link.
  func link() -> TorrentRequest.Source {
    let info = dataset.info
    guard info.kind == .hybrid else {
      return .infohash(v1: info.infohashV1, v2: info.infohashV2)
    }
    switch Int.random(in: 0..<3, using: &random) {
    case 0: return .infohash(v1: info.infohashV1, v2: nil)
    case 1: return .infohash(v1: nil, v2: info.infohashV2)
    default: return .infohash(v1: info.infohashV1, v2: info.infohashV2)
    }
  }

  // MARK: The end

  /// Whether every honest node has what it wants.
  var isFinished: Bool { nodes.allSatisfy { $0.isDamaged || $0.isFinished } }

  /// What keeps the others from being finished: for the failure.
  var standstill: String {
    nodes.filter { !$0.isDamaged && !$0.isFinished }.map { node in
      guard let status = node.status else { return "host \(node.number) is not running" }
      return "host \(node.number) has \(status.doneBytes) of \(status.wantedBytes) bytes, waits for"
        + " \(status.waiting), \(status.peers) peers, \(status.requestedBlocks) requested"
    }.joined(separator: "; ")
  }

  /// Stops all nodes in order; nothing may be left over.
  func stop() {
    guard world.failure == nil else { return }
    for peer in peers { peer.stop() }
    for node in nodes { node.stop() }
    world.run(until: world.now + .seconds(200)) { nodes.allSatisfy { !$0.isRunning } }
    for node in nodes where node.isRunning { world.fail("host \(node.number) does not stop") }
  }
}
