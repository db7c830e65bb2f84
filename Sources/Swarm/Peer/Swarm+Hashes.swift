import Metainfo
import Store
import Wire

/// The hashes that prove blocks, asked for in the same send as the blocks. BEP 52.
extension Swarm {
  /// Sees to it that somebody is asked for the hashes of a piece. An urgent `request` for a block of it
  /// goes in between: behind the hashes that prove the block, before others.
  mutating func askForHashes(
    _ peer: Peer, _ torrent: Torrent, _ piece: PieceIndex, around request: BlockRequest? = nil
  ) {
    var request = request
    if torrent.v2 != nil, let data = torrent.data, data.lastHashPiece != piece {
      if peer.isV2, data.hashAskings[piece]?.peer == nil {
        ask(peer, torrent, piece, around: &request)
      }
      torrent.data?.lastHashPiece = piece
    }
    if let request { peer.put(.request(request)) }
  }

  /// Asks one peer for all hashes of a piece that are not known.
  private mutating func ask(_ peer: Peer, _ torrent: Torrent, _ piece: PieceIndex) {
    var request: BlockRequest?
    ask(peer, torrent, piece, around: &request)
  }

  private mutating func ask(
    _ peer: Peer, _ torrent: Torrent, _ piece: PieceIndex, around request: inout BlockRequest?
  ) {
    guard let data = torrent.data else { return }
    let before = data.hashAskings[piece]
    guard before?.refused.contains(peer.id) != true else { return }
    let requests = data.content.hashRequests(for: piece)
    guard !requests.isEmpty else {
      torrent.data?.hashAskings[piece] = nil
      return
    }
    // A torrent that came by its link has no piece layers, and some seeds have no other hashes:
    // with these the piece can at least be judged as a whole.
    let layers = data.content.pieceLayerRequests(for: piece).filter { data.hashOwners[$0] == nil }
    if request == nil { put(layers, to: peer, torrent, piece) }
    put(requests, to: peer, torrent, piece)
    if let block = request.take() {
      peer.put(.request(block))
      // A block is read from disk before it is sent, so that hashes overtake it; the first one is
      // not to wait behind 16 KiB of them. Ours know the leaves, and if not are asked again behind it.
      if peer.readsID == 0 || peer.download.total > 0 { put(layers, to: peer, torrent, piece) }
    }
    torrent.data?.hashAskings[piece] = Torrent.HashAsking(
      peer: peer.id, since: now, refused: before?.refused ?? [],
      askedTwice: before?.askedTwice ?? [])
    touch(peer)
  }

  /// A block that somebody waits for came from a peer that has refused its hashes: some seeds, such as
  /// libtorrent when it takes its content for right, know those of a piece when they have read it. So the
  /// peer is asked once more.
  mutating func askHashesBehind(_ block: BlockIndex, of peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data, !data.hashAskings.isEmpty else { return }
    let piece = data.geometry.piece(of: block)
    guard var asking = data.hashAskings[piece], asking.peer == nil,
      asking.refused.contains(peer.id), !asking.askedTwice.contains(peer.id),
      data.picker.urgent.contains(block)
    else { return }
    asking.refused.removeAll { $0 == peer.id }
    asking.askedTwice.append(peer.id)
    data.hashAskings[piece] = asking
    ask(peer, torrent, piece)
  }

  /// Asks a peer for the hashes of a piece of which it was asked for a block a moment ago.
  mutating func askHashesLater(of piece: PieceIndex, _ peer: Peer, _ torrent: Torrent) {
    guard torrent.v2 != nil, torrent.data?.hashAskings[piece]?.peer == nil else { return }
    ask(peer, torrent, piece)
  }

  private func put(
    _ requests: [HashRequest], to peer: Peer, _ torrent: Torrent, _ piece: PieceIndex
  ) {
    for request in requests {
      peer.put(.hash(.request(request)))
      torrent.data?.hashOwners[request] = piece
    }
    peer.hashRequests += requests.count
  }

  /// Asks a further peer for the hashes of a piece, because the answer of the one that was asked is
  /// late; that one may still answer.
  mutating func askAgain(_ peer: Peer, _ torrent: Torrent, _ piece: PieceIndex) {
    guard let data = torrent.data, peer.isV2, peer.hashRequests < SwarmLimits.hashRequests,
      data.hashAskings[piece]?.refused.contains(peer.id) != true
    else { return }
    let requests = data.content.hashRequests(for: piece)
    guard !requests.isEmpty else { return }
    put(requests, to: peer, torrent, piece)
    data.hashAskings[piece]?.peer = peer.id
    data.hashAskings[piece]?.since = now
  }

