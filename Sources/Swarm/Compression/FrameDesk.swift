import Metainfo
import Store
import Wire

/// A block of a torrent, as a key.
struct FrameKey: Hashable, Sendable {
  let torrent: TorrentID
  let block: BlockIndex
}

/// A file of a torrent, as a key.
struct FrameFile: Hashable, Sendable {
  let torrent: TorrentID
  let file: UInt32
}

/// A block that is being compressed for a peer.
final class Packing {
  let peer: ConnectionID
  let request: BlockRequest
  let block: BlockIndex
  /// The block as it is; of the pool.
  let buffer: BufferHandle
  /// Whether the peer does not get it any more: it cancelled, was choked, or is gone.
  var isDropped = false

  init(peer: ConnectionID, request: BlockRequest, block: BlockIndex, buffer: BufferHandle) {
    (self.peer, self.request, self.block, self.buffer) = (peer, request, block, buffer)
  }
}

/// A block that came as a frame.
struct ArrivedFrame {
  let torrent: Torrent
  let peer: ConnectionID
  let block: BlockIndex
  let length: UInt32
  let frame: [UInt8]
  /// When it came.
  let since: Duration
}

/// What is compressed and decompressed now, and what is known of it.
struct FrameDesk {
  /// A job that compresses: the torrent, and for each of its blocks who waits for it. The first one's buffer
  /// is compressed.
  struct Packed {
    let torrent: Torrent
    var parts: [[Packing]]
  }

  private var lastJob: UInt64 = 0
  /// Frames by block: the payload of the message, what stands before the frame included.
  var cache: FrameCache<FrameKey, [UInt8]>
  var policy = CompressionPolicy<FrameFile>()
  var packed: [FrameJobID: Packed] = [:]
  /// Where a block is that is being compressed.
  var places: [FrameKey: (job: FrameJobID, part: Int)] = [:]
  var opening: [FrameJobID: [(frame: ArrivedFrame, buffer: BufferHandle)]] = [:]
  /// Frames for which there is no buffer yet.
  var arrived = Ring<ArrivedFrame>()
  /// Blocks that threads are compressing.
  var packingBlocks = 0

  /// In all torrents.
  var figures = CompressionFigures()

  init(cacheBytes: Int) { cache = FrameCache(capacity: cacheBytes) }

  mutating func newJob() -> FrameJobID {
    lastJob += 1
    return FrameJobID(lastJob)
  }

  /// The torrent is gone.
  mutating func forget(_ torrent: TorrentID) {
    cache.forget { $0.torrent == torrent }
    policy.forget { $0.torrent == torrent }
  }
}
