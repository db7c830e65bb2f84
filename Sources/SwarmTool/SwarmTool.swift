import ArgumentParser
import Glibc
import Metainfo
import SwarmNode

/// The program `swarm`.
@main
struct SwarmTool: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "swarm",
    abstract: "Share datasets and machine images, verified, over BitTorrent v2.",
    discussion: """
      Results go to standard output, everything else to standard error. The exit status is 0 when \
      all is well, 1 when something was wrong with what was asked for, 64 when the command line \
      could not be understood.
      """,
    version: "0.1.0",
    subcommands: [
      Seed.self, Join.self, Boot.self, Publish.self, LogCommand.self, Diff.self, KeyCommand.self,
      TraceCommand.self, Daemon.self, Add.self, ListCommand.self, StatusCommand.self,
      PeersCommand.self, Remove.self, ExportCommand.self, Create.self, Inspect.self, Verify.self,
      Doctor.self,
    ])

  static func main() {
    Console.occupyStandardDescriptors()
    do {
      let arguments = BytePath.arguments
      // A link with it is best not given there at all (`LinkInput`).
      ProgramArguments.hide(parameter: "x.rk")
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch let failure as Failure {
      Console.note("swarm: \(failure.message)")
      Glibc.exit(1)
    } catch {
      let code = exitCode(for: error)
      guard code == .validationFailure else { exit(withError: error) }
      Console.note(readable(fullMessage(for: error)))
      Glibc.exit(code.rawValue)
    }
  }

  /// The parser's message, which repeats arguments: their bytes as they came, safe for a terminal.
  static func readable(_ message: String) -> String {
    BytePath.decode(message).split(separator: UInt8(ascii: "\n"), omittingEmptySubsequences: false)
      .map { printable($0) }.joined(separator: "\n")
  }
}

/// Something was wrong with what was asked for; the message says what, where and what to do.
struct Failure: Error {
  let message: String

  init(_ message: String) { self.message = message }

  /// Runs `body`; an error of any of our libraries becomes a failure that says the same.
  static func wrap<Result>(
    _ context: String = "", _ body: () throws -> Result
  ) throws(Failure) -> Result {
    do {
      return try body()
    } catch let failure as Failure {
      throw Failure(context + failure.message)
    } catch {
      throw Failure(context + String(describing: error))
    }
  }
}
