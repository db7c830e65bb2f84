import Metainfo
import Store
import TestSupport
import Wire

/// What a scripted peer says and answers.
extension ScriptedSession {
  private var vice: Vice { peer.vice }
  private var geometry: PieceGeometry { dataset.geometry }

  // MARK: By itself

  /// The first messages behind the handshake.
  func beginScript() {
    sendPieces()
    if peer.wantsContent { send(.interested) }
    if vice != .chokesForever, vice != .freeRider { send(.unchoke) }
    switch vice {
    case .lateGarbage: send(peer.random.bytes(Int.random(in: 1...5_000, using: &peer.random)))
    case .keepAlives: every(.milliseconds(20), times: 3_000) { $0.send(.keepAlive) }
    case .unaskedPieces: every(.milliseconds(300), times: 100) { $0.sendUnasked() }
    case .requestFlood: every(.milliseconds(100), times: 100) { $0.floodRequests() }
    case .hashFlood: every(.milliseconds(100), times: 100) { $0.floodHashes() }
    case .falseHaves: every(.milliseconds(100), times: 200) { $0.sendFalseHave() }
    case .pexFlood: every(.seconds(1), times: 30) { $0.floodPex() }
    case .flutters:
      every(.milliseconds(700), times: 100) {
        $0.send(.choke)
        $0.send(.unchoke)
      }
    default: break
    }
  }

  private func sendPieces() {
    switch vice {
    case .falseHaves: send(.haveNone)
    case .keepAlives: break
    default:
      guard peer.hasContent else { return send(.haveNone) }
      guard peer.random.oneIn(2) else { return send(.haveAll) }
      var bytes = [UInt8](repeating: 0, count: (geometry.pieces.count + 7) / 8)
      for piece in geometry.pieces {
        bytes[Int(piece.rawValue) / 8] |= 0x80 >> UInt8(piece.rawValue % 8)
      }
      send(.bitfield(byteCount: bytes.count), bytes)
    }
  }

  /// Repeats while the connection lasts and the other side takes what comes.
  private func every(_ interval: Duration, times: Int, _ act: @escaping (ScriptedSession) -> Void) {
    guard times > 0 else { return }
    world.after(interval) { [weak self] in
      guard let self, socket != nil else { return }
      if backlog < 1 << 20 { act(self) }
      every(interval, times: times - 1, act)
    }
  }

  private func sendUnasked() {
    let piece = UInt32.random(in: 0..<geometry.pieces.upperBound, using: &peer.random)
    let length = min(UInt32(blockLength), geometry.piece(piece).map(geometry.length) ?? 1)
    let request = BlockRequest(piece: piece, begin: 0, length: length)
    send(.piece(request), peer.random.bytes(Int(length)))
  }

  private func floodRequests() {
    send(.interested)
    for _ in 0..<1_000 {
      let wild = peer.random.oneIn(10)
      let piece = UInt32.random(
        in: 0..<(wild ? .max : geometry.pieces.upperBound), using: &peer.random)
      let length: UInt32 = peer.random.pick([16_384, 16_384, 1, 16_383, wild ? .max : 32_768])
      send(.request(BlockRequest(piece: piece, begin: 0, length: length)))
    }
  }

  private func floodHashes() {
    guard let root = dataset.trees.keys.min() else { return send(.keepAlive) }
    for _ in 0..<200 {
      let index = UInt32.random(in: 0...64, using: &peer.random) * 2
      let request = HashRequest(
        piecesRoot: peer.random.oneIn(10) ? .zero : root,
        baseLayer: peer.random.pick([0, 0, 1, 40]),
        index: index, length: peer.random.pick([2, 2, 4, 512, 3]), proofLayers: 3)
      send(.hash(.request(request)))
    }
  }

  private func sendFalseHave() {
    let limit = peer.random.oneIn(50) ? UInt32.max : geometry.pieces.upperBound
    send(.have(piece: UInt32.random(in: 0..<limit, using: &peer.random)))
  }

