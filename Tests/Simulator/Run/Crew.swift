import Foundation
import Synchronization

/// Processes that play seeds, each its next one as soon as it is done with the last.
final class Crew: Sendable {
  private struct State {
    var next: UInt64
    var passed = 0
    var failed: [UInt64] = []
    var events = 0
    var seconds = 0.0
  }

  /// Failures that are shown in full; of further ones only the seed.
  private static let shownFailures = 5
  /// Seconds of real time that one seed may take.
  private static let patience = 40.0

  private let seeds: ClosedRange<UInt64>
  private let jobs: Int
  private let state: Mutex<State>

  init(seeds: ClosedRange<UInt64>, jobs: Int) {
    (self.seeds, self.jobs) = (seeds, jobs)
    state = Mutex(State(next: seeds.lowerBound))
  }

  /// Plays all seeds; whether all passed.
  func run() -> Bool {
    let start = Date()
    DispatchQueue.concurrentPerform(iterations: jobs) { _ in
      while playSome() {}
    }
    let wall = Int(Date().timeIntervalSince(start).rounded())
    return state.withLock { state in
      print(
        "\(state.passed) of \(seeds.count) seeds passed, \(state.events) events, "
          + "\(Int(state.seconds)) s of virtual time in \(wall) s")
      if !state.failed.isEmpty {
        print("failed: \(state.failed.sorted().map(String.init).joined(separator: " "))")
        print("replay: make sim SEED=\(state.failed.min() ?? 0)")
      }
      return state.failed.isEmpty
    }
  }

  private func takeSeed() -> UInt64? {
    state.withLock { state in
      guard state.next <= seeds.upperBound else { return nil }
      state.next += 1
      return state.next - 1
    }
  }

  /// Runs a worker until there are no seeds, or it is lost; false when there are none.
  private func playSome() -> Bool {
    let worker = Process()
    worker.executableURL = URL(filePath: CommandLine.arguments[0])
    worker.arguments = ["--worker"]
    let (input, output) = (Pipe(), Pipe())
    (worker.standardInput, worker.standardOutput) = (input, output)
    guard let first = takeSeed() else { return false }
    do { try worker.run() } catch {
      fail(first, "cannot start a worker: \(error)")
      return false
    }
    defer {
      try? input.fileHandleForWriting.close()
      worker.waitUntilExit()
    }
    var seed: UInt64? = first
    var reader = LineReader(output.fileHandleForReading)
    while let current = seed {
      try? input.fileHandleForWriting.write(contentsOf: Data("\(current)\n".utf8))
      let timer = DispatchSource.makeTimerSource()
      timer.schedule(deadline: .now() + Self.patience)
      timer.setEventHandler { kill(worker.processIdentifier, SIGKILL) }
      timer.resume()
      let line = reader.next()
      timer.cancel()
      guard let line else {
        fail(current, "the process crashed, or took more than \(Int(Self.patience)) s")
        return true
      }
      take(line, current)
      seed = takeSeed()
    }
    return false
  }

  private func take(_ line: String, _ seed: UInt64) {
    let fields = line.split(separator: "\t", maxSplits: 5, omittingEmptySubsequences: false)
    guard fields.count == 6 else { return fail(seed, "the worker says \"\(line)\"") }
    state.withLock { state in
      state.events += Int(fields[1]) ?? 0
      state.seconds += Double(fields[3]) ?? 0
    }
    if fields[5].isEmpty {
      state.withLock { $0.passed += 1 }
    } else {
      fail(seed, fields[4] + "\n" + fields[5].replacingOccurrences(of: "\u{1}", with: "\n"))
    }
  }

  private func fail(_ seed: UInt64, _ text: some StringProtocol) {
    let count = state.withLock { state in
      state.failed.append(seed)
      return state.failed.count
    }
    let first = text.split(separator: "\n").prefix(2).joined(separator: ": ")
    let isShown = count <= Self.shownFailures
    let line = isShown ? "FAILED seed \(seed): \(text)\n" : "FAILED seed \(seed): \(first)\n"
    // At once: whoever waits for the rest may have seen enough.
    try? FileHandle.standardOutput.write(contentsOf: Data(line.utf8))
  }
}

/// Lines of a pipe.
private struct LineReader {
  private let handle: FileHandle
  private var rest = Data()

  init(_ handle: FileHandle) { self.handle = handle }

  mutating func next() -> String? {
    while true {
      if let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
        let line = String(decoding: rest[..<end], as: UTF8.self)
        rest = Data(rest[(end + 1)...])
        return line
      }
      let more = handle.availableData
      if more.isEmpty { return nil }
      rest += more
    }
  }
}
