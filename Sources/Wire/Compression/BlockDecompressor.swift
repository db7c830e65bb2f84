import CZstd

/// Opens frames, each into exactly its block. Its memory is libzstd's context, some 100 KiB, however hostile a frame
/// is: the frame's header is read here first, and nothing is decompressed that says something unexpected.
///
/// For one thread at a time.
public struct BlockDecompressor: ~Copyable, @unchecked Sendable {
  private let context: OpaquePointer

  /// A decompressor; nil where there is no memory for it.
  public init?() {
    guard let context = ZSTD_createDCtx() else { return nil }
    self.context = context
  }

  deinit { ZSTD_freeDCtx(context) }

  /// Fills `block` with what `frame` holds. After an error `block` holds nothing of use.
  ///
  /// - Precondition: `block` has from 1 to 16,384 bytes.
  public mutating func decompress(
    _ frame: UnsafeRawBufferPointer, into block: UnsafeMutableRawBufferPointer
  ) throws(CompressionError) {
    precondition((1...WireLimits.blockBytes).contains(block.count), "no block")
    guard frame.count < block.count else { throw .frameTooLong(frame.count) }
    try Self.checkHeader(frame, blockByteCount: block.count)
    let end = ZSTD_findFrameCompressedSize(frame.baseAddress, frame.count)
    if ZSTD_isError(end) != 0 { throw .frameEnd(surplus: nil) }
    guard end == frame.count else { throw .frameEnd(surplus: frame.count - end) }
    let count = ZSTD_decompressDCtx(
      context, block.baseAddress, block.count, frame.baseAddress, frame.count)
    if ZSTD_isError(count) != 0 { throw .corrupt(ZSTD_getErrorCode(count).rawValue) }
    guard count == block.count else { throw .contentLength(UInt64(count)) }
  }

  /// The frame says of itself: a single segment, so that its window is its content, as long as the block, and no
  /// dictionary. RFC 8878, section 3.1.1.
  private static func checkHeader(
    _ frame: UnsafeRawBufferPointer, blockByteCount: Int
  ) throws(CompressionError) {
    guard frame.count >= 6, frame.prefix(4).elementsEqual([0x28, 0xb5, 0x2f, 0xfd]) else {
      throw .notFrame
    }
    let descriptor = frame[4]
    if descriptor & 0x08 != 0 { throw .reservedBit }
    if descriptor & 0x03 != 0 { throw .dictionary }
    if descriptor & 0x20 == 0 { throw .window }
    // Of a single segment the length of the content is always there, in 1, 2, 4 or 8 bytes; 2 bytes count from
    // 256.
    let width = 1 << Int(descriptor >> 6)
    guard frame.count >= 5 + width else { throw .frameEnd(surplus: nil) }
    var content = (0..<width).reduce(UInt64(0)) { $0 | UInt64(frame[5 + $1]) << UInt64(8 * $1) }
    if width == 2 { content += 256 }
    guard content == UInt64(blockByteCount) else { throw .contentLength(content) }
  }
}
