import Metainfo
import Store

/// Leaf hashes gathered while content is hashed, so that a seed need not hash it again to answer
/// peers. BEP 52, "hashes".
struct KeptLeaves {
  /// More are not kept: 32 MiB of memory, the leaves of 16 GiB of content. What a seed then lacks it
  /// hashes from disk, piece by piece, when it is asked.
  static let limit = 1 << 20

  /// Those of all files in order; empty if there are too many.
  private(set) var digests: [SHA256Digest] = []
  private var isFull: Bool

  /// Room for the leaves of files with these lengths in bytes.
  init(lengths: some Sequence<UInt64>, kind: TorrentKind) {
    let count = lengths.reduce(0) { $0 + ($1 + UInt64(blockLength) - 1) / UInt64(blockLength) }
    isFull = !kind.hasV2 || count > UInt64(Self.limit)
    if !isFull { digests.reserveCapacity(Int(count)) }
  }

  /// Whether leaves are wanted.
  var areWanted: Bool { !isFull }

  /// None are to be kept: some could not be had.
  mutating func giveUp() {
    isFull = true
    digests = []
  }

  /// Takes those of the next file.
  mutating func add(_ leaves: ArraySlice<SHA256Digest>) {
    if !isFull { digests += leaves }
  }

  /// Takes those of the next segment.
  mutating func add(_ result: SegmentResult) {
    guard !isFull, case .success(let hashes) = result else { return }
    digests += hashes.leaves
  }
}
