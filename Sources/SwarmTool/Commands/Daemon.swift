import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// `swarm daemon`: many datasets on one node, told what to do over a socket.
struct Daemon: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "daemon",
    abstract: "Run a node that takes part in many datasets, until it is told to stop.",
    discussion: """
      What it takes part in is told by swarm add and swarm rm, or over the control API (docs/api.md) at \
      the socket api.sock, and goes on after a restart. Files of its datasets are block devices (NBD) at \
      nbd.sock, by the name KEY[@VERSION]/path or one that swarm export gives. Both sockets are for you \
      and root alone. SIGTERM and Ctrl-C stop it: what came is put on disk first.
      """)

  @OptionGroup var sockets: SocketOptions
  @OptionGroup var options: NodeOptions

  func run() throws {
    let state = try options.stateFolder()
    let folder = try sockets.folder(state: options.statePath)
    try Failure.wrap { try StateFolder.make(folder, mode: 0o700) }
    let real = try Failure.wrap { try RealPath.resolve(folder) }
    try DaemonRun(options, state: state, sockets: real).run()
  }
}
