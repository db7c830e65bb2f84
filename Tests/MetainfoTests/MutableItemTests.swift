import Metainfo
import Testing

/// The vectors at the end of BEP 44's and BEP 46's texts.
struct MutableItemTests {
  static let key = DatasetKey(
    hex: "77ff84905a91936367c01360803104f92432fcd904a43511876df5cdf3e7e548")!
  static let value = Array("12:Hello World!".utf8)

  @Test("BEP 44, tests 1 and 2: mutable items without and with salt")
  func mutableVectors() throws {
    let plain = Signature(
      [UInt8](
        hex: "305ac8aeb6c9c151fa120f120ea2cfb923564e11552d06a5d856091e5e853cff"
          + "1260d3f39e4999684aa92eb73ffd136e6f4f3ecbfda0ce53a1608ecd7ae21f01")!)!
    let first = try MutableItem(
      key: Self.key, sequence: 1, value: Self.value, signature: plain)
    #expect(first.target.description == "4a533d47ec9c7d95b1ad75f576cffc641853b750")
    let salted = Signature(
      [UInt8](
        hex: "6834284b6b24c3204eb2fea824d82f88883a3d95e8b4a21b8c0ded553d17d17d"
          + "df9a8a7104b1258f30bed3787e6cb896fca78c58f8e03b5f18f14951a87d9a08")!)!
    let second = try MutableItem(
      key: Self.key, salt: Array("foobar".utf8), sequence: 1, value: Self.value, signature: salted)
    #expect(second.target.description == "411eba73b6f087ca51a3795d9c8c938d365e32c1")
    #expect(throws: ItemError.wrongSignature) {
      try MutableItem(key: Self.key, sequence: 1, value: Self.value, signature: salted)
    }
    #expect(throws: ItemError.wrongSignature) {
      try MutableItem(key: Self.key, sequence: 2, value: Self.value, signature: plain)
    }
  }

  @Test("BEP 44, test 3: an immutable item")
  func immutableVector() throws {
    let item = try ImmutableItem(value: Self.value)
    #expect(item.target.description == "e5f96f6f38320f0f33959cb4d3d656452117aadb")
  }

  @Test("BEP 46: targets with and without salt")
  func targets() throws {
    let key = try #require(
      DatasetKey(hex: "8543d3e6115f0f98c944077a4493dcd543e49c739fd998550a1f614ab36ed63e"))
    #expect(
      MutableItem.target(of: key).description == "cc3f9d90b572172053626f9980ce261a850d050b")
    #expect(
      MutableItem.target(of: key, salt: [0x6e]).description
        == "59ee7c2cb9b4f7eb1986ee2d18fd2fdb8a56554f")
  }

  @Test("what we sign is right, and each part of it counts")
  func signing() throws {
    let secret = try #require(DatasetSecret(seed: (0..<32).map { UInt8($0) }))
    let item = try MutableItem(signedBy: secret, salt: [1], sequence: 9, value: Self.value)
    let again = try MutableItem(
      key: secret.key, salt: [1], sequence: 9, value: Self.value, signature: item.signature)
    #expect(again == item)
    #expect(throws: ItemError.wrongSignature) {
      try MutableItem(
        key: secret.key, salt: [2], sequence: 9, value: Self.value, signature: item.signature)
    }
    #expect(!"\(secret)".contains(secret.seed.hex))
    var dumped = ""
    dump(secret, to: &dumped)
    #expect(!dumped.contains("seed") && !dumped.contains("bytes"))
  }

  @Test("what is out of bounds is no item")
  func bounds() throws {
    let secret = try #require(DatasetSecret(seed: [UInt8](repeating: 7, count: 32)))
    func item(salt: Int = 0, sequence: Int64 = 1, value: [UInt8]) throws -> MutableItem {
      try MutableItem(
        signedBy: secret, salt: [UInt8](repeating: 0, count: salt), sequence: sequence, value: value
      )
    }
    #expect(throws: ItemError.saltTooLarge(65)) { try item(salt: 65, value: Self.value) }
    #expect(throws: ItemError.negativeSequence(-1)) { try item(sequence: -1, value: Self.value) }
    #expect(throws: ItemError.valueTooLarge(1_001)) {
      try item(value: Array("997:".utf8) + [UInt8](repeating: 0, count: 997))
    }
    #expect(throws: ItemError.self) { try item(value: Array("i1".utf8)) }
    #expect(throws: Never.self) {
      try item(salt: 64, value: Array("996:".utf8) + [UInt8](repeating: 0, count: 996))
    }
  }
}
