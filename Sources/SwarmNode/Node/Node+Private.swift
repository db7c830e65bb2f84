import Glibc
import Metainfo
import Swarm
import Wire

/// Who comes, until it is known what for; and private connections. docs/private.md.
extension Node {
  /// Somebody connected.
  func accepted(_ socket: Int32, from peer: PeerEndpoint) {
    guard !isStopping else {
      Glibc.close(socket)
      return
    }
    strangers.admit(socket, peer, places: swarm.strangerPlaces)
  }

  /// What to do with somebody by its first bytes.
  func judge(_ stranger: Stranger) -> Strangers.Verdict {
    guard !isStopping else { return refusal }
    guard FirstBytes(stranger.bytes) == .bitTorrent else { return tryKeys(on: stranger) }
    // Where all is private, BitTorrent is nothing that we know.
    guard swarm.hasPublicTorrents else { return refusal }
    guard let id = swarm.accept(from: stranger.endpoint, now: now) else {
      Glibc.close(strangers.take(stranger))
      return .taken
    }
    let connection = begin(id, stranger)
    connection?.early = stranger.bytes
    if let connection { readOn(connection) }
    return .taken
  }

  /// How who says nothing that we know is kept waiting: where everybody may take part in something it was taken for
  /// BitTorrent; else nobody shall know what this is. Whether anything is private makes no difference.
  private var refusal: Strangers.Verdict {
    .hopeless(swarm.hasPublicTorrents ? NetLimits.refusal : NetLimits.silence)
  }

  private func tryKeys(on stranger: Stranger) -> Strangers.Verdict {
    guard privateGroups.count > 0 else { return refusal }
    if let wait = keyTries.take(privateGroups.count, now: now) { return .later(wait) }
    let own = dialedPlaces.places(of: stranger.socket, to: stranger.endpoint, now: now)
    let opened = privateGroups.responder.open(
      stranger.bytes, time: UnixClock.now, places: own.map { mappedPlaces.union([$0]) },
      memory: &hellos)
    guard let opened else {
      noticeSelf(stranger)
      return refusal
    }
    var random = SystemRandomNumberGenerator()
    let group = privateGroups.group(of: opened)
    guard let answer = try? privateGroups.responder.answer(opened, using: &random),
      let id = swarm.accept(from: stranger.endpoint, group: group, now: now)
    else { return refusal }
    guard let connection = begin(id, stranger) else { return .taken }
    connection.sealed = SealedTransport(
      answer.session, answer: answer.bytes, paddingLeft: opened.hello.paddingByteCount)
    queueToSend(connection)
    readOn(connection)
    return .taken
  }

  /// The core has taken somebody.
  private func begin(_ id: ConnectionID, _ stranger: Stranger) -> Connection? {
    needsTurn = true
    let endpoint = stranger.endpoint
    let socket = strangers.take(stranger)
    if endpoint.address.needsInterface {
      scopes.met(endpoint.address, on: Sockets.scope(ofPeerAt: socket))
    }
    return open(id, endpoint, owning: socket, isConnecting: false)
  }

  /// A connection for a private group is there: the first message goes. False where none can be made.
  func dial(_ connection: Connection, _ group: PrivateGroup) -> Bool {
    guard let keys = privateGroups[group] else { return false }
    var random = SystemRandomNumberGenerator()
    let time = UnixClock.now
    guard
      let initiator = try? PrivateInitiator(
        keys, time: time, dialed: connection.endpoint, using: &random),
      hellos.remember(own: initiator.helloKey, of: group.discoveryID, now: time)
    else { return false }
    connection.sealed = SealedTransport(initiator)
    queueToSend(connection)
    return true
  }

  /// Our own first message, come back to us, is not answered as none is that was seen before; and we do not go
  /// there again.
  private func noticeSelf(_ stranger: Stranger) {
    for case let connection? in connections where connection.sealed?.isOpen == false {
      guard Sockets.localEndpoint(of: connection.socket) == stranger.endpoint else { continue }
      swarm.learned(ownEndpoint: connection.endpoint, now: now)
      end(connection, "it is ourselves")
    }
  }
}
