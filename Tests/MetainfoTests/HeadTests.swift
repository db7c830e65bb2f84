import Metainfo
import TestSupport
import Testing

/// Heads: BEP 46 values in items of BEP 44.
@Suite struct HeadTests {
  static let secret = DatasetSecret(seed: [UInt8](repeating: 5, count: 32))!
  static let short = [UInt8](repeating: 0x61, count: 20)
  static let long = [UInt8](repeating: 0x61, count: 32)

  private func item(_ value: [UInt8], sequence: Int64 = 3) throws -> MutableItem {
    try MutableItem(signedBy: Self.secret, sequence: sequence, value: value)
  }

  private func value(_ pairs: [(String, [UInt8])]) -> [UInt8] {
    var encoder = BencodeEncoder()
    encoder.beginDictionary()
    for (key, contents) in pairs {
      encoder.key(Array(key.utf8))
      encoder.string(contents)
    }
    encoder.end()
    return encoder.bytes
  }

  @Test("what we make is read again, and reads as BEP 46 has it")
  func ours() throws {
    let infohash = SHA256Digest(hashing: [1, 2, 3])
    let head = try Head(
      version: 7, infohash: infohash, signedBy: Self.secret, salt: Array("n".utf8))
    #expect(head.version == 7 && head.key == Self.secret.key && head.item.salt == Array("n".utf8))
    let expected =
      Array("d2:ih20:".utf8) + infohash.bytes.prefix(20) + Array("3:ih232:".utf8) + infohash.bytes
      + Array("e".utf8)
    #expect(head.item.value == expected)
    let read = try Head(
      MutableItem(
        key: head.key, salt: Array("n".utf8), sequence: 7, value: expected,
        signature: head.item.signature))
    #expect(read == head)
    #expect(read.infohashV2 == infohash && read.infohash == infohash.truncated)
  }

  @Test("the head of a publisher who knows BEP 46 alone, and keys of others")
  func stock() throws {
    let head = try Head(item(value([("ih", Self.short)])))
    #expect(head.infohash.bytes == Self.short && head.infohashV2 == nil)
    let more = try Head(
      item(value([("a", []), ("ih", Self.short), ("ih2", Self.long), ("z", [1])])))
    #expect(more.infohashV2?.bytes == Self.long)
  }

  @Test("what is no head says why")
  func faults() throws {
    let other = [UInt8](repeating: 0x62, count: 32)
    let rows: [([UInt8], HeadError)] = [
      (Array("4:head".utf8), .noDictionary),
      (Array("de".utf8), .missingInfohash),
      (value([("ih2", Self.long)]), .missingInfohash),
      (Array("d2:ihi3ee".utf8), .wrongInfohash("ih", byteCount: 20)),
      (value([("ih", Array(Self.short.dropLast()))]), .wrongInfohash("ih", byteCount: 20)),
      (value([("ih", Self.long)]), .wrongInfohash("ih", byteCount: 20)),
      (
        value([("ih", Self.short), ("ih2", Self.short)]),
        .wrongInfohash("ih2", byteCount: 32)
      ),
      (value([("ih", Self.short), ("ih2", other)]), .contradiction),
    ]
    for (value, error) in rows {
      #expect(throws: error) { try Head(item(value)) }
      #expect(!error.description.isEmpty)
    }
    #expect(throws: HeadError.noVersion(0)) {
      try Head(item(value([("ih", Self.short)]), sequence: 0))
    }
    let infohash = SHA256Digest(hashing: [1])
    for version in [Int64.min, -1, 0] {
      #expect(throws: HeadError.noVersion(version)) {
        try Head(version: version, infohash: infohash, signedBy: Self.secret)
      }
    }
    #expect(throws: HeadError.item(.saltTooLarge(65))) {
      try Head(
        version: 1, infohash: infohash, signedBy: Self.secret,
        salt: [UInt8](repeating: 0, count: 65))
    }
    #expect(throws: Never.self) {
      try Head(version: .max, infohash: infohash, signedBy: Self.secret)
    }
  }

  @Test("damaged values are heads of something else, or none", arguments: UInt64(0)..<8)
  func damage(seed: UInt64) throws {
    var random = SplitMix64(seed: seed)
    let good = value([("ih", Self.short), ("ih2", Self.long)])
    for _ in 0..<100 {
      var bytes = good
      for _ in 0..<Int.random(in: 1...3, using: &random) {
        bytes[Int.random(in: 0..<bytes.count, using: &random)] = UInt8.random(
          in: 0...255, using: &random)
      }
      guard let item = try? item(bytes), let head = try? Head(item) else { continue }
      // Damage to both at once is all that passes, or of keys that then are others'.
      let isWhole = head.infohashV2.map { $0.truncated == head.infohash } ?? true
      #expect(isWhole, "seed \(seed)")
    }
  }
}
