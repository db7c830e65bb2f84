import Metainfo
import Store
import Wire

/// Blocks with a time each; of too many the oldest are forgotten.
struct RecentBlocks {
  private var times: [BlockIndex: Duration] = [:]
  /// In the order of their coming. A block that was taken out may still stand here.
  private var order = Ring<BlockIndex>()

  /// None.
  init() {}

  var isEmpty: Bool { times.isEmpty }
  var count: Int { times.count }

  func contains(_ block: BlockIndex) -> Bool { times[block] != nil }

  /// The time of a block that is in.
  subscript(_ block: BlockIndex) -> Duration? { times[block] }

  /// Puts a block in, or gives it a new time. Whether it was not in.
  @discardableResult
  mutating func insert(_ block: BlockIndex, at time: Duration) -> Bool {
    guard times.updateValue(time, forKey: block) == nil else { return false }
    order.append(block)
    if order.count > ReadLimits.recentBlocks, let oldest = order.popFirst() { times[oldest] = nil }
    return true
  }

  mutating func remove(_ block: BlockIndex) { times[block] = nil }
}

/// Verified blocks that are on their way to disk, by block and by buffer.
struct InMemoryBlocks {
  private var buffers: [BlockIndex: BufferHandle] = [:]
  private var blocks: [BufferHandle: BlockIndex] = [:]

  /// None.
  init() {}

  var count: Int { buffers.count }

  /// Where the block's bytes are, if they are in memory.
  subscript(_ block: BlockIndex) -> BufferHandle? { buffers.isEmpty ? nil : buffers[block] }

  /// The block is verified, and its bytes are in the buffer until `release`.
  mutating func insert(_ block: BlockIndex, _ buffer: BufferHandle) {
    if let old = buffers.updateValue(buffer, forKey: block) { blocks[old] = nil }
    blocks[buffer] = block
  }

  /// The buffer is given back.
  mutating func release(_ buffer: BufferHandle) {
    guard !blocks.isEmpty, let block = blocks.removeValue(forKey: buffer) else { return }
    buffers[block] = nil
  }
}

/// A request of a peer for a block that is on its way to us.
struct ParkedRequest {
  let peer: ConnectionID
  let request: BlockRequest
  let since: Duration
}
