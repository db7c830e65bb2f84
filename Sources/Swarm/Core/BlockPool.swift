import Store

/// The core's own buffers of 16 KiB, by their handles from 0 on. What is taken is given back once.
final class BlockPool {
  private var free: [UInt64]
  /// How many there are in all.
  let count: Int

  /// A pool of the handles `0..<count`, all free.
  init(count: Int) {
    self.count = count
    free = (0..<UInt64(count)).reversed()
  }

  /// How many could be taken now.
  var freeCount: Int { free.count }

  /// A buffer; nil when none is free.
  func take() -> BufferHandle? { free.popLast().map { BufferHandle($0) } }

  /// Takes a buffer back.
  func give(_ buffer: BufferHandle) {
    precondition(buffer.rawValue < UInt64(count) && free.count < count)
    free.append(buffer.rawValue)
  }
}
