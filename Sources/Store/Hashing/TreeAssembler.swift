import Metainfo

/// Joins the nodes of segments, as they come in the order of a schedule, into the root and piece
/// layer of each file. BEP 52.
struct TreeAssembler {
  private let lengths: [UInt64]
  private let pieceLength: UInt64
  private var builder: MerkleBuilder?

  init(lengths: [UInt64], pieceLength: UInt64) {
    self.lengths = lengths
    self.pieceLength = pieceLength
  }

  /// Takes the nodes of the next segment; returns the file's hashes when it was the last of a file.
  mutating func add(
    _ nodes: [SHA256Digest], of part: HashSegment.TreePart, using hasher: LayerHasher
  ) -> FileHashes? {
    var builder = takeBuilder(for: part)
    builder.append(nodes, using: hasher)
    if builder.count == builder.expectedCount { return builder.finish(using: hasher) }
    self.builder = builder
    return nil
  }

  /// The builder in use, moved out so that appending does not copy it.
  private mutating func takeBuilder(for part: HashSegment.TreePart) -> MerkleBuilder {
    defer { builder = nil }
    if let builder { return builder }
    guard let shape = try? MerkleShape(fileLength: lengths[part.file], pieceLength: pieceLength)
    else { preconditionFailure("a schedule has no segments for a file without a tree") }
    return MerkleBuilder(shape: shape, height: part.height)
  }
}
