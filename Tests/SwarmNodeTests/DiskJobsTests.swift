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

  /// A disk that hangs leaves a thread to what else must be done: what opens the gate. From its first
  /// operation on, however many are asked for before it is known to hang.
  @Test func aDiskThatHangsLeavesAThread() {
    let loop = EventLoop()
    let jobs = DiskJobs(on: loop)
    let gate = Gate()
    var order: [String] = []
    let count = EventLoop.diskThreads + 5
    for number in 0..<UInt64(count) {
      let done = completion(number)
      jobs.perform {
        gate.wait() ? done : DiskCompletion(id: done.id, result: .failure(Self.late))
      } completion: {
        order.append((try? $0.result.get()) == nil ? "late" : "disk")
      }
    }
    loop.perform {
      gate.open()
    } completion: {
      order.append("other")
    }
    loop.run()
    #expect(order.count == count + 1)
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
