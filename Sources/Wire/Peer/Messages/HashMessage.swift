import Metainfo

/// The three messages about hash trees. BEP 52.
///
/// On the wire each is a length (4 bytes), its kind (1 byte), the pieces root (32 bytes), then base
/// layer, index, length and proof layers (4 bytes each), and in `hashes` the hashes (32 bytes
/// each). All numbers have their highest byte first.
public enum HashMessage: Hashable, Sendable {
  /// Asks for hashes. Its numbers are as the peer sent them: a question that makes no sense is
  /// declined, not punished, because libtorrent asks for a single hash at the end of a file of
  /// 513 pieces although BEP 52 wants at least two.
  case request(HashRequest)
  /// Answers a request with as many hashes as its numbers call for.
  case hashes(HashResponse)
  /// Declines a request.
  case reject(HashRequest)

  /// Which of the three a message is.
  public enum Kind: Hashable, Sendable, CaseIterable {
    /// Asks.
    case request
    /// Answers.
    case hashes
    /// Declines.
    case reject

    /// The byte that tells the kind on the wire.
    public var id: PeerMessageID {
      switch self {
      case .request: .hashRequest
      case .hashes: .hashes
      case .reject: .hashReject
      }
    }

    /// The kind that `id` tells; nil for messages about other things.
    public init?(_ id: PeerMessageID) {
      guard let kind = Self.allCases.first(where: { $0.id == id }) else { return nil }
      self = kind
    }
  }

  /// The kind of message.
  public var kind: Kind {
    switch self {
    case .request: .request
    case .hashes: .hashes
    case .reject: .reject
    }
  }
}

// MARK: - Reading

extension HashMessage {
  /// Bytes of the kind and the fixed fields.
  static let headerLength = 1 + SHA256Digest.byteCount + 4 * MemoryLayout<UInt32>.size

  /// Bytes of the longest message, from the byte of its kind on.
  static let longest = headerLength + WireLimits.hashes * SHA256Digest.byteCount

  /// Reads the payload of a message: what follows the byte that tells its kind.
  ///
  /// A `hashes` message passes only if its fields obey BEP 52 and `WireLimits`, and exactly the
  /// hashes that they call for are there.
  public init(_ kind: Kind, payload: RawSpan) throws(PeerProtocolError) {
    switch kind {
    case .request: self = .request(try Self.onlyHeader(kind.id, payload))
    case .reject: self = .reject(try Self.onlyHeader(kind.id, payload))
    case .hashes: self = .hashes(try Self.response(payload))
    }
  }

  private static func onlyHeader(
    _ id: PeerMessageID, _ payload: RawSpan
  ) throws(PeerProtocolError) -> HashRequest {
    let length = 1 + payload.byteCount
    guard length == headerLength else {
      throw PeerProtocolError(
        message: id, offset: 0, reason: .length(found: length, expected: headerLength))
    }
    return header(payload)
  }

  private static func response(_ payload: RawSpan) throws(PeerProtocolError) -> HashResponse {
    let length = 1 + payload.byteCount
    guard length >= headerLength else {
      throw PeerProtocolError(message: .hashes, offset: length, reason: .truncated(length))
    }
    let request = header(payload)
    let count = try hashCount(answering: request)
    let expected = headerLength + count * SHA256Digest.byteCount
    guard length == expected else {
      throw PeerProtocolError(
        message: .hashes, offset: headerLength, reason: .length(found: length, expected: expected))
    }
    let rest = payload.extracting((headerLength - 1)...)
    let hashes = [SHA256Digest](unsafeUninitializedCapacity: count) { room, initialized in
      rest.withUnsafeBytes { UnsafeMutableRawBufferPointer(room).copyMemory(from: $0) }
      initialized = count
    }
    return HashResponse(request: request, hashes: hashes)
  }

  /// The fixed fields. `payload` is long enough for them.
  private static func header(_ payload: RawSpan) -> HashRequest {
    func number(_ position: Int) -> UInt32 {
      let offset = SHA256Digest.byteCount + position * MemoryLayout<UInt32>.size
      return UInt32(bigEndian: payload.unsafeLoadUnaligned(fromByteOffset: offset, as: UInt32.self))
    }
    let root = payload.extracting(first: SHA256Digest.byteCount).withUnsafeBytes {
      SHA256Digest($0)!
    }
    return HashRequest(
      piecesRoot: root, baseLayer: number(0), index: number(1), length: number(2),
      proofLayers: number(3))
  }

  /// How many hashes answer a request: `length` of the base layer, then one uncle for each proof
  /// layer but the first log2(length) − 1, which follow from the hashes themselves. BEP 52,
  /// "hashes". A length that is no power of two is cut off by the end of the layer, and the run as
  /// high as with its padding; whether it is so, the file's tree knows.
  private static func hashCount(answering request: HashRequest) throws(PeerProtocolError) -> Int {
    func fault(_ field: Int, _ reason: PeerProtocolError.Reason) -> PeerProtocolError {
      let offset = 1 + SHA256Digest.byteCount + field * MemoryLayout<UInt32>.size
      return PeerProtocolError(message: .hashes, offset: offset, reason: reason)
    }
    let length = request.length
    guard length >= 1 else { throw fault(2, .hashCount(length)) }
    guard length <= WireLimits.hashesLength else { throw fault(2, .tooManyHashes(length)) }
    let height = UInt32.bitWidth - (length - 1).leadingZeroBitCount
    guard request.index & (1 << height - 1) == 0 else {
      throw fault(1, .unaligned(index: request.index, length: length))
    }
    guard request.proofLayers <= WireLimits.proofLayers else {
      throw fault(3, .tooManyProofLayers(request.proofLayers))
    }
    return Int(length) + max(0, Int(request.proofLayers) - height + 1)
  }
}

// MARK: - Writing

extension HashMessage {
  /// Bytes of the whole message, its length prefix included.
  public var encodedByteCount: Int {
    let prefix = MemoryLayout<UInt32>.size
    return switch self {
    case .request, .reject: prefix + Self.headerLength
    case .hashes(let response):
      prefix + Self.headerLength + response.hashes.count * SHA256Digest.byteCount
    }
  }

  /// Writes the whole message, its length prefix included, to the beginning of `buffer`.
  ///
  /// - Precondition: `buffer` has room for `encodedByteCount` bytes, and a `hashes` message has at
  ///   most `WireLimits.hashes` of them.
  /// - Returns: how many bytes were written.
  @discardableResult
  public func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    let count = encodedByteCount
    precondition(buffer.count >= count, "no room for the message")
    var writer = MessageWriter(buffer)
    writer.write(UInt32(count - MemoryLayout<UInt32>.size))
    writer.write(kind.id.rawValue)
    switch self {
    case .request(let request), .reject(let request): Self.write(request, to: &writer)
    case .hashes(let response):
      precondition(response.hashes.count <= WireLimits.hashes, "more hashes than anyone asks for")
      Self.write(response.request, to: &writer)
      response.hashes.withUnsafeBytes { writer.write($0) }
    }
    return count
  }

  private static func write(_ request: HashRequest, to writer: inout MessageWriter) {
    request.piecesRoot.withUnsafeBytes { writer.write($0) }
    writer.write(request.baseLayer)
    writer.write(request.index)
    writer.write(request.length)
    writer.write(request.proofLayers)
  }
}
