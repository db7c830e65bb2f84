import Metainfo
import Store
import Wire

/// Messages of extensions. BEP 10.
extension Swarm {
  mutating func take(_ peer: Peer, extension id: UInt8, _ body: [UInt8]) {
    guard let torrent = peer.torrent else { return }
    guard peer.features.contains(.extensions) else {
      close(peer, .misconduct("it sends messages of an extension it did not offer (BEP 10)"))
      return
    }
    countEmpty(peer)
    let payload = body.span.bytes
    do throws(ExtensionError) {
      switch id {
      case 0: try takeHandshake(peer, torrent, payload)
      case OurExtension.metadata: try takeMetadata(peer, torrent, payload)
      case OurExtension.exchange: try takeExchange(peer, torrent, payload)
      case OurExtension.dontHave:
        takeDontHave(peer, torrent, try DontHaveMessage(payload: payload).piece)
      case OurExtension.uploadOnly:
        peer.isUploadOnly = try UploadOnlyMessage(payload: payload).isUploadOnly
        closeIfUseless(peer, torrent)
      case OurExtension.head: try takeHead(peer, torrent, payload)
      case OurExtension.reads: takeReads(peer, torrent, try ReadingMessage(payload: payload))
      default: break
      }
    } catch {
      close(peer, .extensionError(error))
    }
  }

  private mutating func takeHandshake(
    _ peer: Peer, _ torrent: Torrent, _ payload: RawSpan
  ) throws(ExtensionError) {
    let handshake = try ExtensionHandshake(payload: payload)
    for (name, number) in handshake.extensions {
      switch name {
      case .metadata: peer.metadataID = number
      case .pex: peer.exchangeID = number
      case .dontHave: peer.dontHaveID = number
      case .uploadOnly: peer.uploadOnlyID = number
      case .head:
        peer.headID = number
        peerTakesHeads(peer, torrent)
      case .reads:
        peer.readsID = number
        updateInterest(peer, torrent)
      case .zstd: peer.zstdID = configuration.compresses ? number : 0
      }
    }
    // Who connects to us answers our handshake with this.
    if peer.isIncoming, !peer.hasExtensionHandshake { peer.answerTime.guess(now - peer.since) }
    peer.hasExtensionHandshake = true
    if let client = handshake.client { peer.client = client }
    if let queue = handshake.requestQueue { peer.requestQueue = queue }
    if let address = handshake.yourAddress { learnOwnAddress(address) }
    if let flag = handshake.isUploadOnly { peer.isUploadOnly = flag }
    if peer.isIncoming, peer.listening == nil, let port = handshake.port {
      let listening = PeerEndpoint(address: peer.endpoint.address, port: port)
      peer.listening = listening
      torrent.known.add(listening, source: .incoming, now: now)
      torrent.known.connected(listening, isIncoming: true)
    }
    if peer.metadataID != 0, let size = handshake.metadataSize {
      torrent.metadata?.peerOffers(peer.id.slot, size: size)
    }
    closeIfUseless(peer, torrent)
  }

  /// How others see us, which only weighs whom to connect to (BEP 40): believed when two in a row say
  /// the same.
  private mutating func learnOwnAddress(_ address: IPAddress) {
    guard !knownAddresses.contains(where: { $0.isV4 == address.isV4 }) else { return }
    guard toldAddress == address else {
      toldAddress = address
      return
    }
    ownAddresses.removeAll { $0.isV4 == address.isV4 }
    ownAddresses.append(address)
  }

  // MARK: Metadata, BEP 9

  /// Asks for what is missing of the info dictionary.
  mutating func askForMetadata(_ peer: Peer, _ torrent: Torrent) {
    guard peer.metadataID != 0 else { return }
    while let piece = torrent.metadata?.nextRequest(for: peer.id.slot, now: now) {
      peer.put(extension: peer.metadataID, MetadataMessage.request(piece: piece).encoded)
    }
  }

