import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// Where a daemon and those who talk to it meet.
struct SocketOptions: ParsableArguments {
  @Option(
    name: .customLong("sockets"),
    help: """
      The folder of the daemon's sockets, api.sock and nbd.sock. (default: $XDG_RUNTIME_DIR/swarm, else \
      sockets in the state folder)
      """, completion: .directory)
  var path: BytePath?

  /// The folder; the state folder's own is at `state`, or where it usually is.
  func folder(state: BytePath?) throws(Failure) -> [UInt8] {
    if let path { return path.bytes }
    if let run = StateFolder.environment("XDG_RUNTIME_DIR"), run.first == UInt8(ascii: "/") {
      return run.appending(name: Array("swarm".utf8))
    }
    guard let state = state?.bytes ?? StateFolder.standardPath(StateFolder.environment) else {
      throw Failure(
        "there is no place for sockets: neither XDG_RUNTIME_DIR, XDG_DATA_HOME nor HOME has an absolute "
          + "path; give a folder by --sockets")
    }
    return state.appending(name: Array("sockets".utf8))
  }
}

extension Failure {
  /// A socket cannot be made; `option` names another place for it.
  static func ofSocket(_ error: SystemError, option: String) -> Failure {
    var status = stat()
    if error.number == EADDRINUSE,
      lstat(error.path.map { CChar(bitPattern: $0) } + [0], &status) == 0,
      status.st_mode & S_IFMT != S_IFSOCK
    {
      return Failure(
        "\(printable(error.path)) is a file and not a socket: choose another path by \(option)")
    }
    let advice =
      switch error.number {
      case EADDRINUSE: "; another swarm serves there: stop it, or choose another place by \(option)"
      case EACCES, EPERM, EROFS, ENOENT: "; choose another place by \(option)"
      default: ""
      }
    return Failure("\(error)\(advice)")
  }
}

/// For commands that talk to a daemon.
struct ClientOptions: ParsableArguments {
  @OptionGroup var sockets: SocketOptions

  @Option(
    name: .customLong("state"),
    help: """
      The state folder: keys, versions, what was verified. (default: $XDG_DATA_HOME/swarm, else \
      ~/.local/share/swarm)
      """, completion: .directory)
  var statePath: BytePath?

  @Flag(name: .customLong("json"), help: "Print what the daemon answers (docs/api.md).")
  var isJSON = false

  func client() throws(Failure) -> ControlClient {
    ControlClient(sockets: try sockets.folder(state: statePath))
  }

  /// The one dataset that people mean: by its id or the beginning of it, or by its name.
  func dataset(_ text: [UInt8], of client: ControlClient) throws(Failure) -> JSON {
    let all = try client.get("/v1/datasets")["datasets"]?.list ?? []
    let text = try LinkInput.resolve(text)
    let word = printable(text)
    let id = Self.id(in: text)
    let found = all.filter {
      $0["id"]?.text == id || $0["name"]?.text == word || $0["id"]?.text == word
    }
    if found.count == 1 { return found[0] }
    let begun = all.filter { $0["id"]?.text?.hasPrefix(word.lowercased()) == true }
    if found.isEmpty, word.count >= 4, begun.count == 1 { return begun[0] }
    guard found.isEmpty, begun.isEmpty || word.count < 4 else {
      throw Failure("\"\(word)\" is the name of several datasets: use the id, as swarm ls shows it")
    }
    throw Failure("the daemon has no dataset \"\(word)\"; swarm ls lists them")
  }

  /// The id of what a link names; nil where it is no link.
  private static func id(in text: [UInt8]) -> String? {
    guard case .link(let link) = try? LinkArgument(parsing: text) else { return nil }
    return link.datasetKey?.hex ?? link.v2Infohash?.hex ?? link.v1Infohash?.hex
  }
}
