import Metainfo
import Store
import Swarm
import Wire

/// The first bytes say what torrent there is, what of it, and how large the node is; then each
/// step is something that can happen to a node: what peers send, what the disk and the hash
/// threads do, time, and what the user wants. At last all is brought to rest.
func fuzzSession(_ bytes: UnsafeRawBufferPointer) {
  var reader = FuzzReader(bytes)
  var game = SessionGame(&reader)
  var steps = 0
  while !reader.isAtEnd, steps < SessionGame.mostSteps {
    game.step(&reader)
    steps += 1
  }
  game.end()
}

struct SessionGame {
  static let mostSteps = 192
  private static let mostLinks = 3
  static let ownID = id(0)

  let node: SessionNode
  let truth: SessionTruth
  private let request: TorrentRequest

  static func id(_ number: UInt8) -> PeerID {
    let bytes = Array("-FZ0001-------------".utf8.dropLast()) + [number]
    guard let id = PeerID(bytes) else { fatalError("20 bytes are a peer id") }
    return id
  }

  init(_ reader: inout FuzzReader) {
    let kind = reader.byte()
    let size = reader.byte()
    truth = SessionTruth.all[Int(kind % 4)]
    var configuration = SwarmConfiguration(peerID: Self.ownID)
    configuration.poolBuffers = [48, 64, 256][Int(size % 3)]
    configuration.payloadBytes = size & 4 == 0 ? 4 * blockLength : 8 << 20
    configuration.compresses = size & 128 == 0
    configuration.listenPort = size & 8 == 0 ? 6_881 : nil
    configuration.connections = Self.mostLinks
    configuration.uploadSlots = size & 16 == 0 ? 1 : 4
    if size & 32 != 0 { configuration.uploadLimit = 20_000 }
    if size & 64 != 0 { configuration.downloadLimit = 20_000 }
    let how = kind >> 2 & 7
    node = SessionNode(truth, configuration, isReadOnly: how > 2, seed: UInt64(kind))
    if how > 2 { node.disk.fill() }
    let evidence = truth.geometry.files.map(node.disk.evidence)
    let content: TorrentRequest.Content =
      switch how {
      case 0, 1, 2: .owned
      case 3, 4: .inPlace(claimsAll: true)
      case 5: .inPlace(claimsAll: false)
      case 6: .proven(leaves: truth.leaves, evidence: evidence)
      default: .proven(leaves: [], evidence: evidence)
      }
    if how == 4 { node.disk.damage(1, size) }
    let info = truth.info
    var request = TorrentRequest(source: .torrent(info, truth.layers), content: content)
    if kind & 32 != 0 { request.source = .torrent(info, [:]) }
    // By its link: known by one name or by both.
    if kind & 64 != 0 {
      request.source = .infohash(
        v1: kind & 32 == 0 || info.infohashV2 == nil ? info.infohashV1 : nil, v2: info.infohashV2)
    }
    request.peers = kind & 128 == 0 ? [] : [Self.endpoint(1)]
    if size & 128 != 0 { request.wanted = { index, _ in index != 0 } }
    self.request = request
    node.add(request)
  }

  static func endpoint(_ number: UInt8) -> PeerEndpoint {
    PeerEndpoint(
      address: .v4(IPv4Address(rawValue: 0x0a00_0001 + UInt32(number % 8))),
      port: 7_000 + UInt16(number / 8))
  }

  // MARK: Steps

