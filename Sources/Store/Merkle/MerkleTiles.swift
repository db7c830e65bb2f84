import Metainfo

/// The nodes of a tree that are known, where few of very many may be: subtrees of a few layers
/// each, a tile, allocated when a node in them is first kept.
///
/// No tile reaches across the layer of the pieces' roots, so that all that lies below a piece can
/// be dropped alone. The root of the whole tree is not kept here.
///
/// Invariant: a node in a tile that is not known is zero; no known node is.
struct MerkleTiles: Hashable, Sendable {
  /// Layers in a tile: 126 nodes, one page of memory. Less would spend more on the dictionary, more
  /// would waste room around a single known path.
  private static let layers = 6

  private let rootLayer: Int
  private let pieceRootLayer: Int
  private var tiles: [UInt64: ContiguousArray<SHA256Digest>] = [:]
  /// Places for nodes in all tiles, known or not: the memory held, in digests.
  private(set) var capacity = 0

  init(shape: MerkleShape) {
    rootLayer = shape.rootLayer
    pieceRootLayer = shape.pieceRootLayer
  }

  /// The hash of a node below the root; zero when it is not known.
  subscript(node: MerkleNode) -> SHA256Digest {
    let band = band(of: node.layer)
    guard let tile = tiles[band.key(above: node)] else { return .zero }
    return tile[band.place(of: node)]
  }

  /// Keeps the hashes of nodes that lie side by side from `first` on.
  mutating func keep(_ hashes: some RandomAccessCollection<SHA256Digest>, from first: MerkleNode) {
    let band = band(of: first.layer)
    let width = 1 << (band.top - first.layer)
    var node = first
    var rest = hashes[...]
    while !rest.isEmpty {
      let part = rest.prefix(width - node.index & (width - 1))
      let place = band.place(of: node)
      let count = tiles.count
      tiles[band.key(above: node), default: band.emptyTile].withUnsafeMutableBufferPointer {
        _ = UnsafeMutableBufferPointer(rebasing: $0[place...]).update(fromContentsOf: part)
      }
      if tiles.count > count { capacity += band.capacity }
      node.index += part.count
      rest = rest.dropFirst(part.count)
    }
  }

  /// Forgets all nodes below the root of a piece.
  mutating func removeAll(below piece: MerkleNode) {
    var top = pieceRootLayer
    while top > 0 {
      let band = band(of: top - 1)
      let first = piece.index << (pieceRootLayer - top)
      for index in first..<(first + 1 << (pieceRootLayer - top)) {
        let key = band.key(above: MerkleNode(layer: top - 1, index: index << 1))
        if tiles.removeValue(forKey: key) != nil { capacity -= band.capacity }
      }
      top = band.base
    }
  }

  /// The layers from `base` up to, but not including, `top` that share tiles.
  private struct Band {
    var base: Int
    var top: Int

    var capacity: Int { 1 << (top - base + 1) - 2 }
    var emptyTile: ContiguousArray<SHA256Digest> {
      ContiguousArray(repeating: .zero, count: capacity)
    }

    func key(above node: MerkleNode) -> UInt64 {
      UInt64(top) << 32 | UInt64(node.index >> (top - node.layer))
    }

    /// Layer after layer from the top one, which has two nodes a tile.
    func place(of node: MerkleNode) -> Int {
      let width = 1 << (top - node.layer)
      return width - 2 + node.index & (width - 1)
    }
  }

  private func band(of layer: Int) -> Band {
    if layer >= pieceRootLayer {
      let base = layer - (layer - pieceRootLayer) % Self.layers
      return Band(base: base, top: min(base + Self.layers, rootLayer))
    }
    let top = layer + 1 + (pieceRootLayer - 1 - layer) % Self.layers
    return Band(base: max(0, top - Self.layers), top: top)
  }
}
