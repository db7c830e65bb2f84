/// Bytes in a block, the unit of request and of verification. BEP 52: a leaf of the hash tree.
public let blockLength = 16_384

/// A number that counts one kind of thing, and cannot be passed for another kind's.
public protocol TypedIndex: Hashable, Comparable, Sendable, CustomStringConvertible {
  /// The number, counted from 0.
  var rawValue: UInt32 { get }
}

extension TypedIndex {
  /// In counting order.
  public static func < (a: Self, b: Self) -> Bool { a.rawValue < b.rawValue }

  /// The number.
  public var description: String { String(rawValue) }
}

/// A file of a version, counted from 0 in the order of the torrent's file list; padding files
/// (BEP 47) are not counted.
///
/// Only `PieceGeometry` makes these from numbers that came from outside.
public struct FileIndex: TypedIndex {
  /// The number, counted from 0.
  public let rawValue: UInt32
  package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// A piece of a version, counted from 0 over all files: the number in `have` and `bitfield`.
/// BEP 3; BEP 52: pieces never span files.
///
/// Only `PieceGeometry` makes these from numbers that came from outside.
public struct PieceIndex: TypedIndex {
  /// The number, counted from 0.
  public let rawValue: UInt32
  package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// A block of a version, counted from 0 over all pieces: piece × blocks a piece + block in the
/// piece. The last block of a piece can be shorter than 16 KiB.
///
/// Only `PieceGeometry` makes these from numbers that came from outside.
public struct BlockIndex: TypedIndex {
  /// The number, counted from 0.
  public let rawValue: UInt32
  package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}

/// A leaf of one file's hash tree, counted from 0: block number in the file. BEP 52.
///
/// Only `PieceGeometry` and `MerkleShape` make these from numbers that came from outside.
public struct LeafIndex: TypedIndex {
  /// The number, counted from 0.
  public let rawValue: UInt32
  package init(_ rawValue: UInt32) { self.rawValue = rawValue }
}
