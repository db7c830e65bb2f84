import Metainfo

extension MerkleTree {
  /// The answer to a peer's hash request, from what is known. BEP 52, "hashes".
  ///
  /// Leaves that a seed does not hold in memory are asked for by piece: they can be had from disk.
  public func response(to request: HashRequest) -> HashAnswer {
    guard request.piecesRoot == root else { return .unknown }
    let run: HashRun
    do throws(HashRequestError) {
      run = try shape.run(of: request)
    } catch {
      return .malformed(error)
    }
    var hashes: [SHA256Digest] = []
    hashes.reserveCapacity(run.hashCount)
    var missing: ClosedRange<FilePieceIndex>?
    for position in 0..<run.hashCount {
      let node = run.node(at: position)
      if let hash = hash(of: node) {
        hashes.append(hash)
      } else if let piece = knownPiece(above: node) {
        missing =
          min(missing?.lowerBound ?? piece, piece)...max(missing?.upperBound ?? piece, piece)
      } else {
        return .unknown
      }
    }
    if let missing { return .needsLeaves(of: missing) }
    return .hashes(HashResponse(request: request, hashes: hashes))
  }

  /// The piece that has `node` below its own, known, hash.
  private func knownPiece(above node: MerkleNode) -> FilePieceIndex? {
    let layers = shape.pieceRootLayer - node.layer
    guard layers > 0, known(node.ancestor(above: layers)) != nil else { return nil }
    return FilePieceIndex(node.index >> layers)
  }
}
