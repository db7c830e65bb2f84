import Metainfo
import TestSupport
import Wire

/// A connection of a scripted peer: reads messages, and writes what its script says.
final class ScriptedSession: SocketOwner {
  unowned let peer: ScriptedPeer
  let isIncoming: Bool
  var socket: Socket?
  private var reader = HandshakeReader()
  private var framer = PeerFramer()
  private var outgoing = ByteQueue()
  /// The body of the message that is being read.
  private var block: (request: BlockRequest, bytes: [UInt8])?
  private(set) var isOpen = false
  private var sentHandshake = false
  /// By which number the other side wants each extension's messages.
  var extensions: [PeerExtension: UInt8] = [:]
  var theirPieces: Set<UInt32> = []
  var theyChoke = true
  /// Blocks asked for over this connection and not come.
  var pending: Set<BlockIndex> = []
  /// Numbers of the extensions whose messages come to us.
  static let numbers: [PeerExtension: UInt8] = [
    .metadata: 3, .pex: 4, .dontHave: 7, .uploadOnly: 8, .head: 9,
  ]
  /// The same of frames, for those that take them.
  static let framesNumber: UInt8 = 10

  init(peer: ScriptedPeer, isIncoming: Bool) {
    self.peer = peer
    self.isIncoming = isIncoming
  }

  var dataset: Dataset { peer.dataset }
  var world: World { peer.world }

  // MARK: Sending

  func send(_ message: PeerMessage, _ body: [UInt8] = []) {
    var bytes = [UInt8](repeating: 0, count: message.encodedByteCount)
    bytes.withUnsafeMutableBytes { _ = message.encode(into: $0) }
    send(bytes + body)
  }

  func send(_ bytes: [UInt8]) {
    guard socket != nil else { return }
    outgoing.append(bytes)
    flush()
  }

  /// How many bytes wait here.
  var backlog: Int { outgoing.count }

  func sendExtended(_ kind: PeerExtension, _ payload: [UInt8]) {
    guard let number = extensions[kind], number != 0 else { return }
    send(.extended(id: number, byteCount: payload.count), payload)
  }

  private func flush() {
    guard let socket, socket.room > 0, !outgoing.isEmpty else { return }
    let bytes = outgoing.take(socket.room)
    _ = bytes.withUnsafeBytes { socket.write($0) }
  }

  func end() {
    socket?.close()
    socket = nil
    for block in pending { peer.requested.remove(block) }
    pending = []
  }

  /// Ends and is forgotten: what the other side did cannot be answered.
  func drop() {
    end()
    peer.forget(self)
  }

  // MARK: Socket

  func socketConnected(_ socket: Socket) { begin() }

  func socketWritable(_ socket: Socket) { flush() }

  func socketClosed(_ socket: Socket, reason: String) {
    self.socket = nil
    drop()
  }

  func socketReadable(_ socket: Socket) {
    // A flood that does not read its answers is what back-pressure is for.
    if peer.vice == .requestFlood {
      let bytes = socket.read(512)
      world.after(.milliseconds(200)) { [self] in
        if let socket = self.socket, socket.readable > 0 { socketReadable(socket) }
      }
      return take(bytes)
    }
    while let socket = self.socket, socket.readable > 0 { take(socket.read(1 << 20)) }
  }

  private func take(_ bytes: [UInt8]) {
    if peer.vice == .garbage || peer.vice == .cutHandshake {
      if isIncoming, !sentHandshake { begin() }
      return
    }
    bytes.withUnsafeBytes { raw in
      var chunk = raw.bytes
      if !isOpen {
        guard let taken = try? reader.append(chunk) else { return drop() }
        if let infohash = reader.infohash, isIncoming, !sentHandshake {
          guard isKnown(infohash) else { return drop() }
          begin(infohash)
        }
        guard let handshake = reader.handshake else { return }
        guard isKnown(handshake.infohash) else { return drop() }
        isOpen = true
        opened(handshake)
        chunk = chunk.extracting(taken...)
      }
      read(chunk)
    }
  }

  private func isKnown(_ infohash: SHA1Digest) -> Bool {
    infohash == dataset.info.infohashV1 || infohash == dataset.info.infohashV2?.truncated
  }

  private func read(_ chunk: RawSpan) {
    var offset = 0
    do {
      while socket != nil, let element = try framer.next(in: chunk, at: &offset) {
        switch element {
        case .message(.piece(let request)): block = (request, [])
        case .message(let message):
          let body = framer.withBody(in: chunk) { $0.withUnsafeBytes { Array($0) } }
          handle(message, body)
        case .block(let range, let remaining):
          chunk.extracting(range).withUnsafeBytes { block?.bytes += $0 }
          if remaining == 0, let block { received(block.request, block.bytes) }
        }
      }
    } catch {
      world.fail("host \(peer.host.number) cannot read what a node sent: \(error)")
    }
  }

  // MARK: Handshake

  private func begin(_ infohash: SHA1Digest? = nil) {
    sentHandshake = true
    if peer.vice == .garbage {
      send(peer.random.bytes(Int.random(in: 1...3_000, using: &peer.random)))
      return
    }
    let handshake = Handshake(
      features: [.fast, .extensions, .v2Upgrade], infohash: infohash ?? peer.infohash,
      peerID: peer.peerID)
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    if peer.vice == .cutHandshake {
      bytes = Array(bytes.prefix(Int.random(in: 1..<68, using: &peer.random)))
    }
    send(bytes)
  }

  private func opened(_ handshake: Handshake) {
    if handshake.features.contains(.extensions) {
      var hello = ExtensionHandshake()
      hello.extensions = Self.numbers
      if peer.takesFrames { hello.extensions[.zstd] = Self.framesNumber }
      hello.client = Array("scripted".utf8)
      hello.port = ScriptedPeer.port
      hello.requestQueue = 500
      hello.metadataSize = metadataSize()
      let payload = hello.encoded
      send(.extended(id: 0, byteCount: payload.count), payload)
    }
    beginScript()
  }

  private func metadataSize() -> Int {
    let size = dataset.info.bytes.count
    guard peer.vice == .metadataSize else { return size }
    return peer.random.pick([1, size - 1, size + 1, 100_000, 30 << 20])
  }
}
