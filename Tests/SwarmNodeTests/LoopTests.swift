import Glibc
import Metainfo
import Testing
import Wire

@testable import SwarmNode

@Suite struct LoopTests {
  @Test func aTimerCallsOnceAndCanBeSetAgain() {
    let loop = EventLoop()
    var calls = 0
    var timer: DeadlineTimer?
    timer = DeadlineTimer(on: loop) {
      calls += 1
      if calls == 3 { timer?.close() } else { timer?.set(milliseconds: 0) }
    }
    timer?.set(milliseconds: 1_000_000)
    timer?.set(milliseconds: 1)
    loop.run()
    #expect(calls == 3)
  }

  @Test func aSignalIsACall() {
    let loop = EventLoop()
    var got: [CInt] = []
    var timer: EventTimer?
    var keeper: DeadlineTimer?
    var watcher: SignalWatcher?
    watcher = SignalWatcher(on: loop, signal: SIGURG) { signal in
      got.append(signal)
      watcher?.close()
      timer?.cancel()
      keeper?.close()
    }
    keeper = DeadlineTimer(on: loop) {}
    keeper?.set(milliseconds: 60_000)
    timer = EventTimer(on: loop, everyMilliseconds: 1) { if got.isEmpty { kill(getpid(), SIGURG) } }
    loop.run()
    #expect(got == [SIGURG])
  }

  @Test func namesAreFoundAndNotFound() throws {
    let loop = EventLoop()
    var found: [IPAddress]?
    var failure: String?
    let lookups = NameLookups(on: loop)
    lookups.start(try HostName("localhost".utf8)) { found = try? $0.get() }
    let tooLong = String(repeating: "a", count: 70) + ".invalid"
    lookups.start(try HostName(tooLong.utf8)) {
      if case .failure(let error) = $0 { failure = "\(error)" }
    }
    loop.run()
    let addresses = try #require(found)
    #expect(!addresses.isEmpty)
    #expect(addresses.count == Set(addresses).count)
    #expect(failure?.isEmpty == false)
  }

  /// More than are looked up at once, all in the end; and what is called off is heard of no more.
  @Test func lookupsTakeTurnsAndAreCalledOff() throws {
    let loop = EventLoop()
    let name = try HostName("localhost".utf8)
    let lookups = NameLookups(on: loop)
    var ended = 0
    for _ in 0..<3 * NetLimits.nameLookups { lookups.start(name) { _ in ended += 1 } }
    loop.run()
    #expect(ended == 3 * NetLimits.nameLookups)
    for _ in 0..<3 * NetLimits.nameLookups {
      lookups.start(name) { _ in
        ended += 1
        lookups.close()
      }
    }
    loop.run()
    #expect(ended == 3 * NetLimits.nameLookups + 1)
    lookups.start(name) { _ in Issue.record("closed, and looks up") }
    loop.run()
  }
}
