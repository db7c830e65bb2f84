import CSodium

/// How the head of a private dataset is kept in the DHT: sealed, under a disguised key and a salt that follow from the
/// read key, and with a number that does not tell the version. docs/private.md, "Heads in the DHT".
public struct SealedHeadBox: Sendable {
  /// Bytes that are sealed, whatever the head: number, signature, length, value, zeros.
  private static let plainByteCount = 256
  /// Bytes before the value.
  private static let valueOffset = 8 + Signature.byteCount + 2
  private static let nonceByteCount = 24
  private static let tagByteCount = 16

  /// The key under which the item is.
  public var key: DatasetKey { blinded.key }
  /// Its salt.
  public let salt: [UInt8]
  /// Where in the DHT it is kept.
  public var target: SHA1Digest { MutableItem.target(of: key, salt: salt) }

  private let datasetKey: DatasetKey
  private let headSalt: [UInt8]
  private let blinded: BlindedKey
  private let sealingKey: SecretBytes
  /// What is added to a version's number, below 2^40.
  private let firstNumber: Int64

  /// The box of a dataset's heads; nil where `key` is no key by which anybody can sign.
  ///
  /// - Parameter headSalt: the salt of the heads themselves, as in a link.
  public init?(_ key: DatasetKey, headSalt: [UInt8] = [], _ readKey: ReadKey) {
    guard let blinded = BlindedKey(key, readKey) else { return nil }
    self.blinded = blinded
    self.headSalt = headSalt
    datasetKey = key
    salt = readKey.derived("head salt").withUnsafeBytes { Array($0) }
    sealingKey = readKey.derived("head key")
    firstNumber = readKey.derived("head number").withUnsafeBytes { bytes in
      bytes.prefix(5).reduce(0) { $0 << 8 | Int64($1) }
    }
  }

  /// The item that holds `head`: for the owner of the dataset alone. Always the same for the same head.
  ///
  /// - Precondition: `head` and `secret` are of this dataset.
  public func seal(_ head: Head, with secret: DatasetSecret) throws(SealedHeadError) -> MutableItem
  {
    precondition(head.key == datasetKey && secret.key == datasetKey, "another dataset's")
    let inner = head.item
    guard inner.value.count <= Self.plainByteCount - Self.valueOffset else {
      throw .tooLong(inner.value.count)
    }
    let (number, overflow) = firstNumber.addingReportingOverflow(inner.sequence)
    if overflow { throw .number }
    var plain = Self.bytes(inner.sequence) + inner.signature.bytes
    plain += Self.bytes(UInt16(inner.value.count)) + inner.value
    plain += [UInt8](repeating: 0, count: Self.plainByteCount - plain.count)
    // From what is sealed and the key: no two heads have the same one, and nothing is drawn.
    var nonce = [UInt8](repeating: 0, count: Self.nonceByteCount)
    var sealed = [UInt8](repeating: 0, count: Self.plainByteCount + Self.tagByteCount)
    sealingKey.withUnsafeBytes { key in
      guard let key = key.bindMemory(to: UInt8.self).baseAddress else { return }
      crypto_generichash(&nonce, nonce.count, plain, UInt64(plain.count), key, sealingKey.count)
      crypto_aead_xchacha20poly1305_ietf_encrypt(
        &sealed, nil, plain, UInt64(plain.count), self.key.bytes, UInt64(DatasetKey.byteCount), nil,
        nonce, key)
    }
    let value = BencodeValue.string(nonce + sealed).encoded
    let message = MutableItem.signedBytes(salt: salt, sequence: number, value: value)
    do {
      return try MutableItem(
        key: key, salt: salt, sequence: number, value: value,
        signature: blinded.sign(message, with: secret))
    } catch { throw .item(error) }
  }

  /// The head in an item of the DHT.
  public func open(_ item: MutableItem) throws(SealedHeadError) -> Head {
    guard item.key == key, item.salt == salt else { throw .foreign }
    let sealedByteCount = Self.nonceByteCount + Self.plainByteCount + Self.tagByteCount
    guard let bytes = (try? Bencode.decode(item.value))?.string.map({ Array($0) }),
      bytes.count == sealedByteCount
    else { throw .malformed }
    let sealed = Array(bytes.dropFirst(Self.nonceByteCount))
    var plain = [UInt8](repeating: 0, count: Self.plainByteCount)
    let isOpen = sealingKey.withUnsafeBytes { key in
      guard let key = key.bindMemory(to: UInt8.self).baseAddress else { return false }
      return crypto_aead_xchacha20poly1305_ietf_decrypt(
        &plain, nil, nil, sealed, UInt64(sealed.count), self.key.bytes,
        UInt64(DatasetKey.byteCount), bytes, key) == 0
    }
    guard isOpen else { throw .notAuthentic }
    let number = plain.prefix(8).reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    let lengthOffset = Self.valueOffset - 2
    let count = Int(plain[lengthOffset]) << 8 | Int(plain[lengthOffset + 1])
    guard let version = Int64(exactly: number), count <= Self.plainByteCount - Self.valueOffset,
      let signature = Signature(plain[8..<lengthOffset])
    else { throw .malformed }
    guard firstNumber.addingReportingOverflow(version) == (item.sequence, false) else {
      throw .number
    }
    let value = Array(plain[Self.valueOffset..<(Self.valueOffset + count)])
    do {
      let inner = try MutableItem(
        key: datasetKey, salt: headSalt, sequence: version, value: value, signature: signature)
      do { return try Head(inner) } catch { throw SealedHeadError.head(error) }
    } catch let error as ItemError {
      throw .item(error)
    } catch let error as SealedHeadError {
      throw error
    } catch {
      throw .malformed
    }
  }

  private static func bytes(_ number: some FixedWidthInteger) -> [UInt8] {
    withUnsafeBytes(of: number.bigEndian) { Array($0) }
  }
}

/// Why something is no sealed head, or none can be made.
public enum SealedHeadError: Error, Hashable, Sendable, CustomStringConvertible {
  /// It is under another key or salt.
  case foreign
  /// It is not laid out as sealed heads are.
  case malformed
  /// It was sealed by another key, or changed.
  case notAuthentic
  /// Its number is not that of its version.
  case number
  /// A value of so many bytes has no room.
  case tooLong(Int)
  /// What is in it is no item that the dataset's owner signed.
  case item(ItemError)
  /// What is in it is no head.
  case head(HeadError)

  /// What is wrong.
  public var description: String {
    switch self {
    case .foreign: "the item is not of this private dataset"
    case .malformed: "the item holds no sealed head"
    case .notAuthentic: "the sealed head does not open"
    case .number: "the number of the sealed head is not that of its version"
    case .tooLong(let count): "a head of \(count) bytes cannot be sealed"
    case .item(let error): "\(error)"
    case .head(let error): "\(error)"
    }
  }
}