  private func floodPex() {
    var message = PeerExchange()
    for _ in 0..<WireLimits.pexContacts {
      let address = IPv4Address(rawValue: UInt32.random(in: 1...(.max), using: &peer.random))
      let endpoint = PeerEndpoint(
        address: .v4(address), port: UInt16.random(in: 1...(.max), using: &peer.random))
      message.added.append(PeerExchange.Contact(endpoint: endpoint, flags: .reachable))
    }
    sendExtended(.pex, message.encoded)
  }

  // MARK: In answer

  func handle(_ message: PeerMessage, _ body: [UInt8]) {
    switch message {
    case .request(let request): answer(request)
    case .hash(.request(let request)): answer(request)
    case .extended(0, _): learn(body)
    case .extended(let id, _): extended(id, body)
    case .choke:
      theyChoke = true
      for block in pending { peer.requested.remove(block) }
      pending = []
    case .unchoke:
      theyChoke = false
      requestMore()
    case .have(let piece):
      theirPieces.insert(piece)
      requestMore()
    case .haveAll:
      theirPieces = Set(0..<geometry.pieces.upperBound)
      requestMore()
    case .bitfield:
      for piece in 0..<geometry.pieces.upperBound
      where body[Int(piece) / 8] & (0x80 >> UInt8(piece % 8)) != 0 {
        theirPieces.insert(piece)
      }
      requestMore()
    case .reject(let request):
      if let block = geometry.block(
        piece: request.piece, begin: request.begin, length: request.length),
        pending.remove(block) != nil
      {
        peer.requested.remove(block)
      }
    default: break
    }
  }

  private func answer(_ request: BlockRequest) {
    switch vice {
    case .rejectsAll, .falseBitfield, .chokesForever, .freeRider, .falseHaves:
      return send(.reject(request))
    case .neverAnswers, .keepAlives: return
    case .slow:
      return world.after(.seconds(Int.random(in: 1...20, using: &peer.random))) { [weak self] in
        self?.sendBlock(request)
      }
    default:
      world.after(peer.random.duration(.zero ... .milliseconds(2))) { [weak self] in
        self?.sendBlock(request)
      }
    }
  }

  private func sendBlock(_ request: BlockRequest) {
    guard socket != nil else { return }
    guard peer.hasContent,
      let bytes = dataset.bytes(
        piece: request.piece, begin: request.begin, length: request.length)
    else { return send(.reject(request)) }
    var block = Array(bytes)
    var head = request
    if vice == .flipsBits, peer.random.oneIn(3) {
      block[Int.random(in: block.indices, using: &peer.random)] ^= 1
    }
    if vice == .wrongLengths, peer.random.oneIn(3), block.count > 1 {
      block.removeLast(Int.random(in: 1..<block.count, using: &peer.random))
      head.length = UInt32(block.count)
    }
    if vice == .hidesProofs { block[block.count / 2] ^= 1 }
    peer.sentBlocks += 1
    if sendFrame(head, block) { return }
    send(.piece(head), block)
  }

  private func answer(_ request: HashRequest) {
    switch vice {
    case .rejectsAll, .falseHaves, .freeRider, .hidesProofs, .hasNoProofs:
      return send(.hash(.reject(request)))
    case .neverAnswers, .keepAlives: return
    default: break
    }
    guard peer.hasContent, let tree = dataset.trees[request.piecesRoot],
      case .hashes(var response) = tree.response(to: request)
    else { return send(.hash(.reject(request))) }
    let isWhole = request.length >= 2 && request.length.nonzeroBitCount == 1
    guard isWhole else { return send(.hash(.reject(request))) }
    let base = Int(request.length)
    if vice == .forgesProofs, response.hashes.count > base {
      response.hashes[Int.random(in: base..<response.hashes.count, using: &peer.random)] =
        SHA256Digest(hashing: [1])
    }
    if vice == .wrongLayers {
      response.hashes[Int.random(in: 0..<base, using: &peer.random)] = SHA256Digest(hashing: [2])
    }
    send(.hash(.hashes(response)))
  }

  private func learn(_ body: [UInt8]) {
    let hello = body.withUnsafeBytes { try? ExtensionHandshake(payload: $0.bytes) }
    guard let hello else {
      return world.fail("host \(peer.host.number) got an extension handshake it cannot read")
    }
    extensions.merge(hello.extensions) { $1 }
    if vice == .pexFlood { floodPex() }
  }