  mutating func step(_ reader: inout FuzzReader) {
    node.now += .milliseconds(1)
    let step = reader.byte()
    switch step % 32 {
    case 0: node.accept(Self.endpoint(reader.byte()))
    case 1: if let id = link(&reader) { node.connected(id) }
    case 2: if let id = link(&reader) { node.disconnected(id) }
    case 3: touchStale(&reader)
    case 4, 5: if let id = link(&reader) { say(to: id, handshake(id, &reader), &reader) }
    case 6, 7, 8, 9, 10: if let id = link(&reader) { say(to: id, message(&reader), &reader) }
    case 11, 12: if let id = link(&reader) { say(to: id, block(id, &reader), &reader) }
    case 13: if let id = link(&reader) { say(to: id, allBlocks(id), &reader) }
    case 14: if let id = link(&reader) { say(to: id, hashes(id, &reader), &reader) }
    case 15: if let id = link(&reader) { say(to: id, metadata(id, &reader), &reader) }
    case 16: if let id = link(&reader) { say(to: id, extensionHandshake(&reader), &reader) }
    case 17: if let id = link(&reader) { say(to: id, exchange(&reader), &reader) }
    case 18: if let id = link(&reader) { say(to: id, raw(&reader), &reader) }
    case 19: if let id = link(&reader) { node.sent(id, 1 + Int(reader.byte()) * 97) }
    case 20: if let id = link(&reader) { node.sent(id, .max) }
    case 21, 22: completeOne(&reader)
    case 23: completeAll()
    case 24: hashOne(&reader)
    case 25: node.passTime(to: node.now + duration(reader.byte()))
    case 26: node.sleep(to: node.now + duration(reader.byte()))
    case 27: read(&reader)
    case 28: if let place = place(node.deliveries.count, &reader) { node.finish(place) }
    case 29: askUser(&reader)
    case 30: greet(&reader)
    default: settle()
    }
  }

  private mutating func link(_ reader: inout FuzzReader) -> ConnectionID? {
    guard let place = place(node.order.count, &reader) else { return nil }
    return node.order[place]
  }

  private func place(_ count: Int, _ reader: inout FuzzReader) -> Int? {
    let byte = reader.byte()
    return count == 0 ? nil : Int(byte) % count
  }

  /// The peer says something; how much of it arrives, and in which chunks, is for the next byte.
  private func say(to id: ConnectionID, _ bytes: [UInt8], _ reader: inout FuzzReader) {
    let how = reader.byte()
    guard let link = node.links[id], !link.isConnecting else { return }
    node.links[id]?.inbox = Array(link.inbox)[...] + bytes
    switch how & 3 {
    case 0, 1: node.receive(id, chunk: 1 << 16, most: .max)
    case 2: node.receive(id, chunk: 1 + Int(how >> 2) * 331, most: .max)
    default: node.receive(id, chunk: 1 << 14, most: Int(how >> 2) * 331)
    }
  }

  /// A connection as honest peers begin it, up to where messages go both ways.
  private mutating func greet(_ reader: inout FuzzReader) {
    let how = reader.byte()
    if how & 1 != 0 || node.order.isEmpty { node.accept(Self.endpoint(how >> 4)) }
    guard let id = node.order.last(where: { node.links[$0]?.isGreeted == false }) else { return }
    if node.links[id]?.isConnecting == true { node.connected(id) }
    let own = how & 2 == 0 ? truth.info.infohashV2?.truncated : truth.info.infohashV1
    guard let infohash = own ?? truth.info.infohashV1 ?? truth.info.infohashV2?.truncated else {
      return
    }
    node.links[id]?.isGreeted = true
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    let handshake = Handshake(
      features: [.fast, .extensions, .v2Upgrade], infohash: infohash,
      peerID: Self.id(1 + how >> 4))
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    bytes += SessionWire.bytes(how & 4 == 0 ? .haveAll : .haveNone)
    bytes += SessionWire.bytes(extension: 0, SessionGame.plainHandshake(truth).encoded)
    bytes += SessionWire.bytes(.unchoke)
    if how & 8 != 0 { bytes += SessionWire.bytes(.interested) }
    say(to: id, bytes, &reader)
  }

