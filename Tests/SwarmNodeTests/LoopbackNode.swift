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
