import Metainfo
import Store

/// Which slab sockets are read into, and which slabs still hold blocks that the core keeps. All
/// connections share the current slab, one read behind the other.
struct ReceiveSlabs {
  /// Where the next read goes.
  struct Room {
    let memory: UnsafeMutableRawBufferPointer
    let base: BufferHandle
  }

  private let memory: PayloadMemory
  /// In use at once while they are full of blocks.
  private let densely: Int
  /// How many handles the core keeps in each slab, and one more for the current one.
  private var references: [Int]
  /// Free slabs that were used before, the one freed last on top: it is still in the cache.
  private var free: [Int] = []
  /// Slabs below were used before.
  private var untouched = 0
  private var current: Int?
  private var used = 0
  /// Handles that the core keeps in all slabs.
  private(set) var keptHandles = 0

  /// All slabs of `memory`; those beyond `densely` only when the others are mostly empty.
  init(_ memory: PayloadMemory, densely: Int) {
    self.memory = memory
    self.densely = densely
    references = Array(repeating: 0, count: memory.slabCount)
  }

  /// Slabs that hold blocks, or are read into.
  var inUse: Int { untouched - free.count }

  /// Whether `room` would find a slab.
  var hasRoom: Bool { current != nil || canTake }

  /// Where the next read goes, at least `least` bytes; nil when there is no slab, until one is
  /// released.
  mutating func room(least: Int) -> Room? {
    if let slab = current, memory.slabBytes - used < least {
      current = nil
      dropReference(slab)
    }
    if current == nil {
      guard canTake else { return nil }
      var taken = untouched
      if let last = free.popLast() { taken = last } else { untouched += 1 }
      references[taken] = 1
      current = taken
      used = 0
    }
    guard let slab = current else { return nil }
    return Room(
      memory: UnsafeMutableRawBufferPointer(rebasing: memory.slab(slab)[used...]),
      base: PayloadMemory.handle(slab: slab, offset: used))
  }

  /// The core keeps so many handles in the first `byteCount` bytes of the room given last; what is
  /// behind is free again, and all of it if it keeps none.
  mutating func keep(_ handles: Int, byteCount: Int) {
    guard handles > 0, let slab = current else { return }
    precondition(used + byteCount <= memory.slabBytes)
    references[slab] += handles
    keptHandles += handles
    used += byteCount
  }

  /// The core is done with one handle. Returns whether there is room that was not there before.
  mutating func release(_ buffer: BufferHandle) -> Bool {
    let slab = PayloadMemory.slabNumber(of: buffer)
    precondition(
      references[slab] > (slab == current ? 1 : 0), "the core releases what it does not keep")
    let hadRoom = hasRoom
    keptHandles -= 1
    dropReference(slab)
    // Nobody is in it: from its start again, which is still in the cache.
    if slab == current, references[slab] == 1 { used = 0 }
    return !hadRoom && hasRoom
  }

  private mutating func dropReference(_ slab: Int) {
    references[slab] -= 1
    guard references[slab] == 0 else { return }
    // Those beyond the usual number are a burst's, and not to stay resident.
    if inUse > densely { memory.discard(slab: slab) }
    free.append(slab)
  }

  private var canTake: Bool {
    guard inUse < memory.slabCount else { return false }
    return inUse < densely || keptHandles * blockLength < densely * memory.slabBytes / 2
  }
}
