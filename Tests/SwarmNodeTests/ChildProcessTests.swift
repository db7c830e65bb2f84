import Glibc
import Testing

@testable import SwarmNode

@Suite struct ChildProcessTests {
  /// Runs a shell that says nothing, and returns how it ended.
  private func run(
    _ script: String, _ act: (ChildProcess) -> Void = { _ in }
  ) throws -> ChildProcess.End? {
    let loop = EventLoop()
    var end: ChildProcess.End?
    let words = ["sh", "-c", script].map { Array($0.utf8) }
    let child = try ChildProcess(words, streams: .none, on: loop) { end = $0 }
    act(child)
    loop.run()
    return end
  }

  @Test(arguments: [0, 1, 77, 255]) func itsStatusIsTold(status: Int32) throws {
    #expect(try run("exit \(status)") == .exited(status))
  }

  @Test(arguments: [SIGTERM, SIGKILL]) func aSignalEndsIt(signal: CInt) throws {
    #expect(try run("exec sleep 1000") { $0.send(signal: signal) } == .signalled(signal))
  }

  @Test func whatHasEndedGetsNoSignal() throws {
    var child: ChildProcess?
    #expect(try run("exit 3") { child = $0 } == .exited(3))
    child?.send(signal: SIGKILL)
  }

  @Test func whatIsNotThereIsAnError() {
    let loop = EventLoop()
    var calls = 0
    #expect(throws: SystemError.self) {
      _ = try ChildProcess([Array("swarm-no-such-program".utf8)], streams: .none, on: loop) { _ in
        calls += 1
      }
    }
    loop.run()
    #expect(calls == 0)
  }
}
