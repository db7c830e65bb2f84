import ArgumentParser
import SwarmNode

/// For commands that only look at what is remembered, or add to it.
struct StateOptions: ParsableArguments {
  @Option(
    name: .customLong("state"),
    help: """
      The state folder: keys, versions, what was verified. (default: $XDG_DATA_HOME/swarm, else \
      ~/.local/share/swarm)
      """, completion: .directory)
  var statePath: BytePath?

  @Flag(name: .customLong("json"), help: "Print one JSON object (docs/json.md).")
  var isJSON = false

  /// The state folder, made where it is not there.
  func stateFolder() throws(Failure) -> StateFolder { try Self.stateFolder(at: statePath) }

  /// The state folder at a path, or where it usually is.
  static func stateFolder(at path: BytePath?) throws(Failure) -> StateFolder {
    guard let path = path?.bytes ?? StateFolder.standardPath(StateFolder.environment) else {
      throw Failure(
        "there is no place to remember things: neither XDG_DATA_HOME nor HOME has an absolute path; "
          + "give a folder by --state")
    }
    do throws(StateError) {
      return try StateFolder(path)
    } catch {
      guard case .system = error else { throw Failure("\(error)") }
      throw Failure("the state folder cannot be used: \(error); name another by --state")
    }
  }
}
