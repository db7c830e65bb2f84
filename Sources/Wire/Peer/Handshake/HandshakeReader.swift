import Metainfo

/// Reads a handshake as it comes, in chunks of any size.
///
/// A peer that opens a connection may wait for the answer before it tells its peer id, as BEP 3
/// allows: `features` and `infohash`, all that the answer needs, are there as soon as their bytes
/// are. What is no handshake is refused at its first wrong byte.
public struct HandshakeReader: Hashable, Sendable {
  /// What came so far; at most 68 bytes.
  private var bytes: [UInt8] = []

  /// A reader at the first byte.
  public init() {}

  /// How many bytes of the handshake have not come yet.
  public var missingByteCount: Int { Handshake.byteCount - bytes.count }

  /// Takes what belongs to the handshake from the beginning of `chunk`. After an error the
  /// connection ends.
  ///
  /// - Returns: how many bytes were taken; those behind them belong to the messages that follow.
  public mutating func append(_ chunk: RawSpan) throws(HandshakeError) -> Int {
    let count = min(chunk.byteCount, missingByteCount)
    let checked = bytes.count
    chunk.extracting(first: count).withUnsafeBytes { bytes += $0 }
    for offset in checked..<max(checked, min(bytes.count, Handshake.head.count))
    where bytes[offset] != Handshake.head[offset] {
      let start = bytes.prefix(HandshakeError.evidenceByteCount)
      throw HandshakeError(
        offset: offset, byte: bytes[offset], resembles: ForeignProtocol(startingWith: start))
    }
    return count
  }

  /// What the peer can do; nil until all 48 bytes up to the infohash's last are there.
  public var features: PeerFeatures? {
    guard bytes.count >= Handshake.peerIDOffset else { return nil }
    let reserved = bytes[Handshake.head.count..<Handshake.infohashOffset]
    return PeerFeatures(rawValue: reserved.reduce(0) { $0 << 8 | UInt64($1) })
  }

  /// The torrent that the peer wants to talk about; nil until all its bytes are there.
  public var infohash: SHA1Digest? {
    guard bytes.count >= Handshake.peerIDOffset else { return nil }
    return SHA1Digest(bytes[Handshake.infohashOffset..<Handshake.peerIDOffset])
  }

  /// The whole handshake; nil until all its bytes are there.
  public var handshake: Handshake? {
    guard missingByteCount == 0, let features, let infohash,
      let peerID = PeerID(bytes[Handshake.peerIDOffset...])
    else { return nil }
    return Handshake(features: features, infohash: infohash, peerID: peerID)
  }
}
