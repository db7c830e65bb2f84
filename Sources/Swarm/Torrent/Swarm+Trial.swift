import Metainfo
import Store

/// Peers that give blocks and refuse the hashes that would prove them. A seed that trusts its data unread
/// does so, and so does who lies: until something that it sent is proven it is asked for the blocks of
/// one piece alone, which is judged as a whole.
extension Swarm {
  /// The peer refused the hashes of a piece that it says it has.
  mutating func tryPeer(_ id: ConnectionID, by piece: PieceIndex, _ torrent: Torrent) {
    guard let peer = peer(id), !peer.isProven, peer.trial == nil,
      peer.pieces?.contains(piece) == true, let data = torrent.data, !data.have.contains(piece),
      data.picker.priority(of: piece) != .skip
    else { return }
    peer.trial = Peer.Trial(piece: piece, since: now)
    data.content.onTrial.insert(id)
  }

  /// Something that the peer sent is right.
  mutating func acquit(_ id: ConnectionID, _ torrent: Torrent) {
    guard let peer = peer(id) else { return }
    peer.isProven = true
    endTrial(peer, torrent)
  }

  /// It may be asked for all that it has again: until the next refusal, if nothing was proven.
  mutating func endTrial(_ peer: Peer, _ torrent: Torrent) {
    guard peer.trial != nil else { return }
    peer.trial = nil
    torrent.data?.content.onTrial.remove(peer.id)
    touch(peer)
    touch(torrent)
  }

  /// The piece is here, whoever brought it.
  mutating func endTrials(by piece: PieceIndex, _ torrent: Torrent) {
    for peer in torrent.peers where peer.trial?.piece == piece { endTrial(peer, torrent) }
  }
}

extension Peer {
  /// What a peer that refuses hashes must prove itself by.
  struct Trial {
    let piece: PieceIndex
    let since: Duration
  }
}
