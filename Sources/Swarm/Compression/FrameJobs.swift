import Store
import Wire

/// A job for the threads that compress and decompress.
public struct FrameJobID: Hashable, Sendable {
  let rawValue: UInt64
  init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Blocks to be compressed on another thread. docs/compression.md. The buffers are the job's until its result
/// was handed to `Swarm.compressed`, and are only read.
public struct CompressionJob: Sendable {
  /// Names the job in its result.
  public let id: FrameJobID
  /// Where the blocks are.
  public let parts: [HashPart]
  /// libzstd's.
  public let level: Int32
}

/// Frames to be opened on another thread. The buffers are the job's until its result was handed to
/// `Swarm.decompressed`.
public struct DecompressionJob: Sendable {
  /// A frame, and where its block goes: to the first `length` bytes of a buffer.
  public struct Part: Sendable {
    /// One zstd frame, as it came from a peer.
    public let frame: [UInt8]
    /// Where the block goes.
    public let buffer: BufferHandle
    /// Bytes of the block, 1 to 16,384.
    public let length: UInt32
  }

  /// Names the job in its result.
  public let id: FrameJobID
  /// The frames.
  public let parts: [Part]
}

extension BlockCompressor {
  /// The frame of a block by itself; nil where it is not worth sending.
  public mutating func frame(of block: UnsafeRawBufferPointer, level: Int32) -> [UInt8]? {
    withUnsafeTemporaryAllocation(byteCount: CompressionLimits.frameBytes, alignment: 8) { room in
      compress(block, level: level, into: room).map { Array(room[..<$0]) }
    }
  }
}
