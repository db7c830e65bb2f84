import Metainfo
import Testing

@testable import Store

/// All requests with small numbers, sensible or not.
func allRequests(of shape: MerkleShape, root: SHA256Digest) -> [HashRequest] {
  var requests: [HashRequest] = []
  let width = UInt32(shape.paddedLeafCount)
  for layer in 0...UInt32(shape.rootLayer + 1) {
    for length in 0...(width + 1) {
      for index in 0...(width >> min(layer, 31) + 1) {
        for proof in 0...UInt32(shape.rootLayer + 1) {
          requests.append(
            HashRequest(
              piecesRoot: root, baseLayer: layer, index: index, length: length, proofLayers: proof))
        }
      }
    }
  }
  return requests
}

/// The requests that BEP 52 allows, found without trial: every run of every layer, with every
/// proof.
func validRequests(of shape: MerkleShape, root: SHA256Digest) -> [HashRequest] {
  var requests: [HashRequest] = []
  for layer in 0..<shape.rootLayer {
    let padded = shape.paddedLeafCount >> layer
    let own = (shape.leafCount + 1 << layer - 1) >> layer
    var width = 1
    while width <= padded {
      for index in stride(from: 0, to: padded, by: width) {
        // Cut off by the end of the layer, down to just more than half of the width.
        let cut = own - index
        var lengths = width >= 2 ? [width] : []
        if cut > width / 2, cut < width || width == 1, cut <= width { lengths.append(cut) }
        for length in lengths {
          for proof in 0..<(shape.rootLayer - layer) {
            requests.append(
              HashRequest(
                piecesRoot: root, baseLayer: UInt32(layer), index: UInt32(index),
                length: UInt32(length), proofLayers: UInt32(proof)))
          }
        }
      }
      width *= 2
    }
  }
  return requests
}

/// The answer straight from the reference: base layer, then for each proof layer the sibling of
/// the ancestor in it, where the run does not include that whole layer's children.
func referenceAnswer(_ tree: ReferenceTree, to request: HashRequest) -> [SHA256Digest] {
  let layer = Int(request.baseLayer)
  let first = Int(request.index)
  let last = first + Int(request.length) - 1
  var hashes = Array(tree.layers[layer][first...last])
  var width = 1
  while width < hashes.count { width *= 2 }
  if width == 1 { hashes.append(tree.layers[layer][first ^ 1]) }
  for proof in 0..<Int(request.proofLayers) {
    let covered = 2 << proof  // base hashes below one node of this proof layer
    if covered >= width { hashes.append(tree.layers[layer + proof + 1][(first / covered) ^ 1]) }
  }
  return hashes
}

@Suite struct MerkleRequestTests {
  /// Of all small requests exactly those that BEP 52 allows are taken.
  @Test(arguments: [1, 2, 3, 5, 8, 9, 11])
  func takesExactlyWhatIsAllowed(leafCount: Int) throws {
    let reference = try ReferenceTree(leafCount: leafCount, blocks: 2)
    let valid = validRequests(of: reference.shape, root: reference.root)
    #expect(Set(valid).count == valid.count)
    let taken = allRequests(of: reference.shape, root: reference.root).filter {
      (try? reference.shape.run(of: $0)) != nil
    }
    #expect(Set(taken) == Set(valid))
  }

  struct Wrong: Sendable {
    var layer: UInt32 = 0
    var index: UInt32 = 0
    var length: UInt32 = 2
    var proof: UInt32 = 0
    var error: HashRequestError
  }

  /// Each field alone, in a file of 37 blocks: 64 leaves with padding, root in layer 6.
  @Test(arguments: [
    Wrong(layer: 6, error: .baseLayer(6, rootLayer: 6)),
    Wrong(layer: .max, error: .baseLayer(.max, rootLayer: 6)),
    Wrong(length: 0, error: .length(0)),
    Wrong(length: 1, error: .length(1)),
    Wrong(length: 3, error: .length(3)),
    Wrong(index: 32, length: 6, error: .length(6)),
    Wrong(index: 35, length: 2, error: .indexNotMultiple(35, length: 2)),
    Wrong(index: 30, length: 7, error: .indexNotMultiple(30, length: 7)),
    Wrong(length: 8193, error: .lengthTooLong(8193)),
    Wrong(length: .max, error: .lengthTooLong(.max)),
    Wrong(length: 128, error: .beyondLayer(index: 0, length: 128, count: 64)),
    Wrong(index: 64, error: .beyondLayer(index: 64, length: 2, count: 64)),
    Wrong(
      index: .max - 1, error: .beyondLayer(index: .max - 1, length: 2, count: 64)),
    Wrong(proof: 6, error: .proofLayers(6, most: 5)),
    Wrong(layer: 5, proof: 1, error: .proofLayers(1, most: 0)),
    Wrong(proof: .max, error: .proofLayers(.max, most: 5)),
  ])
  func namesTheFieldThatIsWrong(_ wrong: Wrong) throws {
    let reference = try ReferenceTree(leafCount: 37, blocks: 4)
    let request = HashRequest(
      piecesRoot: reference.root, baseLayer: wrong.layer, index: wrong.index, length: wrong.length,
      proofLayers: wrong.proof)
    #expect(throws: wrong.error) { try reference.shape.run(of: request) }
    let tree = MerkleTree(shape: reference.shape, leaves: reference.leaves, using: LayerHasher())
    #expect(tree.response(to: request) == .malformed(wrong.error))
    var empty = MerkleTree(shape: reference.shape, root: reference.root)
    #expect(
      empty.add(response: HashResponse(request: request, hashes: []), using: LayerHasher())
        == .malformed(.request(wrong.error)))
  }

  /// Which uncles come with which proof layers, from libtorrent (RC_2_0, test/test_merkle_tree.cpp,
  /// `merkle_tree_get_hashes`): a file of 260 blocks, 512 leaves with padding. Nodes as libtorrent
  /// counts them there: 0 is the root, 1 and 2 its children, and so on.
  @Test(arguments: [
    (layer: 0, index: 0, length: 260, proof: 0, uncles: []),
    (layer: 1, index: 0, length: 256, proof: 0, uncles: []),
    (layer: 1, index: 0, length: 4, proof: 2, uncles: [64]),
    (layer: 0, index: 0, length: 512, proof: 8, uncles: []),
    (layer: 0, index: 256, length: 256, proof: 8, uncles: [1]),
    (layer: 0, index: 256, length: 128, proof: 8, uncles: [6, 1]),
    (layer: 1, index: 128, length: 64, proof: 7, uncles: [6, 1]),
    (layer: 1, index: 128, length: 64, proof: 0, uncles: []),
  ])
  func sendsTheUnclesThatLibtorrentSends(
    _ row: (layer: Int, index: Int, length: Int, proof: Int, uncles: [Int])
  ) throws {
    let reference = try ReferenceTree(leafCount: 260, blocks: 2)
    let flat = reference.layers.reversed().flatMap { $0 }
    let tree = MerkleTree(shape: reference.shape, leaves: reference.leaves, using: LayerHasher())
    let request = HashRequest(
      piecesRoot: reference.root, baseLayer: UInt32(row.layer), index: UInt32(row.index),
      length: UInt32(row.length), proofLayers: UInt32(row.proof))
    let base = reference.layers[row.layer][row.index..<(row.index + row.length)]
    let hashes = base + row.uncles.map { flat[$0] }
    #expect(
      tree.response(to: request)
        == .hashes(HashResponse(request: request, hashes: Array(hashes))))
  }
}