  /// Asks for the part of a file's piece layer that has the piece's own hash: that of 512 pieces at
  /// once, where leaves would be a question for each. False where it is known, or nobody can be asked.
  mutating func askForLayer(_ piece: PieceIndex, _ torrent: Torrent) -> Bool {
    guard let data = torrent.data else { return false }
    let requests = data.content.pieceLayerRequests(for: piece)
    if requests.isEmpty { return false }
    let unasked = requests.filter { data.hashOwners[$0] == nil }
    if unasked.isEmpty { return true }
    let refused = data.hashAskings[piece]?.refused ?? []
    let candidate = torrent.peers.filter {
      $0.isActive && $0.isV2 && !refused.contains($0.id)
        && $0.hashRequests < SwarmLimits.hashRequests
    }.min { ($0.hashRequests, $0.id.slot) < ($1.hashRequests, $1.id.slot) }
    guard let candidate else { return false }
    for request in unasked {
      candidate.put(.hash(.request(request)))
      torrent.data?.hashOwners[request] = piece
    }
    candidate.hashRequests += unasked.count
    torrent.data?.hashAskings[piece] = Torrent.HashAsking(
      peer: candidate.id, since: now, refused: refused,
      askedTwice: data.hashAskings[piece]?.askedTwice ?? [])
    touch(candidate)
    return true
  }

  /// Asks for the piece layers of these files, by their place in the torrent, as soon as there is
  /// somebody to ask: for who wants nothing else of a torrent that came without them. They come as
  /// `Effect.keep`. BEP 52.
  public mutating func fetchPieceLayers(ofFiles files: [Int], in id: TorrentID, now: Duration) {
    advance(to: now)
    guard let torrent = torrent(id), let data = torrent.data else { return }
    for file in files {
      if let index = UInt32(exactly: file).flatMap({ data.geometry.file($0) }) {
        data.layersWanted.append(index)
      }
    }
    askForLayers(torrent)
    settle()
  }

  private mutating func askForLayers(_ torrent: Torrent) {
    guard let data = torrent.data, !data.layersWanted.isEmpty else { return }
    data.layersWanted.removeAll { data.content.pieceLayerRequests(of: $0).isEmpty }
    for file in data.layersWanted {
      let pieces = data.geometry.pieces(of: file)
      for request in data.content.pieceLayerRequests(of: file)
      where Int(request.index) < pieces.count && data.hashOwners[request] == nil {
        if !askForLayer(pieces[Int(request.index)], torrent) { return }
      }
    }
  }

  mutating func takeHashes(_ peer: Peer, _ torrent: Torrent, _ response: HashResponse) {
    guard peer.hashRequests > 0, let content = torrent.data?.content else {
      countEmpty(peer)
      return
    }
    peer.hashRequests -= 1
    peer.emptyMessages = 0
    switch content.add(response, from: peer.id, now: now) {
    case .accepted, .notNeeded:
      noteReader(peer, torrent, response.request)
      settleAsking(peer, torrent, response.request, isGood: true)
      askForWanted(peer, torrent)
      if torrent.data?.layersWanted.isEmpty == false { keepLayers(torrent) }
    case .mismatch:
      ban(peer, torrent, "it sent wrong hashes of \(response.request.piecesRoot) (BEP 52)")
    case .malformed(let error):
      ban(peer, torrent, "it sent hashes that cannot be: \(error)")
    case .unanchored: settleAsking(peer, torrent, response.request, isGood: false)
    }
  }

  /// Notes that the peer knew hashes as soon as it had read the piece, or after less time than it was given.
  private func noteReader(_ peer: Peer, _ torrent: Torrent, _ request: HashRequest) {
    if let time = peer.readingTime {
      peer.readingTime = max(time - time / 16, ReadLimits.readingTime)
    } else if let data = torrent.data, let piece = data.hashOwners[request],
      data.hashAskings[piece]?.askedTwice.contains(peer.id) == true
    {
      peer.readingTime = ReadLimits.readingTime
    }
  }

  mutating func takeHashReject(_ peer: Peer, _ torrent: Torrent, _ request: HashRequest) {
    guard peer.hashRequests > 0 else {
      countEmpty(peer)
      return
    }
    peer.hashRequests -= 1
    if let time = peer.readingTime {
      peer.readingTime = min(time * 2, ReadLimits.longestReading)
    }
    settleAsking(peer, torrent, request, isGood: false)
  }

  /// What the end of a peer's answer means for the piece that it was asked about.
  private mutating func settleAsking(
    _ peer: Peer, _ torrent: Torrent, _ request: HashRequest, isGood: Bool
  ) {
    guard let piece = torrent.data?.hashOwners.removeValue(forKey: request),
      torrent.data?.hashAskings[piece]?.peer == peer.id
    else { return }
    if !isGood {
      refuse(piece, torrent, by: peer.id)
    } else if torrent.data?.content.hashRequests(for: piece).isEmpty == true {
      torrent.data?.hashAskings[piece] = nil
    }
  }

