import Metainfo

/// What the tree says of a block's hash.
public enum LeafVerdict: Hashable, Sendable {
  /// The block is the file's.
  case verified
  /// The leaf is not known yet. The answer to this request, the smallest there is, makes it known.
  case needsHashes(HashRequest)
  /// The block is not the file's: who sent it is to blame.
  case mismatch
}

/// What the tree says of all block hashes of a piece.
public enum PieceVerdict: Hashable, Sendable {
  /// All blocks are the file's.
  case verified
  /// The piece's own hash is not known yet. The answer to this request makes it known.
  case needsHashes(HashRequest)
  /// At least one block is not the file's; which one, only its leaf hash can tell
  /// (`MerkleTree.requests(for:)`).
  case mismatch
}

/// What became of a `hashes` message. BEP 52.
public enum HashVerdict: Hashable, Sendable {
  /// All of its hashes are proven, and kept.
  case accepted
  /// All of its hashes are right, and were known.
  case notNeeded
  /// A hash in it is wrong: who sent it is to blame. Nothing was kept.
  case mismatch
  /// The proof ends below all that is known, so that nothing can be said: nobody is to blame if the
  /// question had too few proof layers, or if what it relied on was evicted since. Nothing was kept.
  case unanchored
  /// It cannot be an answer about this file: who sent it is to blame. Nothing was kept.
  case malformed(HashResponseError)
}

/// Why a `hashes` message cannot be about the file. BEP 52.
public enum HashResponseError: Error, Hashable, Sendable {
  /// The "pieces root" is another file's.
  case otherFile
  /// The repeated question makes no sense for the file.
  case request(HashRequestError)
  /// Not as many hashes as the question asks for.
  case hashCount(Int, expected: Int)
  /// A node beyond the end of the file has a hash that is not the padding's.
  case dataInPadding(MerkleNode)
  /// A node of the file has a hash that stands for padding or for nothing.
  case paddingInData(MerkleNode)
}

extension HashResponseError: CustomStringConvertible {
  /// What is wrong, with the place.
  public var description: String {
    switch self {
    case .otherFile: "the pieces root is not this file's"
    case .request(let error): error.description
    case .hashCount(let count, let expected): "\(count) hashes came instead of \(expected)"
    case .dataInPadding(let node): "\(node) is beyond the end of the file, but is not padding"
    case .paddingInData(let node): "\(node) is in the file, but is padding"
    }
  }
}

/// What to do about a peer's hash request. BEP 52.
public enum HashAnswer: Hashable, Sendable {
  /// Send this.
  case hashes(HashResponse)
  /// Hash these pieces from disk first, hand their leaves to `MerkleTree.add(leaves:of:using:)`,
  /// and ask again; pieces that are not on disk mean a rejection.
  case needsLeaves(of: ClosedRange<FilePieceIndex>)
  /// Reject: the hashes are not known.
  case unknown
  /// Reject: the request makes no sense for this file.
  case malformed(HashRequestError)
}

/// Why a file's entry in "piece layers" is wrong. BEP 52: "A torrent is not valid if […] the
/// contained hashes do not match the merkle roots or are not from the correct layer."
public enum PieceLayerError: Error, Hashable, Sendable {
  /// Not one hash a piece; none are due for a file that is not larger than a piece.
  case hashCount(Int, expected: Int)
  /// A hash stands for padding or for nothing.
  case padding(FilePieceIndex)
  /// The hashes do not lead to the file's "pieces root".
  case mismatch
}

extension PieceLayerError: CustomStringConvertible {
  /// What is wrong, with the place.
  public var description: String {
    switch self {
    case .hashCount(let count, let expected):
      "the piece layer has \(count) hashes instead of \(expected) (BEP 52)"
    case .padding(let piece): "the piece layer's hash \(piece) is padding (BEP 52)"
    case .mismatch: "the piece layer does not match the pieces root (BEP 52)"
    }
  }
}
