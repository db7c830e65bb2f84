import Metainfo

extension MerkleTree {
  /// The requests whose answers make all of these leaves known, asking for as few hashes as
  /// possible; none if all are known. Any one answer can be added without the others. BEP 52.
  ///
  /// Precondition: the file has these leaves.
  public func requests(for leaves: ClosedRange<LeafIndex>) -> [HashRequest] {
    let range = Int(leaves.lowerBound.rawValue)..<(Int(leaves.upperBound.rawValue) + 1)
    precondition(range.upperBound <= shape.leafCount)
    var requests: [HashRequest] = []
    collect(range, below: MerkleNode(layer: shape.rootLayer, index: 0), into: &requests)
    return requests
  }

  /// The requests whose answers make the piece layer known, in runs of up to
  /// `MerkleLimits.requestLength` as libtorrent asks for them: for a file that was joined by magnet
  /// link. None for a file that has no piece layer, and for runs that are known. BEP 52.
  ///
  /// - Parameter piece: the only piece that is asked about, by its number in the file; nil for all. It
  ///   is in one run: of a large file the others are many.
  public func pieceLayerRequests(for piece: Int? = nil) -> [HashRequest] {
    guard let layer = shape.pieceLayer else { return [] }
    var requests: [HashRequest] = []
    var first = (piece ?? 0) / MerkleLimits.requestLength * MerkleLimits.requestLength
    let limit = piece == nil ? shape.pieceCount : min(first + 1, shape.pieceCount)
    while first < limit {
      let end = min(first + MerkleLimits.requestLength, shape.pieceCount)
      if !(first..<end).allSatisfy({ known(MerkleNode(layer: layer, index: $0)) != nil }) {
        let height = max(1, Int.bitWidth - (end - first - 1).leadingZeroBitCount)
        let top = MerkleNode(layer: layer, index: first).ancestor(above: height)
        let anchor = lowestKnown(from: top)
        requests.append(
          shape.request(for: top, at: layer, provenBy: anchor.layer, root: root))
      }
      first = end
    }
    return requests
  }

  /// Goes down from a known node to where knowledge ends, and plans there.
  private func collect(
    _ leaves: Range<Int>, below node: MerkleNode, into requests: inout [HashRequest]
  ) {
    let wanted = leaves.clamped(to: node.leaves)
    if wanted.isEmpty || node.layer == 0 { return }
    if known(node.leftChild) == nil {
      requests += shape.requests(for: wanted, below: node, root: root)
    } else {
      collect(wanted, below: node.leftChild, into: &requests)
      collect(wanted, below: node.rightChild, into: &requests)
    }
  }
}
