import Metainfo
import Store

/// Who lied. Nobody is called a liar without proof: who always gets blocks of a piece together with a
/// liar is as often among the senders of wrong pieces as the liar is.
extension Swarm {
  /// The peer is proven to have sent something wrong.
  mutating func blame(_ id: ConnectionID, _ torrent: Torrent, _ what: String) {
    if let peer = peer(id) { ban(peer, torrent, what) }
  }

  /// The piece is wrong as a whole, and comes from these.
  mutating func suspect(_ piece: PieceIndex, _ suspects: [ConnectionID], _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    data.alone.removeAll { $0.piece == piece }
    if suspects.count == 1 {
      blame(suspects[0], torrent, "a piece that it sent is not the torrent's")
    } else if data.alone.count < SwarmLimits.alonePieces {
      data.alone.append(Torrent.Alone(piece: piece))
    }
  }

  /// Of the pieces that the peer has, those that it may be asked for: a piece that was wrong and came
  /// from several is asked of one alone. Either that one is the liar, which is proven by the next
  /// verdict, or the piece gets right, and what the others sent can be compared with it.
  mutating func askable(_ pieces: PieceSet, of peer: Peer, _ torrent: Torrent) -> PieceSet {
    guard let data = torrent.data else { return pieces }
    var pieces = pieces
    if let trial = peer.trial, data.picker.priority(of: trial.piece) != .skip,
      !data.alone.contains(where: { $0.piece == trial.piece })
    {
      pieces = PieceSet(pieceCount: data.geometry.pieces.count)
      pieces.insert(trial.piece)
    }
    if data.alone.isEmpty { return pieces }
    for index in data.alone.indices where pieces.contains(data.alone[index].piece) {
      let entry = data.alone[index]
      if let id = entry.peer, let other = self.peer(id), gives(other, entry.piece) {
        if id != peer.id { pieces.remove(entry.piece) }
      } else if gives(peer, entry.piece) {
        data.alone[index].peer = peer.id
      } else {
        pieces.remove(entry.piece)
      }
    }
    return pieces
  }

  private func gives(_ peer: Peer, _ piece: PieceIndex) -> Bool {
    peer.isActive && !peer.peerChoking && !peer.isSnubbed
      && peer.pieces?.contains(piece) == true
  }
}
