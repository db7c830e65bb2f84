import Metainfo

/// Asks for a block of the info dictionary, or answers. BEP 9, `ut_metadata`.
///
/// Blocks have 16 KiB, but for the last. Whether a number fits the torrent, and a block its place, is
/// for those to say who know the dictionary's size.
public enum MetadataMessage: Hashable, Sendable {
  /// Asks for a block, counted from 0.
  case request(piece: UInt32)
  /// Brings a block: the bytes of the payload behind its dictionary, at `range` there. `totalSize` is
  /// the size of the whole info dictionary, in bytes, as the sender has it; I2PSnark sends the
  /// block's instead.
  case data(piece: UInt32, totalSize: Int, range: Range<Int>)
  /// Declines a request.
  case reject(piece: UInt32)
  /// A message of another type, to be ignored.
  case unknown(type: Int64)
}

extension MetadataMessage {
  /// Reads the payload, from behind the extension's number.
  public init(payload: RawSpan) throws(ExtensionError) {
    let fields = try ExtensionDictionary(payload, of: .metadata)
    let type = try fields.integer("msg_type", in: .min...Int64.max)
    guard let type else { throw fields.fault(fields.node, .missing("msg_type")) }
    guard (0...2).contains(type) else {
      self = .unknown(type: type)
      return
    }
    let largest = Int64(MetainfoLimits.torrentBytes)
    let last = (largest - 1) / Int64(WireLimits.metadataBlockBytes)
    guard let piece = try fields.integer("piece", in: 0...last) else {
      throw fields.fault(fields.node, .missing("piece"))
    }
    let data = fields.end..<payload.byteCount
    guard type == 1 else {
      guard data.isEmpty else {
        throw ExtensionError(message: .metadata, offset: fields.end, reason: .trailingBytes)
      }
      self = type == 0 ? .request(piece: UInt32(piece)) : .reject(piece: UInt32(piece))
      return
    }
    guard let totalSize = try fields.integer("total_size", in: 1...largest) else {
      throw fields.fault(fields.node, .missing("total_size"))
    }
    guard data.count <= WireLimits.metadataBlockBytes else {
      throw ExtensionError(
        message: .metadata, offset: fields.end, reason: .blockTooLong(data.count))
    }
    self = .data(piece: UInt32(piece), totalSize: Int(totalSize), range: data)
  }

  /// The payload, behind the extension's number; of `data` all but the block, which follows.
  ///
  /// - Precondition: the message is not of an unknown type.
  public var encoded: [UInt8] {
    var encoder = BencodeEncoder(capacity: 64)
    encoder.beginDictionary()
    switch self {
    case .request(let piece): Self.encode(0, piece, &encoder)
    case .data(let piece, let totalSize, _):
      Self.encode(1, piece, &encoder)
      encoder.pair("total_size", Int64(totalSize))
    case .reject(let piece): Self.encode(2, piece, &encoder)
    case .unknown(let type): preconditionFailure("we send no message of type \(type)")
    }
    encoder.end()
    return encoder.bytes
  }

  private static func encode(_ type: Int64, _ piece: UInt32, _ encoder: inout BencodeEncoder) {
    encoder.pair("msg_type", type)
    encoder.pair("piece", Int64(piece))
  }
}
