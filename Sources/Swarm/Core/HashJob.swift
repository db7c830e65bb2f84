import Metainfo
import Store

/// Bytes to hash: the first `length` of a buffer.
public struct HashPart: Hashable, Sendable {
  /// Where the bytes are.
  public let buffer: BufferHandle
  /// How many, from the start of the buffer.
  public let length: UInt32

  /// The first `length` bytes of `buffer`.
  public init(buffer: BufferHandle, length: UInt32) {
    self.buffer = buffer
    self.length = length
  }
}

/// Hashing for another thread. The buffers are the job's until its result was handed to `Swarm.hashed`.
public struct HashJob: Sendable {
  /// What is to be found out.
  public enum Work: Sendable {
    /// SHA-256 of each part: leaf hashes. BEP 52.
    case leaves([HashPart])
    /// SHA-1 of all parts one after the other, and zeros behind them: the hash of a v1 piece with
    /// its padding. BEP 3, BEP 47.
    case piece([HashPart], zeros: UInt32)
    /// The same for a piece that comes in several jobs, one after the other: a run of its parts goes
    /// into the stream, zeros behind them; with the last run the piece's hash is the result, before
    /// it `.more`.
    case pieceRun(SHA1Stream, [HashPart], zeros: UInt32, isLast: Bool)
  }

  /// Names the job in its result.
  public let id: HashJobID
  /// What is to be found out.
  public let work: Work

  init(id: HashJobID, work: Work) {
    self.id = id
    self.work = work
  }
}

/// What came of a `HashJob`.
public enum HashResult: Sendable {
  /// One hash for each part.
  case leaves([SHA256Digest])
  /// The piece's hash.
  case piece(SHA1Digest)
  /// The run is in the stream, and others follow.
  case more
}
