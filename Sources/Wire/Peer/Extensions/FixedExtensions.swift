/// The sender no longer has a piece that it announced: the contrary of `have`. BEP 54,
/// `lt_donthave`.
public struct DontHaveMessage: Hashable, Sendable {
  /// Bytes of the payload.
  public static let byteCount = 4
  /// The piece, counted from 0, as the peer sent it.
  public var piece: UInt32

  /// A message about one piece.
  public init(piece: UInt32) { self.piece = piece }

  /// Reads the payload, from behind the extension's number: the piece, its highest byte first.
  public init(payload: RawSpan) throws(ExtensionError) {
    try payload.expect(Self.byteCount, of: .dontHave)
    piece = UInt32(bigEndian: payload.unsafeLoadUnaligned(as: UInt32.self))
  }

  /// The payload, behind the extension's number.
  public var encoded: [UInt8] { withUnsafeBytes(of: piece.bigEndian) { Array($0) } }
}

/// Whether the sender downloads anything from now on. The message is libtorrent's, beside the key of
/// BEP 21 in the extension handshake.
public struct UploadOnlyMessage: Hashable, Sendable {
  /// Bytes of the payload.
  public static let byteCount = 1
  /// Whether the sender downloads nothing.
  public var isUploadOnly: Bool

  /// A message that tells one or the other.
  public init(isUploadOnly: Bool) { self.isUploadOnly = isUploadOnly }

  /// Reads the payload, from behind the extension's number: a byte, 0 for no.
  public init(payload: RawSpan) throws(ExtensionError) {
    try payload.expect(Self.byteCount, of: .uploadOnly)
    isUploadOnly = payload.unsafeLoad(as: UInt8.self) != 0
  }

  /// The payload, behind the extension's number.
  public var encoded: [UInt8] { [isUploadOnly ? 1 : 0] }
}

extension RawSpan {
  fileprivate func expect(_ count: Int, of message: PeerExtension) throws(ExtensionError) {
    guard byteCount == count else {
      throw ExtensionError(
        message: message, offset: 0, reason: .length(found: byteCount, expected: count))
    }
  }
}
