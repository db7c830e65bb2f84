import Metainfo

/// What stands before the frame in a message of `sw_zstd`, which brings a block as a zstd frame. Our own
/// extension; docs/compression.md.
public struct CompressedBlock: Hashable, Sendable {
  /// Name of the extension in the dictionary `m`. BEP 10.
  public static let extensionName = PeerExtension.zstd.rawValue

  /// The block, its length that of the data before they were compressed.
  public var block: BlockRequest
  /// Bytes of the frame, which follows to the payload's end.
  public var frameByteCount: Int

  /// A message that brings `block` in so many bytes.
  public init(block: BlockRequest, frameByteCount: Int) {
    self.block = block
    self.frameByteCount = frameByteCount
  }

  /// Reads what stands before the frame, and checks the lengths of both: whether there is such a block is
  /// for `PieceGeometry` to say.
  ///
  /// - Parameter payload: from behind the extension's number.
  public init(payload: RawSpan) throws(CompressionError) {
    guard payload.byteCount > CompressionLimits.headBytes else {
      throw .truncated(payload.byteCount)
    }
    func number(_ offset: Int) -> UInt32 {
      UInt32(bigEndian: payload.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    block = BlockRequest(piece: number(0), begin: number(4), length: number(8))
    guard (1...UInt32(WireLimits.blockBytes)).contains(block.length) else {
      throw .blockLength(block.length)
    }
    frameByteCount = payload.byteCount - CompressionLimits.headBytes
    guard frameByteCount < block.length else { throw .frameTooLong(frameByteCount) }
  }

  /// The bytes before the frame.
  public var encoded: [UInt8] {
    [block.piece, block.begin, block.length].flatMap { number in
      withUnsafeBytes(of: number.bigEndian) { Array($0) }
    }
  }
}

/// Why a message of `sw_zstd` brings no block. The sender is to blame.
public enum CompressionError: Error, Hashable, Sendable {
  /// So many bytes have no room for a frame.
  case truncated(Int)
  /// A block has so many bytes, where 1 to 16,384 are possible.
  case blockLength(UInt32)
  /// A frame of so many bytes, which is not shorter than its block.
  case frameTooLong(Int)
  /// No frame of zstd: it begins with another number. RFC 8878, section 3.1.1.
  case notFrame
  /// A frame of more than one segment, whose window would be for it to say. RFC 8878, section 3.1.1.1.
  case window
  /// A frame that needs a dictionary.
  case dictionary
  /// A bit is set that must not be.
  case reservedBit
  /// The frame says that it has so many bytes, and the block has others.
  case contentLength(UInt64)
  /// The frame ends `count` bytes before the message, or lacks its end (nil).
  case frameEnd(surplus: Int?)
  /// The frame cannot be decompressed: damaged, or its checksum is wrong. What libzstd calls it.
  case corrupt(UInt32)
}

extension CompressionError: CustomStringConvertible {
  /// One line: what is wrong.
  public var description: String {
    let what =
      switch self {
      case .truncated(let count): "\(count) bytes have no room for a frame"
      case .blockLength(let count): "a block of \(count) bytes"
      case .frameTooLong(let count): "a frame of \(count) bytes is not shorter than its block"
      case .notFrame: "no zstd frame"
      case .window: "a frame of several segments"
      case .dictionary: "a frame with a dictionary"
      case .reservedBit: "a frame with the reserved bit"
      case .contentLength(let count): "a frame of \(count) bytes, which the block has not"
      case .frameEnd(let surplus?): "\(surplus) bytes behind the frame"
      case .frameEnd(nil): "the frame has no end"
      case .corrupt(let code): "a frame that does not open (zstd error \(code))"
      }
    return "\(CompressedBlock.extensionName): \(what) (docs/compression.md)"
  }
}