  private func touchStale(_ reader: inout FuzzReader) {
    guard let id = node.staleConnection, node.links[id] == nil else { return }
    switch reader.byte() % 3 {
    case 0: node.swarm.connected(id, now: node.now)
    case 1: node.swarm.disconnected(id, reason: "again", now: node.now)
    default: node.swarm.sent(id, byteCount: 100, now: node.now)
    }
    node.drain()
  }

  private func duration(_ byte: UInt8) -> Duration {
    .milliseconds(1 << (byte % 18)) + .milliseconds(Int(byte))
  }

  // MARK: Disk and hash threads

  private func completeOne(_ reader: inout FuzzReader) {
    let how = reader.byte()
    guard let place = place(node.operations.count, &reader) else { return }
    let failure: DiskFailure? =
      switch how % 8 {
      case 0: DiskFailure(reason: .other, description: "input/output error")
      case 1: DiskFailure(reason: .noSpace, description: "no space left on device")
      default: nil
      }
    node.complete(place, failing: failure)
  }

  private func completeAll() {
    for _ in 0..<node.operations.count { node.complete(0, failing: nil) }
  }

  private func hashOne(_ reader: inout FuzzReader) {
    if let place = place(node.jobs.count, &reader) { node.hash(place) }
  }

  /// Disk, hash threads and readers do all there is to do.
  private func settle() {
    var rounds = 0
    while !node.operations.isEmpty || !node.jobs.isEmpty || !node.deliveries.isEmpty {
      completeAll()
      while !node.jobs.isEmpty { node.hash(0) }
      while !node.deliveries.isEmpty { node.finish(0) }
      rounds += 1
      demand(rounds < 2_000, "there is no end of work: \(node.state)")
    }
  }

  // MARK: The user

  private func read(_ reader: inout FuzzReader) {
    let start = UInt64(reader.byte()) * 509
    let length = UInt64(reader.byte()) * 293
    let how = reader.byte()
    node.read(
      start..<(start + length), of: Int(how & 3),
      timeout: .milliseconds(1 << (how >> 4)))
  }

  private func askUser(_ reader: inout FuzzReader) {
    let what = reader.byte()
    switch what % 8 {
    case 0: node.remove()
    case 1: node.add(request)
    case 2, 3:
      guard let torrent = node.torrent else { return }
      node.swarm.add(
        peers: [Self.endpoint(what >> 3), Self.endpoint(1 + what >> 3)], to: torrent, now: node.now)
      node.drain()
    case 4: node.disk.damage(what >> 3, reader.byte())
    case 5:
      guard let torrent = node.torrent else { return }
      let start = UInt64(reader.byte()) << 9
      _ = node.swarm.setPriority(
        [.skip, .normal, .high][Int(what >> 3) % 3], ofFile: Int(what >> 6),
        bytes: start..<(start + UInt64(reader.byte()) << 9), in: torrent, now: node.now)
      node.drain()
    default: checkStatus()
    }
  }

  private func checkStatus() {
    guard let torrent = node.torrent, let status = node.swarm.status(of: torrent) else { return }
    demand(status.doneBytes <= status.wantedBytes && status.knownPeers <= 2_500)
    demand(status.peers + status.connecting <= Self.mostLinks)
    for peer in node.swarm.peers(of: torrent) {
      demand(peer.pieces <= truth.geometry.pieces.count && node.links[peer.id] != nil)
    }
  }

  // MARK: The end

  /// All work is done, everybody goes, and nothing may be left over.
  func end() {
    checkStatus()
    settle()
    node.passTime(to: node.now + .seconds(2))
    settle()
    node.remove()
    settle()
    for _ in 0..<64 where node.torrent != nil {
      node.passTime(to: node.now + .seconds(5))
      settle()
    }
    demand(node.torrent == nil, "the torrent does not close")
    while let id = node.order.first { node.disconnected(id) }
    node.passTime(to: node.now + .seconds(3_600))
    demand(node.swarm.deadline == nil, "a timer for nothing")
    demand(node.swarm.idle.buffers == node.configuration.poolBuffers, "lost buffers")
  }
}
