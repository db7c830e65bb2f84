import Metainfo
import Store
import Wire

/// What the core wants done. Carried out in order for each connection and each torrent's disk; else in
/// any order and in parallel.
public enum Effect {
  /// Open a TCP connection. Ends in `Swarm.connected` or `Swarm.disconnected`. Where it is for a private group,
  /// all that goes over it is sealed by the group's key, and who has not got that is not connected.
  case connect(ConnectionID, PeerEndpoint, PrivateGroup?)
  /// Send, behind all that was given for this connection before. `Swarm.sent` tells how many bytes
  /// the system took.
  case send(ConnectionID, Outgoing)
  /// Close the connection; what was not sent yet is dropped, and its buffers are not touched any more.
  /// No event about it is expected after this.
  case close(ConnectionID)
  /// `Swarm.wantsInput` became true again for this connection.
  case resumeReading(ConnectionID)
  /// The torrent's info dictionary is known: keep it, and make ready the disk for its content. Before
  /// any `disk` of this torrent.
  case prepare(TorrentID, InfoDictionary, PieceLayers)
  /// Peers sent whole piece layers that were not known, and they are right: keep them. BEP 52.
  case keep(TorrentID, PieceLayers)
  /// Carry out with the disk of the torrent; give the end to `Swarm.completed`.
  case disk(TorrentID, DiskOperation)
  /// Hash on another thread; give the result to `Swarm.hashed`.
  case hash(TorrentID, HashJob)
  /// Compress blocks on another thread; give the frames to `Swarm.compressed`.
  case compress(CompressionJob)
  /// Open frames on another thread; give the end to `Swarm.decompressed`.
  case decompress(DecompressionJob)
  /// A buffer that `Swarm.receive` kept is free again.
  case release(BufferHandle)
  /// A block of a read is here, in order of arrival. The buffer is the reader's until it is given to
  /// `Swarm.finish`.
  case deliver(ReadID, BlockIndex, BufferHandle)
  /// The read has ended: all of its blocks were delivered, or why not.
  case endRead(ReadID, ReadFailure?)
  /// Something for the operator.
  case notice(Notice)
}

/// Bytes for a peer.
public enum Outgoing {
  /// Messages, or a handshake.
  case bytes([UInt8])
  /// A `piece` message: its head, and the block's bytes from the start of the buffer.
  /// The last `zeros` bytes of the block are zeros that no buffer holds.
  case block(BlockRequest, BufferHandle, zeros: UInt32)

  /// How many bytes go over the wire.
  public var byteCount: Int {
    switch self {
    case .bytes(let bytes): bytes.count
    case .block(let block, _, _): 13 + Int(block.length)
    }
  }
}

/// Why a read ended without all of its bytes.
public enum ReadFailure: Hashable, Sendable {
  /// Its deadline passed first; what the first block that was missing waited for then.
  case timeout(StalledRead.Reason)
  /// The torrent was removed, or the node stops.
  case closed
  /// There are no such bytes.
  case outOfRange
}
