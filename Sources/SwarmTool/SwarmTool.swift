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
      could not be understood. There is colour on terminals only, and none with NO_COLOR.
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
      if let unknown = unknownCommand(in: arguments) {
        Console.fail(readable(unknown))
        Glibc.exit(ExitCode.validationFailure.rawValue)
      }
      var command = try parseAsRoot(arguments)
      try command.run()
    } catch let failure as Failure {
      Console.fail(failure.message)
      Glibc.exit(1)
    } catch {
      let code = exitCode(for: error)
      guard code == .validationFailure else { exit(withError: error) }
      Console.fail(ownStyle(readable(fullMessage(for: error))))
      Glibc.exit(code.rawValue)
    }
  }

  /// What is said where the first word is the name of no command; nil where it is one, or none is given.
  static func unknownCommand(in arguments: [String]) -> String? {
    let commands = configuration.subcommands
    guard let word = arguments.first, !word.hasPrefix("-"), word != "help" else { return nil }
    let names = commands.map { $0._commandName }
    guard let chosen = commands.first(where: { $0._commandName == word }) else {
      return text(unknown: word, among: names, of: "swarm")
    }
    let inner = chosen.configuration.subcommands.map { $0._commandName }
    guard !inner.isEmpty, arguments.count > 1, !arguments[1].hasPrefix("-"),
      !inner.contains(arguments[1])
    else { return nil }
    return text(unknown: arguments[1], among: inner, of: "swarm \(word)")
  }

  private static func text(unknown word: String, among names: [String], of parent: String) -> String
  {
    let near = Suggestion.nearest(to: word, among: names).map { "; did you mean '\($0)'?" } ?? ""
    return "there is no command '\(word)'\(near)\n  See '\(parent) --help' for more information."
  }

  /// The parser's message as all others are: the program's name is before it, so no "Error:" is.
  static func ownStyle(_ message: String) -> String {
    let sign = "Error: "
    guard message.hasPrefix(sign) else { return message }
    let rest = message.dropFirst(sign.count)
    let isWord = rest.dropFirst().first?.isLowercase == true
    return (isWord ? rest.prefix(1).lowercased() : String(rest.prefix(1))) + rest.dropFirst()
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
