import Metainfo
import Store

/// What the content of a torrent has to tell. A buffer in a notice belongs to the receiver again.
enum ContentNotice {
  /// The block maps are loaded: `hasPiece` and `isHere` mean something from here on.
  case opened
  /// The block came and is right by its hash; it is not on disk yet. Its bytes, from the start of the
  /// buffer, stay as they are until `.release`.
  case verified(BlockIndex, BufferHandle)
  /// The block is right and on disk: it may be served.
  case stored(BlockIndex)
  /// All blocks of the piece are.
  case have(PieceIndex)
  /// The block is wrong and must be fetched again; the culprit, if there is one, is proven.
  case failed(BlockIndex, culprit: ConnectionID?)
  /// The piece as a whole is wrong. One of these lied; if there is only one, it is proven. All
  /// blocks of the piece that are not here must be fetched again.
  case suspected(PieceIndex, [ConnectionID])
  /// This peer is proven to have sent a wrong block, of which nothing is left to do.
  case culpritFound(ConnectionID)
  /// Something that a peer sent, which is on trial, is right.
  case acquitted(ConnectionID)
  /// The block could not be written, or was only said to be here: it must be fetched, and nobody is
  /// to blame.
  case missing(BlockIndex)
  /// Blocks of the piece wait for hashes that are not known: ask `hashRequests(for:)`, or give up
  /// with `judgeWhole`. Told once while blocks of the piece wait, and again for another try.
  case wantsHashes(PieceIndex)
  /// These blocks may have been told as stored, and are not here any more.
  case lost([BlockRange])
  /// A block for a peer, from the start of the buffer, its padding as zeros.
  case read(tag: UInt64, BlockIndex, BufferHandle)
  /// A block for a peer that is not here any more; the buffer holds nothing.
  case unread(tag: UInt64, BlockIndex, BufferHandle)
  /// The answer to a peer's question; nil for a rejection.
  indirect case answer(tag: UInt64, HashRequest, HashResponse?)
  /// A buffer that `receive` brought is free again.
  case release(BufferHandle)
  /// Somebody changed a file that is not ours to change, or it is gone; it is examined once nobody
  /// writes to it.
  case changed(FileIndex)
  /// The disk is full. Told once until there is room again.
  case full(DiskFailure)
  /// There is room again.
  case hasRoom
  /// The disk failed.
  case diskFailed(DiskFailure)
  /// The file is here, and right by the v1 pieces, but not by its v2 "pieces root": the torrent
  /// contradicts itself.
  case contradiction(FileIndex)
  /// All that was to be kept is on disk, nothing is under way, and every buffer was given back.
  case closed
}
