import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// `swarm daemon`: many datasets on one node, told what to do over a socket.
struct Daemon: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "daemon",
    abstract: "Run a node that shares and fetches many datasets, until it is stopped.",
    discussion: """
      swarm add and swarm rm add and remove datasets, as does the control API (docs/api.md) at the socket \
      api.sock. They survive a restart. Files of its datasets are block devices (NBD) at nbd.sock, by the \
      name KEY[@VERSION]/path or one that swarm export gives. Only you and root can use the sockets. SIGTERM \
      and Ctrl-C stop it, once what has arrived is on disk.

      Examples:
        swarm daemon --listen 6881
        swarm add LINK                 in another terminal
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
