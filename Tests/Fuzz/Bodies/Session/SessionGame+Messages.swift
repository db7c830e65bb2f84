import Metainfo
import Store
import Swarm
import Wire

/// What peers say: well-formed, but for `raw`.
extension SessionGame {
  static func plainHandshake(_ truth: SessionTruth) -> ExtensionHandshake {
    var handshake = ExtensionHandshake()
    handshake.extensions = [
      .metadata: SessionWire.metadata, .pex: SessionWire.exchange,
      .dontHave: SessionWire.dontHave, .uploadOnly: SessionWire.uploadOnly,
    ]
    handshake.metadataSize = truth.info.bytes.count
    handshake.port = 7_777
    return handshake
  }

  func raw(_ reader: inout FuzzReader) -> [UInt8] {
    let count = Int(reader.byte() % 32)
    return (0..<count).map { _ in reader.byte() }
  }

  func handshake(_ id: ConnectionID, _ reader: inout FuzzReader) -> [UInt8] {
    let how = reader.byte()
    let info = truth.info
    var features = PeerFeatures(rawValue: 0)
    if how & 1 != 0 { features.insert(.fast) }
    if how & 2 != 0 { features.insert(.extensions) }
    if how & 4 != 0 { features.insert(.v2Upgrade) }
    let names = [info.infohashV1, info.infohashV2?.truncated].compactMap { $0 }
    let infohash = how & 24 == 24 ? SHA1Digest(hashing: [how]) : names[Int(how >> 3) % names.count]
    node.links[id]?.isGreeted = true
    var bytes = [UInt8](repeating: 0, count: Handshake.byteCount)
    let handshake = Handshake(
      features: features, infohash: infohash, peerID: Self.id(how >> 5))
    bytes.withUnsafeMutableBytes { _ = handshake.encode(into: $0) }
    return bytes
  }

  /// Any message but blocks and extensions, up to 32 times.
  func message(_ reader: inout FuzzReader) -> [UInt8] {
    let what = reader.byte()
    let times = 1 << Int(what >> 5)
    let number = piece(&reader)
    let message: PeerMessage
    switch what % 32 {
    case 0: message = .keepAlive
    case 1: message = .choke
    case 2, 3: message = .unchoke
    case 4, 5: message = .interested
    case 6: message = .notInterested
    case 7, 8: message = .have(piece: number)
    case 9: return bitfield(number)
    case 10: return repeated(bitfieldOfAll, times)
    case 11: message = .haveAll
    case 12: message = .haveNone
    case 13: message = .suggest(piece: number)
    case 14: message = .allowedFast(piece: number)
    case 15: message = .port(UInt16(truncatingIfNeeded: number))
    case 16, 17, 18: message = .request(run(number, &reader))
    case 19: message = .cancel(run(number, &reader))
    case 20: message = .reject(run(number, &reader))
    case 21: message = .reject(asked(&reader) ?? run(number, &reader))
    case 22, 23, 24: message = .hash(.request(question(&reader)))
    case 25: message = .hash(.reject(question(&reader)))
    case 26:
      return repeated(
        SessionWire.bytes(extension: 3, DontHaveMessage(piece: number).encoded), times)
    case 27:
      return repeated(
        SessionWire.bytes(
          extension: 4, UploadOnlyMessage(isUploadOnly: !number.isMultiple(of: 2)).encoded), times)
    case 28:
      return repeated(
        SessionWire.bytes(extension: 1, MetadataMessage.request(piece: number).encoded), times)
    case 29: return SessionWire.bytes(.unknown(id: 99, byteCount: 3), [1, 2, 3])
    case 30: return SessionWire.bytes(extension: UInt8(truncatingIfNeeded: number), raw(&reader))
    default: message = .piece(BlockRequest(piece: number, begin: 0, length: 4))
    }
    return repeated(SessionWire.bytes(message), times)
  }

  private func repeated(_ bytes: [UInt8], _ times: Int) -> [UInt8] {
    Array(repeatElement(bytes, count: times).joined())
  }

  /// Mostly a piece that there is.
  private func piece(_ reader: inout FuzzReader) -> UInt32 {
    let byte = reader.byte()
    return byte >= 252 ? UInt32(byte) << 24 : UInt32(byte) % UInt32(truth.geometry.pieces.count)
  }

