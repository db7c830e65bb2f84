import ArgumentParser

@main
struct SwarmTool: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "swarm")
}
