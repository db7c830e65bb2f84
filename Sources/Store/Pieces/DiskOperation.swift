import Metainfo

/// A payload in memory that the impure side owns. The core passes it on and never sees the bytes.
public struct BufferHandle: Hashable, Sendable {
  /// The impure side's number for it.
  public let rawValue: UInt64
  /// A handle with that number.
  public init(_ rawValue: UInt64) { self.rawValue = rawValue }
}

/// Proof that the content is ours to write: only a store of owned content has one, and every
/// operation that changes content needs it.
public struct OwnedContent: Hashable, Sendable {
  init() {}
}

/// A part of a read or write: neighbouring bytes in one file, or padding, and in one buffer.
public struct TransferPart: Hashable, Sendable {
  /// The file; nil for padding: a read fills the buffer with zeros there, a write skips it.
  public let file: FileIndex?
  /// Offset of the first byte in the file, in bytes.
  public let offset: UInt64
  /// Number of bytes.
  public let length: UInt32
  /// Where the bytes come from or go to.
  public let buffer: BufferHandle
  /// Offset of the first byte in the buffer, in bytes.
  public let bufferOffset: UInt32
}

/// What the disk is asked to do. Paths are those of the layout's entries; the driver opens them
/// beneath the content's folder and follows no symlink on the way.
public enum DiskAction: Hashable, Sendable {
  /// Makes a sparse file of `length` bytes, and the folders above it; a regular file that is there
  /// already keeps its bytes and is made longer, a longer one is an error.
  case create(FileIndex, length: UInt64, isExecutable: Bool, OwnedContent)
  /// Makes a symlink that holds `text`, and the folders above it; the same symlink there is success.
  case createSymlink(FileIndex, text: [UInt8], OwnedContent)
  /// Writes all parts, in order. Parts that follow each other in a file and come one after another
  /// can be one system call.
  case write([TransferPart], OwnedContent)
  /// Reads all parts; a file that ends early is an error. Then, where `reportsEvidence`, looks at
  /// each file: answered by `.evidence`, in the order in which the files first appear.
  case read([TransferPart], reportsEvidence: Bool)
  /// Puts the file's bytes on the medium, where `isNew` also its name and the folders above it.
  case sync(FileIndex, isNew: Bool)
  /// Looks at a file; answered by `.evidence` with one element, nil when there is no such file.
  case examine(FileIndex)
  /// Reads both slots of a block map, each up to `slotCapacity` bytes, the second one from there on;
  /// answered by `.map`, nil when there is no such file.
  case loadMap(BlockMapName, slotCapacity: UInt64)
  /// Writes bytes at `offset` of a block map's file, which is made when it is not there.
  case writeMap(BlockMapName, offset: UInt64, bytes: [UInt8])
  /// Puts a block map's bytes on the medium, where `isNew` also its name.
  case syncMap(BlockMapName, isNew: Bool)
}

/// One thing for the disk to do. Operations that are out at the same time may be carried out in any
/// order.
public struct DiskOperation: Hashable, Sendable {
  /// Names the operation in its completion; unique in the store.
  public let id: UInt64
  /// What to do.
  public let action: DiskAction
}

/// How an operation ended.
public struct DiskCompletion: Sendable {
  /// What an operation that succeeded has to tell.
  public enum Value: Hashable, Sendable {
    /// Nothing.
    case done
    /// What the files look like.
    case evidence([FileEvidence?])
    /// The bytes of the two slots; nil for no such map.
    case map([[UInt8]]?)
  }

  /// The operation's id.
  public let id: UInt64
  /// Its value, or why it failed.
  public let result: Result<Value, DiskFailure>

  /// The end of an operation.
  public init(id: UInt64, result: Result<Value, DiskFailure>) {
    self.id = id
    self.result = result
  }
}

/// Why the disk did not do what it was asked to.
public struct DiskFailure: Error, Hashable, Sendable, CustomStringConvertible {
  /// What the store does about it.
  public enum Reason: Hashable, Sendable {
    /// The disk or the quota is full: wait and try again.
    case noSpace
    /// Anything else.
    case other
  }

  /// What the store does about it.
  public let reason: Reason
  /// Which file, during what, and the system's words: for people.
  public let description: String

  /// A failure in words.
  public init(reason: Reason, description: String) {
    self.reason = reason
    self.description = description
  }
}