  private func bitfield(_ number: UInt32) -> [UInt8] {
    let count = (truth.geometry.pieces.count + 7) / 8
    var body = [UInt8](repeating: 0, count: count)
    let place = Int(number) % (count * 8)
    body[place / 8] |= 0x80 >> UInt8(place % 8)
    return SessionWire.bytes(.bitfield(byteCount: count), body)
  }

  private var bitfieldOfAll: [UInt8] {
    let pieces = truth.geometry.pieces.count
    var body = [UInt8](repeating: 0, count: (pieces + 7) / 8)
    for place in 0..<pieces { body[place / 8] |= 0x80 >> UInt8(place % 8) }
    return SessionWire.bytes(.bitfield(byteCount: body.count), body)
  }

  /// A run of bytes of a piece: mostly a block.
  private func run(_ number: UInt32, _ reader: inout FuzzReader) -> BlockRequest {
    let how = reader.byte()
    guard how < 250, let piece = truth.geometry.piece(number) else {
      return BlockRequest(piece: number, begin: UInt32(how) * 511, length: UInt32(how) << 8)
    }
    let blocks = Array(truth.geometry.blocks(of: piece))
    // Blocks of padding, too.
    let begin = UInt32(Int(how) % Int(truth.geometry.blocksPerPiece) * blockLength)
    guard Int(begin) / blockLength < blocks.count else {
      return BlockRequest(piece: number, begin: begin, length: UInt32(blockLength))
    }
    let length = truth.geometry.requestLength(of: blocks[Int(begin) / blockLength])
    return BlockRequest(piece: number, begin: begin, length: length)
  }

  private func question(_ reader: inout FuzzReader) -> HashRequest {
    let (where_, size) = (reader.byte(), reader.byte())
    let roots = truth.trees.keys.sorted { $0.description < $1.description }
    let root = roots.isEmpty || where_ >= 250 ? .zero : roots[Int(where_) % roots.count]
    // Shorter runs at the end of a layer are answered, too, but our framer does not read them.
    let length = UInt32(2) << UInt32(size & 3)
    return HashRequest(
      piecesRoot: root, baseLayer: UInt32(size >> 2 & 3), index: UInt32(where_ >> 4) * length,
      length: length, proofLayers: UInt32(size >> 4))
  }

  // MARK: Answers

  /// Something that the core has asked some peer.
  private func asked(_ reader: inout FuzzReader) -> BlockRequest? {
    let all = node.order.flatMap { node.links[$0]?.requests ?? [] }
    let place = Int(reader.byte())
    return all.isEmpty ? nil : all[place % all.count]
  }

  /// A block, mostly one that was asked for, mostly with the right bytes.
  func block(_ id: ConnectionID, _ reader: inout FuzzReader) -> [UInt8] {
    let how = reader.byte()
    guard let link = node.links[id] else { return [] }
    var request: BlockRequest
    if let first = link.requests.first, how < 224 {
      let place = Int(how >> 2) % link.requests.count
      request = how & 2 == 0 ? first : link.requests[place]
      node.links[id]?.requests.removeAll { $0 == request }
    } else {
      request = run(piece(&reader), &reader)
      request.length = min(request.length, UInt32(blockLength))
    }
    if how >= 192, how < 224 { return frame(of: request, how) }
    return self.bytes(of: request, isRight: how & 1 == 0)
  }

  /// A block as a frame of zstd: right, wrong, damaged, or with too much.
  private func frame(of request: BlockRequest, _ how: UInt8) -> [UInt8] {
    var data = truth.bytes(piece: request.piece, begin: request.begin, count: Int(request.length))
    if how & 7 == 1, !data.isEmpty { data[data.count / 2] ^= 1 }
    guard !data.isEmpty, var compressor = BlockCompressor() else { return [] }
    var frame = data.withUnsafeBytes { compressor.frame(of: $0, level: 1) } ?? [0x28, 0xb5, 0x2f]
    switch how & 7 {
    case 2: frame[frame.count / 2] ^= 0x10
    case 3: frame.removeLast()
    case 4: frame.append(how)
    case 5: frame[4 % frame.count] ^= how
    default: break
    }
    let head = CompressedBlock(block: request, frameByteCount: frame.count).encoded
    return SessionWire.bytes(extension: 7, head + frame)
  }

