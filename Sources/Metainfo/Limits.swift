/// Bounds on metainfo from outside, each with its reason.
public enum MetainfoLimits {
  /// Bytes in one name: what Linux file systems take (NAME_MAX).
  public static let pathElementBytes = 255
  /// Bytes in a path: what Linux system calls take (PATH_MAX), less room for the target folder.
  public static let pathBytes = 3_584
  /// Folders inside each other: deeper trees are not made by people.
  public static let pathDepth = 128
  /// Bytes in all paths of a file tree together. In the tree a thousand files share the names of
  /// their folders, in memory they do not: this keeps a small tree from becoming a large list. Each
  /// file takes at least 20 bytes in the tree, and 75 if it has contents, so that paths of honest
  /// trees are far below 8 bytes for each byte of it; small trees may have 1 MiB.
  public static func allPathBytes(infoBytes: Int) -> Int { max(1 << 20, 8 * infoBytes) }
  /// Entries in each of the lists that only help to find content: trackers of all tiers together,
  /// web seeds, DHT nodes, similar torrents, collections. Ten times what the longest tracker lists in
  /// circulation have.
  public static let listEntries = 4_096
  /// Bytes in a comment and in other text for people: more is not read by them, and is four times as
  /// long when it is shown.
  public static let textBytes = 1 << 20
  /// Piece layers of no file that are told one by one. One is enough to refuse a torrent.
  public static let surplusLayers = 1_000

  /// Bytes in a `.torrent`: room for the piece layers of a 256 GiB image in 64 KiB pieces, and
  /// still little enough to hold in memory twice.
  public static let torrentBytes = 128 << 20
  /// Lists and dictionaries inside each other in a `.torrent`: the deepest file tree, the five
  /// containers around and below it, and some room for keys we do not know.
  public static let torrentDepth = pathDepth + 8
  /// Values and keys in a `.torrent`: a million files in a v1 or v2 torrent, and 300,000 in a hybrid,
  /// which has each file twice and its padding. The decoder keeps 16 bytes for each.
  /// libtorrent by default takes 3 million (`load_torrent_limits`).
  public static let torrentNodes = 1 << 23

  /// The smallest piece, in bytes. BEP 52. A v1 torrent may have smaller ones.
  public static let smallestPieceLength: UInt64 = 16_384
  /// The largest piece, in bytes: the largest power of two that libtorrent takes; larger pieces
  /// would be verified too late to be of use.
  public static let largestPieceLength: UInt64 = 1 << 29
  /// Pieces in a torrent: a bitfield of 2 MiB. A file tree of a hundred bytes can claim any length,
  /// so this is what bounds the memory for everything that is kept for each piece.
  public static let pieces: UInt64 = 1 << 24
  /// Blocks in a torrent: they are counted in 32 bits, as are the leaves in a BEP 52 hash request.
  public static let blocks: UInt64 = (1 << 32) - 1
  /// Bytes in a torrent, padding included: what libtorrent takes (48 bits), so that offsets and
  /// their sums are far from overflow.
  public static let contentBytes: UInt64 = (1 << 48) - 1
}

/// What a bencoded value may cost before it is refused.
public struct BencodeLimits: Hashable, Sendable {
  /// Bytes of input.
  public var bytes: Int
  /// Lists and dictionaries inside each other.
  public var depth: Int
  /// Values and dictionary keys, each counted as one.
  public var nodes: Int

  /// Limits from their numbers.
  public init(bytes: Int, depth: Int, nodes: Int) {
    self.bytes = bytes
    self.depth = depth
    self.nodes = nodes
  }

  /// For `.torrent` files and info dictionaries.
  public static let torrent = BencodeLimits(
    bytes: MetainfoLimits.torrentBytes, depth: MetainfoLimits.torrentDepth,
    nodes: MetainfoLimits.torrentNodes)
  /// For KRPC datagrams (64 KiB at most) and BEP 10 payloads (at most a block and its header): no
  /// extension nests more than a few levels, and BEP 44 allows any value of up to 1000 bytes.
  public static let message = BencodeLimits(bytes: 1 << 20, depth: 512, nodes: 1 << 16)
}
