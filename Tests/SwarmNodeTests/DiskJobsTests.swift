import Glibc
import Store
import Synchronization
import Testing

@testable import SwarmNode

@Suite struct DiskJobsTests {
  /// Work that ends when it is let go, or after ten seconds by itself.
  private final class Gate: Sendable {
    private let isOpen = Atomic(false)

    func open() { isOpen.store(true, ordering: .sequentiallyConsistent) }

    /// Whether it was let go.
    func wait() -> Bool {
      for _ in 0..<10_000 {
        if isOpen.load(ordering: .sequentiallyConsistent) { return true }
        usleep(1_000)
      }
      return false
    }
  }

  private func completion(_ number: UInt64) -> DiskCompletion {
    DiskCompletion(id: number, result: .success(.done))
  }

  /// A disk that hangs leaves a thread to what else must be done: what opens the gate.
  @Test func aSlowDiskLeavesAThread() {
    let loop = EventLoop()
    let threads = max(2, EventLoop.poolThreads)
    let jobs = DiskJobs(on: loop, threads: threads)
    let gate = Gate()
    var order: [String] = []
    func hang(_ number: UInt64) {
      let done = completion(number)
      jobs.perform {
        usleep(1_000)
        return gate.wait() ? done : DiskCompletion(id: done.id, result: .failure(Self.late))
      } completion: {
        order.append((try? $0.result.get()) == nil ? "late" : "disk")
      }
    }
    hang(0)
    var timer: EventTimer?
    // Until the first counts as slow.
    timer = EventTimer(on: loop, everyMilliseconds: DiskLimits.slowOperation / 1_000_000 * 2) {
      timer?.cancel()
      timer = nil
      for number in 1...UInt64(threads + 3) { hang(number) }
      loop.perform {
        gate.open()
      } completion: {
        order.append("other")
      }
    }
    loop.run()
    #expect(order.count == threads + 5)
    #expect(order.filter { $0 == "late" }.isEmpty)
    #expect(order.contains("other"))
  }

  private static let late = DiskFailure(reason: .other, description: "not let go")

  @Test func allEndInTheirOrderWhereThereIsOneThread() {
    let loop = EventLoop()
    let jobs = DiskJobs(on: loop, threads: 1)
    var ended: [UInt64] = []
    for number in 0..<UInt64(50) {
      let done = completion(number)
      jobs.perform({ done }) { ended.append($0.id) }
    }
    loop.run()
    #expect(ended.sorted() == Array(0..<50))
  }
}
