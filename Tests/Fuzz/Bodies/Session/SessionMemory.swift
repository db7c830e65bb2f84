import Metainfo
import Store
import Swarm

/// The memory that the core knows by handles. Whoever uses what is not his stops the process.
final class SessionMemory {
  private struct Slab {
    let room: UnsafeMutableRawBufferPointer
    /// Handles that the core keeps; more than can be while it has not said.
    var kept = Int.max
    var released: Set<Int> = []
  }

  private static let firstSlab: UInt64 = 1 << 63
  private static let slabBits: UInt64 = 22

  private var pool: [UnsafeMutableRawBufferPointer?]
  private var slabs: [UInt64: Slab] = [:]
  private var nextSlab: UInt64 = 0
  /// Handles into slabs that the core keeps now.
  private(set) var keptHandles = 0

  init(poolBuffers: Int) { pool = Array(repeating: nil, count: poolBuffers) }

  deinit {
    for room in pool { room?.deallocate() }
    for slab in slabs.values { slab.room.deallocate() }
  }

  /// Memory with these bytes, and the handle of the first.
  func makeSlab(
    _ bytes: ArraySlice<UInt8>
  ) -> (room: UnsafeMutableRawBufferPointer, base: BufferHandle) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 16)
    bytes.withUnsafeBytes { room.copyMemory(from: $0) }
    slabs[nextSlab] = Slab(room: room)
    nextSlab += 1
    return (room, BufferHandle(Self.firstSlab | (nextSlab - 1) << Self.slabBits))
  }

  /// The core was told of the slab, and keeps so many handles into it.
  func settle(_ base: BufferHandle, kept: Int) {
    let (number, _) = Self.place(base)
    demand(kept >= 0)
    slabs[number]?.kept = kept
    keptHandles += kept
    freeIfDone(number)
  }

  func release(_ handle: BufferHandle) {
    demand(handle.rawValue >= Self.firstSlab, "a pool buffer is released: \(handle)")
    let (number, offset) = Self.place(handle)
    guard let slab = slabs[number], slab.room.indices.contains(offset) else {
      fatalError("released, but free: \(handle)")
    }
    demand(
      slabs[number]?.released.insert(offset).inserted == true, "released twice: \(handle)")
    keptHandles -= 1
    freeIfDone(number)
  }

  private func freeIfDone(_ number: UInt64) {
    guard let slab = slabs[number], slab.released.count >= slab.kept else { return }
    demand(slab.released.count == slab.kept, "more is released than was kept")
    slab.room.deallocate()
    slabs[number] = nil
  }

  /// The bytes under a handle.
  func room(
    _ handle: BufferHandle, from offset: Int = 0, count: Int
  ) -> UnsafeMutableRawBufferPointer {
    demand(offset >= 0 && count >= 0 && offset + count <= blockLength)
    guard handle.rawValue >= Self.firstSlab else {
      demand(handle.rawValue < UInt64(pool.count), "no pool buffer: \(handle)")
      let index = Int(handle.rawValue)
      let whole = pool[index] ?? .allocate(byteCount: blockLength, alignment: 16)
      if pool[index] == nil { whole.initializeMemory(as: UInt8.self, repeating: 0xdb) }
      pool[index] = whole
      return UnsafeMutableRawBufferPointer(rebasing: whole[offset..<(offset + count)])
    }
    let (number, start) = Self.place(handle)
    guard let slab = slabs[number], !slab.released.contains(start) else {
      fatalError("used, but free: \(handle)")
    }
    let from = start + offset
    demand(from + count <= slab.room.count, "beyond the end of what was received")
    return UnsafeMutableRawBufferPointer(rebasing: slab.room[from..<(from + count)])
  }

  /// A number that changes when the bytes do.
  func sum(_ handle: BufferHandle, from offset: Int = 0, count: Int) -> UInt64 {
    let bytes = room(handle, from: offset, count: count)
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    var place = 0
    while place + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: place, as: UInt64.self)
      sum = (sum ^ word) &* 0x0000_0100_0000_01b3
      place += 8
    }
    for byte in bytes[place...] { sum = (sum ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return sum
  }

  private static func place(_ handle: BufferHandle) -> (slab: UInt64, offset: Int) {
    let number = handle.rawValue & (firstSlab - 1)
    return (number >> slabBits, Int(number & (1 << slabBits - 1)))
  }
}
