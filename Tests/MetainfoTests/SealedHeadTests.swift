import Metainfo
import TestSupport
import Testing

@Suite struct SealedHeadTests {
  private var random = SplitMix64(seed: 41)
  private let secret: DatasetSecret
  private let readKey: ReadKey
  private let box: SealedHeadBox

  init() throws {
    secret = try #require(DatasetSecret(seed: random.bytes(32)))
    readKey = ReadKey(using: &random)
    box = try #require(SealedHeadBox(secret.key, readKey))
  }

  private func head(_ version: Int64, _ byte: UInt8 = 1) throws -> Head {
    try Head(
      version: version, infohash: SHA256Digest(hashing: [byte]), signedBy: secret)
  }

  @Test func headsComeBack() throws {
    for version in [Int64(1), 2, 1_000_000, 1 << 62] {
      let head = try head(version)
      let item = try box.seal(head, with: secret)
      // What the DHT checks: a signature by the key that stands there.
      #expect(item.key == box.key && item.target == box.target)
      #expect(try box.open(item) == head)
      #expect(try box.seal(head, with: secret) == item, "not the same twice")
    }
  }

  /// Nothing of what the item is about stands in it.
  @Test func itemsTellNothing() throws {
    let head = try head(7)
    let item = try box.seal(head, with: secret)
    let bytes = item.key.bytes + item.salt + item.value + item.signature.bytes
    func contains(_ part: [UInt8]) -> Bool {
      bytes.indices.contains { bytes[$0...].starts(with: part) }
    }
    #expect(contains(item.key.bytes))
    for part in [
      secret.key.bytes, head.infohash.bytes, readKey.secret.withUnsafeBytes { Array($0) },
      Array(head.item.signature.bytes.prefix(32)), Array("ih2".utf8),
    ] {
      #expect(!contains(part))
    }
    #expect(item.sequence != 7 && item.key != secret.key)
    // Every head is as long as every other.
    #expect(try box.seal(self.head(1 << 40, 9), with: secret).value.count == item.value.count)
  }

  /// Numbers grow with versions, so that the DHT keeps the newest.
  @Test func numbersGrow() throws {
    let numbers = try (1...20).map { try box.seal(head($0), with: secret).sequence }
    #expect(zip(numbers, numbers.dropFirst()).allSatisfy { $0 + 1 == $1 })
    #expect(throws: SealedHeadError.number) { try box.seal(head(.max), with: secret) }
  }

  /// Who has the key alone, or another read key, finds another place and opens nothing.
  @Test mutating func othersFindNothing() throws {
    let item = try box.seal(head(3), with: secret)
    let otherKey = ReadKey(using: &random)
    let other = try #require(SealedHeadBox(secret.key, otherKey))
    #expect(other.key != box.key && other.target != box.target)
    #expect(throws: SealedHeadError.foreign) { try other.open(item) }
    #expect(item.target != MutableItem.target(of: secret.key))
    let stranger = try #require(DatasetSecret(seed: random.bytes(32)))
    let foreign = try #require(SealedHeadBox(stranger.key, readKey))
    #expect(foreign.key != box.key)
  }

  /// A member has both keys, and still cannot sign.
  @Test mutating func membersCannotPublish() throws {
    let good = try box.seal(head(3), with: secret)
    let stranger = try #require(DatasetSecret(seed: random.bytes(32)))
    let disguise = try #require(BlindedKey(secret.key, readKey))
    let message = Array("message".utf8)
    #expect(disguise.sign(message, with: secret).isValid(of: message, by: box.key))
    #expect(!disguise.sign(message, with: stranger).isValid(of: message, by: box.key))
    #expect(!secret.sign(message).isValid(of: message, by: box.key))
    #expect(!disguise.sign(message, with: secret).isValid(of: message, by: secret.key))
    #expect(throws: ItemError.wrongSignature) {
      try MutableItem(
        key: good.key, salt: good.salt, sequence: good.sequence + 1, value: good.value,
        signature: good.signature)
    }
  }

  /// The disguise against its definition, over many keys: what is signed by the secret's is checked by the key's.
  @Test mutating func disguisesOfSecretAndKeyBelongTogether() throws {
    for round in 0..<50 {
      let secret = try #require(DatasetSecret(seed: random.bytes(32)))
      let disguise = try #require(BlindedKey(secret.key, ReadKey(using: &random)))
      let message = random.bytes(round)
      let signature = disguise.sign(message, with: secret)
      #expect(signature.isValid(of: message, by: disguise.key), "round \(round)")
      #expect(!signature.isValid(of: message + [0], by: disguise.key))
    }
    // No point of the curve.
    let none = try #require(DatasetKey([UInt8](repeating: 2, count: 31) + [0x7f]))
    #expect(BlindedKey(none, readKey) == nil || SealedHeadBox(none, readKey) != nil)
  }

  /// The owner can sign anything; what is no sealed head of the right number is none.
  @Test func otherItemsAreRefused() throws {
    let disguise = try #require(BlindedKey(secret.key, readKey))
    func item(_ value: [UInt8], _ sequence: Int64) throws -> MutableItem {
      let text = "4:salt\(box.salt.count):"
      let message =
        Array(text.utf8) + box.salt + Array("3:seqi\(sequence)e1:v".utf8) + value
      return try MutableItem(
        key: box.key, salt: box.salt, sequence: sequence, value: value,
        signature: disguise.sign(message, with: secret))
    }
    let good = try box.seal(head(5), with: secret)
    #expect(try item(good.value, good.sequence) == good)
    #expect(throws: SealedHeadError.number) {
      try box.open(item(good.value, good.sequence + 1))
    }
    for value in ["i1e", "4:abcd", "de", "le"] {
      #expect(throws: SealedHeadError.malformed) { try box.open(item(Array(value.utf8), 9)) }
    }
    for index in stride(from: 4, to: good.value.count, by: 7) {
      var changed = good.value
      changed[index] ^= 1
      #expect(throws: SealedHeadError.notAuthentic) { try box.open(item(changed, good.sequence)) }
    }
  }
}
