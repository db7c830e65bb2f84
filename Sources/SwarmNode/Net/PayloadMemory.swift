import Glibc
import Metainfo
import Store

/// The memory behind all buffer handles of a node: the core's pool of 16 KiB buffers, and the slabs
/// that sockets are read into. Address space is taken at once, pages when they are first touched; so
/// an address is arithmetic, and any thread may ask without a lock.
final class PayloadMemory: DiskBuffers, @unchecked Sendable {
  /// Handles from here on are of slabs: the slab's number from bit 32, the offset in it below.
  static let slabBit: UInt64 = 1 << 63

  let poolBuffers: Int
  let slabCount: Int
  let slabBytes: Int
  /// The pool, and the slabs behind it.
  private let start: UnsafeMutableRawPointer
  private var byteCount: Int { poolBuffers * blockLength + slabCount * slabBytes }

  /// Memory for so many buffers and slabs; nil when the system has not even the address space.
  init?(poolBuffers: Int, slabCount: Int, slabBytes: Int) {
    self.poolBuffers = poolBuffers
    self.slabCount = slabCount
    self.slabBytes = slabBytes
    let size = poolBuffers * blockLength + slabCount * slabBytes
    let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE
    guard let start = mmap(nil, max(size, 1), PROT_READ | PROT_WRITE, flags, -1, 0),
      start != MAP_FAILED
    else { return nil }
    self.start = start
  }

  deinit { munmap(start, max(byteCount, 1)) }

  /// A buffer of the pool, or a slab from the handle's byte to the slab's end.
  func memory(of buffer: BufferHandle) -> UnsafeMutableRawBufferPointer {
    let number = buffer.rawValue
    if number < Self.slabBit {
      precondition(number < UInt64(poolBuffers), "the core names a buffer that it has not")
      return UnsafeMutableRawBufferPointer(
        start: start + Int(number) * blockLength, count: blockLength)
    }
    let offset = Int(truncatingIfNeeded: number & 0xFFFF_FFFF)
    let slab = slab(Self.slabNumber(of: buffer))
    precondition(offset <= slab.count, "the core names bytes beyond a slab")
    return UnsafeMutableRawBufferPointer(rebasing: slab[offset...])
  }

  /// The slab of that number.
  func slab(_ number: Int) -> UnsafeMutableRawBufferPointer {
    precondition(number < slabCount, "the core names a slab that is not there")
    return UnsafeMutableRawBufferPointer(
      start: start + poolBuffers * blockLength + number * slabBytes, count: slabBytes)
  }

  /// Gives the slab's pages back to the system; the next touch makes new ones.
  func discard(slab number: Int) {
    let slab = slab(number)
    // From whole page to whole page: what shares a page with a neighbour stays.
    let page = Int(sysconf(Int32(_SC_PAGESIZE)))
    let first = (Int(bitPattern: slab.baseAddress) + page - 1) / page * page
    let count = (Int(bitPattern: slab.baseAddress) + slab.count - first) / page * page
    if count > 0 { madvise(UnsafeMutableRawPointer(bitPattern: first), count, MADV_DONTNEED) }
  }

  /// The number of the slab that a handle of a slab is in.
  static func slabNumber(of buffer: BufferHandle) -> Int {
    Int(truncatingIfNeeded: (buffer.rawValue & ~slabBit) >> 32)
  }

  /// The handle of a byte of a slab.
  static func handle(slab: Int, offset: Int) -> BufferHandle {
    BufferHandle(slabBit | UInt64(slab) << 32 | UInt64(offset))
  }
}
