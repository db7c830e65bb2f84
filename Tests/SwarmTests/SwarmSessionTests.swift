import Metainfo
import Store
import TestSupport
import Testing
import Wire

@testable import Swarm

/// What the fuzzer of whole sessions has found, each with a name.
@Suite struct SwarmSessionTests {
  /// A torrent of which only the link is known, and its peer cannot be reached: the node waits, and
  /// is not busy.
  @Test func deadlineMovesWhileMetadataIsMissing() throws {
    let session = try Session()
    let source = TorrentRequest.Source.infohash(v1: nil, v2: SHA256Digest(hashing: [1]))
    var request = TorrentRequest(source: source, content: .owned)
    request.peers = [Session.endpoint]
    _ = try session.swarm.add(request, now: .zero)
    var now = Duration.zero
    var timeouts = 0
    for effect in session.effects() {
      guard case .connect(let id, _, _) = effect else { continue }
      session.swarm.disconnected(id, reason: "refused", now: now)
    }
    while let deadline = session.swarm.deadline, deadline < .seconds(8) {
      now = max(now, deadline)
      session.swarm.handleTimeout(now: now)
      _ = session.effects()
      timeouts += 1
      try #require(timeouts < 100, "the deadline stays at \(deadline)")
    }
    #expect(timeouts > 0)
  }

  /// Who asks for metadata again and again in one chunk, and reads nothing, is not given memory
  /// without end.
  @Test func metadataForWhoDoesNotReadIsBounded() throws {
    let session = try Session(files: 400)
    let peer = try session.connect()
    var extensions = ExtensionHandshake()
    extensions.extensions = [.metadata: 3]
    var bytes = Session.bytes(extension: 0, extensions.encoded)
    let question = Session.bytes(extension: 1, MetadataMessage.request(piece: 0).encoded)
    for _ in 0..<2_000 { bytes += question }
    #expect(session.fixture.info.bytes.count > 16_384)
    session.receive(peer, bytes)
    #expect(session.sentBytes < SwarmLimits.unreadMessages + (1 << 20))
    #expect(session.sentBytes > 16_384)
  }

  /// Each question is answered by a few bytes; who reads none of them is given up.
  @Test func whoReadsNoAnswersIsGivenUp() throws {
    let session = try Session()
    let peer = try session.connect()
    let request = BlockRequest(piece: 0, begin: 0, length: UInt32(blockLength))
    var message = [UInt8](repeating: 0, count: 17)
    message.withUnsafeMutableBytes { _ = PeerMessage.request(request).encode(into: $0) }
    let bytes = Array(repeatElement(message, count: 10_000).joined())
    var rounds = 0
    while session.closed.isEmpty, rounds < 50 {
      session.receive(peer, bytes)
      rounds += 1
    }
    #expect(session.closed == [peer])
    #expect(session.sentBytes < SwarmLimits.unreadMessages + (1 << 20))
  }
}

/// A core that has all of a small torrent, and one peer.
private final class Session {
  static let endpoint = PeerEndpoint(address: .v4(IPv4Address(rawValue: 0x0a00_0001)), port: 6_882)

  var swarm: Swarm
  let fixture: ContentFixture
  /// Bytes of messages that were to be sent.
  private(set) var sentBytes = 0
  private(set) var closed: [ConnectionID] = []

  init(files: Int = 2) throws {
    fixture = try ContentFixture(
      .v2, lengths: (0..<files).map { 30_000 + $0 }, pieceLength: 32_768, seed: 1)
    let id = try #require(PeerID(Array("-SW0001-000000000000".utf8)))
    swarm = Swarm(configuration: SwarmConfiguration(peerID: id), seed: 1)
  }

  /// A peer that has shaken hands, with a torrent that is here.
  func connect() throws -> ConnectionID {
    let torrent = try swarm.add(
      TorrentRequest(
        source: .torrent(fixture.info, fixture.layers), content: .proven(leaves: [])), now: .zero)
    var disk = ContentDisk()
    for (file, bytes) in zip(fixture.geometry.files, fixture.files) { disk.files[file] = bytes }
    while swarm.status(of: torrent)?.waiting == .checking {
      for case .disk(let id, let operation) in effects() {
        let result = disk.perform(operation.action, failing: nil)
        swarm.completed(DiskCompletion(id: operation.id, result: result), of: id, now: .zero)
      }
    }
    let accepted = swarm.accept(from: Self.endpoint, now: .zero)
    let peer = try #require(accepted)
    let infohash = try #require(fixture.info.infohashV2?.truncated)
    let name = try #require(PeerID(Array("-XX0001-000000000000".utf8)))
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    let handshake = Handshake(
      features: [.fast, .extensions], infohash: infohash, peerID: name)
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    receive(peer, bytes)
    return peer
  }

  func receive(_ peer: ConnectionID, _ bytes: [UInt8]) {
    _ = swarm.receive(
      peer, continued: 0, chunk: bytes.span.bytes, at: BufferHandle(1 << 63), now: .zero)
    _ = effects()
  }

  func effects() -> [Effect] {
    var all: [Effect] = []
    while let effect = swarm.nextEffect() {
      if case .send(_, let outgoing) = effect { sentBytes += outgoing.byteCount }
      if case .close(let id) = effect { closed.append(id) }
      all.append(effect)
    }
    return all
  }

  static func bytes(extension id: UInt8, _ payload: [UInt8]) -> [UInt8] {
    let message = PeerMessage.extended(id: id, byteCount: payload.count)
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    return bytes + payload
  }
}
