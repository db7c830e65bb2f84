import ArgumentParser
import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// How a node finds others and is found, whatever it is for.
struct NetworkOptions: ParsableArguments {
  @Option(
    name: .customLong("peer"),
    help: ArgumentHelp(
      "A peer to connect to, HOST:PORT; can be repeated.", valueName: "host:port"))
  var peers: [PeerArgument] = []

  @Option(
    help: ArgumentHelp(
      """
      Where to listen for peers: ADDR:PORT, or a port at all addresses; can be repeated. \
      (default: the first free port from 6881 on)
      """, valueName: "addr:port"))
  var listen: [ListenArgument] = []

  @Option(
    name: .customLong("dht-node"),
    help: ArgumentHelp(
      """
      A node of the DHT to start from, HOST:PORT; can be repeated. Then no others are asked at the \
      start, and the rules that protect the public DHT (BEP 42) are off.
      """, valueName: "host:port"))
  var dhtNodes: [PeerArgument] = []

  @Flag(name: .customLong("no-dht"), help: "Do not use the DHT.")
  var hasNoDHT = false

  @Flag(
    name: .customLong("no-lan"),
    help: "Neither look for peers on the local network nor announce anything there (mDNS, BEP 14).")
  var hasNoLocalNetwork = false

  @Flag(
    name: [.customShort("v"), .customLong("verbose")],
    help: "Report every peer that connects and disconnects.")
  var isVerbose = false

  /// How many ports at random are tried when all of the usual ones are taken: each has to be free for TCP and
  /// for UDP, in both families.
  private static let draws = 16

  /// What the core of every node is told.
  static var core: SwarmConfiguration {
    var core = SwarmConfiguration(peerID: peerID())
    core.client = "swarm \(SwarmTool.configuration.version)"
    return core
  }

  /// A node that listens.
  func node(
    _ core: SwarmConfiguration, on loop: EventLoop, state: StateFolder, mapsPorts: Bool, log: Log
  ) throws(Failure) -> Node {
    let discovery = discovery(in: state, mapsPorts: mapsPorts)
    func make(_ addresses: [ListenAddress]) throws(NodeError) -> Node {
      var configuration = NodeConfiguration(swarm: core, listen: addresses, log: log)
      configuration.discovery = discovery
      let node = try Node(on: loop, configuration: configuration)
      // So that whoever has it can store it in the DHT again after a new start, too.
      node.onSealedHead = { _ = try? state.dataset($0).keep(sealed: $1) }
      return node
    }
    do throws(NodeError) {
      if !listen.isEmpty { return try make(listen.flatMap(\.addresses)) }
      // Nobody asked for a port: one that another program has is no reason to fail.
      let others = (0..<Self.draws).map { _ in UInt16.random(in: 49_152 ... .max) }
      for port in Array(6881...6889) + others {
        let places = ListenArgument.everywhere(port: port)
        // The DHT is at the same port: without it a key leads nowhere.
        if !hasNoDHT, !DatagramPorts.areFree(at: places) { continue }
        do throws(NodeError) {
          return try make(places)
        } catch {
          guard case .listen(_, EADDRINUSE, _) = error else { throw error }
        }
      }
      return try make(ListenArgument.everywhere(port: 0))
    } catch {
      throw Failure(error.description + Self.advice(error))
    }
  }

  /// Refuses addresses to listen at that were asked for and cannot be had: before work that takes long.
  func checkListening() throws(Failure) {
    do throws(NodeError) {
      try ListenCheck.run(listen.flatMap(\.addresses))
    } catch {
      throw Failure(error.description + Self.advice(error))
    }
  }

  /// Whether there is nobody to ask or to tell: no way to find others is left, and no address at which they could be
  /// waiting to be met was given.
  ///
  /// - Parameter named: peers that are named.
  func isAlone(named: Int) -> Bool {
    hasNoDHT && hasNoLocalNetwork && named == 0 && listen.isEmpty
  }

  /// How others are found; nil for not at all.
  private func discovery(in state: StateFolder, mapsPorts: Bool) -> DiscoveryConfiguration? {
    var discovery = DiscoveryConfiguration()
    discovery.usesDHT = !hasNoDHT
    discovery.usesLocalNetwork = !hasNoLocalNetwork
    discovery.mapsPorts = mapsPorts
    discovery.dhtFile = state.dhtFile
    if !dhtNodes.isEmpty {
      discovery.bootstrapNodes = dhtNodes.map(\.address)
      discovery.dht.enforcesNodeIDs = false
      discovery.dht.limitsNetworks = false
    }
    let isAny = discovery.usesDHT || discovery.usesLocalNetwork || discovery.mapsPorts
    return isAny ? discovery : nil
  }

  private static func advice(_ error: NodeError) -> String {
    guard case .listen(_, let number, _) = error else { return "" }
    return switch number {
    case EADDRINUSE: "; another program has the port, choose another by --listen"
    case EADDRNOTAVAIL: "; this machine has no such address, choose another by --listen"
    case EACCES: "; ports below 1024 are for root, choose another by --listen"
    default: ""
    }
  }

  /// Program and version, then what tells this run from others. BEP 20.
  private static func peerID() -> PeerID {
    let letters = Array("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ".utf8)
    let head = Array("-SW0010-".utf8)
    let tail = (head.count..<PeerID.byteCount).map { _ in letters[Int.random(in: letters.indices)] }
    guard let id = PeerID(head + tail) else { preconditionFailure("8 and 12 are 20") }
    return id
  }
}
