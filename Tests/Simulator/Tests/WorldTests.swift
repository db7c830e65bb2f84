import Store
import TestSupport
import Testing

@testable import Simulator

@Suite struct WorldTests {
  @Test func eventsComeInOrder() {
    var random = SplitMix64(seed: 1)
    var queue = EventQueue()
    var expected: [(time: Int, order: Int)] = []
    var seen: [(time: Int, order: Int)] = []
    for order in 0..<2_000 {
      let time = Int.random(in: 0..<300, using: &random)
      expected.append((time, order))
      queue.add(at: .seconds(time)) { seen.append((time, order)) }
    }
    expected.sort { ($0.time, $0.order) < ($1.time, $1.order) }
    while let event = queue.popNext() { event.action() }
    #expect(seen.elementsEqual(expected, by: ==))
  }

  @Test func nothingHappensAfterAFailure() {
    let world = World(seed: 5)
    var isReached = false
    world.after(.seconds(1)) { world.fail("first") }
    world.after(.seconds(2)) { isReached = true }
    world.run(until: .seconds(9))
    world.fail("second")
    #expect(!isReached)
    #expect(world.failure?.what == "first")
    #expect(world.failure?.description.contains("make sim SEED=5") == true)
  }

  @Test func aPowerCutKeepsWhatWasSynced() {
    for seed in UInt64(0)..<50 {
      var random = SplitMix64(seed: seed)
      var file = DiskFile(size: 4 * DiskFile.sector, time: 1)
      let old = [UInt8](repeating: 1, count: 4 * DiskFile.sector)
      old.withUnsafeBytes { file.write($0, at: 0, time: 2) }
      file.sync()
      let new = [UInt8](repeating: 2, count: 2 * DiskFile.sector)
      new.withUnsafeBytes { file.write($0, at: DiskFile.sector, time: 3) }
      var expected = Array(old.prefix(512))
      expected += new
      expected += old.suffix(512)
      #expect(file.cached == expected)
      file.cutPower(&random)
      for sector in 0..<4 {
        let bytes = Set(file.cached[sector * 512..<(sector + 1) * 512])
        let isTouched = sector == 1 || sector == 2
        #expect(bytes == [1] || (isTouched && bytes == [2]), "seed \(seed)")
      }
    }
  }

  @Test func powerCutsTear() {
    let results = (UInt64(0)..<40).map { seed -> [UInt8] in
      var random = SplitMix64(seed: seed)
      var file = DiskFile(size: 1_024, time: 1)
      [UInt8](repeating: 1, count: 1_024).withUnsafeBytes { file.write($0, at: 0, time: 2) }
      file.cutPower(&random)
      return file.cached
    }
    #expect(Set(results).count == 4)
  }

  // MARK: Memory

  @Test func slabsEndWithTheirLastHandle() {
    let world = World(seed: 1)
    let memory = NodeMemory(world: world, host: 0, poolBuffers: 4)
    let (room, base) = memory.makeSlab(100)
    room.initializeMemory(as: UInt8.self, repeating: 9)
    memory.settle(base, kept: 2)
    #expect(memory.keptHandles == 2 && memory.slabCount == 1)
    let second = BufferHandle(base.rawValue + 40)
    #expect(memory.bytes(second, count: 60).map { Array($0) } == Array(repeating: 9, count: 60))
    memory.release(second)
    #expect(world.failure == nil)
    #expect(memory.bytes(base, count: 100)?.last == 0xdb, "released bytes are junk")
    memory.release(base)
    #expect(memory.slabCount == 0 && memory.keptHandles == 0 && world.failure == nil)
  }

  @Test(arguments: 0..<4)
  func misuseIsFound(kind: Int) {
    let world = World(seed: 1)
    let memory = NodeMemory(world: world, host: 0, poolBuffers: 4)
    let (_, base) = memory.makeSlab(100)
    memory.settle(base, kept: 2)
    memory.release(BufferHandle(base.rawValue + 10))
    #expect(world.failure == nil)
    switch kind {
    case 0: memory.release(BufferHandle(base.rawValue + 10))
    case 1: _ = memory.bytes(BufferHandle(base.rawValue + 10), count: 1)
    case 2: _ = memory.bytes(BufferHandle(4), count: 1)
    default: memory.release(BufferHandle(1))
    }
    #expect(world.failure != nil)
  }
}
