import TestSupport

@testable import Metainfo

/// BEP 52 as the text says it, without any thought of speed.
enum SlowReference {
  /// Root of the tree over `leaves`, filled up to `width` with zeros; `width` is a power of two.
  static func root(_ leaves: [SHA256Digest], width: Int) -> SHA256Digest {
    var layer = leaves + [SHA256Digest](repeating: .zero, count: width - leaves.count)
    while layer.count > 1 {
      layer = stride(from: 0, to: layer.count, by: 2).map {
        SHA256Digest(hashing: layer[$0].bytes + layer[$0 + 1].bytes)
      }
    }
    return layer[0]
  }

  /// The smallest power of two that is at least `count`.
  static func width(_ count: Int) -> Int {
    var width = 1
    while width < count { width *= 2 }
    return width
  }

  /// Pieces root and piece layer of a file whose blocks have these hashes.
  static func tree(
    _ leaves: [SHA256Digest], pieceLength: Int
  ) -> (root: SHA256Digest, layer: [SHA256Digest]) {
    let blocks = pieceLength / 16_384
    let root = root(leaves, width: width(leaves.count))
    if leaves.count <= blocks { return (root, []) }
    let layer = stride(from: 0, to: leaves.count, by: blocks).map {
      Self.root(Array(leaves[$0..<min($0 + blocks, leaves.count)]), width: blocks)
    }
    return (root, layer)
  }
}

extension SplitMix64 {
  /// A digest of nothing in particular.
  mutating func sha256() -> SHA256Digest {
    SHA256Digest(bytes(SHA256Digest.byteCount)) ?? .zero
  }
}
