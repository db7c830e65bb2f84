import Metainfo
import Store
import Wire

/// Requests that are rejected. BEP 6.
extension Swarm {
  /// The peer does not give us a block: because it chokes us, because too much is asked of it, or
  /// because it does not have the piece, whatever it said.
  mutating func takeReject(_ peer: Peer, _ torrent: Torrent, _ rejected: BlockRequest) {
    guard peer.isFast else {
      close(peer, .misconduct("it sends messages of an extension it did not offer (BEP 6)"))
      return
    }
    let block = torrent.data?.geometry.block(
      piece: rejected.piece, begin: rejected.begin, length: rejected.length)
    guard let block, let piece = torrent.data?.geometry.piece(of: block),
      peer.takeRequest(block) != nil
    else {
      // The answer to a cancel, or to what was given up.
      if peer.forgiven > 0 { peer.forgiven -= 1 } else { countEmpty(peer) }
      return
    }
    torrent.data?.picker.abandoned(block, by: peer.id.slot)
    if peer.trial?.piece == piece { endTrial(peer, torrent) }
    if peer.pieces?.contains(piece) != true {
      // It is not with us any more, or has not what it was to have.
      peer.promised.remove(block)
      // Else it could promise it anew, and be asked again, without end.
      noteDeclined(block, by: peer)
      (peer.inStepUntil, peer.readsUntil) = (nil, nil)
    } else if peer.peerChoking {
      peer.allowedToUs.removeAll { $0 == piece }
    } else if peer.forgiven > 0 {
      // Perhaps of an earlier request for the same block, which was cancelled: then the block still
      // comes.
    } else if peer.outstanding.count >= max(SwarmLimits.firstPipeline, peer.requestQueue / 2) {
      // Perhaps its queue is full.
      peer.pipeline = max(SwarmLimits.leastPipeline, peer.outstanding.count / 2)
    } else {
      withhold(piece, peer, torrent)
    }
    touchDownloaders(torrent)
  }

  /// The piece is not counted on for a while. Other requests for it may be rejected as well: that is
  /// no news.
  private mutating func withhold(_ piece: PieceIndex, _ peer: Peer, _ torrent: Torrent) {
    guard peer.pieces?.remove(piece) == true else { return }
    torrent.data?.picker.remove(piece)
    peer.rejections += 1
    if peer.rejections > SwarmLimits.rejections {
      // A liar, or its disk has failed: who knows.
      close(peer, .useless)
      return
    }
    if let other = peer.refused.refused(piece, now: now) { giveBack(other, peer, torrent) }
    updateInterest(peer, torrent)
  }

  /// Counts again on what the peer said that it has.
  mutating func giveBackRefused(_ peer: Peer) {
    guard !peer.refused.isEmpty, let torrent = peer.torrent else { return }
    let pieces = peer.refused.due(now: now)
    guard !pieces.isEmpty else { return }
    for piece in pieces { giveBack(piece, peer, torrent) }
    updateInterest(peer, torrent)
  }

  private mutating func giveBack(_ piece: PieceIndex, _ peer: Peer, _ torrent: Torrent) {
    guard peer.pieces?.insert(piece) == true else { return }
    torrent.data?.picker.add(piece)
    if peer.isSeed { torrent.data?.picker.becameFull() }
  }
}
