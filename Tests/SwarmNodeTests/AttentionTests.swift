import CUV
import Testing

@testable import SwarmNode

/// When the server of block devices waits awake. All times are given, in nanoseconds.
@Suite struct AttentionTests {
  /// Requests that come so long after each answer; whether it waits awake after the last.
  private func waits(
    after gaps: [UInt64], _ attention: inout Attention, _ now: inout UInt64
  ) -> Bool {
    var isAwake = false
    for gap in gaps {
      now += gap
      attention.asked(at: now)
      now += 5_000
      isAwake = attention.answered(at: now)
    }
    return isAwake
  }

  private let quick = Array(repeating: NBDServerLimits.quickGap, count: 8)

  @Test func waitsForWhoAsksAgainAtOnce() {
    var (attention, now) = (Attention(), UInt64(1))
    #expect(!attention.answered(at: now))
    #expect(!waits(after: Array(quick.dropLast()), &attention, &now))
    #expect(waits(after: [1], &attention, &now))
    #expect(attention.goesOn(at: now + 50_000))
    #expect(attention.goesOn(at: now + 100_000))
    #expect(!attention.goesOn(at: now + NBDServerLimits.awakeTime))
  }

  /// A slow client, or one that is quick every other time, is slept for.
  @Test func sleepsForWhoTakesItsTime() {
    let slow = NBDServerLimits.quickGap + 1
    for gaps in [[slow], [slow, 1_000], [slow, 1_000, 1_000]] {
      var (attention, now) = (Attention(), UInt64(1))
      #expect(!attention.answered(at: now))
      for _ in 0..<20 { #expect(!waits(after: gaps, &attention, &now)) }
    }
  }

  @Test func twoLongPausesEndIt() {
    var (attention, now) = (Attention(), UInt64(1))
    _ = attention.answered(at: now)
    #expect(waits(after: quick + quick + quick, &attention, &now))
    #expect(waits(after: [NBDServerLimits.quickGap + 1], &attention, &now))
    #expect(!waits(after: [NBDServerLimits.quickGap + 1], &attention, &now))
    #expect(!waits(after: Array(quick.prefix(3)), &attention, &now))
    #expect(waits(after: [1], &attention, &now))
  }

  /// Who was not given the processor though awake leaves it to others for a while.
  @Test func leavesTheProcessorToOthers() {
    var (attention, now) = (Attention(), UInt64(1))
    _ = attention.answered(at: now)
    #expect(waits(after: quick, &attention, &now))
    now += NBDServerLimits.lostTime + 1
    #expect(!attention.goesOn(at: now))
    #expect(!waits(after: quick + quick, &attention, &now))
    now += NBDServerLimits.restTime
    #expect(waits(after: quick + quick, &attention, &now))
  }

  /// What is asked while others wait for their answers says nothing.
  @Test func onlyTheFirstRequestCounts() {
    var attention = Attention()
    _ = attention.answered(at: 1)
    for _ in 0..<100 { attention.asked(at: 2) }
    #expect(!attention.answered(at: 3))
    #expect(!attention.goesOn(at: 3 + NBDServerLimits.awakeTime))
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
