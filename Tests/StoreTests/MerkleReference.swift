import Metainfo

@testable import Store

/// The slow, obvious tree: every node of every layer, padding included, straight from BEP 52.
struct ReferenceTree {
  let shape: MerkleShape
  /// `layers[0]` is the padded leaf layer, the last one holds the root.
  let layers: [[SHA256Digest]]

  init(shape: MerkleShape, leaves: [SHA256Digest]) {
    self.shape = shape
    var size = 1
    while size < leaves.count { size *= 2 }
    var layer = leaves + Array(repeating: .zero, count: size - leaves.count)
    var layers = [layer]
    while layer.count > 1 {
      layer = stride(from: 0, to: layer.count, by: 2).map { .parent(of: layer[$0], layer[$0 + 1]) }
      layers.append(layer)
    }
    self.layers = layers
  }

  /// A tree of `leafCount` leaves that all differ, in pieces of `blocks` blocks.
  init(leafCount: Int, blocks: Int, seed: UInt64 = 0) throws {
    try self.init(
      shape: MerkleShape(
        fileLength: UInt64(leafCount * blockLength - 1), pieceLength: UInt64(blocks * blockLength)),
      leaves: testLeaves(leafCount, seed: seed))
  }

  var root: SHA256Digest { layers[layers.count - 1][0] }
  var leaves: [SHA256Digest] { Array(layers[0].prefix(shape.leafCount)) }

  /// What a torrent would carry: "one hash covers piece length bytes", nothing beyond the end.
  var pieceLayer: [SHA256Digest] {
    guard shape.fileLength > shape.pieceLength else { return [] }
    let blocks = Int(shape.pieceLength) / blockLength
    let pieces = (shape.leafCount + blocks - 1) / blocks
    return Array(layers.first { $0.count * blocks == layers[0].count }!.prefix(pieces))
  }
}

/// Digests that all differ, as leaves of a test file.
func testLeaves(_ count: Int, seed: UInt64 = 0) -> [SHA256Digest] {
  (0..<count).map { SHA256Digest(hashing: Array("leaf \(seed) \($0)".utf8)) }
}