  private func extended(_ id: UInt8, _ body: [UInt8]) {
    if peer.takesFrames, id == Self.framesNumber { return takeFrame(body) }
    if !Self.numbers.values.contains(id) {
      return world.fail(
        "host \(peer.host.number) got message \(id) of an extension it did not offer")
    }
    guard id == Self.numbers[.metadata] else { return }
    let message = body.withUnsafeBytes { try? MetadataMessage(payload: $0.bytes) }
    guard case .request(let piece)? = message else { return }
    var info = dataset.info.bytes
    let start = Int(piece) * WireLimits.metadataBlockBytes
    guard vice != .neverAnswers, start < info.count else {
      return sendExtended(.metadata, MetadataMessage.reject(piece: piece).encoded)
    }
    if vice == .metadataBytes {
      info[Int.random(in: info.indices, using: &peer.random)] ^= 0x40
    }
    let end = min(info.count, start + WireLimits.metadataBlockBytes)
    let size = vice == .metadataSize ? info.count + 1 : info.count
    let head = MetadataMessage.data(piece: piece, totalSize: size, range: 0..<0).encoded
    sendExtended(.metadata, head + info[start..<end])
  }

  // MARK: Frames

  /// A block as a frame, where the other side takes that and it is shorter.
  private func sendFrame(_ head: BlockRequest, _ block: [UInt8]) -> Bool {
    guard peer.takesFrames, let number = extensions[.zstd], number != 0, !block.isEmpty,
      block.count <= WireLimits.blockBytes, var compressor = BlockCompressor(),
      var frame = block.withUnsafeBytes({ compressor.frame(of: $0, level: 1) })
    else { return false }
    if vice == .flipsBits, peer.random.oneIn(3) {
      switch Int.random(in: 0..<4, using: &peer.random) {
      case 0: frame.removeLast()
      case 1: frame.append(0)
      default: frame[Int.random(in: frame.indices, using: &peer.random)] ^= 0x10
      }
    }
    let message = CompressedBlock(block: head, frameByteCount: frame.count)
    sendExtended(.zstd, message.encoded + frame)
    return true
  }

  private func takeFrame(_ body: [UInt8]) {
    guard let message = body.withUnsafeBytes({ try? CompressedBlock(payload: $0.bytes) }),
      var decompressor = BlockDecompressor()
    else { return world.fail("host \(peer.host.number) got a frame that cannot be read") }
    var block = [UInt8](repeating: 0, count: Int(message.block.length))
    let frame = Array(body.dropFirst(CompressionLimits.headBytes))
    let isOpen = block.withUnsafeMutableBytes { block in
      frame.withUnsafeBytes { (try? decompressor.decompress($0, into: block)) != nil }
    }
    guard isOpen else {
      return world.fail("host \(peer.host.number) got a frame that does not open")
    }
    received(message.block, block)
  }

  // MARK: Downloading

  func received(_ request: BlockRequest, _ bytes: [UInt8]) {
    peer.downloadedBytes += bytes.count
    let isRight = bytes.withUnsafeBytes {
      dataset.matches($0, piece: request.piece, begin: request.begin)
    }
    let block = geometry.block(
      piece: request.piece, begin: request.begin, length: request.length)
    if let block {
      peer.requested.remove(block)
      pending.remove(block)
      if isRight { peer.received(block) }
    }
    requestMore()
  }

  private func requestMore() {
    guard peer.wantsContent, !theyChoke, vice != .requestFlood else { return }
    for piece in geometry.pieces where theirPieces.contains(piece.rawValue) {
      for block in geometry.blocks(of: piece) {
        guard pending.count < 16 else { return }
        let isPadding = geometry.dataLength(of: block) == 0
        if isPadding { peer.received(block) }
        guard !isPadding, !peer.blocks.contains(block), !peer.requested.contains(block)
        else { continue }
        peer.requested.insert(block)
        pending.insert(block)
        send(
          .request(
            BlockRequest(
              piece: piece.rawValue, begin: geometry.begin(of: block),
              length: geometry.requestLength(of: block))))
      }
    }
  }
}