  /// The peer does not have the hashes of the piece: another one may.
  private mutating func refuse(_ piece: PieceIndex, _ torrent: Torrent, by id: ConnectionID) {
    guard var asking = torrent.data?.hashAskings[piece] else { return }
    disown(piece, torrent)
    asking.peer = nil
    if !asking.refused.contains(id) { asking.refused.append(id) }
    torrent.data?.hashAskings[piece] = asking
    askAnother(piece, torrent)
    tryPeer(id, by: piece, torrent)
  }

  /// Asks somebody for the hashes of a piece whose blocks are on their way; if nobody has them, the
  /// piece is judged as a whole.
  mutating func askAnother(_ piece: PieceIndex, _ torrent: Torrent) {
    let refused = torrent.data?.hashAskings[piece]?.refused ?? []
    let candidate = torrent.peers.filter {
      $0.isActive && $0.isV2 && $0.pieces?.contains(piece) == true && !refused.contains($0.id)
        && $0.hashRequests < SwarmLimits.hashRequests
    }.min { ($0.hashRequests, $0.id.slot) < ($1.hashRequests, $1.id.slot) }
    if let candidate {
      ask(candidate, torrent, piece)
    } else {
      torrent.data?.content.judgeWhole(piece)
      if !mayLearn(piece, torrent) { completeJudged(piece, torrent) }
      touch(torrent)
      want(piece, torrent)
    }
  }

  /// Whether a peer that refused the hashes of a piece is asked for them once more, behind the block that it
  /// is about to read (`askHashesBehind`).
  private func mayLearn(_ piece: PieceIndex, _ torrent: Torrent) -> Bool {
    guard let data = torrent.data, let asking = data.hashAskings[piece] else { return false }
    return asking.refused.contains { id in
      guard !asking.askedTwice.contains(id), let peer = peer(id) else { return false }
      return data.geometry.blocks(of: piece).contains {
        data.picker.urgent.contains($0) && peer.asked(for: $0) != nil
      }
    }
  }

  /// Remembers that hashes are wanted, until there is somebody to ask.
  private func want(_ piece: PieceIndex, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    if !data.hashWanted.contains(piece) { data.hashWanted.append(piece) }
  }

  /// Asks for what was wanted when there was nobody to ask.
  private mutating func askForWanted(_ torrent: Torrent) {
    guard let data = torrent.data, !data.hashWanted.isEmpty else { return }
    let wanted = data.hashWanted.prefix(SwarmLimits.hashRequests)
    data.hashWanted.removeFirst(wanted.count)
    for piece in wanted where !data.content.hasPiece(piece) {
      if data.content.hashRequests(for: piece).isEmpty { continue }
      // Who refused may have learned of them since.
      data.hashAskings[piece] = nil
      askAnother(piece, torrent)
    }
  }

  /// Asks a peer, which has just told what it has or has answered, for what was wanted when there was nobody
  /// to ask, or more than could be asked at once.
  mutating func askForWanted(_ peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data, !data.hashWanted.isEmpty, peer.isActive, peer.isV2 else {
      return
    }
    let wanted = data.hashWanted.prefix(SwarmLimits.hashRequests)
    data.hashWanted.removeFirst(wanted.count)
    for piece in wanted
    where !data.content.hasPiece(piece) && !data.content.hashRequests(for: piece).isEmpty {
      let asking = data.hashAskings[piece]
      if asking?.peer != nil { continue }
      if peer.pieces?.contains(piece) == true, peer.hashRequests < SwarmLimits.hashRequests,
        asking?.refused.contains(peer.id) != true
      {
        ask(peer, torrent, piece)
      } else {
        // Behind all others, so that everything has its turn.
        data.hashWanted.append(piece)
      }
    }
  }

  /// The peer is gone: what it was asked for is asked of others.
  mutating func abandonHashes(_ peer: Peer, _ torrent: Torrent) {
    torrent.data?.content.onTrial.remove(peer.id)
    guard peer.hashRequests > 0, let askings = torrent.data?.hashAskings else { return }
    peer.hashRequests = 0
    torrent.data?.lastHashPiece = nil
    for (piece, asking) in askings.sorted(by: { $0.key < $1.key }) where asking.peer == peer.id {
      torrent.data?.hashAskings[piece]?.peer = nil
      disown(piece, torrent)
      askAnother(piece, torrent)
    }
  }

  /// What was asked for the piece's sake will not be answered: it can be asked again.
  private func disown(_ piece: PieceIndex, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    data.hashOwners = data.hashOwners.filter { $0.value != piece }
  }

  /// Peers that do not answer are passed over.
  mutating func retryHashes(_ torrent: Torrent) {
    askForLayers(torrent)
    guard let askings = torrent.data?.hashAskings else { return }
    for (piece, asking) in askings.sorted(by: { $0.key < $1.key }) {
      if let id = asking.peer, asking.since + SwarmLimits.hashTime <= now {
        refuse(piece, torrent, by: id)
      }
    }
    if torrent.hashesWantedSince + SwarmLimits.hashTime <= now {
      torrent.hashesWantedSince = now
      askForWanted(torrent)
    }
  }
}
