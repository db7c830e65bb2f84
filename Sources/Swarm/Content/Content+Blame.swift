import Metainfo
import Store

/// Who lied. A piece that is wrong as a whole says only that one of those who sent it did; when it
/// is right at last, whoever sent something else before is found out.
extension Content {
  /// Who sent blocks of the piece that are not verified, each once, in order of their blocks.
  func senders(of work: PieceWork) -> [ConnectionID] {
    var senders: [ConnectionID] = []
    for slot in work.slots where slot.place == .memory || slot.place == .disk {
      if let sender = slot.sender, !senders.contains(sender) { senders.append(sender) }
    }
    return senders
  }

  /// Keeps the hashes of a wrong piece's blocks.
  func remember(_ work: PieceWork) {
    guard senders(of: work).count > 1 else { return }
    if suspects[work.piece] == nil {
      suspectOrder.append(work.piece)
      while suspectOrder.count > limits.suspectPieces, let oldest = suspectOrder.popFirst() {
        suspects[oldest] = nil
      }
    }
    var kept = suspects[work.piece] ?? []
    for (position, slot) in work.slots.enumerated()
    where slot.place == .memory || slot.place == .disk {
      guard let digest = slot.digest, let sender = slot.sender else { continue }
      kept.append(Suspect(position: position, digest: digest, sender: sender))
    }
    // Several tries: the last ones count.
    suspects[work.piece] = kept.suffix(limits.suspectTries * work.slots.count)
  }

  /// The piece is right: compares its blocks with those of earlier tries.
  func findLiars(of work: PieceWork) {
    guard let suspects = forgetSuspects(of: work.piece) else { return }
    tell(
      suspects.filter { suspect in
        work.slots[suspect.position].digest.map { $0 != suspect.digest } ?? false
      })
  }

  /// All blocks of the piece are here, by their leaves.
  func findLiars(of piece: PieceIndex) {
    guard let suspects = forgetSuspects(of: piece), let place = treePiece(of: piece) else { return }
    tell(
      suspects.filter { suspect in
        let leaf = MerkleNode(layer: 0, index: place.leaves.lowerBound + suspect.position)
        return trees[place.tree].hash(of: leaf).map { $0 != suspect.digest } ?? false
      })
  }

  private func forgetSuspects(of piece: PieceIndex) -> [Suspect]? {
    guard let found = suspects.removeValue(forKey: piece) else { return nil }
    suspectOrder.removeAll(where: { $0 == piece })
    return found
  }

  /// What the peer sent is right.
  func acquit(_ sender: ConnectionID?) {
    if onTrial.isEmpty { return }
    guard let sender, onTrial.remove(sender) != nil else { return }
    notices.append(.acquitted(sender))
  }

  private func tell(_ liars: [Suspect]) {
    var told: Set<ConnectionID> = []
    for liar in liars where told.insert(liar.sender).inserted {
      notices.append(.culpritFound(liar.sender))
    }
  }
}
