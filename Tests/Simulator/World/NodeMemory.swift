import Store

/// The memory of one node that its core knows by handles: the pool, and the slabs into which its
/// connections are read. Whoever uses what is not his any more finds junk, and is told of.
final class NodeMemory {
  /// What a read from a connection filled. Alive while a handle into it is kept.
  private struct Slab {
    var room: UnsafeMutableRawBufferPointer
    /// Handles that the core keeps.
    var kept: Int
    /// Offsets of handles that were given back.
    var released: Set<Int> = []
    /// How many bytes the core used behind an offset.
    var used: [Int: Int] = [:]
  }

  static let firstSlab: UInt64 = 1 << 63
  /// Bytes of the handles' numbers in a slab: twice the largest slab.
  private static let slabBits = 22
  private static let blockBytes = 16_384

  private let world: World
  private let host: Int
  private var pool: [UnsafeMutableRawBufferPointer?]
  private var slabs: [UInt64: Slab] = [:]
  private var nextSlab: UInt64 = 0
  /// Handles into slabs that the core keeps now.
  private(set) var keptHandles = 0

  init(world: World, host: Int, poolBuffers: Int) {
    (self.world, self.host) = (world, host)
    pool = Array(repeating: nil, count: poolBuffers)
  }

  deinit {
    for room in pool { room?.deallocate() }
    for slab in slabs.values { slab.room.deallocate() }
  }

  /// Slabs that are alive.
  var slabCount: Int { slabs.count }

  // MARK: Slabs

  /// Memory for a read of `count` bytes, and the handle of its first byte.
  func makeSlab(_ count: Int) -> (room: UnsafeMutableRawBufferPointer, base: BufferHandle) {
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: max(count, 1), alignment: 16)
    let number = nextSlab
    nextSlab += 1
    slabs[number] = Slab(room: room, kept: .max)
    return (
      UnsafeMutableRawBufferPointer(rebasing: room[..<count]),
      BufferHandle(Self.firstSlab | number << UInt64(Self.slabBits))
    )
  }

  /// The read was handed over: so many handles were kept.
  func settle(_ base: BufferHandle, kept: Int) {
    let number = Self.place(base).slab
    slabs[number]?.kept = kept
    keptHandles += kept
    freeIfDone(number)
  }

  /// The core gives a handle back.
  func release(_ handle: BufferHandle) {
    guard handle.rawValue >= Self.firstSlab else {
      return world.fail("host \(host) releases pool buffer \(handle.rawValue)")
    }
    let (number, offset) = Self.place(handle)
    guard slabs[number] != nil else {
      return world.fail("host \(host) releases \(name(handle)), which is free")
    }
    guard slabs[number]?.released.insert(offset).inserted == true else {
      return world.fail("host \(host) releases \(name(handle)) twice")
    }
    keptHandles -= 1
    if let slab = slabs[number], let used = slab.used[offset] {
      junk(UnsafeMutableRawBufferPointer(rebasing: slab.room[offset..<(offset + used)]))
    }
    freeIfDone(number)
  }

  private func freeIfDone(_ number: UInt64) {
    guard let slab = slabs[number], slab.released.count >= slab.kept else { return }
    if slab.released.count > slab.kept {
      world.fail("host \(host) releases more of slab \(number) than it kept")
    }
    slab.room.deallocate()
    slabs[number] = nil
  }

  // MARK: Use

  /// The bytes under a handle, to be read; nil when it is not the core's, which fails the run.
  func bytes(_ handle: BufferHandle, from offset: Int = 0, count: Int) -> UnsafeRawBufferPointer? {
    room(handle, from: offset, count: count).map { UnsafeRawBufferPointer($0) }
  }

  /// The bytes under a handle, to be written.
  func room(
    _ handle: BufferHandle, from offset: Int = 0, count: Int
  ) -> UnsafeMutableRawBufferPointer? {
    guard handle.rawValue >= Self.firstSlab else { return poolRoom(handle, offset, count) }
    let (number, start) = Self.place(handle)
    guard let slab = slabs[number], !slab.released.contains(start),
      start + offset + count <= slab.room.count
    else {
      world.fail("host \(host) uses \(name(handle)), which is not its own")
      return nil
    }
    slabs[number]?.used[start] = max(slab.used[start] ?? 0, offset + count)
    return UnsafeMutableRawBufferPointer(
      rebasing: slab.room[(start + offset)..<(start + offset + count)])
  }

  /// The buffer is about to be filled: what it held is gone.
  func spoil(_ handle: BufferHandle, from offset: Int, count: Int) {
    if let room = room(handle, from: offset, count: count) { junk(room) }
  }

  /// A sum over bytes that must stay the same while a job has them.
  static func sum(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
    var sum: UInt64 = 0xcbf2_9ce4_8422_2325
    var offset = 0
    while offset + 8 <= bytes.count {
      let word = bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
      sum = (sum ^ word) &* 0x0000_0100_0000_01b3
      offset += 8
    }
    for byte in bytes[offset...] { sum = (sum ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
    return sum
  }

  private func poolRoom(
    _ handle: BufferHandle, _ offset: Int, _ count: Int
  ) -> UnsafeMutableRawBufferPointer? {
    guard handle.rawValue < UInt64(pool.count), offset + count <= Self.blockBytes else {
      world.fail("host \(host) uses \(name(handle)) at \(offset), \(count) bytes: no such place")
      return nil
    }
    let index = Int(handle.rawValue)
    if pool[index] == nil {
      let room = UnsafeMutableRawBufferPointer.allocate(
        byteCount: Self.blockBytes, alignment: 16)
      junk(room)
      pool[index] = room
    }
    return pool[index].map {
      UnsafeMutableRawBufferPointer(rebasing: $0[offset..<(offset + count)])
    }
  }

  private func junk(_ room: UnsafeMutableRawBufferPointer) {
    room.initializeMemory(as: UInt8.self, repeating: 0xdb)
  }

  private func name(_ handle: BufferHandle) -> String {
    guard handle.rawValue >= Self.firstSlab else { return "pool buffer \(handle.rawValue)" }
    let (number, offset) = Self.place(handle)
    return "slab \(number) at \(offset)"
  }

  private static func place(_ handle: BufferHandle) -> (slab: UInt64, offset: Int) {
    let number = handle.rawValue & (firstSlab - 1)
    return (number >> UInt64(slabBits), Int(number & (1 << UInt64(slabBits) - 1)))
  }
}