  private mutating func takeMetadata(
    _ peer: Peer, _ torrent: Torrent, _ payload: RawSpan
  ) throws(ExtensionError) {
    switch try MetadataMessage(payload: payload) {
    case .request(let piece): giveMetadata(peer, torrent, piece)
    case .reject(let piece):
      torrent.metadata?.rejected(piece: piece, by: peer.id.slot)
      for other in torrent.peers { touch(other) }
    case .unknown: break
    case .data(let piece, let totalSize, let range):
      if peer.features.contains(.metadataFirst), peer.isOfferedMetadata {
        torrent.metadata?.expect(piece, from: peer.id.slot, now: now)
      }
      let outcome = torrent.metadata?.received(
        piece: piece, totalSize: totalSize, bytes: payload.extracting(range), from: peer.id.slot,
        now: now)
      switch outcome {
      case nil, .unasked: break
      case .more:
        peer.emptyMessages = 0
        touch(peer)
      case .corrupt(let liars):
        for slot in liars {
          if let liar = slots[Int(slot)] {
            ban(liar, torrent, "it sent a wrong info dictionary (BEP 9)")
          }
        }
        for other in torrent.peers { touch(other) }
      case .complete(let bytes):
        let liars = torrent.metadata?.culprits ?? []
        takeInfo(bytes, torrent)
        for slot in liars {
          if let liar = slots[Int(slot)] {
            ban(liar, torrent, "it sent a wrong info dictionary (BEP 9)")
          }
        }
      }
    }
  }

  /// Whether a handshake to this peer says `metadataFirst`: to whom we connect, that we lack the info
  /// dictionary; to who lacks it, that it follows. docs/metadata.md.
  func agreesOnMetadata(_ peer: Peer, _ torrent: Torrent) -> Bool {
    guard !torrent.isForHeads else { return false }
    guard peer.isIncoming else {
      peer.isOfferedMetadata = torrent.metadata != nil
      return peer.isOfferedMetadata
    }
    guard let info = torrent.data?.info, info.bytes.count <= SwarmLimits.pushedMetadata,
      peer.reader.features?.isSuperset(of: [.metadataFirst, .extensions]) == true
    else { return false }
    peer.hasPushedMetadata = true
    return true
  }

  /// Gives the info dictionary to who lacks it, before it asks: else its first read costs one way there
  /// and back more.
  func pushMetadata(_ peer: Peer, _ torrent: Torrent) {
    guard peer.hasPushedMetadata, let bytes = torrent.data?.info.bytes else { return }
    let head = MetadataMessage.data(piece: 0, totalSize: bytes.count, range: 0..<bytes.count)
    peer.put(extension: OurExtension.metadata, head.encoded, data: bytes[...])
  }

  private mutating func giveMetadata(_ peer: Peer, _ torrent: Torrent, _ piece: UInt32) {
    guard peer.metadataID != 0 else { return }
    // It asked before it had what was on its way to it.
    if peer.hasPushedMetadata {
      peer.hasPushedMetadata = false
      return
    }
    let size = WireLimits.metadataBlockBytes
    guard let bytes = torrent.data?.info.bytes, Int(piece) * size < bytes.count,
      !peer.isBehind
    else {
      peer.put(extension: peer.metadataID, MetadataMessage.reject(piece: piece).encoded)
      return
    }
    let start = Int(piece) * size
    let range = start..<min(start + size, bytes.count)
    let head = MetadataMessage.data(
      piece: piece, totalSize: bytes.count, range: 0..<range.count)
    peer.put(extension: peer.metadataID, head.encoded, data: bytes[range])
    peer.emptyMessages = 0
    if peer.outbox.count >= 4 * size { flush(peer) }
  }

  // MARK: Peers, BEP 11

  private mutating func takeExchange(
    _ peer: Peer, _ torrent: Torrent, _ payload: RawSpan
  ) throws(ExtensionError) {
    let message = try PeerExchange(payload: payload)
    guard usesExchange(torrent),
      let contacts = peer.ledger.accept(message, now: now)
    else { return }
    for contact in contacts {
      torrent.known.add(
        contact.endpoint, source: .exchange, flags: contact.flags, from: peer.endpoint.address,
        now: now)
    }
    lookForPeers(torrent)
  }

  /// Tells peers of each other.
  mutating func exchangePeers(_ torrent: Torrent) {
    // Before the metadata is here it may turn out to be private.
    guard usesExchange(torrent), torrent.metadata == nil, torrent.peers.count > 1 else { return }
    var contacts: [PeerExchange.Contact]?
    for peer in torrent.peers where peer.exchangeID != 0 && peer.isTold(now) {
      if contacts == nil {
        contacts = torrent.peers.compactMap(\.contact)
      }
      let message = peer.ledger.message(
        current: contacts ?? [], except: peer.listening, now: now)
      if let message {
        peer.put(extension: peer.exchangeID, message.encoded)
        touch(peer)
      }
    }
  }
}
