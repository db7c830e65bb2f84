import Metainfo
import TestSupport
import Testing

@testable import Store

/// A file of 1 TiB whose blocks are all alike: every layer has one hash, so that its answers can be
/// made without the tree.
private struct UniformFile {
  let shape: MerkleShape
  let layers: [SHA256Digest]

  init(pieceLength: UInt64) throws {
    shape = try MerkleShape(fileLength: 1 << 40, pieceLength: pieceLength)
    var layers = testLeaves(1)
    for layer in 0..<shape.rootLayer { layers.append(.parent(of: layers[layer], layers[layer])) }
    self.layers = layers
  }

  var rootOnly: MerkleTree { MerkleTree(shape: shape, root: layers[shape.rootLayer]) }

  func answer(to request: HashRequest) throws -> HashResponse {
    let run = try shape.run(of: request)
    return HashResponse(
      request: request, hashes: (0..<run.hashCount).map { layers[run.node(at: $0).layer] })
  }
}

@Suite struct MerkleMemoryTests {
  private let megabyte = 1 << 20

  /// Joined by link and reading here and there: no piece layer, 100 blocks proven from the root.
  @Test func blocksProvenFromTheRootTakeLittle() throws {
    let file = try UniformFile(pieceLength: 16_384)
    var tree = file.rootOnly
    var generator = SplitMix64(seed: 1)
    for _ in 0..<100 {
      let number = Int.random(in: 0..<file.shape.leafCount, using: &generator)
      let leaf = try #require(file.shape.leaf(number))
      guard case .needsHashes(let request) = tree.verdict(leaf: leaf, digest: file.layers[0]) else {
        continue
      }
      #expect(try tree.add(response: file.answer(to: request), using: LayerHasher()) == .accepted)
      #expect(tree.verdict(leaf: leaf, digest: file.layers[0]) == .verified)
    }
    #expect(tree.capacity * SHA256Digest.byteCount < 3 * megabyte)
  }

  /// With the piece layer (4 MiB a piece: 8 MiB of hashes, and as much above them) and all leaves
  /// of 100 pieces, which go again when the pieces are complete.
  @Test func touchedPiecesTakeLittleAndGiveItBack() throws {
    let hasher = LayerHasher()
    let file = try UniformFile(pieceLength: 1 << 22)
    let pieceHash = file.layers[file.shape.pieceRootLayer]
    var tree = file.rootOnly
    try tree.add(
      pieceLayer: Array(repeating: pieceHash, count: file.shape.pieceCount), using: hasher)
    let before = tree.capacity
    #expect(before < 2 * file.shape.pieceCount)
    let leaves = Array(repeating: file.layers[0], count: 256)
    let pieces = try (0..<100).map { try #require(file.shape.piece($0 * 2_617)) }
    for piece in pieces {
      #expect(tree.add(leaves: leaves, of: piece, using: hasher) == .verified)
    }
    #expect((tree.capacity - before) * SHA256Digest.byteCount < 2 * megabyte)
    for piece in pieces { tree.evict(piece) }
    #expect(tree.capacity == before)
  }

  /// A single block of the largest pieces there are does not bring in its whole piece.
  @Test func oneBlockOfAHugePieceTakesAPathOnly() throws {
    let file = try UniformFile(pieceLength: 1 << 32)
    var tree = file.rootOnly
    let leaf = try #require(file.shape.leaf(12_345_678))
    for request in tree.requests(for: leaf...leaf) {
      #expect(try tree.add(response: file.answer(to: request), using: LayerHasher()) == .accepted)
    }
    #expect(tree.verdict(leaf: leaf, digest: file.layers[0]) == .verified)
    #expect(tree.capacity < 1_000)
    tree.evict(file.shape.piece(of: leaf))
    #expect(tree.capacity < 500)
    #expect(tree.verdict(leaf: leaf, digest: file.layers[0]) != .verified)
  }
}
