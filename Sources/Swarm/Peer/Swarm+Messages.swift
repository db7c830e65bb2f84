import Metainfo
import Store
import Wire

/// What each message of a peer means. BEP 3, 6, 52.
extension Swarm {
  mutating func take(_ peer: Peer, _ message: PeerMessage) {
    guard let torrent = peer.torrent else { return }
    switch message {
    case .keepAlive, .unknown: countEmpty(peer)
    case .choke:
      countEmpty(peer)
      guard !peer.peerChoking else { return }
      peer.peerChoking = true
      torrent.data?.picker.left(peer.id.slot)
      // With the fast extension each request is rejected by itself. BEP 6.
      if !peer.isFast { abandonRequests(peer, torrent) }
    case .unchoke:
      countEmpty(peer)
      guard peer.peerChoking else { return }
      peer.peerChoking = false
      peer.lastData = now
    case .interested:
      countEmpty(peer)
      guard !peer.peerInterested else { return }
      peer.peerInterested = true
      torrent.nextChoke = min(torrent.nextChoke, now)
      unchokeIfRoom(peer, torrent)
    case .notInterested:
      countEmpty(peer)
      guard peer.peerInterested else { return }
      peer.peerInterested = false
      if !peer.amChoking { torrent.nextChoke = min(torrent.nextChoke, now) }
      closeIfUseless(peer, torrent)
    case .have(let piece): takeHave(peer, torrent, piece)
    case .haveAll, .haveNone:
      guard peer.isFast else {
        close(peer, .misconduct("it sends messages of an extension it did not offer (BEP 6)"))
        return
      }
      countEmpty(peer)
      if message == .haveAll { takeAll(peer, torrent) }
    case .request(let block):
      peer.emptyMessages = 0
      takeRequest(peer, torrent, block)
    case .cancel(let block):
      countEmpty(peer)
      takeCancel(peer, block)
    case .reject(let block): takeReject(peer, torrent, block)
    case .allowedFast(let number):
      countEmpty(peer)
      guard peer.isFast, let piece = torrent.data?.geometry.piece(number),
        peer.allowedToUs.count < 4 * SwarmLimits.allowedFast, !peer.allowedToUs.contains(piece)
      else { return }
      peer.allowedToUs.append(piece)
    case .suggest(let number):
      countEmpty(peer)
      peer.lastSuggestion = now
      guard peer.isFast, let piece = torrent.data?.geometry.piece(number),
        peer.suggestedToUs.count < SwarmLimits.suggestions, !peer.suggestedToUs.contains(piece)
      else { return }
      peer.suggestedToUs.append(piece)
    case .port(let port):
      countEmpty(peer)
      guard configuration.dhtPort != nil, port > 0, !peer.hasToldNode, torrent.usesDHT else {
        return
      }
      peer.hasToldNode = true
      effects.append(
        .notice(.dhtNode(PeerEndpoint(address: peer.endpoint.address, port: port))))
    case .hash(let message): take(peer, torrent, message)
    case .piece, .bitfield, .extended: break
    }
  }

  /// Messages that cost us something and bring nothing must not come without end.
  func countEmpty(_ peer: Peer) {
    if peer.lastEmpty + SwarmLimits.emptyTime <= now { peer.emptyMessages /= 2 }
    peer.lastEmpty = now
    peer.emptyMessages += 1
    if peer.emptyMessages > SwarmLimits.emptyMessages { peer.isTiresome = true }
  }

  // MARK: What the peer has

  /// BEP 3 and 6 let it come first only; aria2 sends have none, allowed fast and then a bitfield. So
  /// the last one counts, whenever it comes.
  mutating func takeBitfield(_ peer: Peer, _ bytes: [UInt8]) {
    guard let torrent = peer.torrent else { return }
    countEmpty(peer)
    if torrent.isForHeads { return }
    guard let data = torrent.data else {
      peer.earlyBitfield = bytes
      return
    }
    let count = data.geometry.pieces.count
    guard let pieces = PieceSet(bitfield: bytes.span.bytes, pieceCount: count) else {
      close(
        peer,
        .misconduct("a bitfield of \(bytes.count) bytes does not fit \(count) pieces (BEP 3)"))
      return
    }
    learn(peer, torrent, pieces)
  }

  private mutating func takeAll(_ peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data else {
      peer.earlyHasAll = true
      return
    }
    learn(peer, torrent, .full(pieceCount: data.geometry.pieces.count))
  }

  private mutating func learn(_ peer: Peer, _ torrent: Torrent, _ pieces: PieceSet) {
    if let before = peer.pieces { torrent.data?.picker.remove(before) }
    peer.refused.toldAll()
    peer.pieces = pieces
    torrent.data?.picker.add(pieces)
    updateInterest(peer, torrent)
    closeIfUseless(peer, torrent)
    askForWanted(peer, torrent)
  }

