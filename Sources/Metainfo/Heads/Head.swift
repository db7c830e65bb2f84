/// What the owner of a dataset key says the newest version is: a mutable item whose number is the
/// version's, and whose value names its torrent. BEP 46; the key "ih2" is ours.
///
/// Invariant: the item's value says what the other fields say.
public struct Head: Hashable, Sendable {
  /// The item as it was signed.
  public let item: MutableItem
  /// The version's infohash as peers and the DHT are asked for it: of a v2 torrent the first 20
  /// bytes. BEP 46, "ih".
  public let infohash: SHA1Digest
  /// The whole infohash; nil where the publisher gave 20 bytes alone, as BEP 46 has it: then
  /// `infohash` is that of a v1 torrent, or the beginning of a v2 one's. "ih2".
  public let infohashV2: SHA256Digest?

  /// The head that an item is.
  public init(_ item: MutableItem) throws(HeadError) {
    guard item.sequence > 0 else { throw .noVersion(item.sequence) }
    let value: BencodeNode
    do { value = try Bencode.decode(item.value) } catch { throw .malformed(error) }
    guard value.dictionary != nil else { throw .noDictionary }
    guard let short = value["ih"] else { throw .missingInfohash }
    guard let infohash = short.string.flatMap({ SHA1Digest($0) }) else {
      throw .wrongInfohash("ih", byteCount: SHA1Digest.byteCount)
    }
    if let long = value["ih2"] {
      guard let whole = long.string.flatMap({ SHA256Digest($0) }) else {
        throw .wrongInfohash("ih2", byteCount: SHA256Digest.byteCount)
      }
      guard whole.truncated == infohash else { throw .contradiction }
      infohashV2 = whole
    } else {
      infohashV2 = nil
    }
    self.item = item
    self.infohash = infohash
  }

  /// The head of version `version`, counted from 1, of our own.
  public init(
    version: Int64, infohash: SHA256Digest, signedBy secret: DatasetSecret, salt: [UInt8] = []
  ) throws(HeadError) {
    guard version > 0 else { throw .noVersion(version) }
    var encoder = BencodeEncoder(capacity: 72)
    encoder.beginDictionary()
    encoder.key("ih")
    encoder.string(infohash.truncated.bytes)
    encoder.key("ih2")
    encoder.string(infohash.bytes)
    encoder.end()
    do {
      item = try MutableItem(
        signedBy: secret, salt: salt, sequence: version, value: encoder.bytes)
    } catch { throw .item(error) }
    self.infohash = infohash.truncated
    infohashV2 = infohash
  }

  /// Whose dataset it is.
  public var key: DatasetKey { item.key }
  /// Number of the version, counted from 1.
  public var version: Int64 { item.sequence }
}

/// Why an item is no head. BEP 46.
public enum HeadError: Error, Hashable, Sendable, CustomStringConvertible {
  /// Versions are counted from 1.
  case noVersion(Int64)
  /// The value is not bencoded.
  case malformed(BencodeError)
  /// The value is something else.
  case noDictionary
  /// There is no "ih".
  case missingInfohash
  /// What stands under the key is no string of so many bytes.
  case wrongInfohash(String, byteCount: Int)
  /// "ih" is not the beginning of "ih2".
  case contradiction
  /// It cannot be signed.
  case item(ItemError)

  /// What is wrong.
  public var description: String {
    switch self {
    case .noVersion(let number): "versions are counted from 1, and this is number \(number)"
    case .malformed(let error): "the head's value is not bencoded: \(error)"
    case .noDictionary: "the head's value is no dictionary (BEP 46)"
    case .missingInfohash: "the head names no infohash, \"ih\" is missing (BEP 46)"
    case .wrongInfohash(let key, let count):
      "\"\(key)\" of the head is no string of \(count) bytes (BEP 46)"
    case .contradiction: "\"ih\" of the head is not the beginning of its \"ih2\""
    case .item(let error): "\(error)"
    }
  }
}
