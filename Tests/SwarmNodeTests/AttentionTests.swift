import CUV
import Testing

@testable import SwarmNode

/// When the server of block devices waits awake. All times are given, in nanoseconds.
@Suite struct AttentionTests {
  /// A client, its server's attention, and their clock.
  private final class Bench {
    private var attention = Attention()
    private var now: UInt64 = 1

    /// The first answer: before it nothing is known.
    init() { _ = attention.answered(at: now) }

    /// Requests that come so long after each answer; whether it waits awake after the last.
    func waits(after gaps: [UInt64]) -> Bool {
      var isAwake = false
      for gap in gaps {
        now += gap
        attention.asked(at: now)
        now += 5_000
        isAwake = attention.answered(at: now)
      }
      return isAwake
    }

    /// Whether it goes on waiting awake so much later.
    func goesOn(after gap: UInt64) -> Bool {
      now += gap
      return attention.goesOn(at: now)
    }

    /// A request before the others are answered.
    func asksMore() { attention.asked(at: now) }

    func pause(_ time: UInt64) { now += time }
  }

  private let quick = Array(repeating: NBDServerLimits.quickGap, count: 8)
  private let slow = NBDServerLimits.quickGap + 1

  @Test func waitsForWhoAsksAgainAtOnce() {
    let bench = Bench()
    #expect(!bench.waits(after: quick.dropLast()))
    #expect(bench.waits(after: [1]))
    #expect(bench.goesOn(after: 50_000))
    #expect(bench.goesOn(after: 50_000))
    #expect(!bench.goesOn(after: NBDServerLimits.awakeTime - 100_000))
  }

  /// A slow client, or one that is quick twice of three times, is slept for.
  @Test func sleepsForWhoTakesItsTime() {
    for gaps in [[slow], [slow, 1_000], [slow, 1_000, 1_000]] {
      let bench = Bench()
      for _ in 0..<20 { #expect(!bench.waits(after: gaps)) }
    }
  }

  @Test func twoLongPausesEndIt() {
    let bench = Bench()
    #expect(bench.waits(after: quick + quick + quick))
    #expect(bench.waits(after: [slow]))
    #expect(!bench.waits(after: [slow]))
    #expect(!bench.waits(after: Array(quick.prefix(3))))
    #expect(bench.waits(after: [1]))
  }

  /// Who was not given the processor though awake leaves it to others for a while.
  @Test func leavesTheProcessorToOthers() {
    let bench = Bench()
    #expect(bench.waits(after: quick))
    #expect(!bench.goesOn(after: NBDServerLimits.lostTime + 1))
    #expect(!bench.waits(after: quick + quick))
    bench.pause(NBDServerLimits.restTime)
    #expect(bench.waits(after: quick + quick))
  }

  /// What is asked while others wait for their answers says nothing.
  @Test func onlyTheFirstRequestCounts() {
    let bench = Bench()
    for _ in 0..<100 { bench.asksMore() }
    #expect(!bench.waits(after: [1]))
    #expect(bench.waits(after: quick))
  }

  /// A hook keeps the loop awake until it is stopped, and does not keep it running.
  @Test func aHookIsCalledUntilItIsStopped() {
    let loop = EventLoop()
    var calls = 0
    var hook: IdleHook?
    var timer: DeadlineTimer?
    hook = IdleHook(on: loop) {
      calls += 1
      if calls == 5 { hook?.stop() }
    }
    timer = DeadlineTimer(on: loop) {
      hook?.close()
      timer?.close()
    }
    hook?.start()
    hook?.start()
    timer?.set(milliseconds: 20)
    loop.run()
    #expect(calls == 5)
    hook?.start()
    loop.run()
    #expect(calls == 5)
  }
}
