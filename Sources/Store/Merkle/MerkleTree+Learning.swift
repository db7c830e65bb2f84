import Metainfo

extension MerkleTree {
  /// Learns the whole piece layer, as a torrent has it. Nothing is kept if anything is wrong.
  /// BEP 52, "piece layers".
  public mutating func add(
    pieceLayer hashes: [SHA256Digest], using hasher: LayerHasher
  ) throws(PieceLayerError) {
    let expected = shape.pieceLayer == nil ? 0 : shape.pieceCount
    if hashes.count != expected { throw .hashCount(hashes.count, expected: expected) }
    guard let layer = shape.pieceLayer else { return }
    let first = MerkleNode(layer: layer, index: 0)
    if let wrong = hashes.firstIndex(where: { standsForNothing($0, layer: layer) }) {
      throw .padding(FilePieceIndex(wrong))
    }
    if hasher.root(of: hashes, at: layer, to: shape.rootLayer) != root { throw .mismatch }
    tiles.keepSubtree(hashes, from: first, to: shape.rootLayer, hasher)
  }

  /// Learns the leaves of a piece, in order, whose blocks were hashed here; they are kept only if
  /// they are right.
  ///
  /// Precondition: the file has this piece, and `leaves` are as many as it has.
  public mutating func add(
    leaves: [SHA256Digest], of piece: FilePieceIndex, using hasher: LayerHasher
  ) -> PieceVerdict {
    let verdict = leaves.withUnsafeBufferPointer {
      self.verdict(piece: piece, leaves: $0, using: hasher)
    }
    if verdict == .verified {
      let first = MerkleNode(layer: 0, index: shape.leaves(of: piece).lowerBound)
      tiles.keepSubtree(leaves, from: first, to: shape.pieceRootLayer, hasher)
    }
    return verdict
  }

  /// Learns from a `hashes` message: all of it or nothing. BEP 52, "hashes".
  ///
  /// The base layer may be any below the root. A proof may be shorter or longer than needed: it has
  /// to reach a node that is known, and beyond that to agree with what is known.
  public mutating func add(response: HashResponse, using hasher: LayerHasher) -> HashVerdict {
    let run: HashRun
    do throws(HashResponseError) {
      run = try checkedRun(of: response)
    } catch {
      return .malformed(error)
    }
    let ownCount = min(run.count, max(0, shape.nodeCount(layer: run.layer) - run.first))
    let base = Array(response.hashes[..<ownCount])
    let uncles = response.hashes[run.count...]
    if let verdict = comparedIfKnown(response.hashes, of: run) { return verdict }

    let top =
      base.isEmpty
      ? MerklePadding.hash(layer: run.root.layer)
      : hasher.root(of: base, at: run.layer, to: run.root.layer)
    guard let path = anchoredPath(from: run.root, hash: top, uncles: uncles) else {
      return .mismatch
    }
    guard path.isAnchored else { return .unanchored }
    if !base.isEmpty {
      let first = MerkleNode(layer: run.layer, index: run.first)
      tiles.keepSubtree(base, from: first, to: run.root.layer, hasher)
    }
    for step in path.proven where !shape.isPadding(step.node) {
      tiles.keep(CollectionOfOne(step.hash), from: step.node)
    }
    return .accepted
  }

  /// The nodes that a message is about, if it can be about this file.
  private func checkedRun(of response: HashResponse) throws(HashResponseError) -> HashRun {
    guard response.request.piecesRoot == root else { throw .otherFile }
    let run: HashRun
    do throws(HashRequestError) {
      run = try shape.run(of: response.request)
    } catch {
      throw .request(error)
    }
    guard response.hashes.count == run.hashCount else {
      throw .hashCount(response.hashes.count, expected: run.hashCount)
    }
    for (position, hash) in response.hashes.enumerated() {
      let node = run.node(at: position)
      if shape.isPadding(node) {
        if hash != MerklePadding.hash(layer: node.layer) { throw .dataInPadding(node) }
      } else if standsForNothing(hash, layer: node.layer) {
        throw .paddingInData(node)
      }
    }
    return run
  }

  /// Whether no block of a file can be below this hash: zero is how tiles mark what is unknown.
  private func standsForNothing(_ hash: SHA256Digest, layer: Int) -> Bool {
    hash == .zero || hash == MerklePadding.hash(layer: layer)
  }

  /// The verdict without hashing, where all of a message is known already.
  private func comparedIfKnown(_ hashes: [SHA256Digest], of run: HashRun) -> HashVerdict? {
    var isRight = true
    for (position, hash) in hashes.enumerated() {
      guard let known = self.hash(of: run.node(at: position)) else { return nil }
      isRight = isRight && known == hash
    }
    return isRight ? .notNeeded : .mismatch
  }

  /// The way up from the node above a run of hashes.
  private struct Path {
    /// What was not known: the nodes on the way and their siblings, up to the first known node.
    var proven: [(node: MerkleNode, hash: SHA256Digest)] = []
    var isAnchored = false
  }

  /// Climbs from `start` with the help of `uncles`, and of padding beyond them, to a known node;
  /// nil when something on the way disagrees with what is known.
  private func anchoredPath(
    from start: MerkleNode, hash: SHA256Digest, uncles: ArraySlice<SHA256Digest>
  ) -> Path? {
    var path = Path()
    var node = start
    var hash = hash
    var uncles = uncles
    while true {
      if !shape.isPadding(node), let known = known(node), !path.isAnchored {
        if known != hash { return nil }
        path.isAnchored = true
      }
      if node.layer == shape.rootLayer || (path.isAnchored && uncles.isEmpty) { return path }
      let sibling = node.sibling
      guard
        let uncle = uncles.popFirst() ?? (shape.isPadding(sibling) ? self.hash(of: sibling) : nil)
      else { return path }
      if path.isAnchored {
        if self.hash(of: sibling) != uncle { return nil }
      } else {
        path.proven += [(node, hash), (sibling, uncle)]
        hash = node.isLeft ? .parent(of: hash, uncle) : .parent(of: uncle, hash)
      }
      node = node.parent
    }
  }
}
