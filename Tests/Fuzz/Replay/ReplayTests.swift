import Foundation
import FuzzBodies
import Testing

/// Runs the fuzzers' bodies over their committed corpora, as `make check` does. An input that
/// breaks a promise stops the whole process; `Tests/Fuzz/fuzz.sh 0` then names it.
@Suite struct ReplayTests {
  static let corpora = URL(filePath: #filePath)
    .deletingLastPathComponent().deletingLastPathComponent().appending(path: "Corpora")

  @Test(arguments: FuzzTarget.allCases)
  func corpusIsReplayed(target: FuzzTarget) throws {
    let folder = Self.corpora.appending(path: target.rawValue)
    let files = try FileManager.default.contentsOfDirectory(
      at: folder, includingPropertiesForKeys: nil)
    #expect(files.count >= 10, "\(target) has hardly a corpus")
    for file in files {
      let input = [UInt8](try Data(contentsOf: file))
      #expect(input.count <= 32_768, "\(file.lastPathComponent) is large")
      input.withUnsafeBytes { target.run($0) }
    }
  }

  /// Bodies take what no corpus has: nothing, and every byte alone.
  @Test(arguments: FuzzTarget.allCases)
  func shortestInputsAreTaken(target: FuzzTarget) {
    target.run(UnsafeRawBufferPointer(start: nil, count: 0))
    for byte in UInt8.min...UInt8.max {
      withUnsafeBytes(of: byte) { target.run($0) }
    }
  }
}
