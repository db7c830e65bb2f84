import CZstd

/// Makes frames of blocks. For one thread at a time.
public struct BlockCompressor: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer
  private var level: Int32?

  /// A compressor; nil where there is no memory for it.
  public init?() {
    guard let context = ZSTD_createCCtx() else { return nil }
    self.context = context
  }

  deinit { ZSTD_freeCCtx(context) }

  /// Writes a frame of `block` to the beginning of `frame`.
  ///
  /// - Parameter level: libzstd's.
  /// - Precondition: `block` has from 1 to 16,384 bytes.
  /// - Returns: bytes of the frame; nil where it would not save a sixteenth of the block, or not fit.
  public mutating func compress(
    _ block: UnsafeRawBufferPointer, level: Int32, into frame: UnsafeMutableRawBufferPointer
  ) -> Int? {
    precondition((1...WireLimits.blockBytes).contains(block.count), "no block")
    if self.level != level {
      // What libzstd sets by itself is what the specification wants: the length of the content is told, there is
      // no checksum and no dictionary, and the content is one segment.
      guard ZSTD_isError(ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, level)) == 0
      else {
        return nil
      }
      self.level = level
    }
    let saving = max(1, block.count / CompressionLimits.leastSaving)
    let room = min(frame.count, block.count - saving)
    let count = ZSTD_compress2(context, frame.baseAddress, room, block.baseAddress, block.count)
    return ZSTD_isError(count) == 0 ? count : nil
  }
}
