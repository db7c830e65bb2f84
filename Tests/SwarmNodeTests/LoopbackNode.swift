import Metainfo
import Swarm
import Testing
import Wire

@testable import SwarmNode

/// A node on loopback that looks for nobody, named by its number.
func loopbackNode(on loop: EventLoop, _ number: UInt8) throws -> Node {
  let name = try #require(PeerID([UInt8](repeating: number, count: 20)))
  return try Node(
    on: loop,
    configuration: NodeConfiguration(
      swarm: SwarmConfiguration(peerID: name),
      listen: [ListenAddress(address: .v4(IPv4Address(rawValue: 0x7f00_0001)), port: 0)]))
}

/// Stops the nodes when `holds`, or after 20 seconds. Says whether it held.
func stopWhen(
  on loop: EventLoop, _ nodes: [Node], holds: @escaping () -> Bool
) -> () -> Bool {
  var (turns, held) = (0, false)
  var timer: EventTimer?
  timer = EventTimer(on: loop, everyMilliseconds: 20) {
    turns += 1
    held = holds()
    guard held || turns > 1_000 else { return }
    timer?.cancel()
    for node in nodes { node.stop {} }
  }
  return { held }
}
