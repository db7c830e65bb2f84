import Foundation
import Simulator
import Synchronization

/// `swarm-sim SEED` plays one seed and prints its events; `swarm-sim A-B [JOBS]` plays many in
/// several processes, so that a crash of the core costs one seed and names it.
@main struct SwarmSimulator {
  static func main() {
    let arguments = CommandLine.arguments.dropFirst()
    if arguments.first == "--worker" { return work() }
    if arguments.first == "--crowd" {
      return crowd(arguments.dropFirst().first.flatMap { UInt64($0) } ?? 1)
    }
    if arguments.first == "--heads" {
      return heads(arguments.dropFirst().first.flatMap(seeds) ?? 1...1)
    }
    if arguments.first == "--reads" {
      return reads(arguments.dropFirst().first.flatMap(seeds) ?? 1...1)
    }
    if arguments.first == "--terabyte" { return terabyte() }
    if arguments.first == "--dht" { return DHTCommand.run(Array(arguments.dropFirst())) }
    guard let range = arguments.first.flatMap(seeds) else {
      print(
        "usage: swarm-sim SEED | FIRST-LAST [JOBS] | --crowd SEED | --heads SEED[-LAST]"
          + " | --reads SEED[-LAST] | --terabyte | --dht SEED[-LAST] [--nodes N]")
      exit(2)
    }
    if range.count == 1 { return playOne(range.lowerBound) }
    let jobs =
      arguments.dropFirst().first.flatMap { Int($0) }
      ?? ProcessInfo.processInfo.activeProcessorCount
    exit(Crew(seeds: range, jobs: max(1, jobs)).run() ? 0 : 1)
  }

  static func seeds(_ text: String) -> ClosedRange<UInt64>? {
    let parts = text.split(separator: "-").compactMap { UInt64($0) }
    switch parts.count {
    case 1: return parts[0]...parts[0]
    case 2 where parts[0] <= parts[1]: return parts[0]...parts[1]
    default: return nil
    }
  }

  private static func playOne(_ seed: UInt64) {
    let report = Simulation.run(seed: seed, prints: true)
    print("seed \(seed): \(report.summary)")
    print("\(report.events) events, hash \(String(report.hash, radix: 16)), \(report.seconds) s")
    guard let failure = report.failure else { return print("passed") }
    print(failure)
    exit(1)
  }

  private static func crowd(_ seed: UInt64) {
    let result = FlashCrowd.run(seed: seed)
    print(result)
    let most = 1.5
    if result.failure == nil, result.seedCopies < most { return }
    print("FAILED: the seed sent \(result.seedCopies) copies, \(most) are allowed")
    exit(1)
  }

  /// Followers of a dataset, from each of the seeds; of a single one all events are printed.
  private static func heads(_ seeds: ClosedRange<UInt64>) {
    let results = Mutex<[UInt64: HeadSwarm.Result]>([:])
    DispatchQueue.concurrentPerform(iterations: seeds.count) { index in
      let seed = seeds.lowerBound + UInt64(index)
      let result = HeadSwarm.run(seed: seed, prints: seeds.count == 1)
      results.withLock { $0[seed] = result }
    }
    var hasFailed = false
    for (seed, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      print("heads, seed \(seed): \(result.summary)")
      guard let failure = result.failure else { continue }
      print(failure)
      hasFailed = true
    }
    if hasFailed { exit(1) }
  }

  /// Nodes that read what they do not have, from each of the seeds.
  private static func reads(_ seeds: ClosedRange<UInt64>) {
    let results = Mutex<[UInt64: ReadSwarm.Result]>([:])
    DispatchQueue.concurrentPerform(iterations: seeds.count) { index in
      let seed = seeds.lowerBound + UInt64(index)
      let result = ReadSwarm.run(seed: seed)
      results.withLock { $0[seed] = result }
    }
    var hasFailed = false
    for (seed, result) in results.withLock({ $0 }).sorted(by: { $0.key < $1.key }) {
      for line in result.lines { print("reads, seed \(seed): \(line)") }
      guard let failure = result.failure else { continue }
      print(failure)
      hasFailed = true
    }
    if hasFailed { exit(1) }
  }

  /// What a sparse node of 1 TiB keeps in memory, before and after reads here and there.
  private static func terabyte() {
    let most = 150
    let before = residentMiB()
    do {
      let image = try TerabyteImage()
      var line = "1 TiB sparse: \(residentMiB() - before) MiB resident when open"
      for step in 1...4 {
        image.read(times: 2_500)
        line += ", \(residentMiB() - before) after \(step * 2_500) reads"
      }
      print(line)
      if image.ended.right == 10_000, residentMiB() <= most { return }
      print("FAILED: \(image.ended.failed) reads failed, \(residentMiB()) of \(most) MiB resident")
    } catch { print("FAILED: \(error)") }
    exit(1)
  }

  /// Memory of this process, in MiB.
  private static func residentMiB() -> Int {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
      let line = text.split(separator: "\n").first(where: { $0.hasPrefix("VmRSS:") })
    else { return .max }
    return line.split(separator: " ").compactMap { Int($0) }.first.map { $0 >> 10 } ?? .max
  }

  /// Plays the seeds that come, a line each, and answers with a line for each.
  private static func work() {
    while let line = readLine(), let seed = UInt64(line) {
      let report = Simulation.run(seed: seed)
      let failure = report.failure?.replacingOccurrences(of: "\n", with: "\u{1}") ?? ""
      let fields = [
        "\(seed)", "\(report.events)", "\(report.hash)", "\(report.seconds)", report.summary,
        failure,
      ]
      let answer = fields.joined(separator: "\t") + "\n"
      try? FileHandle.standardOutput.write(contentsOf: Data(answer.utf8))
    }
  }
}
