import Metainfo

/// The newest head of a dataset that the sender knows: a mutable item of the DHT, sent from peer to
/// peer. Our own extension, `sw_head`.
///
/// The payload is one dictionary: "k" the key, "salt" where the item has one, "seq" its number, "sig"
/// the signature, "v" the value as it was signed (BEP 44). Whether the signature is right shows when
/// `item` is made.
public struct HeadMessage: Hashable, Sendable {
  /// Whose item it is said to be.
  public let key: DatasetKey
  /// Which of the owner's items; empty for the one without salt.
  public let salt: [UInt8]
  /// The item's number.
  public let sequence: Int64
  /// The bencoded value.
  public let value: [UInt8]
  /// The owner's word, right or not.
  public let signature: Signature

  /// A message that brings an item.
  public init(_ item: MutableItem) {
    (key, salt, sequence) = (item.key, item.salt, item.sequence)
    (value, signature) = (item.value, item.signature)
  }

  /// Reads the payload, from behind the extension's number. Further keys are ignored.
  public init(payload: RawSpan) throws(ExtensionError) {
    guard payload.byteCount <= WireLimits.headBytes else {
      throw ExtensionError(message: .head, offset: 0, reason: .tooLong("", payload.byteCount))
    }
    let fields = try ExtensionDictionary(payload, of: .head)
    guard fields.end == payload.byteCount else {
      throw ExtensionError(message: .head, offset: fields.end, reason: .trailingBytes)
    }
    let (keyNode, keyBytes) = try Self.string(fields, "k")
    guard let key = DatasetKey(keyBytes) else {
      throw fields.fault(
        keyNode, .length(found: keyBytes.count, expected: DatasetKey.byteCount))
    }
    salt = Array(try fields.string("salt"))
    guard salt.count <= ItemLimits.saltBytes else {
      throw fields.fault(fields.node["salt"] ?? fields.node, .tooLong("salt", salt.count))
    }
    guard let sequence = try fields.integer("seq", in: 0...Int64.max) else {
      throw fields.fault(fields.node, .missing("seq"))
    }
    let (signatureNode, signatureBytes) = try Self.string(fields, "sig")
    guard let signature = Signature(signatureBytes) else {
      throw fields.fault(
        signatureNode, .length(found: signatureBytes.count, expected: Signature.byteCount))
    }
    guard let value = fields.node["v"] else { throw fields.fault(fields.node, .missing("v")) }
    guard value.range.count <= ItemLimits.valueBytes else {
      throw fields.fault(value, .tooLong("v", value.range.count))
    }
    (self.key, self.sequence, self.signature) = (key, sequence, signature)
    self.value = Array(value.encoded)
  }

  private static func string(
    _ fields: ExtensionDictionary, _ key: StaticString
  ) throws(ExtensionError) -> (node: BencodeNode, contents: ArraySlice<UInt8>) {
    guard let node = fields.node[key] else { throw fields.fault(fields.node, .missing("\(key)")) }
    return (node, try fields.string(key))
  }

  /// The payload, behind the extension's number.
  public var encoded: [UInt8] {
    var encoder = BencodeEncoder(capacity: value.count + 256)
    encoder.beginDictionary()
    encoder.pair("k", key.bytes)
    if !salt.isEmpty { encoder.pair("salt", salt) }
    encoder.pair("seq", sequence)
    encoder.pair("sig", signature.bytes)
    encoder.key("v")
    encoder.encoded(value)
    encoder.end()
    return encoder.bytes
  }

  /// The item, if its owner has signed it. Costs a check of the signature.
  public var item: MutableItem {
    get throws(ItemError) {
      try MutableItem(
        key: key, salt: salt, sequence: sequence, value: value, signature: signature)
    }
  }
}
