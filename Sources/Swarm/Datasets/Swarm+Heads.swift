import Metainfo
import Store
import Wire

/// Heads between peers: our extension `sw_head`.
///
/// Who speaks it is told the newest head when the connection is made and whenever there is a newer
/// one, at most about once a second; who sends an old one is told again.
extension Swarm {
  /// A peer's head. Its signature is checked about once a second at most; of those that come faster
  /// the last one is kept until then.
  mutating func takeHead(
    _ peer: Peer, _ torrent: Torrent, _ payload: RawSpan
  ) throws(ExtensionError) {
    let message = try HeadMessage(payload: payload)
    guard let dataset = followed(by: torrent), message.key == dataset.key,
      message.salt == dataset.salt
    else { return }
    if let known = dataset.head?.item, message == HeadMessage(known) {
      peer.knownHead = max(peer.knownHead, message.sequence)
      peer.otherHead = nil
      return
    }
    if peer.headsTaken.take(1, now: now) {
      peer.lateHead = nil
      judge(message, peer, torrent, dataset)
    } else {
      peer.lateHead = message
    }
  }

  private mutating func judge(
    _ message: HeadMessage, _ peer: Peer, _ torrent: Torrent, _ dataset: FollowedDataset
  ) {
    let item: MutableItem
    do throws(ItemError) {
      item = try message.item
    } catch {
      ban(peer, torrent, "it sent a head that is none: \(error)")
      return
    }
    let knownBefore = peer.knownHead
    // Before others are told: it has what it sent.
    peer.knownHead = max(knownBefore, item.sequence)
    let verdict = take(item, dataset)
    // Told ours it keeps its own: of one number the first counts.
    peer.otherHead = verdict == .keyUsedTwice ? item.sequence : nil
    switch verdict {
    case .newer: peer.emptyMessages = 0
    case .known: break
    case .older, .keyUsedTwice:
      // One that crossed ours on its way is no reason to tell it again.
      if let told = peer.headTold, told + SwarmLimits.headAnswerTime > now { break }
      peer.knownHead = 0
      tellHead(peer, dataset)
    case .unreadable, .notFollowed: peer.knownHead = knownBefore
    }
  }

  /// An item that its owner has signed: what it is, told to whom it concerns.
  mutating func take(_ item: MutableItem, _ dataset: FollowedDataset) -> HeadVerdict {
    let verdict = dataset.judge(item)
    switch verdict {
    case .newer:
      effects.append(.notice(.head(dataset.key, item)))
      for torrent in torrents(of: dataset.key, in: dataset.group) {
        for peer in torrent.peers { tellHead(peer, dataset) }
      }
    case .keyUsedTwice:
      if dataset.isNewlyTwice(item.sequence) {
        effects.append(.notice(.keyUsedTwice(dataset.key, item.sequence)))
      }
    case .known, .older, .unreadable, .notFollowed: break
    }
    return verdict
  }

  /// Tells the peer the newest head, unless it has it: now, or when it may be told again.
  mutating func tellHead(_ peer: Peer, _ dataset: FollowedDataset) {
    peer.owesHead = false
    guard peer.headID != 0, peer.isActive, let head = dataset.head,
      head.version > peer.knownHead
    else { return }
    guard !peer.isBehind, peer.headsGiven.take(1, now: now) else {
      peer.owesHead = true
      return
    }
    peer.knownHead = head.version
    peer.headTold = now
    peer.put(extension: peer.headID, HeadMessage(head.item).encoded)
    touch(peer)
  }

  /// The peer has told by which number it takes heads.
  mutating func peerTakesHeads(_ peer: Peer, _ torrent: Torrent) {
    if let dataset = followed(by: torrent) { tellHead(peer, dataset) }
  }

  /// What had to wait: a head of ours, or of the peer.
  mutating func reviewHeads(_ peer: Peer, _ torrent: Torrent) {
    guard peer.owesHead || peer.lateHead != nil, let dataset = followed(by: torrent) else { return }
    if let message = peer.lateHead, peer.headsTaken.take(1, now: now) {
      peer.lateHead = nil
      judge(message, peer, torrent, dataset)
    }
    if peer.owesHead { tellHead(peer, dataset) }
  }

  /// Tells the torrent's peers whether we take heads from now on. BEP 10: what changed.
  mutating func tellOfHeads(_ torrent: Torrent, isFollowed: Bool) {
    var handshake = ExtensionHandshake()
    handshake.extensions = [.head: isFollowed ? OurExtension.head : 0]
    for peer in torrent.peers where peer.features.contains(.extensions) {
      peer.put(extension: 0, handshake.encoded)
      peer.knownHead = 0
      peer.lateHead = nil
      peerTakesHeads(peer, torrent)
      touch(peer)
    }
  }
}
