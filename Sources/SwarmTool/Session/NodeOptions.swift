import ArgumentParser
import Glibc
import Metainfo
import Swarm
import SwarmNode
import Wire

/// What `seed` and `join` have in common.
struct NodeOptions: ParsableArguments {
  @OptionGroup var network: NetworkOptions

  @Option(help: "Bytes a second to all peers together, as in 60M. (default: no limit)")
  var uploadLimit: ByteSize?

  @Option(help: "Bytes a second from all peers together, as in 60M. (default: no limit)")
  var downloadLimit: ByteSize?

  @Option(
    help: """
      Connections at once, of all datasets together. (default: 200, of which 80 for one torrent)
      """)
  var maxPeers: PeerCount?

  @Option(
    name: .customLong("state"),
    help: """
      The state folder: keys, versions, what was verified. (default: $XDG_DATA_HOME/swarm, else \
      ~/.local/share/swarm)
      """, completion: .directory)
  var statePath: BytePath?

  @Flag(
    name: .customLong("no-mapping"),
    help: "Do not ask routers to open a port (PCP, NAT-PMP, UPnP).")
  var hasNoMapping = false

  @Flag(
    name: .customLong("no-compression"),
    help: "Send and take blocks uncompressed, even where compression would be faster.")
  var hasNoCompression = false

  @Flag(name: .customLong("json"), help: "Print one JSON object a line (docs/json.md).")
  var isJSON = false

  func validate() throws {
    for (name, limit) in [("upload", uploadLimit), ("download", downloadLimit)]
    where limit?.bytes == 0 {
      throw ValidationError("--\(name)-limit 0: at least 1; leave it out for no limit")
    }
  }

  /// Whether every peer is told of.
  var isVerbose: Bool { network.isVerbose }

  /// The state folder, made where it is not there.
  func stateFolder() throws(Failure) -> StateFolder {
    try StateOptions.stateFolder(at: statePath)
  }

  /// A node that listens.
  func node(on loop: EventLoop, log: Log) throws(Failure) -> Node {
    var core = NetworkOptions.core
    core.compresses = !hasNoCompression
    core.uploadLimit = uploadLimit?.bytes
    core.downloadLimit = downloadLimit?.bytes
    if let maxPeers {
      core.connections = maxPeers.number
      core.connectionsPerTorrent = maxPeers.number
    }
    return try network.node(
      core, on: loop, state: try stateFolder(), mapsPorts: !hasNoMapping, log: log)
  }
}
