import Metainfo
import Store

/// Hash trees: what peers send of them, what to ask for, and how much is kept. BEP 52.
extension Content {
  /// Hashes came from a peer. What waited for them is judged.
  func add(_ response: HashResponse, from peer: ConnectionID, now: Duration) -> HashVerdict {
    self.now = max(self.now, now)
    guard let number = treeOfRoot[response.request.piecesRoot] else {
      return .malformed(.otherFile)
    }
    let tree = Int(number)
    let before = trees[tree].capacity
    let verdict = trees[tree].add(response: response, using: hasher)
    guard verdict == .accepted else { return verdict }
    leafDigests += trees[tree].capacity - before
    let touched = pieces(of: response.request, in: trees[tree].shape)
    for piece in touched {
      if Int(response.request.baseLayer) < trees[tree].shape.pieceRootLayer,
        let own = trees[tree].shape.piece(piece)
      {
        learned.append((number, own))
      }
    }
    hashesCame(tree, touched)
    evict()
    goOn()
    return verdict
  }

  /// Judges what can be judged by new hashes.
  private func hashesCame(_ tree: Int, _ touched: Range<Int>) {
    // The first file's claims; those of files with the same bytes are found when they are needed.
    let pieces = geometry.pieces(of: firstFile[tree])
    for number in touched.clamped(to: pieces.indices) {
      let piece = pieces[number]
      if works[piece] == nil,
        geometry.blocks(of: piece).contains(where: { store.standing(of: $0) == .claimed })
      {
        claims.add(piece.rawValue..<piece.rawValue + 1)
      }
    }
    guard !works.isEmpty else { return }
    let waiting = works.values.filter { treePiece(of: $0.piece)?.tree == tree }
    for work in waiting.sorted(by: { $0.piece < $1.piece }) { judgeWaiting(work) }
  }

  /// The pieces below or above the hashes of the base layer.
  private func pieces(of request: HashRequest, in shape: MerkleShape) -> Range<Int> {
    let layer = Int(request.baseLayer)
    let leaves = Int(request.index) << layer..<(Int(request.index) + Int(request.length)) << layer
    let own = leaves.clamped(to: 0..<shape.leafCount)
    guard !own.isEmpty else { return 0..<0 }
    return own.lowerBound >> shape.pieceHeight..<(own.upperBound - 1) >> shape.pieceHeight + 1
  }

  /// What must be asked, beside the blocks, so that each block of the piece can be judged by itself:
  /// nothing if that is known, and in v1 torrents. At most 512 hashes a request.
  func hashRequests(for piece: PieceIndex) -> [HashRequest] {
    guard let place = treePiece(of: piece) else { return [] }
    let tree = trees[place.tree]
    guard let first = tree.shape.leaf(place.leaves.lowerBound),
      let last = tree.shape.leaf(place.leaves.upperBound - 1)
    else { return [] }
    return tree.requests(for: first...last)
  }

  /// What must be asked for a file's piece layer, where the torrent came without it: then pieces can
  /// be judged as a whole, and peers' questions be answered. Nothing if it is known.
  func pieceLayerRequests(of file: FileIndex) -> [HashRequest] {
    guard geometry.kind.hasV2, treeOfFile[Int(file.rawValue)] >= 0 else { return [] }
    return trees[Int(treeOfFile[Int(file.rawValue)])].pieceLayerRequests()
  }

  /// Of those, what makes the piece's own hash known, and its neighbours'.
  func pieceLayerRequests(for piece: PieceIndex) -> [HashRequest] {
    guard let place = treePiece(of: piece) else { return [] }
    return trees[place.tree].pieceLayerRequests(for: Int(place.piece.rawValue))
  }

  /// The whole piece layers that are known and not among `layers`.
  func pieceLayers(besides layers: PieceLayers) -> PieceLayers {
    var learned: PieceLayers = [:]
    for tree in trees where tree.shape.pieceLayer != nil && layers[tree.root] == nil {
      if let layer = tree.pieceLayer { learned[tree.root] = layer }
    }
    return learned
  }

  /// Learns the leaves of a piece whose blocks were hashed here, if they are right.
  func learn(_ leaves: [SHA256Digest], of place: TreePiece) -> PieceVerdict {
    let before = trees[place.tree].capacity
    let verdict = trees[place.tree].add(leaves: leaves, of: place.piece, using: hasher)
    if verdict == .verified {
      leafDigests += trees[place.tree].capacity - before
      learned.append((Int32(place.tree), place.piece))
    }
    return verdict
  }

  /// Keeps leaves of all files, in order, that the caller made, as far as there is room.
  func keep(_ leaves: [SHA256Digest]) {
    guard geometry.kind.hasV2 else { return }
    var next = 0
    for file in geometry.files where geometry.length(of: file) > 0 {
      for piece in geometry.pieces(of: file) {
        guard let place = treePiece(of: piece) else { continue }
        let end = next + place.leaves.count
        guard end <= leaves.count, leafDigests * SHA256Digest.byteCount < limits.leafBytes else {
          return
        }
        _ = learn(Array(leaves[next..<end]), of: place)
        next = end
      }
    }
  }

  /// Forgets leaves beyond the bound, the oldest first: of pieces that are here, and of those of which
  /// nothing is on its way to a verdict.
  func evict() {
    var tries = 0
    while leafDigests * SHA256Digest.byteCount > limits.leafBytes, tries < 16,
      let (number, piece) = learned.popFirst()
    {
      tries += 1
      let tree = Int(number)
      let global = geometry.pieces(of: firstFile[tree])[Int(piece.rawValue)]
      guard hasPiece(global) || works[global] == nil else {
        learned.append((number, piece))
        continue
      }
      let before = trees[tree].capacity
      trees[tree].evict(piece)
      leafDigests += trees[tree].capacity - before
    }
  }

  /// Keeps the hash of a hybrid's piece that only its SHA-1 proved. When a file has all of them,
  /// its "pieces root" tells whether both halves of the torrent mean the same bytes.
  func learnUnproven(_ work: PieceWork) {
    guard let place = treePiece(of: work.piece) else { return }
    let leaves = work.slots.compactMap(\.digest)
    guard leaves.count == work.slots.count else { return }
    let shape = trees[place.tree].shape
    let root = hasher.root(of: leaves, to: shape.pieceRootLayer)
    var layer = unprovenLayers[place.tree] ?? UnprovenLayer(count: shape.pieceCount)
    layer.add(root, at: Int(place.piece.rawValue))
    unprovenLayers[place.tree] = layer
    guard layer.missing == 0 else { return }
    unprovenLayers[place.tree] = nil
    let isRight: Bool
    if shape.pieceLayer == nil {
      isRight = root == trees[place.tree].root
    } else {
      isRight = (try? trees[place.tree].add(pieceLayer: layer.roots, using: hasher)) != nil
    }
    if !isRight { notices.append(.contradiction(place.file)) }
  }
}

/// A piece layer that nothing proves until it is whole.
struct UnprovenLayer {
  private(set) var roots: [SHA256Digest]
  private var isKnown: [Bool]
  private(set) var missing: Int

  init(count: Int) {
    roots = Array(repeating: .zero, count: count)
    isKnown = Array(repeating: false, count: count)
    missing = count
  }

  mutating func add(_ root: SHA256Digest, at piece: Int) {
    if !isKnown[piece] { missing -= 1 }
    isKnown[piece] = true
    roots[piece] = root
  }
}