  /// All blocks that were asked for.
  func allBlocks(_ id: ConnectionID) -> [UInt8] {
    guard let requests = node.links[id]?.requests else { return [] }
    node.links[id]?.requests = []
    return requests.prefix(16).flatMap { bytes(of: $0, isRight: true) }
  }

  private func bytes(of request: BlockRequest, isRight: Bool) -> [UInt8] {
    var data = truth.bytes(
      piece: request.piece, begin: request.begin, count: Int(request.length))
    if !isRight, !data.isEmpty { data[data.count / 2] ^= 1 }
    return SessionWire.bytes(.piece(request), data)
  }

  /// Hashes that were asked for: right, forged, too few, or refused.
  func hashes(_ id: ConnectionID, _ reader: inout FuzzReader) -> [UInt8] {
    let how = reader.byte()
    guard let requests = node.links[id]?.hashRequests, !requests.isEmpty else { return [] }
    let count = how & 8 == 0 ? requests.count : 1
    node.links[id]?.hashRequests.removeFirst(count)
    return requests.prefix(count).flatMap { request -> [UInt8] in
      guard let tree = truth.trees[request.piecesRoot],
        case .hashes(var response) = tree.response(to: request), how & 7 != 0
      else { return SessionWire.bytes(.hash(.reject(request))) }
      let place = Int(how >> 4) % response.hashes.count
      switch how & 7 {
      case 1: response.hashes[place] = .zero
      case 2: response.hashes.removeLast()
      case 3: response.request.index += 1
      default: break
      }
      return SessionWire.bytes(.hash(.hashes(response)))
    }
  }

  /// A part of the info dictionary: right, wrong, of a wrong size, or refused.
  func metadata(_ id: ConnectionID, _ reader: inout FuzzReader) -> [UInt8] {
    let how = reader.byte()
    let asked = node.links[id]?.metadataRequests.first
    if asked != nil { node.links[id]?.metadataRequests.removeFirst() }
    let piece = asked ?? UInt32(how >> 4)
    if how & 7 == 0 {
      return SessionWire.bytes(extension: 1, MetadataMessage.reject(piece: piece).encoded)
    }
    var all = truth.info.bytes
    if how & 7 == 1 { all[all.count / 2] ^= 1 }
    let start = min(Int(piece) * WireLimits.metadataBlockBytes, all.count)
    let data = Array(all[start..<min(start + WireLimits.metadataBlockBytes, all.count)])
    let size = how & 7 == 2 ? all.count + 1 + Int(how) << 8 : all.count
    let head = MetadataMessage.data(piece: piece, totalSize: size, range: 0..<data.count)
    return SessionWire.bytes(extension: 1, head.encoded + data)
  }

  func extensionHandshake(_ reader: inout FuzzReader) -> [UInt8] {
    let (how, value) = (reader.byte(), reader.byte())
    var handshake = Self.plainHandshake(truth)
    if how & 1 != 0 { handshake.extensions[.metadata] = 0 }
    if how & 2 != 0 { handshake.metadataSize = Int(value) << (how >> 3) }
    if how & 8 != 0 { handshake.extensions[.zstd] = SessionWire.zstd }
    if how & 4 != 0 { handshake.requestQueue = Int(value) }
    if value & 1 != 0 { handshake.isUploadOnly = value & 2 != 0 }
    if value & 4 != 0 { handshake.port = UInt16(value) << 8 }
    if value & 16 != 0 { handshake.yourAddress = Self.endpoint(value >> 5).address }
    if value & 8 != 0 { handshake.client = raw(&reader) }
    return SessionWire.bytes(extension: 0, handshake.encoded)
  }

  func exchange(_ reader: inout FuzzReader) -> [UInt8] {
    let how = reader.byte()
    var message = PeerExchange()
    for number in 0..<(how & 7) {
      let endpoint = Self.endpoint(reader.byte())
      if number.isMultiple(of: 2) || how < 128 {
        message.added.append(.init(endpoint: endpoint, flags: .init(rawValue: reader.byte())))
      } else {
        message.dropped.append(endpoint)
      }
    }
    return SessionWire.bytes(extension: 2, message.encoded)
  }
}
