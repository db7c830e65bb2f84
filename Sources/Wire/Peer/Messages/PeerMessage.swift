/// A message of the peer protocol. BEP 3, 5, 6, 10, 52.
///
/// A value of fixed size: what is long and opaque (the data of a `piece`, a bitfield, the payload of
/// an extension) is its *body*, of which the message has only the length. A body follows its message
/// on the wire, so that it can be sent from where it lies, and is received where it should be.
/// Numbers are as the peer sent them: `PieceGeometry` makes indices of them.
public enum PeerMessage: Hashable, Sendable {
  /// Nothing, so that the connection stays open.
  case keepAlive
  /// No requests will be answered.
  case choke
  /// Requests will be answered.
  case unchoke
  /// The sender wants something that the receiver has.
  case interested
  /// The sender wants nothing.
  case notInterested
  /// The sender has this piece now.
  case have(piece: UInt32)
  /// All pieces that the sender has, one bit each in the body of this many bytes, the first piece in
  /// the highest bit of the first byte.
  case bitfield(byteCount: Int)
  /// Asks for a block.
  case request(BlockRequest)
  /// Brings a block: its bytes, `length` of them, are the body.
  case piece(BlockRequest)
  /// Takes a request back.
  case cancel(BlockRequest)
  /// The UDP port of the sender's DHT node. BEP 5.
  case port(UInt16)
  /// Advises to download this piece. BEP 6.
  case suggest(piece: UInt32)
  /// The sender has all pieces. BEP 6.
  case haveAll
  /// The sender has no piece. BEP 6.
  case haveNone
  /// Declines a request. BEP 6.
  case reject(BlockRequest)
  /// This piece may be requested in spite of a choke. BEP 6.
  case allowedFast(piece: UInt32)
  /// A message of the extension that the receiver numbered `id`, with a body of this many bytes; 0
  /// is the extension handshake. BEP 10.
  case extended(id: UInt8, byteCount: Int)
  /// A message about hash trees. BEP 52.
  case hash(HashMessage)
  /// A message of a kind that we do not know, with a body of this many bytes.
  case unknown(id: UInt8, byteCount: Int)
}

extension PeerMessage {
  /// Bytes of the body, which follows what `encode` writes.
  public var bodyByteCount: Int {
    switch self {
    case .bitfield(let count), .extended(_, let count), .unknown(_, let count): count
    case .piece(let block): Int(block.length)
    default: 0
    }
  }
}

// MARK: - Writing

extension PeerMessage {
  /// Bytes of the message, its length prefix included and its body left out: at most 17, but for
  /// hash messages.
  public var encodedByteCount: Int {
    switch self {
    case .keepAlive: 4
    case .choke, .unchoke, .interested, .notInterested, .haveAll, .haveNone, .bitfield, .unknown: 5
    case .extended: 6
    case .port: 7
    case .have, .suggest, .allowedFast: 9
    case .piece: 13
    case .request, .cancel, .reject: 17
    case .hash(let message): message.encodedByteCount
    }
  }

  /// Writes the message, its length prefix included, to the beginning of `buffer`; its body comes
  /// behind it.
  ///
  /// - Precondition: `buffer` has room for `encodedByteCount` bytes, and message and body together
  ///   are shorter than 4 GiB.
  /// - Returns: how many bytes were written.
  @discardableResult
  public func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    if case .hash(let message) = self { return message.encode(into: buffer) }
    let count = encodedByteCount
    precondition(buffer.count >= count, "no room for the message")
    var writer = MessageWriter(buffer)
    writer.write(UInt32(count - 4 + bodyByteCount))
    if let idByte { writer.write(idByte) }
    switch self {
    case .have(let piece), .suggest(let piece), .allowedFast(let piece): writer.write(piece)
    case .request(let block), .cancel(let block), .reject(let block):
      writer.write(block.piece)
      writer.write(block.begin)
      writer.write(block.length)
    case .piece(let block):
      writer.write(block.piece)
      writer.write(block.begin)
    case .port(let port): writer.write(port)
    case .extended(let id, _): writer.write(id)
    case .keepAlive, .choke, .unchoke, .interested, .notInterested, .haveAll, .haveNone, .bitfield,
      .unknown, .hash:
      break
    }
    return count
  }

  /// The byte that tells the kind; nil in a keep-alive.
  private var idByte: UInt8? {
    if case .unknown(let id, _) = self { return id }
    return id?.rawValue
  }

  /// The kind of message; nil for keep-alives and for kinds that we do not know.
  public var id: PeerMessageID? {
    switch self {
    case .keepAlive, .unknown: nil
    case .choke: .choke
    case .unchoke: .unchoke
    case .interested: .interested
    case .notInterested: .notInterested
    case .have: .have
    case .bitfield: .bitfield
    case .request: .request
    case .piece: .piece
    case .cancel: .cancel
    case .port: .port
    case .suggest: .suggest
    case .haveAll: .haveAll
    case .haveNone: .haveNone
    case .reject: .reject
    case .allowedFast: .allowedFast
    case .extended: .extended
    case .hash(let message): message.kind.id
    }
  }
}
