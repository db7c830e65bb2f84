import Metainfo

/// A claimed block's bytes, read for hashing. `PieceStore.judge` takes the verdict; one that comes
/// after the bytes on disk may have changed is not heeded.
public struct Examination: Hashable, Sendable {
  /// The block.
  public let block: BlockIndex
  let id: UInt64
}

/// What the store has to tell. A buffer in a notice belongs to the receiver again.
public enum StoreNotice: Hashable, Sendable {
  /// All block maps are loaded: states of blocks are meaningful from here on.
  case opened
  /// The block is in its file: verified if it was hashed before, else claimed.
  case stored(BlockIndex, BufferHandle)
  /// The block's bytes are in the buffer, verified.
  case read(BlockIndex, BufferHandle)
  /// The block was not read: it is not verified any more, or the disk failed. The buffer holds
  /// nothing that may be used.
  case unread(BlockIndex, BufferHandle)
  /// The claimed block's bytes are in the buffer: hash them, then `judge`.
  case examined(Examination, BufferHandle)
  /// The block could not be written, or read for hashing: it is missing, or in place still a claim.
  case dropped(BlockIndex, BufferHandle)
  /// These blocks, runs in order, were written and are missing now: the disk failed to keep them.
  case lost([BlockRange])
  /// Somebody changed the file, or it is gone. All of it is missing until it was quiet for a while;
  /// the runs, in order, were verified.
  case changed(FileIndex, lost: [BlockRange])
  /// These blocks, runs in order, were missing and are claims now: a file that changed is quiet, or is
  /// to be read again.
  case claimed([BlockRange])
  /// The disk is full: writes wait, and are tried again from time to time. Told once until a write
  /// succeeds.
  case full(DiskFailure)
  /// The disk failed. Told once for each operation that failed.
  case failed(DiskFailure)
  /// Everything that was to be kept is on disk; no operation is under way.
  case closed
}