  private mutating func takeHave(_ peer: Peer, _ torrent: Torrent, _ number: UInt32) {
    if torrent.isForHeads { return countEmpty(peer) }
    guard let geometry = torrent.data?.geometry else {
      guard peer.earlyHaves.count < SwarmLimits.earlyHaves else {
        close(peer, .misconduct("it has too much to tell before the metadata is here"))
        return
      }
      peer.earlyHaves[number / 64, default: 0] |= 1 << UInt64(number % 64)
      return
    }
    guard let piece = geometry.piece(number) else {
      close(peer, .misconduct("there is no piece \(number) (BEP 3)"))
      return
    }
    peer.refused.told(piece)
    guard peer.pieces?.insert(piece) == true else {
      countEmpty(peer)
      return
    }
    peer.emptyMessages = 0
    if !peer.suggestedToPeer.isEmpty { suggest(to: peer, torrent) }
    torrent.data?.picker.add(piece)
    if peer.isSeed {
      peer.timesFull += 1
      if peer.timesFull <= SwarmLimits.becomesSeed { torrent.data?.picker.becameFull() }
    }
    if !peer.amInterested { updateInterest(peer, torrent) }
    if peer.isSeed { closeIfUseless(peer, torrent) }
  }

  /// The metadata is here: what was said before can be understood.
  mutating func learnEarly(_ peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data else { return }
    prepare(peer, data.geometry)
    if let bytes = peer.earlyBitfield {
      peer.earlyBitfield = nil
      takeBitfield(peer, bytes)
    } else if peer.earlyHasAll {
      takeAll(peer, torrent)
    }
    let haves = peer.earlyHaves
    peer.earlyHaves = [:]
    for (word, bits) in haves.sorted(by: { $0.key < $1.key }) {
      for bit in 0..<64 where bits >> UInt64(bit) & 1 == 1 && !peer.isClosed {
        takeHave(peer, torrent, word * 64 + UInt32(bit))
      }
    }
  }

  /// A piece that the peer has no more. BEP 54.
  mutating func takeDontHave(_ peer: Peer, _ torrent: Torrent, _ number: UInt32) {
    guard let piece = torrent.data?.geometry.piece(number) else { return }
    peer.refused.told(piece)
    guard peer.pieces?.remove(piece) == true else { return }
    // News, as `have` is: a file can be lost, with thousands of pieces.
    peer.emptyMessages = 0
    torrent.data?.picker.remove(piece)
    if peer.outstanding.isEmpty { updateInterest(peer, torrent) }
    peer.takenBack += 1
    if peer.takenBack > SwarmLimits.takenBack {
      close(peer, .misconduct("it takes back what it has without end (BEP 54)"))
    }
  }

  // MARK: Interest

  /// Tells the peer whether it has something that we want.
  mutating func updateInterest(_ peer: Peer, _ torrent: Torrent) {
    guard let pieces = peer.pieces, torrent.isRunning else { return }
    let isInteresting =
      torrent.data.map {
        $0.content.takesBlocks
          && ($0.picker.isInteresting(pieces) || $0.mayReadAny && pieces.hasMore(than: $0.have)
            || $0.isSparse && peer.readsID != 0 && !peer.isUploadOnly && !$0.isComplete)
      } ?? false
    guard isInteresting != peer.amInterested else { return }
    peer.amInterested = isInteresting
    peer.put(isInteresting ? .interested : .notInterested)
    touch(peer)
  }

  /// Two that have all they want have nothing for each other. BEP 21.
  mutating func closeIfUseless(_ peer: Peer, _ torrent: Torrent) {
    guard let data = torrent.data, torrent.isRunning, data.wantsNothing, peer.isActive,
      peer.isSeed || peer.isUploadOnly, !peer.peerInterested, !peer.amInterested
    else { return }
    // Not at once: the peer may be about to be told that it is of no use, too, and others of it.
    peer.isUselessSince = peer.isUselessSince ?? now
  }

  // MARK: Hashes

  /// Bytes that may be read and hashed for the next question of a peer: many times what it is sent,
  /// and some more for whoever only wants hashes.
  private func hashAllowance(_ peer: Peer) -> UInt64 {
    let seconds = UInt64(clamping: (now - peer.since).components.seconds)
    let all =
      SwarmLimits.hashedAtOnce + SwarmLimits.hashedPerSecond * seconds
      + SwarmLimits.hashedPerUpload * peer.upload.total
    return all > peer.hashedBytes ? all - peer.hashedBytes : 0
  }

  private mutating func take(_ peer: Peer, _ torrent: Torrent, _ message: HashMessage) {
    switch message {
    case .request(let request):
      countEmpty(peer)
      guard let content = torrent.data?.content, torrent.isRunning,
        peer.hashAnswers < SwarmLimits.hashAnswers, !peer.isBehind
      else {
        peer.put(.hash(.reject(request)))
        return
      }
      peer.hashAnswers += 1
      peer.hashedBytes += content.answer(
        request, tag: purposes.keep(.hashes(peer.id)), hashing: hashAllowance(peer))
    case .hashes(let response): takeHashes(peer, torrent, response)
    case .reject(let request): takeHashReject(peer, torrent, request)
    }
  }
}
