/// How a message lies in the bytes of a connection: how much of it must be there before it can be
/// read, and what it says.
struct MessageLayout {
  /// Bytes of the length prefix.
  static let prefixLength = MemoryLayout<UInt32>.size
  /// Bytes of a `piece` message before its data, the prefix included; no data comes sooner after the
  /// beginning of any message.
  static let pieceHeadLength = prefixLength + 1 + 2 * MemoryLayout<UInt32>.size

  /// Bitfields that are longer are refused, in bytes.
  var bitfieldLimit: Int

  /// How many bytes from a message's beginning are needed to read on: of the whole message, or where
  /// the body is handed out as it comes (`piece`, unknown kinds) of all before it. While `bytes` are
  /// too few to tell, one more than there are of what tells.
  ///
  /// Whatever is wrong with the length is found at the prefix or at the byte behind it.
  @inline(__always)
  func neededByteCount(_ bytes: RawSpan) throws(PeerProtocolError) -> Int {
    guard bytes.byteCount >= Self.prefixLength else { return Self.prefixLength }
    let length = bytes.bigEndian(at: 0)
    if length == 0 { return Self.prefixLength }
    guard length <= UInt32(WireLimits.messageBytes) else {
      throw PeerProtocolError(
        message: nil, offset: 0, reason: .tooLong(length, limit: WireLimits.messageBytes))
    }
    guard bytes.byteCount > Self.prefixLength else { return Self.prefixLength + 1 }
    let end = Self.prefixLength + Int(length)
    let kind = bytes.byte(at: Self.prefixLength)
    switch kind {
    case 0...3, 14, 15: try expect(length, 1, kind)
    case 4, 13, 17: try expect(length, 5, kind)
    case 6, 8, 16: try expect(length, 13, kind)
    case 7: return try pieceHead(length)
    default: return try uncommon(kind, length, end)
    }
    return end
  }

  @inline(__always)
  private func expect(
    _ length: UInt32, _ expected: UInt32, _ kind: UInt8
  ) throws(PeerProtocolError) {
    if length != expected {
      throw wrongLength(length, Int(expected), PeerMessageID(rawValue: kind))
    }
  }

  private func pieceHead(_ length: UInt32) throws(PeerProtocolError) -> Int {
    let head = Self.pieceHeadLength - Self.prefixLength
    guard length >= head else { throw wrongLength(length, head + 1, .piece) }
    guard length > head else {
      throw PeerProtocolError(message: .piece, offset: head, reason: .emptyBlock)
    }
    try limit(length, head + WireLimits.blockBytes, .piece)
    return Self.pieceHeadLength
  }

  private func uncommon(
    _ kind: UInt8, _ length: UInt32, _ end: Int
  ) throws(PeerProtocolError) -> Int {
    let id = PeerMessageID(rawValue: kind)
    switch id {
    case .bitfield: try limit(length, 1 + bitfieldLimit, id)
    case .port: try expect(length, 3, kind)
    case .extended:
      guard length >= 2 else { throw wrongLength(length, 2, id) }
      try limit(length, 1 + WireLimits.extendedBytes, id)
    case .hashRequest, .hashReject: try expect(length, UInt32(HashMessage.headerLength), kind)
    case .hashes: try limit(length, HashMessage.longest, id)
    default:
      try limit(length, 1 + WireLimits.unknownBytes, nil)
      return Self.prefixLength + 1
    }
    return end
  }

  private func limit(
    _ length: UInt32, _ limit: Int, _ id: PeerMessageID?
  ) throws(PeerProtocolError) {
    guard length <= limit else {
      throw PeerProtocolError(message: id, offset: 0, reason: .tooLong(length, limit: limit))
    }
  }

  private func wrongLength(
    _ found: UInt32, _ expected: Int, _ id: PeerMessageID?
  ) -> PeerProtocolError {
    PeerProtocolError(
      message: id, offset: 0, reason: .length(found: Int(found), expected: expected))
  }
}

extension MessageLayout {
  /// The message of which all needed bytes are there.
  ///
  /// - Precondition: `bytes` begins with them.
  @inline(__always)
  func message(_ bytes: RawSpan) throws(PeerProtocolError) -> PeerMessage {
    let length = bytes.bigEndian(at: 0)
    if length == 0 { return .keepAlive }
    switch bytes.byte(at: Self.prefixLength) {
    case 0: return .choke
    case 1: return .unchoke
    case 2: return .interested
    case 3: return .notInterested
    case 4: return .have(piece: bytes.bigEndian(at: 5))
    case 6: return .request(block(bytes))
    case 7:
      return .piece(
        BlockRequest(
          piece: bytes.bigEndian(at: 5), begin: bytes.bigEndian(at: 9), length: length &- 9))
    case 8: return .cancel(block(bytes))
    case 13: return .suggest(piece: bytes.bigEndian(at: 5))
    case 14: return .haveAll
    case 15: return .haveNone
    case 16: return .reject(block(bytes))
    case 17: return .allowedFast(piece: bytes.bigEndian(at: 5))
    default: return try uncommon(bytes, Int(length))
    }
  }

  private func uncommon(_ bytes: RawSpan, _ length: Int) throws(PeerProtocolError) -> PeerMessage {
    let kind = bytes.byte(at: Self.prefixLength)
    let id = PeerMessageID(rawValue: kind)
    switch id {
    case .bitfield: return .bitfield(byteCount: length - 1)
    case .port: return .port(UInt16(bytes.byte(at: 5)) << 8 | UInt16(bytes.byte(at: 6)))
    case .extended: return .extended(id: bytes.byte(at: 5), byteCount: length - 2)
    default:
      guard let id, let hashKind = HashMessage.Kind(id) else {
        return .unknown(id: kind, byteCount: length - 1)
      }
      let payload = bytes.extracting((Self.prefixLength + 1)..<(Self.prefixLength + length))
      return .hash(try HashMessage(hashKind, payload: payload))
    }
  }

  @inline(__always)
  private func block(_ bytes: RawSpan) -> BlockRequest {
    BlockRequest(
      piece: bytes.bigEndian(at: 5), begin: bytes.bigEndian(at: 9), length: bytes.bigEndian(at: 13))
  }
}

extension RawSpan {
  /// The number of four bytes, the first of them highest. Stops if they are not all there.
  @inline(__always)
  fileprivate func bigEndian(at offset: Int) -> UInt32 {
    UInt32(bigEndian: unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
  }

  /// One byte. Stops if it is not there.
  @inline(__always)
  fileprivate func byte(at offset: Int) -> UInt8 {
    unsafeLoad(fromByteOffset: offset, as: UInt8.self)
  }
}
