import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// `swarm doctor`: whether a node can do here what it should.
struct Doctor: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Check whether a node can work here, and say how to mend what is wrong.",
    discussion: """
      Checks ports, port mappings in routers, the DHT, the local network, the clock, the disk of the state \
      folder and the system's limits for a program. A daemon is asked if one runs; else a node runs for a few \
      seconds, with the options given here. The exit status is 1 if there is a fault, and 0 if there are \
      none, even with warnings.
      """)

  @OptionGroup var network: NetworkOptions
  @OptionGroup var sockets: SocketOptions

  @Flag(
    name: .customLong("no-mapping"),
    help: "Do not ask routers to open a port (PCP, NAT-PMP, UPnP).")
  var hasNoMapping = false

  @Option(help: "Seconds for others to answer.")
  var timeout: Int = DoctorLimits.patience

  @OptionGroup var state: StateOptions

  func validate() throws {
    if timeout < 1 { throw ValidationError("--timeout \(timeout): at least 1") }
  }

  func run() throws {
    let facts = gather()
    let found = facts.diagnoses
    let isFaulty = found.contains { $0.verdict == .fault }
    if state.isJSON {
      try Console.result(
        JSON.object([
          ("fine", .bool(!isFaulty)), ("daemon", .bool(facts.isDaemon)),
          ("checks", .list(found.map(\.json))),
        ]).rendered)
    } else {
      let width = Console.resultsWidth
      try Console.result(
        found.map { $0.lines(width: width, .results) }.joined(separator: "\n"))
    }
    if isFaulty { throw ExitCode(1) }
  }

  private func gather() -> DoctorFacts {
    var facts = DoctorFacts()
    facts.seconds = timeout
    facts.peers = network.peers.map { peer in
      ("\(peer.address)", PeerCheck.fault(of: peer.address, seconds: timeout))
    }
    facts.limits = SystemFacts.limits
    let path = state.statePath?.bytes ?? StateFolder.standardPath(StateFolder.environment) ?? []
    // Before anything is written there.
    facts.clock = SystemFacts.clock(beside: path)
    let folder: StateFolder
    do throws(Failure) {
      folder = try state.stateFolder()
    } catch {
      facts.disk = SystemFacts.disk(at: path, fault: error.message)
      facts.nodeFault = "a node needs a state folder"
      return facts
    }
    facts.disk = SystemFacts.disk(at: path, fault: nil)
    if let daemon = daemon() {
      if !network.listen.isEmpty || !network.dhtNodes.isEmpty || network.hasNoDHT
        || network.hasNoLocalNetwork || hasNoMapping
      {
        Console.note("a daemon is running and is asked: options for a trial node do not matter")
      }
      (facts.node, facts.isDaemon) = (daemon, true)
      return facts
    }
    do throws(Failure) {
      facts.node = try ownNode(in: folder)
    } catch {
      facts.nodeFault = error.message
    }
    return facts
  }

  /// What the daemon says of itself; nil where none runs.
  private func daemon() -> JSON? {
    guard let folder = try? sockets.folder(state: state.statePath) else { return nil }
    return try? ControlClient(sockets: folder).get("/v1/node")
  }

  /// How a node of our own is doing when all has settled, or the time is over.
  private func ownNode(in folder: StateFolder) throws(Failure) -> JSON {
    if !state.isJSON {
      Console.note("no daemon is running; a trial node runs for up to \(timeout) s")
    }
    let run = try ShortRun(network, state: folder, mapsPorts: !hasNoMapping, display: nil)
    let endpoints = run.node.endpoints
    var surroundings = Surroundings()
    run.run(atMost: timeout) {
      surroundings.discovery = run.node.discoveryStatus
      return run.seconds >= DoctorLimits.leastSeconds && Self.isSettled(surroundings.discovery)
    }
    return .object(
      [("listening", .list(endpoints.map { .text("\($0)") }))] + surroundings.json)
  }

  /// Whether nothing is waited for.
  private static func isSettled(_ status: DiscoveryStatus?) -> Bool {
    guard let status else { return true }
    if let dht = status.dht.status, dht.isBootstrapping { return false }
    return !(status.mappings.status ?? []).contains { $0.state == .searching }
  }
}
