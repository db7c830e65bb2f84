import Metainfo

/// What each side of a connection says first. BEP 3, "peer protocol".
///
/// On the wire: the byte 19, "BitTorrent protocol", eight reserved bytes, the infohash (20 bytes)
/// and the peer id (20 bytes), 68 bytes in all.
public struct Handshake: Hashable, Sendable {
  /// Size, in bytes.
  public static let byteCount = head.count + 8 + SHA1Digest.byteCount + PeerID.byteCount

  /// The 20 bytes by which every handshake begins.
  static let head: [UInt8] = [19] + Array("BitTorrent protocol".utf8)
  /// Where the infohash begins.
  static let infohashOffset = head.count + 8
  /// Where the peer id begins: all before it is what an answer depends on.
  static let peerIDOffset = infohashOffset + SHA1Digest.byteCount

  /// What the sender can do beyond BEP 3.
  public var features: PeerFeatures
  /// The v1 infohash, or the v2 infohash truncated to 20 bytes. BEP 52.
  public var infohash: SHA1Digest
  /// The sender's name for itself.
  public var peerID: PeerID

  /// A handshake from its parts.
  public init(features: PeerFeatures, infohash: SHA1Digest, peerID: PeerID) {
    self.features = features
    self.infohash = infohash
    self.peerID = peerID
  }

  /// Writes the 68 bytes to the beginning of `buffer`.
  ///
  /// - Precondition: `buffer` has room for `byteCount` bytes.
  /// - Returns: how many bytes were written.
  @discardableResult
  public func encode(into buffer: UnsafeMutableRawBufferPointer) -> Int {
    precondition(buffer.count >= Self.byteCount, "no room for the handshake")
    var writer = MessageWriter(buffer)
    Self.head.withUnsafeBytes { writer.write($0) }
    writer.write(features.rawValue)
    infohash.withUnsafeBytes { writer.write($0) }
    peerID.withUnsafeBytes { writer.write($0) }
    return Self.byteCount
  }
}
