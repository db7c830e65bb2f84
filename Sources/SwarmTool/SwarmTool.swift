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
      Results go to standard output, everything else to standard error. The exit status is 0 if all \
      went well, 1 if what was asked for could not be done, 64 if the command line could not be \
      understood, and 128 and the signal's number if a signal ended it early, such as 130 for Ctrl-C. \
      Only terminals get colour, and none with NO_COLOR.

      Examples:
        swarm seed photos              share a folder; prints its link
        swarm join LINK                fetch what a link names, and share it
        swarm help seed                all about one command
      """,
    version: "0.1.0",
    groupedSubcommands: [
      CommandGroup(
        name: "Sharing and fetching", subcommands: [Seed.self, Join.self, Publish.self, Boot.self]),
      CommandGroup(
        name: "Version and key",
        subcommands: [LogCommand.self, Diff.self, KeyCommand.self, TraceCommand.self]),
      CommandGroup(
        name: "Daemon",
        subcommands: [
          Daemon.self, Add.self, ListCommand.self, StatusCommand.self, PeersCommand.self,
          ExportCommand.self, Remove.self,
        ]),
      CommandGroup(name: "Torrent", subcommands: [Create.self, Inspect.self, Verify.self]),
      CommandGroup(name: "Troubleshooting", subcommands: [Doctor.self]),
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
      try (command as? any ContentCommand)?.refuseLink()
      try command.run()
    } catch let failure as Failure {
      Console.fail(failure.message)
      Glibc.exit(1)
    } catch {
      let code = exitCode(for: error)
      guard code == .validationFailure else { exit(withError: error) }
      let message = ParserAdvice.message(fullMessage(for: error), of: BytePath.arguments) { words in
        do {
          _ = try parseAsRoot(words)
          return nil
        } catch {
          return fullMessage(for: error)
        }
      }
      Console.fail(ownStyle(readable(message)))
      Glibc.exit(code.rawValue)
    }
  }

  /// What is said where a word is the name of no command, after `help` too; nil where all are, or none is
  /// given.
  static func unknownCommand(in arguments: [String]) -> String? {
    var words = arguments[...]
    let isHelp = words.first == "help"
    if isHelp { words = words.dropFirst() }
    var (parent, commands) = ("swarm", configuration.subcommands)
    while let word = words.popFirst(), !word.hasPrefix("-"), !commands.isEmpty {
      guard let chosen = commands.first(where: { $0._commandName == word }) else {
        return text(unknown: word, among: commands.map { $0._commandName }, of: parent)
      }
      (parent, commands) = ("\(parent) \(word)", chosen.configuration.subcommands)
    }
    return nil
  }

  private static func text(unknown word: String, among names: [String], of parent: String) -> String
  {
    let meant = Suggestion.command(meantBy: word, among: names)
    let near = meant.map { "; did you mean '\($0)'?" } ?? ""
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
