import Metainfo
import Store
import Wire

/// The two handshakes. BEP 3, BEP 10, BEP 52 "upgrade path".
extension Swarm {
  /// Extension numbers by which we want to be sent messages. BEP 10.
  enum OurExtension {
    static let metadata: UInt8 = 1
    static let exchange: UInt8 = 2
    static let dontHave: UInt8 = 3
    static let uploadOnly: UInt8 = 4
    static let head: UInt8 = 5
    static let reads: UInt8 = 6
    static let zstd: UInt8 = 7
  }

  mutating func sendHandshake(_ peer: Peer, _ torrent: Torrent, answering: SHA1Digest? = nil) {
    // A peer may know a hybrid by one of its names alone: where the one failed, the other is tried.
    let names = torrent.infohashes
    let tries = peer.isIncoming ? 0 : torrent.known.failures(of: peer.endpoint)
    guard !peer.hasSentHandshake, let infohash = answering ?? names[cyclic: tries] else { return }
    peer.hasSentHandshake = true
    var features: PeerFeatures = [.fast, .extensions]
    if torrent.v1 != nil, torrent.v2 != nil { features.insert(.v2Upgrade) }
    if configuration.dhtPort != nil, torrent.usesDHT { features.insert(.dht) }
    if agreesOnMetadata(peer, torrent) { features.insert(.metadataFirst) }
    peer.put(
      Handshake(features: features, infohash: infohash, peerID: configuration.peerID))
  }

  /// As much of the peer's handshake as came. BEP 3 lets who connects wait for our answer before it
  /// tells its peer id.
  mutating func readHandshake(_ peer: Peer) {
    guard let infohash = peer.reader.infohash, let features = peer.reader.features else { return }
    if peer.isIncoming, peer.torrent == nil {
      // For who is of another group, or of none, it is not there.
      guard let id = torrentsByInfohash[infohash], let torrent = torrents[Int(id.rawValue)],
        torrent.group == peer.group
      else {
        close(peer, .unknownTorrent(infohash))
        return
      }
      switch torrent.phase {
      case .closing, .unusable:
        close(peer, .unknownTorrent(infohash))
        return
      case .fetching, .meeting, .opening, .running: break
      }
      guard !torrent.known.isBanned(peer.endpoint) else {
        close(peer, .misconduct("it was banned before"))
        return
      }
      guard hasPlace(torrent) else {
        close(peer, .tooMany)
        return
      }
      peer.torrent = torrent
      sendHandshake(peer, torrent, answering: answer(to: infohash, features, torrent))
    }
    guard let torrent = peer.torrent, let handshake = peer.reader.handshake else { return }
    guard torrent.infohashes.contains(infohash) else {
      close(peer, .misconduct("it answered with another infohash (BEP 3)"))
      return
    }
    peer.features = features
    peer.peerID = handshake.peerID
    let agreed = peer.isIncoming ? answer(to: infohash, features, torrent) : infohash
    peer.isV2 = torrent.v2.map { $0.truncated == agreed } ?? false
    if handshake.peerID == configuration.peerID {
      if let port = configuration.listenPort {
        exclude(PeerEndpoint(address: peer.endpoint.address, port: port))
      }
      close(peer, .isSelf)
      return
    }
    guard keepsOver(peer, torrent) else {
      close(peer, .duplicate)
      return
    }
    // Many may have begun at once.
    guard !torrent.isForHeads || hasPlace(torrent) else {
      close(peer, .tooMany)
      return
    }
    if case .opening = torrent.phase {
      peer.phase = .parked
    } else {
      activate(peer, torrent)
    }
  }

  private func hasPlace(_ torrent: Torrent) -> Bool {
    let guests = torrent.isForHeads ? SwarmLimits.headGuests : 0
    return torrent.peers.count < connectionLimit(torrent) + guests
  }

  /// The infohash to answer with: the v2 one where both sides can. BEP 52, "upgrade path".
  private func answer(
    to infohash: SHA1Digest, _ features: PeerFeatures, _ torrent: Torrent
  ) -> SHA1Digest {
    if features.contains(.v2Upgrade), torrent.v1 != nil, let v2 = torrent.v2 { return v2.truncated }
    return infohash
  }

  /// Whether this connection stays where there are two to one peer. Both sides come to the same
  /// answer: the one that the peer with the higher id has made, or else the older.
  mutating func keepsOver(_ peer: Peer, _ torrent: Torrent) -> Bool {
    guard let peerID = peer.peerID,
      let other = torrent.peers.first(where: { $0.peerID == peerID && !$0.isClosed })
    else { return true }
    guard other.isIncoming != peer.isIncoming else { return false }
    let oursIsHigher = peerID.bytes.lexicographicallyPrecedes(configuration.peerID.bytes)
    let isKept = oursIsHigher != peer.isIncoming
    if isKept { close(other, .duplicate) }
    return isKept
  }

  /// Both handshakes are here: the peer takes part.
  mutating func activate(_ peer: Peer, _ torrent: Torrent) {
    peer.phase = .active
    peer.since = now
    peer.lastReceived = now
    torrent.peers.append(peer)
    if let listening = peer.listening { torrent.known.connected(listening) }
    if peer.isPaused { effects.append(.resumeReading(peer.id)) }
    peer.isPaused = false
    if peer.features.contains(.extensions) {
      sendExtensionHandshake(peer, torrent)
      pushMetadata(peer, torrent)
    }
    if let data = torrent.data {
      prepare(peer, data.geometry)
      sendPieces(peer, data)
      unchokeBeforeInterest(peer, torrent)
    } else if peer.isFast {
      peer.put(.haveNone)
    }
    if let port = configuration.dhtPort, peer.features.contains(.dht), torrent.usesDHT {
      peer.put(.port(port))
    }
    effects.append(.notice(.peerConnected(torrent.id, peer.id, peer.endpoint)))
    touch(peer)
    touch(torrent)
  }

  /// The geometry is known: what the peer says of pieces can be checked.
  func prepare(_ peer: Peer, _ geometry: PieceGeometry) {
    peer.pieces = PieceSet(pieceCount: geometry.pieces.count)
    peer.framer.bitfieldLimit = (geometry.pieces.count + 7) / 8
  }

  private func sendPieces(_ peer: Peer, _ data: Torrent.Data) {
    if peer.isFast, data.have.isFull {
      peer.put(.haveAll)
    } else if peer.isFast, data.have.isEmpty {
      peer.put(.haveNone)
    } else if !data.have.isEmpty {
      let bits = data.have.bitfield
      peer.put(.bitfield(byteCount: bits.count), body: bits)
    }
    // Peers of one network are allowed the same pieces: in a crowd a seed would send those to all.
    guard peer.isFast, !data.have.isEmpty,
      peer.torrent.map({ $0.peers.count <= configuration.uploadSlots }) ?? false
    else { return }
    if let infohash = peer.torrent?.infohashes.first {
      let pieces = AllowedFast.pieces(
        for: peer.endpoint.address, infohash: infohash,
        pieceCount: data.geometry.pieces.count, count: SwarmLimits.allowedFast)
      for number in pieces {
        guard let piece = data.geometry.piece(number), data.have.contains(piece) else { continue }
        peer.allowedToPeer.insert(number)
        peer.put(.allowedFast(piece: number))
      }
    }
  }

  private func sendExtensionHandshake(_ peer: Peer, _ torrent: Torrent) {
    var handshake = ExtensionHandshake()
    if !torrent.isForHeads {
      handshake.extensions = [
        .metadata: OurExtension.metadata, .dontHave: OurExtension.dontHave,
        .uploadOnly: OurExtension.uploadOnly,
      ]
      if configuration.compresses { handshake.extensions[.zstd] = OurExtension.zstd }
      // Only leaves prove a block alone.
      if peer.isV2 { handshake.extensions[.reads] = OurExtension.reads }
    }
    if followed(by: torrent) != nil { handshake.extensions[.head] = OurExtension.head }
    if usesExchange(torrent) { handshake.extensions[.pex] = OurExtension.exchange }
    if let port = configuration.listenPort { handshake.port = port }
    handshake.client = Array(configuration.client.utf8)
    handshake.yourAddress = peer.endpoint.address
    handshake.requestQueue = SwarmLimits.uploadQueue
    handshake.metadataSize = torrent.data?.info.bytes.count
    if let data = torrent.data, data.wantsNothing { handshake.isUploadOnly = true }
    peer.put(extension: 0, handshake.encoded)
  }

  func usesExchange(_ torrent: Torrent) -> Bool {
    configuration.usesPeerExchange && !torrent.isPrivate
  }
}

extension Array {
  /// The element at a place that counts on from the start behind the end; nil if there is none.
  fileprivate subscript(cyclic place: Int) -> Element? { isEmpty ? nil : self[place % count] }
}
